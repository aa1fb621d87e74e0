"""Writing to Comeet from a cluster: nobody is created twice, whichever executor is killed."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from integration_tests.sandbox.running import PROJECT, Sandbox
from integration_tests.support.destination import bare, partners
from integration_tests.support.kombo import kombo_connector, truth
from integration_tests.support.postgres import NoServer, Postgres, running
from integration_tests.support.writer import OPEN, Writer, person

EVERYBODY = range(1, 13)


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    """One server for all tests here."""
    try:
        with running() as started:
            yield started
    except NoServer as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def world() -> Iterator[Sandbox]:
    """One sandbox for all tests here."""
    with Sandbox.start(candidates=10) as started:
        yield started


@pytest.fixture
def writer(world: Sandbox, server: Postgres, tmp_path: Path) -> Writer:
    """A configuration with a ledger that executors can share, made by the command line's check."""
    fresh = bare(world, tmp_path)
    fresh.config["ledger"] = {"ledger_type": "postgres", "url": server.fresh()}
    assert fresh.check().status()["status"] == "SUCCEEDED"
    fresh.sandbox.reset_log()
    return fresh


def people(spark: SparkSession, **more: Any) -> DataFrame:
    """Return everybody, in four partitions."""
    rows = [{**person(number), **more} for number in EVERYBODY]
    return spark.createDataFrame(rows).repartition(4, "id")


def write(table: DataFrame, writer: Writer, name: str = "comeet", **options: str) -> None:
    """Write a table, to its end."""
    sink = table.write.format(name).mode("append").option("config", json.dumps(writer.config))
    for key, value in {"stream": "people", **options}.items():
        sink = sink.option(key, value)
    sink.save()


def test_written_once_then_only_what_changed(spark: SparkSession, writer: Writer) -> None:
    write(people(spark), writer)
    assert partners(writer) == Counter(f"people:{number}" for number in EVERYBODY)
    writer.sandbox.reset_log()
    write(people(spark), writer)
    assert writer.sandbox.counts() == {}
    write(people(spark, email="new@example.org"), writer)
    assert {each["fields"]["email"] for each in writer.truth()} == {"new@example.org"}
    assert writer.calls("create") == 0


@pytest.mark.parametrize("step", ["note committed", "call sent"])
def test_an_executor_killed_creates_nobody_twice(
    spark: SparkSession, writer: Writer, step: str, tmp_path: Path
) -> None:
    killed = {"step": step, "occurrence": 2, "path": str(tmp_path / "killed")}
    write(people(spark), writer, "killed_comeet", killed=json.dumps(killed))
    assert (tmp_path / "killed").exists()
    assert partners(writer) == Counter(f"people:{number}" for number in EVERYBODY)


def test_the_block_in_the_documentation(
    spark: SparkSession, writer: Writer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kombo = kombo_connector(writer.sandbox, tmp_path)
    (tmp_path / "source.json").write_text(json.dumps(kombo.config))
    stream = {
        "stream": "candidates",
        "mapping": {"mapping_type": "kombo_candidates"},
        "position_uid": OPEN,
    }
    (tmp_path / "destination.json").write_text(json.dumps({**writer.config, "streams": [stream]}))
    monkeypatch.chdir(tmp_path)
    text = (PROJECT / "docs/spark.md").read_text()
    block = re.findall(r"```python\n(.*?)```", text, re.DOTALL)[0]
    exec(compile(block, "docs/spark.md", "exec"), {})  # noqa: S102 - our own documentation
    table = spark.read.parquet(str(tmp_path / "candidates"))
    ids = Counter(row[0] for row in table.select("id").collect())
    assert ids == Counter(truth(writer.sandbox).keys())
    # Those whom the preset does not refuse, each once.
    written = partners(writer)
    assert set(written.values()) == {1}
    assert {key.removeprefix("candidates:") for key in written} <= set(ids)
