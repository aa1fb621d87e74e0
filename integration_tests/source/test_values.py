"""Values that JSON allows but warehouses do not: repaired, in every vendor, neighbours unharmed."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airbyte_cdk.models import AirbyteMessageSerializer, ConfiguredAirbyteCatalogSerializer, Type

from integration_tests.sandbox.running import Sandbox
from integration_tests.support.configured import section, source
from integration_tests.support.connector import Connector, Run, catalog
from integration_tests.support.failures import comeet as comeet_config
from integration_tests.support.kombo import integrations
from integration_tests.support.scripted_vendor import Answer, Request, scripted_vendor
from integration_tests.support.writer import Writer, person, record
from source_ats import SourceAts

BIG = "9" * 29
PLACES = {
    "candidates": ("kombo.candidates", "data.results.0.new_field", ("new_field",)),
    "kombo_jobs": ("kombo.jobs", "data.results.0.new_field", ("new_field",)),
    "profiles": (
        "talemetry.profiles",
        "result.Candidates.0.Candidate.NewField",
        ("extra", "NewField"),
    ),
    "candidate_history": ("atz_crm.history", "0.new_field", ("new_field",)),
    "atz_candidates": ("atz_crm.candidates", "0.new_field", ("new_field",)),
    "atz_deals": ("atz_crm.deals", "0.new_field", ("new_field",)),
    "comeet_candidates": ("comeet.list", "candidates.0.new_field", ("new_field",)),
    "comeet_positions": ("comeet.positions", "positions.0.new_field", ("new_field",)),
}
"""Where a vendor sends a field that no schema declares, and where it stands in the record."""

TEXTS = {
    BIG: BIG,
    f"-{BIG}": f"-{BIG}",
    "9223372036854775808": "9223372036854775808",
    "1e400": "1e400",
    "-1E+400": "-1E+400",
    "7" * 5000: "7" * 5000,
}
REPAIRED = {
    r'"a\u0000b"': "a?b",
    r'"a\ud83db"': "a?b",
    r'{"k\u0000":1}': {r"k\u0000": 1},
    r'{"k\ud83d":1}': {r"k\ud83d": 1},
    r'{"k\u0000":1,"k\\u0000":2,"k":3,"k?":4}': "four keys",
}
INVALID = {
    '"a\xffb"': "a?b",
    '"a\nb"': "a\nb",
    '"a\tb\x01"': "a\tb\x01",
    "NaN": None,
    "-Infinity": None,
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A few people for each vendor, also in Comeet."""
    with Sandbox.start(candidates=6, accounts=1) as sandbox:
        sandbox.control("/_control/atz_crm/settings", {"rate_limit": None})
        writer = Writer(sandbox, tmp_path_factory.mktemp("comeet"))
        assert writer.check().code == 0
        assert writer.write(*(record(person(number)) for number in range(1, 5))).code == 0
        yield sandbox


@pytest.fixture
def sandbox(world: Sandbox) -> Sandbox:
    """The same, without faults."""
    world.clear_faults()
    world.reset_log()
    return world


@pytest.fixture
def connector(sandbox: Sandbox, tmp_path: Path) -> Connector:
    """The source, configured for all four vendors."""
    kombo = section("kombo", sandbox.url, integration_ids=integrations(sandbox))
    others = {name: section(name, sandbox.url) for name in ("talemetry", "atz_crm")}
    return source(tmp_path, kombo=kombo, **others, **comeet_config(sandbox))


def inside(row: dict[str, Any], path: tuple[str, ...]) -> Any:
    """Return what stands at a path."""
    value: Any = row
    for name in path:
        value = value[name] if isinstance(value, dict) else None
    return value


def read_with(
    connector: Connector, sandbox: Sandbox, stream: str, raw: str, times: int | None = None
) -> tuple[Run, Run]:
    """Read a stream as it is, then with this text in one place of each answer, or of the first."""
    before = connector.read_quickly(stream)
    assert before.code == 0
    route, at, _ = PLACES[stream]
    sandbox.fault(route, "replace", at=at, raw=raw, times=times)
    return before, connector.read_quickly(stream)


def keys_of(run: Run, stream: str) -> set[str]:
    """Return the primary keys of the rows."""
    key = {"atz_candidates": "slug", "atz_deals": "slug"}.get(stream, "id")
    key = "uid" if stream.startswith("comeet_") else key
    return {row[key] for row in run.records(stream)}


def found(run: Run, stream: str) -> list[Any]:
    """Return what came of the text."""
    name = PLACES[stream][2]
    return [
        inside(row, name)
        for row in run.records(stream)
        if name[-1] in (row if len(name) == 1 else inside(row, name[:-1]) or {})
    ]


def found_changes(run: Run, stream: str) -> list[dict[str, Any]]:
    """Return the entries of `meta.changes`."""
    return [
        change
        for record in run.of("RECORD")
        if record["stream"] == stream
        for change in record.get("meta", {}).get("changes", ())
    ]


@pytest.mark.parametrize("raw", TEXTS, ids=lambda raw: raw[:12])
@pytest.mark.parametrize("stream", PLACES)
def test_a_number_that_no_warehouse_holds_becomes_text(
    connector: Connector, sandbox: Sandbox, stream: str, raw: str
) -> None:
    before, run = read_with(connector, sandbox, stream, raw)
    assert run.code == 0, run.errors()
    assert keys_of(run, stream) == keys_of(before, stream)
    values = found(run, stream)
    assert values
    assert set(values) == {TEXTS[raw]}
    changes = found_changes(run, stream)
    assert [each["field"] for each in changes] == [".".join(PLACES[stream][2])] * len(values)
    for message in run.messages:
        AirbyteMessageSerializer.load(message)


