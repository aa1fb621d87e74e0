"""What is read side by side, and from where on: the data source without a cluster."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql.datasource import CaseInsensitiveDict
from pyspark.sql.streaming.datasource import ReadAllAvailable
from pyspark.sql.types import StructType

from destination_comeet.spark import ComeetDataSource
from integration_tests.sandbox.running import Sandbox
from integration_tests.support.atz_crm import atz_connector, mark, set_up, truth
from integration_tests.support.durations import DAY
from integration_tests.support.kombo import change, integrations, kombo_connector
from integration_tests.support.talemetry import talemetry_connector
from source_ats.errors import ConfigError, ContractError, TransientError
from source_ats.spark import AtsDataSource
from source_ats.spark.source import BatchesReader, Offset, ReadTask, TableReader


@pytest.fixture(scope="module")
def world() -> Iterator[Sandbox]:
    """One sandbox for all tests here."""
    with Sandbox.start(candidates=60) as running:
        set_up(running, rate_limit=None)
        yield running


@pytest.fixture
def kombo(world: Sandbox, tmp_path: Path) -> dict[str, Any]:
    """A configuration of the vendor with accounts."""
    world.reset_log()
    return kombo_connector(world, tmp_path).config


@pytest.fixture
def talemetry(world: Sandbox, tmp_path: Path) -> dict[str, Any]:
    """A configuration of the vendor with windows: a year of them."""
    start = world.now().replace(year=world.now().year - 1).isoformat()
    connector = talemetry_connector(world, tmp_path, window_days=30, concurrent_requests=3)
    return {**connector.config, "start_date": start}


@pytest.fixture
def atz(world: Sandbox, tmp_path: Path) -> dict[str, Any]:
    """A configuration of the vendor with a limited token."""
    return atz_connector(world, tmp_path).config


def source(config: object, stream: str, **options: str) -> AtsDataSource:
    """Return the data source as Spark makes it."""
    given = {"config": json.dumps(config), "stream": stream, **options}
    return AtsDataSource(CaseInsensitiveDict(given))


def table(config: object, stream: str, **options: str) -> TableReader:
    """Return what reads all there is."""
    reader = source(config, stream, **options).reader(StructType())
    assert isinstance(reader, TableReader)
    return reader


def batches(config: object, stream: str, *, available_now: bool = False) -> BatchesReader:
    """Return what reads batch after batch."""
    reader = source(config, stream).streamReader(StructType())
    assert isinstance(reader, BatchesReader)
    if available_now:
        reader.prepareForTriggerAvailableNow()
    return reader


def dealt(reader: BatchesReader, start: Offset, end: Offset) -> list[ReadTask]:
    """Return the partitions of a batch."""
    return [each for each in reader.partitions(start, end) if isinstance(each, ReadTask)]


def ids(reader: BatchesReader, start: Offset, end: Offset) -> list[str]:
    """Return the keys of the rows of a batch."""
    return [row[0] for each in dealt(reader, start, end) for row in reader.read(each)]


def after(reader: BatchesReader, start: Offset) -> Offset:
    """Plan the next batch, as Spark does: the offset travels as JSON."""
    planned: Offset = json.loads(json.dumps(reader.latestOffset(start, ReadAllAvailable())))
    return planned


def switch_off(
    world: Sandbox, integration_id: str, *, error: str | None = "INTEGRATION.INACTIVE"
) -> None:
    """Make an integration answer with an error, or no longer."""
    answers = {"integration_id": integration_id, "error": error, "error_status": 400}
    world.control("/_control/kombo/integration", answers)


def test_a_start_date_within_the_last_minutes_reads_nothing(
    world: Sandbox, talemetry: dict[str, Any]
) -> None:
    config = {**talemetry, "start_date": world.now().replace(microsecond=0).isoformat()}
    reader = table(config, "profiles")
    assert [row for each in reader.partitions() for row in reader.read(each)] == []
    begun = batches(config, "profiles")
    assert after(begun, begun.initialOffset()) == begun.initialOffset()


def test_each_integration_is_a_partition(world: Sandbox, kombo: dict[str, Any]) -> None:
    partitions = table(kombo, "candidates").partitions()
    pieces = [
        piece for each in partitions if isinstance(each, ReadTask) for piece in each.partitions
    ]
    assert [each and each["integration_id"] for each in pieces] == integrations(world)
    assert len(partitions) == len(pieces)


def test_windows_are_dealt_to_as_many_as_may_run_at_once(talemetry: dict[str, Any]) -> None:
    reader = table(talemetry, "profiles")
    partitions = [each for each in reader.partitions() if isinstance(each, ReadTask)]
    assert [(each.number, each.of) for each in partitions] == [(0, 3), (1, 3), (2, 3)]
    pieces = [piece for each in partitions for piece in each.partitions]
    assert len(pieces) == 13
    # Neighbours share their ends, and nothing is between them.
    assert all(a and b and a["to"] > b["from"] for a, b in pairwise(pieces))


def test_a_batch_has_no_more_windows_than_may_run_at_once(talemetry: dict[str, Any]) -> None:
    reader = batches(talemetry, "profiles", available_now=True)
    offset, windows, rows = reader.initialOffset(), [], []
    while (following := after(reader, offset)) != offset:
        partitions = dealt(reader, offset, following)
        assert 1 <= len(partitions) <= 3
        windows += [piece for each in partitions for piece in each.partitions]
        # Planned again after a restart, it is the same.
        again = batches(talemetry, "profiles")
        assert [each.partitions for each in dealt(again, offset, following)] == [
            each.partitions for each in partitions
        ]
        rows += ids(reader, offset, following)
        offset = following
    # The window that a batch left over ends when that batch was planned. What came since, if the
    # clock has moved on, is one window more.
    assert len(windows) in {13, 14}
    assert all(a and b and a["to"] > b["from"] for a, b in pairwise(windows))
    all_at_once = table(talemetry, "profiles")
    assert sorted(rows) == sorted(
        row[0] for each in all_at_once.partitions() for row in all_at_once.read(each)
    )
    assert "in_progress" not in offset


def test_a_share_of_everybody_for_each_partition(world: Sandbox, atz: dict[str, Any]) -> None:
    reader = table(atz, "candidate_history", partitions="3")
    partitions = [each for each in reader.partitions() if isinstance(each, ReadTask)]
    assert [(each.number, each.of) for each in partitions] == [(0, 3), (1, 3), (2, 3)]
    world.reset_log()
    shares = [{row[2] for row in reader.read(each)} for each in partitions]
    assert all(shares)
    assert sum(map(len, shares)) == len(set.union(*shares)) == len(truth(world))
    # Nobody's history is asked for twice, and each partition lists everybody twice.
    counts = world.counts()
    assert counts["atz_crm.history"]["total"] == 60


def test_a_token_is_not_shared_by_more_than_its_limit(atz: dict[str, Any]) -> None:
    atz["atz_crm"]["concurrent_requests"] = 2
    assert len(table(atz, "candidate_history", partitions="9").partitions()) == 2


def test_an_integration_that_cannot_be_read_keeps_its_bookmark(
    world: Sandbox, kombo: dict[str, Any]
) -> None:
    first, *others = integrations(world)
    reader = batches(kombo, "candidates")
    done = after(reader, reader.initialOffset())
    switch_off(world, first)
    try:
        world.advance(DAY)
        meanwhile = after(reader, done)
        assert meanwhile["integrations"][first] == done["integrations"][first]
        pieces = [piece for each in dealt(reader, done, meanwhile) for piece in each.partitions]
        assert [each and each["integration_id"] for each in pieces] == others
    finally:
        switch_off(world, first, error=None)
    changed = change(world, integration_id=first, changed=2)["changed"]
    assert set(changed) <= set(ids(reader, meanwhile, after(reader, meanwhile)))


def test_a_table_is_not_read_without_an_integration_that_fails(
    world: Sandbox, kombo: dict[str, Any]
) -> None:
    """No later batch would bring its rows. One that cannot be read by its settings is left out."""
    first, *others = integrations(world)
    world.fault("kombo.candidates", "body", body="{}", containing=first)
    try:
        with pytest.raises(ContractError, match=first):
            table(kombo, "candidates").partitions()
    finally:
        world.clear_faults()
    switch_off(world, first)
    try:
        partitions = table(kombo, "candidates").partitions()
    finally:
        switch_off(world, first, error=None)
    pieces = [
        piece for each in partitions if isinstance(each, ReadTask) for piece in each.partitions
    ]
    assert [each and each["integration_id"] for each in pieces] == others


def test_a_row_without_a_readable_key_fails_its_task(world: Sandbox, kombo: dict[str, Any]) -> None:
    """Its batch is planned already, so nothing would request the row again."""
    first = integrations(world)[0]
    partition = table(kombo, "kombo_jobs").partitions()[0]
    body = b'{"status":"success","data":{"next":null,"results":[{"name":"x" y "z","id":"bad"}]}}'
    world.fault("kombo.jobs", "body", body=body.decode(), containing=first)
    try:
        with pytest.raises(TransientError, match="without a readable id"):
            list(table(kombo, "kombo_jobs").read(partition))
        assert list(table(kombo, "kombo_jobs", refused="leave_out").read(partition)) == []
    finally:
        world.clear_faults()


def test_one_that_breaks_after_the_plan_fails_its_task_by_name(
    world: Sandbox, kombo: dict[str, Any]
) -> None:
    first = integrations(world)[0]
    reader = table(kombo, "candidates")
    partition = reader.partitions()[0]
    switch_off(world, first)
    try:
        with pytest.raises(ConfigError, match=first):
            list(reader.read(partition))
    finally:
        switch_off(world, first, error=None)


def test_one_that_is_taken_out_no_longer_holds_a_batch_up_and_comes_back_whole(
    world: Sandbox, kombo: dict[str, Any]
) -> None:
    first, *others = integrations(world)
    reader = batches(kombo, "candidates")
    start = reader.initialOffset()
    planned = after(reader, start)
    kombo["kombo"]["integration_ids"] = others
    without = batches(kombo, "candidates")
    pieces = [piece for each in dealt(without, start, planned) for piece in each.partitions]
    assert [each and each["integration_id"] for each in pieces] == others
    world.advance(60)
    done = after(without, planned)
    assert set(done["integrations"]) == set(others)
    again = [
        piece for each in dealt(reader, done, after(reader, done)) for piece in each.partitions
    ]
    assert {"integration_id": first, "entry": {}} in again


def test_another_selection_is_read_from_its_start(world: Sandbox, kombo: dict[str, Any]) -> None:
    reader = batches(kombo, "candidates")
    done = after(reader, reader.initialOffset())
    kombo["start_date"] = "2025-01-01T00:00:00Z"
    other = batches(kombo, "candidates")
    for each in dealt(other, done, after(other, done)):
        assert all(piece and piece["entry"] == {} for piece in each.partitions)


def test_a_refused_child_fails_its_task_unless_it_may_be_left_out(
    world: Sandbox, atz: dict[str, Any]
) -> None:
    slug = min(truth(world))
    mark(world, slug, 422)
    try:
        strict = table(atz, "candidate_history", partitions="1")
        with pytest.raises(TransientError, match=f"1 refused .*{slug}"):
            list(strict.read(strict.partitions()[0]))
        lax = table(atz, "candidate_history", partitions="1", refused="leave_out")
        slugs = {row[2] for row in lax.read(lax.partitions()[0])}
        assert slugs == set(truth(world)) - {slug}
    finally:
        mark(world, slug, None)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"config": "{", "stream": "candidates"}, "config has to be"),
        ({"config": "[]", "stream": "candidates"}, "JSON object"),
        ({"stream": "candidates"}, "option config is missing"),
        ({"config": "{}"}, "option stream is missing"),
        ({"config": "{}", "stream": "candidates"}, "names no system"),
        ({"stream": "profiles"}, "does not offer the stream profiles. It offers: candidates"),
        ({"stream": "candidates", "partitions": "0"}, "partitions has to be a number"),
        ({"stream": "candidates", "objects": "xml"}, "one of: variant, json"),
        ({"stream": "candidates", "refused": "ignore"}, "one of: fail, leave_out"),
    ],
)
def test_wrong_options_are_named(
    kombo: dict[str, Any], options: dict[str, str], message: str
) -> None:
    if options.keys() >= {"stream"} and "config" not in options and "missing" not in message:
        options = {"config": json.dumps(kombo), **options}
    with pytest.raises(ConfigError, match=message):
        AtsDataSource(CaseInsensitiveDict(options)).reader(StructType())


def test_a_ledger_that_the_executors_cannot_share_is_a_config_error(tmp_path: Path) -> None:
    config = {
        "api_key": "k",
        "secret": "s",
        "streams": [{"stream": "people", "mapping": {"mapping_type": "comeet"}}],
        "ledger": {"ledger_type": "sqlite", "path": str(tmp_path / "ledger.db")},
    }
    options = CaseInsensitiveDict({"config": json.dumps(config), "stream": "people"})
    with pytest.raises(ConfigError, match="postgres"):
        ComeetDataSource(options).writer(StructType().add("id", "string"), overwrite=False)
