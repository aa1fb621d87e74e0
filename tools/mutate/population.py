"""The mutants that mutmut has made: their names, a sample of them, and those without effect."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.utils.file_utils import walk_mutatable_files

FOLDER = Path("mutants")
"""Where mutmut keeps the changed code and what it has found out. It can be deleted at any time."""

EQUIVALENT = Path(__file__).with_name("equivalent.toml")

OF_EACH_MODULE = 5
"""At least this many are drawn from each module, or all that it has."""


@dataclass(frozen=True)
class Mutant:
    """One change of one function."""

    name: str
    """mutmut's: the function, and a number."""
    module: str
    """The path of the file."""
    version: str
    """A hash of the function that is changed."""

    @property
    def function(self) -> str:
        """The function as Python names it, with its module."""
        return re.sub(r"\.x(?:_|ǁ)", ".", self.name.partition("__mutmut_")[0]).replace("ǁ", ".")

    @property
    def key(self) -> str:
        """What identifies it across changes of the code."""
        return f"{self.name} {self.version}"

    def change(self) -> str:
        """Return the lines that differ, `-` and `+`, without their indentation."""
        lines = get_diff_for_mutant(self.name, path=self.module).splitlines()[3:]
        return "".join(f"{line[0]} {line[1:].strip()}\n" for line in lines if line[0] in "+-")


def population() -> Iterator[Mutant]:
    """Yield all mutants."""
    for path in walk_mutatable_files():
        module = str(path)
        found = json.loads((FOLDER / f"{module}.meta").read_text())
        versions = found["hash_by_function_name"]
        for name in found["exit_code_by_key"]:
            version = versions[name.rpartition(".")[2].partition("__mutmut_")[0]]
            yield Mutant(name, module, version)


def drawn(mutants: Iterable[Mutant], size: int, seed: int) -> list[Mutant]:
    """Return a sample, in a random order: some of each module, the rest from all.

    Each mutant has a number of its own, so that a change of the code replaces few of them.
    """

    def number(mutant: Mutant) -> bytes:
        return hashlib.sha256(f"{seed} {mutant.name}".encode()).digest()

    ordered = sorted(mutants, key=number)
    of_module: Counter[str] = Counter()
    sample: list[Mutant] = []
    rest: list[Mutant] = []
    for mutant in ordered:
        of_module[mutant.module] += 1
        (sample if of_module[mutant.module] <= OF_EACH_MODULE else rest).append(mutant)
    sample += rest[: max(0, size - len(sample))]
    return sorted(sample, key=number)


def equivalent(mutants: Iterable[Mutant]) -> Mapping[str, str]:
    """Return the reasons of `equivalent.toml` by the names of the mutants.

    Raises `ValueError` if it lists a change that no mutant makes.
    """
    of_function: dict[str, list[Mutant]] = {}
    for mutant in mutants:
        of_function.setdefault(mutant.function, []).append(mutant)
    reasons: dict[str, str] = {}
    for entry in tomllib.loads(EQUIVALENT.read_text("utf-8")).get("equivalent", []):
        same = [
            mutant
            for mutant in of_function.get(entry["function"], [])
            if mutant.change() == entry["change"]
        ]
        if not same:
            message = f"{EQUIVALENT.name}: no mutant of {entry['function']} is:\n{entry['change']}"
            raise ValueError(message)
        reasons |= {mutant.name: entry["reason"] for mutant in same}
    return reasons