@pytest.mark.parametrize("levels", [300, 5_000])
@pytest.mark.parametrize("stream", PLACES)
def test_what_is_nested_too_deeply_becomes_text(
    connector: Connector, sandbox: Sandbox, stream: str, levels: int
) -> None:
    before, run = read_with(connector, sandbox, stream, "[" * levels + "]" * levels)
    assert run.code == 0, run.errors()
    assert keys_of(run, stream) == keys_of(before, stream)
    for value in found(run, stream):
        depth, inside_of_it = 1 + len(PLACES[stream][2]), value
        while isinstance(inside_of_it, list):
            (inside_of_it,) = inside_of_it
            depth += 1
        assert 95 <= depth <= 102
        assert isinstance(inside_of_it, str)
    assert found_changes(run, stream)


@pytest.mark.parametrize("raw", REPAIRED)
@pytest.mark.parametrize("stream", PLACES)
def test_nul_and_lone_surrogates_never_reach_a_warehouse(
    connector: Connector, sandbox: Sandbox, stream: str, raw: str
) -> None:
    before, run = read_with(connector, sandbox, stream, raw)
    assert run.code == 0, run.errors()
    assert keys_of(run, stream) == keys_of(before, stream)
    values = found(run, stream)
    assert values
    for value in values:
        assert "\0" not in json.dumps(value, ensure_ascii=False)
        if REPAIRED[raw] == "four keys":
            assert sorted(value.values()) == [1, 2, 3, 4]
        else:
            assert value == REPAIRED[raw]


@pytest.mark.parametrize("raw", INVALID, ids=ascii)
@pytest.mark.parametrize("stream", PLACES)
def test_a_page_that_is_not_valid_json_is_repaired(
    connector: Connector, sandbox: Sandbox, stream: str, raw: str
) -> None:
    before, run = read_with(connector, sandbox, stream, raw)
    assert run.code == 0, run.errors()
    assert keys_of(run, stream) == keys_of(before, stream)
    values = found(run, stream)
    assert values
    assert all(value == INVALID[raw] for value in values)


@pytest.mark.parametrize("stream", PLACES)
def test_a_row_that_cannot_be_repaired_is_left_out_by_its_key_and_requested_again(
    connector: Connector, sandbox: Sandbox, stream: str
) -> None:
    # A history is a child of its own: were all of them bad, ATZ CRM would count as down.
    times = 2 if stream == "candidate_history" else None
    before, run = read_with(connector, sandbox, stream, "undefined", times=times)
    missing = keys_of(before, stream) - keys_of(run, stream)
    assert run.code == 0, run.errors()
    assert run.logs("WARN")
    if stream != "candidate_history":
        assert missing
    if len(keys_of(before, stream)) > 1:
        assert missing < keys_of(before, stream), "all neighbours are missing"
    sandbox.clear_faults()
    again = connector.read_quickly(stream, state=run.of("STATE"))
    assert again.code == 0
    assert keys_of(run, stream) | keys_of(again, stream) == keys_of(before, stream)
    assert "set_aside" not in json.dumps(again.state(stream))


@pytest.mark.parametrize("spelled", ["1.10", "-0.0", "1E5", "12345678901234567.0"])
@pytest.mark.parametrize("stream", PLACES)
def test_numbers_keep_their_spelling(
    connector: Connector, sandbox: Sandbox, stream: str, spelled: str
) -> None:
    route, at, _ = PLACES[stream]
    sandbox.fault(route, "replace", at=at, raw=f'["{stream}",{spelled}]')
    arguments = connector.command("read", catalog=catalog(stream))
    run = connector.run_quickly_with(arguments)
    assert run.code == 0
    printed = b"".join(path.read_bytes() for path in connector.folder.glob("*-out.jsonl"))
    assert f'["{stream}",{spelled}]'.encode() in printed


@pytest.mark.parametrize("own_integration_id", [False, True])
@pytest.mark.parametrize("indent", [None, 2])
def test_kombo_numbers_stay_as_they_are_however_the_page_is_written(
    tmp_path: Path, indent: int | None, *, own_integration_id: bool
) -> None:
    rows = {"1.10": "1.10", "1e400": '"1e400"', BIG: f'"{BIG}"', "7" * 5000: f'"{"7" * 5000}"'}

    def script(_: Request) -> Answer:
        listed = [
            {"id": str(number), "changed_at": "2025-01-01T00:00:00.000Z", "x": f"@{raw}@"}
            | ({"integration_id": "theirs"} if own_integration_id else {})
            for number, raw in enumerate(rows)
        ]
        page = json.dumps({"status": "success", "data": {"next": None, "results": listed}},
                          indent=indent)  # fmt: skip
        return Answer(page.replace('"@', "").replace('@"', "").encode())

    with scripted_vendor(script) as vendor:
        connector = source(tmp_path, kombo=section("kombo", vendor.url))
        run = connector.read_quickly()
    assert run.code == 0, run.errors()
    assert [row["integration_id"] for row in run.records()] == ["greenhouse:one"] * len(rows)
    printed = b"".join(path.read_bytes() for path in tmp_path.glob("*-out.jsonl"))
    for kept in rows.values():
        assert re.search(rb'"x": ?' + re.escape(kept).encode() + b" *[,}]", printed)


def test_both_entry_points_take_a_number_that_overflows(
    connector: Connector, sandbox: Sandbox
) -> None:
    sandbox.fault("kombo.candidates", "replace", at="data.results.0.new_field", raw="1e400")
    configured = ConfiguredAirbyteCatalogSerializer.load(catalog())
    messages = list(SourceAts().read(logging.getLogger(), connector.config, configured))
    records = [each.record for each in messages if each.type is Type.RECORD]
    assert [each.data["new_field"] for each in records if each and "new_field" in each.data] == [
        "1e400"
    ]
