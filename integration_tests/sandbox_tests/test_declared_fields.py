"""Every field that a stream declares is filled somewhere in the sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from integration_tests.sandbox.running import Sandbox
from integration_tests.support.connector import Connector
from integration_tests.support.every_stream import configuration


def declared(schema: dict[str, Any], path: str) -> Iterator[str]:
    """Yield the path of each field that a schema names, nested ones included."""
    for name, field in schema.get("properties", {}).items():
        yield f"{path}.{name}"
        yield from declared(field, f"{path}.{name}")
    if "items" in schema:
        yield from declared(schema["items"], path)


def filled(value: object, path: str) -> Iterator[str]:
    """Yield the path of each field that holds something: null, "" and empty lists do not."""
    if isinstance(value, dict):
        yield path
        for name, field in value.items():
            yield from filled(field, f"{path}.{name}")
    elif isinstance(value, list):
        for item in value:
            yield from filled(item, path)
    elif value not in {None, ""}:
        yield path


def test_every_declared_field_is_filled_somewhere(tmp_path: Path) -> None:
    with Sandbox.start(candidates=400) as sandbox:
        # Comeet begins empty, and without the permission that shows who submitted a candidate.
        sandbox.control("/_control/comeet/settings", {"source_contacts": True})
        sandbox.control("/_control/comeet/fill", {"count": 40})
        uids = [each["uid"] for each in sandbox.truth("/_control/comeet/truth")]
        sandbox.control("/_control/comeet/move", {"uids": uids[:8], "status": "Hired"})
        sandbox.control("/_control/comeet/erase", {"uids": uids[-3:]})

        connector = Connector(tmp_path, configuration(sandbox))
        (found,) = connector.run("discover").of("CATALOG")
        schemas = {each["name"]: each["json_schema"] for each in found["streams"]}
        run = connector.read(*schemas, mode="full_refresh")
    assert run.code == 0, run.errors()

    never_filled: list[str] = []
    for stream, schema in schemas.items():
        seen: set[str] = set()
        for row in run.records(stream):
            seen.update(filled(row, stream))
        never_filled += sorted(set(declared(schema, stream)) - seen)
    assert never_filled == []
