"""Changes the code in one place at a time. Does a test fail? `scripts/mutate` runs it.

mutmut makes the changes (mutants). A sample of them is drawn, some of every module. Those that mypy
rejects are not run. For each other mutant the tests run that reach its function, until one fails.
What was found is kept in `mutants/`: a call that was ended is repeated, and resumes.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from mutmut.__main__ import create_mutants
from mutmut.utils.file_utils import copy_also_copy_files, copy_src_dir

from tools.mutate import running
from tools.mutate.population import FOLDER, Mutant, drawn, equivalent, population
from tools.mutate.types_rejected import rejected

PACKAGES = ("source_ats", "destination_comeet")

TESTS = (
    "unit_tests",
    "integration_tests/destination",
    # Those that reach what the unit tests do not; all of them would take an hour to list.
    "integration_tests/source/test_candidates.py",
    "integration_tests/source/test_comeet.py",
    "integration_tests/source/test_kombo_files.py",
    "integration_tests/source/test_profiles.py",
    "integration_tests/source/test_row_filters.py",
)
LEFT_OUT = (
    "unit_tests/project",  # about the project's files
    # These start the command as a process of its own, or need PostgreSQL.
    "integration_tests/destination/ledgers",
    "integration_tests/destination/test_destination_pipe.py",
    "integration_tests/destination/test_handshakes.py",
    "integration_tests/destination/test_postgres.py",
    "integration_tests/destination/test_postgres_ledger.py",
)

COLUMNS = (
    "unit test",
    "integration test",
    "types",
    "timeout",
    "equivalent",
    "survived",
    "untested",
)


def main(arguments: Sequence[str]) -> int:
    """Test a sample and print what became of it."""
    parser = argparse.ArgumentParser(prog="scripts/mutate", description=__doc__.partition("\n")[0])
    parser.add_argument("--sample", type=int, default=1000, help="how many are drawn (1000)")
    parser.add_argument("--seed", type=int, default=23, help="of the draw (23)")
    parser.add_argument(
        "--again", action="store_true", help="test again what survived or was not reached"
    )
    parser.add_argument("--report", action="store_true", help="run nothing, print what is known")
    parser.add_argument(
        "--seconds", type=float, default=10, help="of unit tests for each mutant (10)"
    )
    parser.add_argument(
        "--integration-seconds", type=float, default=20, help="of integration tests (20)"
    )
    options = parser.parse_args(arguments)

    FOLDER.mkdir(exist_ok=True)
    with contextlib.redirect_stdout(io.StringIO()):  # mutmut prints the name of each file
        copy_src_dir()
        copy_also_copy_files()
        create_mutants(max_children=2)
    mutants = list(population())
    sample = drawn(mutants, options.sample, options.seed)
    reasons = equivalent(mutants)
    by_types = rejected(PACKAGES)
    print(f"Seed {options.seed}: {len(sample)} of {len(mutants)} mutants are drawn.", flush=True)
    left = [each for each in sample if each.name not in by_types and each.name not in reasons]
    if not options.report:
        test(left, options.seconds, options.integration_seconds, again=options.again)
    known = outcomes()
    fates = {
        mutant: fate(
            known.get(mutant.key),
            types=mutant.name in by_types,
            equivalent=mutant.name in reasons,
        )
        for mutant in sample
    }
    survivors = [mutant for mutant in sample if fates[mutant] == "survived"]
    for mutant in sorted(survivors, key=lambda mutant: mutant.name):
        print(f"\n[[equivalent]]\nfunction = {mutant.function!r}\nchange = '''")
        print(f"{mutant.change()}'''\nreason = ''")
    for title, group in (("module", lambda mutant: mutant.module), ("package", package)):
        print(f"\n{table(title, group, fates)}")
    return 1 if "untested" in fates.values() else 0


def test(
    mutants: Iterable[Mutant], seconds: float, integration_seconds: float, *, again: bool
) -> None:
    """Run the tests for those that were not tested before."""
    known = outcomes()
    done = {key for key, (outcome, _) in known.items() if not again or outcome not in OPEN}
    left = [(mutant.key, mutant.name) for mutant in mutants if mutant.key not in done]
    print(f"{len(left)} are to be tested.", flush=True)
    (FOLDER / running.TO_TEST).write_text(json.dumps([seconds, integration_seconds, left]))
    command = [sys.executable, "-m", "pytest", "-p", running.__name__, "-p", "no:cacheprovider"]
    selection = [*TESTS, *(f"--ignore={path}" for path in LEFT_OUT), "-k", "not postgres"]
    with (FOLDER / "log.txt").open("w") as log:
        subprocess.run([*command, *selection], cwd=FOLDER, stdout=log, stderr=log, check=True)


OPEN = ("survived", "no tests")


def outcomes() -> dict[str, tuple[str, str]]:
    """Return the last outcome of each mutant that was tested, with the test that failed."""
    found = running.read_lines(FOLDER / running.OUTCOMES)
    return {each["key"]: (each["outcome"], each["test"]) for each in found}


def fate(outcome: tuple[str, str] | None, *, types: bool, equivalent: bool) -> str:
    """Return the column of the tables in which a mutant counts."""
    if equivalent:
        return "equivalent"
    if types:
        return "types"
    if outcome is None:
        return "untested"
    word, test = outcome
    if word == "killed":
        return "integration test" if test.startswith("integration_tests/") else "unit test"
    return "survived" if word in OPEN else word


def package(mutant: Mutant) -> str:
    """Return the row of a mutant in the short table."""
    return str(Path(mutant.module).parent)


def table(title: str, group: Callable[[Mutant], str], fates: Mapping[Mutant, str]) -> str:
    """Return what became of the mutants as a table, with the part that was found."""
    rows: dict[str, Counter[str]] = {}
    for mutant, found in fates.items():
        for row in (group(mutant), "all"):
            rows.setdefault(row, Counter())[found] += 1
    lines = [f"| {title} | drawn | {' | '.join(COLUMNS)} | killed |", "| --- " * 10 + "|"]
    for row in [*sorted(rows.keys() - {"all"}), "all"]:
        counts = rows[row]
        counted = counts.total() - counts["equivalent"]
        killed = counted - counts["survived"] - counts["untested"]
        numbers = " | ".join(str(counts[column]) for column in COLUMNS)
        part = f"{100 * killed / counted:.1f} %" if counted else ""
        lines.append(f"| {row} | {counts.total()} | {numbers} | {part} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
