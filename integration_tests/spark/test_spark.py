"""The streams as a Spark data source, on a cluster, against the fake vendors over HTTP."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyspark.errors import StreamingQueryException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as sf
from pyspark.sql.streaming.readwriter import DataStreamWriter

from integration_tests.sandbox.running import Sandbox
from integration_tests.support.atz_crm import atz_connector, set_up
from integration_tests.support.connector import Connector
from integration_tests.support.kombo import change, kombo_connector, truth
from integration_tests.support.talemetry import talemetry_connector
from source_ats.vendors.atz_crm.listing_index import SlugPartition

STREAMS = ("candidates", "profiles", "candidate_history")
STARTS = 6
OF_THE_RUN = ("as_of", "read_at")
"""Columns that tell when something was read."""


@pytest.fixture(scope="module")
def world() -> Iterator[Sandbox]:
    """One sandbox for the tests that change nothing in it."""
    with Sandbox.start(candidates=150) as running:
        set_up(running, rate_limit=None)
        yield running


@pytest.fixture
def everything(world: Sandbox, tmp_path: Path) -> Connector:
    """The source, configured for all vendors."""
    connectors = (
        kombo_connector(world, tmp_path),
        talemetry_connector(world, tmp_path, concurrent_requests=4, window_days=120),
        atz_connector(world, tmp_path),
    )
    config: dict[str, Any] = {"start_date": "2025-01-01T00:00:00Z"}
    for each in connectors:
        config |= each.config
    return Connector(tmp_path, config)


def read(
    spark: SparkSession, config: dict[str, Any], stream: str, name: str = "ats", **options: Any
) -> DataFrame:
    """Return a stream as a table."""
    reader = spark.read.format(name).option("config", json.dumps(config)).option("stream", stream)
    for key, value in options.items():
        reader = reader.option(key, value)
    return reader.load()


def as_records(table: DataFrame) -> list[dict[str, Any]]:
    """Return the rows as Spark itself writes them as JSON, nulls left out."""
    return [json.loads(row[0]) for row in table.select(sf.to_json(sf.struct("*"))).collect()]


def comparable(record: dict[str, Any], moments: list[str]) -> str:
    """Return a record without nulls, and with moments in the one form that Spark has."""
    shown = {
        name: value
        for name, value in record.items()
        if value is not None and name not in OF_THE_RUN
    }
    for name in moments:
        if name in shown:
            shown[name] = shown[name].replace(".000Z", "Z").rstrip("Z")[:23].rstrip("0").rstrip(".")
    return json.dumps(shown, sort_keys=True)


def discovered(connector: Connector) -> dict[str, dict[str, Any]]:
    """Return the columns of each stream, as the command line declares them."""
    (catalog,) = connector.run("discover").of("CATALOG")
    return {each["name"]: each["json_schema"]["properties"] for each in catalog["streams"]}


def test_the_rows_are_those_of_the_command_line(spark: SparkSession, everything: Connector) -> None:
    declared = discovered(everything)
    for stream in STREAMS:
        columns = declared[stream]
        expected = everything.read(stream).records(stream)
        assert expected
        table = read(spark, everything.config, stream)
        assert table.columns == [*columns, "_rescued_data"]
        moments = [
            name for name, kind in table.dtypes if kind == "timestamp" and name not in OF_THE_RUN
        ]
        got = as_records(table)
        assert Counter(comparable(row, moments) for row in got) == Counter(
            comparable(row, moments) for row in expected
        ), stream
        for name in {*OF_THE_RUN} & {*columns}:
            assert all(name in row for row in got)


def test_columns_are_typed_and_open_ones_are_variants(
    spark: SparkSession, everything: Connector, capsys: pytest.CaptureFixture[str]
) -> None:
    table = read(spark, everything.config, "candidates")
    kinds = dict(table.dtypes)
    assert kinds["id"] == "string"
    assert kinds["confidential"] == "boolean"
    assert kinds["changed_at"] == "timestamp"
    assert kinds["custom_fields"] == "variant"
    assert kinds["applications"] == "array<variant>"
    rfc3339 = dict(read(spark, everything.config, "candidates", objects="json").dtypes)
    assert rfc3339["applications"] == "array<string>"
    history = dict(read(spark, everything.config, "candidate_history").dtypes)
    assert (history["stage_date"], history["candidate_id"]) == ("date", "bigint")
    # Nobody sees the key by looking at a plan.
    table.explain(extended=True)
    options = {"config": json.dumps(everything.config), "stream": "candidates"}
    spark.readStream.format("ats").options(**options).load().explain(extended=True)
    assert "ks_dev_sandbox" not in capsys.readouterr().out


def to_its_end(stream: DataStreamWriter) -> None:
    """Run a query until nothing is left to read."""
    for _ in range(STARTS):
        try:
            stream.trigger(availableNow=True).start().awaitTermination()
        except StreamingQueryException as error:
            # Spark gives its Python ten seconds to start, which a busy machine may need.
            if "failed to connect back" not in str(error):
                raise
        else:
            return
    pytest.fail("Spark could not start its Python in time.")


def test_a_killed_executor_costs_its_partition_and_no_limit_is_broken(
    spark: SparkSession, world: Sandbox, tmp_path: Path
) -> None:
    per_minute, partitions = 1200, 2
    config = atz_connector(world, tmp_path, requests_per_minute=per_minute).config
    everybody = {each["slug"] for each in world.truth("/_control/atz_crm/truth")}
    world.reset_log()
    killed = json.dumps({"row": 20, "path": str(tmp_path / "killed")})
    table = read(
        spark, config, "candidate_history", "killed_ats", partitions=partitions, killed=killed
    )
    rows = table.select("candidate_slug").distinct().collect()
    assert (tmp_path / "killed").exists()
    assert {row[0] for row in rows} == {
        each["slug"] for each in world.truth("/_control/atz_crm/truth") if each["history"]
    }
    calls = world.log("atz_crm.*")
    asked = Counter(
        each["path"].split("/")[-2] for each in calls if each["endpoint"] == "atz_crm.history"
    )
    assert set(asked) == everybody
    again = {slug for slug, times in asked.items() if times > 1}
    # What the killed task had done is done again, by its repeat, and nothing else.
    shares = [
        {slug for slug in everybody if slug in SlugPartition(n, partitions)}
        for n in range(partitions)
    ]
    assert again
    assert any(again <= share for share in shares)
    assert max(asked.values()) == 2
    # In any stretch of time no more calls came than the whole token may make: 2 % are the wire's.
    times = [each["monotonic"] for each in calls]
    for first, began in enumerate(times):
        for last in range(first + partitions, len(times)):
            most = per_minute * 1.02 / 60 * (times[last] - began) + 2 * partitions
            assert last - first <= most


def test_a_stopped_query_resumes_where_it_was(spark: SparkSession, tmp_path: Path) -> None:
    with Sandbox.start(candidates=200) as sandbox:
        config = kombo_connector(sandbox, tmp_path, page_size=20).config
        killed = json.dumps({"row": 30, "path": str(tmp_path / "killed")})

        stream = (
            spark.readStream.format("killed_ats")
            .option("config", json.dumps(config))
            .option("stream", "candidates")
            .option("killed", killed)
            .load()
        )

        def run() -> int:
            """Read what there is now; return how many calls it took."""
            sandbox.reset_log()
            to_its_end(
                stream.writeStream.format("parquet")
                .option("path", str(tmp_path / "table"))
                .option("checkpointLocation", str(tmp_path / "checkpoint"))
            )
            return len(sandbox.log("kombo.candidates"))

        def ids() -> Counter[str]:
            table = spark.read.parquet(str(tmp_path / "table"))
            return Counter(row[0] for row in table.select("id").collect())

        pages = [-(-len(truth(sandbox, each)) // 20) for each in config["kombo"]["integration_ids"]]
        # One row of each integration, its pages, and those of the killed task once more.
        calls = run()
        assert (tmp_path / "killed").exists()
        assert sum(pages) + 3 < calls <= sum(pages) + 3 + max(pages)
        before = ids()
        assert before == Counter(truth(sandbox).keys())

        sandbox.advance(3600)
        changed = change(sandbox, new=5, changed=5)
        assert run() == 3 + 3
        new = ids() - before
        assert new == Counter([*changed["new"], *changed["changed"]])

        # The last batch was planned and not finished: it is read again, from the same bookmarks.
        for commit in (tmp_path / "checkpoint" / "commits").iterdir():
            if commit.name.strip(".").startswith("1"):
                commit.unlink()
        before = ids()
        change(sandbox, changed=1)
        run()
        assert truth(sandbox).keys() == ids().keys()
