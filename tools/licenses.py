"""Writes the list of licenses of what the images ship: `scripts/docs` does it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from integration_tests.sandbox.running import PROJECT

PAGE = PROJECT / "docs" / "licenses.md"
HEAD = """\
# Licenses of what the images ship

Both images hold the packages of `requirements/runtime.lock`, which also has their versions, on
Airbyte's base image `airbyte/python-connector-base` (Debian and Python with their own licenses).
The connectors themselves are under the [MIT license](../LICENSE).

`scripts/docs` writes this list with `pip-licenses`, from what each package says of itself. Two are
not permissive: `psycopg` (LGPL), which the ledger in PostgreSQL uses, and `unidecode` (GPL), which
`airbyte-cdk` requires for other kinds of connectors.

| package | license |
| --- | --- |
"""


def shipped() -> set[str]:
    """Return the names of the locked packages that are installed on Linux."""
    lock = (PROJECT / "requirements" / "runtime.lock").read_text("utf-8")
    lines = re.findall(r"^([a-zA-Z0-9].*?) \\$", lock, re.MULTILINE)
    return {
        canonicalize_name(each.name)
        for each in map(Requirement, lines)
        if each.marker is None or each.marker.evaluate({"sys_platform": "linux"})
    }


def main() -> None:
    """Write the page."""
    program = str(Path(sys.executable).with_name("pip-licenses"))
    printed = subprocess.run(
        [program, "--format=json", "--with-system", "--packages", *shipped()],
        capture_output=True,
        check=True,
    ).stdout
    licenses = {
        canonicalize_name(each["Name"]): each["License"].splitlines()[0]  # some give the whole text
        for each in json.loads(printed)
    }
    rows = [f"| {name} | {licenses[name]} |\n" for name in sorted(licenses)]
    PAGE.write_text(HEAD + "".join(rows), "utf-8")


if __name__ == "__main__":
    main()
