"""The mutants that `mypy --strict` rejects, which `scripts/check` runs before every commit."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence

from tools.mutate.population import FOLDER

COMMAND = (
    *(sys.executable, "-m", "mypy", "--output", "json"),
    *("--cache-dir", "../.mypy_cache/mutants"),
)

NOT_COUNTED = (
    # These are about what mutmut adds.
    *("ignore-without-code", "no-redef", "unused-ignore"),
    # These object to the form `(condition) and False`, not to the other branch.
    *("redundant-expr", "unreachable"),
)
"""Codes of errors that say nothing about a mutant."""


def rejected(packages: Sequence[str]) -> set[str]:
    """Return the names of the mutants that have an error of types.

    Functions whose unchanged copy has one are left out: that is about mutmut's form of the code.
    """
    done = subprocess.run(
        [*COMMAND, *packages], cwd=FOLDER, capture_output=True, text=True, check=False
    )
    if done.returncode > 1:
        raise RuntimeError(done.stdout + done.stderr)
    lines: dict[str, set[int]] = {}
    for line in done.stdout.splitlines():
        error = json.loads(line)
        if error["severity"] == "error" and error["code"] not in NOT_COUNTED:
            lines.setdefault(error["file"], set()).add(error["line"])
    found = set()
    for file, of_file in lines.items():
        index = FOLDER / f"{file}.spans"
        if not index.exists():
            continue
        module = file.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
        spans = json.loads(index.read_text())["spans"]
        wrong = {
            name for name, (first, last) in spans.items() if of_file & {*range(first, last + 1)}
        }
        odd = {name.removesuffix("_orig") for name in wrong if name.endswith("_orig")}
        found |= {
            f"{module}.{name}"
            for name in wrong
            if name.rpartition("_")[0] not in odd and not name.endswith("_orig")
        }
    return found
