"""The data sources, with an executor that is killed in the middle, once: it cannot prepare for it.

The option `killed` holds, as JSON, what kills (for `ats`: at which row of which partition; for
`comeet`: at which step of `killed_writer`, the how many-th time), and a path that is made then, so
that the second attempt lives.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from pyspark.sql.datasource import (
    DataSourceReader,
    DataSourceStreamReader,
    DataSourceWriter,
    InputPartition,
    WriterCommitMessage,
)
from pyspark.sql.types import Row, StructType

from destination_comeet.spark import ComeetDataSource
from integration_tests.support import killed_writer
from source_ats.spark import AtsDataSource
from source_ats.spark.source import BatchesReader


def executor_dies(*_: Any) -> NoReturn:
    """Kill the executor and this process, which works for it. Nothing runs after this."""
    daemon = os.getppid()
    executor = int(Path(f"/proc/{daemon}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(executor, signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def is_first(path: str) -> bool:
    """True if nobody was killed yet."""
    try:
        Path(path).mkdir()
    except FileExistsError:
        return False
    return True


class KilledAts(AtsDataSource):
    """`ats`, killed at a row of a partition."""

    @classmethod
    def name(cls) -> str:
        """Not the real one."""
        return "killed_ats"

    def reader(self, schema: StructType) -> DataSourceReader:
        """As the real one's, but killed."""
        return _KilledReader(super().reader(schema), json.loads(self.options["killed"]))

    def streamReader(self, schema: StructType) -> DataSourceStreamReader:  # noqa: N802 - Spark's name
        """As the real one's, but killed."""
        return _KilledBatches(super().streamReader(schema), json.loads(self.options["killed"]))


def _rows(rows: Iterator[Any], killed: dict[str, Any]) -> Iterator[Any]:
    for number, row in enumerate(rows):
        if number == killed["row"] and is_first(killed["path"]):
            executor_dies()
        yield row


class _KilledReader(DataSourceReader):
    def __init__(self, real: DataSourceReader, killed: dict[str, Any]) -> None:
        self._real = real
        self._killed = killed

    def partitions(self) -> Sequence[InputPartition]:
        planned: Sequence[InputPartition] = self._real.partitions()
        return planned

    def read(self, partition: InputPartition) -> Iterator[Any]:
        return _rows(self._real.read(partition), self._killed)


class _KilledBatches(BatchesReader):
    def __init__(self, real: BatchesReader, killed: dict[str, Any]) -> None:
        self.__dict__.update(real.__dict__)
        self._killed = killed

    def read(self, partition: InputPartition) -> Iterator[Any]:
        return _rows(super().read(partition), self._killed)


class KilledComeet(ComeetDataSource):
    """`comeet`, killed at a step."""

    @classmethod
    def name(cls) -> str:
        """Not the real one."""
        return "killed_comeet"

    def writer(self, schema: StructType, overwrite: bool) -> DataSourceWriter:  # noqa: FBT001 - Spark's signature
        """As the real one's, but killed."""
        return _KilledWriter(super().writer(schema, overwrite), json.loads(self.options["killed"]))


class _KilledWriter(DataSourceWriter):
    def __init__(self, real: DataSourceWriter, killed: dict[str, Any]) -> None:
        self._real = real
        self._killed = killed

    def write(self, iterator: Iterator[Row]) -> WriterCommitMessage:
        if is_first(self._killed["path"]):
            step = killed_writer.STEPS[self._killed["step"]]
            killed_writer.interrupt(step, self._killed["occurrence"], executor_dies)
        return self._real.write(iterator)

    def commit(self, messages: list[WriterCommitMessage | None]) -> None:
        self._real.commit(messages)
