"""Writes the tables of columns on the vendors' pages, from what `discover` shows.

`scripts/docs` does it; a test says when a page is out of date.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from integration_tests.sandbox.running import PROJECT
from integration_tests.support.connector import Connector

BEGIN = "<!-- Columns: written by scripts/docs. -->\n"
END = "<!-- End of columns. -->\n"
PAGES: Mapping[str, Mapping[str, Any]] = {
    "kombo": {"api_key": "ks_dev_docs", "integration_ids": ["tool:7kQmW3xTzB9sLp2VhNfRc4Yd"]},
    "talemetry": {"credentials": {"auth_type": "token", "token": "made-up"}},
    "atz_crm": {"access_token": "made-up"},
    "comeet": {"api_key": "made-up", "secret": "made-up"},
}
"""The section of the configuration for the streams of each page."""


def page(section: str) -> Path:
    """Return the page of a vendor."""
    return PROJECT / "docs" / f"{section}.md"


def written(section: str) -> str:
    """Return the text of a page with its tables up to date."""
    text = page(section).read_text("utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    tables = "\n".join(map(_table, streams({section: PAGES[section]})))
    return f"{before}{BEGIN}\n{tables}\n{END}{after}"


def streams(configuration: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the streams that `discover` shows for a configuration."""
    with tempfile.TemporaryDirectory() as folder:
        (catalog,) = Connector(Path(folder), configuration).run("discover").of("CATALOG")
    found: list[dict[str, Any]] = catalog["streams"]
    return found


def _table(stream: Mapping[str, Any]) -> str:
    rows = [
        f"| `{name}` | {_type(column)} | {column['description']} |\n"
        for name, column in stream["json_schema"]["properties"].items()
    ]
    head = f"### Columns of `{stream['name']}`\n\n| column | type | what it holds |\n"
    return f"{head}| --- | --- | --- |\n{''.join(rows)}"


def _type(column: Mapping[str, Any]) -> str:
    if column.get("format") == "date-time":
        return "timestamp"
    if column.get("format") == "date":
        return "date"
    return " or ".join(each for each in column["type"] if each != "null")


def main() -> None:
    """Write all pages."""
    for section in PAGES:
        page(section).write_text(written(section), "utf-8")


if __name__ == "__main__":
    main()
