"""The data source `ats`: how a stream is split into tasks, and where each batch begins.

| option       | default   | meaning                                                               |
| ------------ | --------- | --------------------------------------------------------------------- |
| `config`     | required  | the configuration of `source-ats`, as JSON text                       |
| `stream`     | required  | one of the streams that `discover` shows                              |
| `partitions` | 4         | at most this many tasks use a token with limits at the same time      |
| `objects`    | `variant` | open objects are VARIANT columns; `json`: JSON text                   |
| `refused`    | `fail`    | a child that is refused alone fails the task; `leave_out`: a warning  |

Spark decides how many tasks run at once. So where a token has a limit, there are never more
partitions than shares of it, each with its own share: the limit holds on any cluster.

A stream's offset is our state. It is a plan: what a batch covers is fixed before it is read, and
any of its tasks can be repeated. Rows that change while a batch is read may come again in the next.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyspark.sql.datasource import (
    DataSource,
    DataSourceReader,
    DataSourceStreamReader,
    InputPartition,
)
from pyspark.sql.streaming.datasource import ReadLimit, SupportsTriggerAvailableNow
from pyspark.sql.types import StructType

from source_ats import commands
from source_ats.clock import SystemClock
from source_ats.config import SourceConfig, limits, seconds_between_calls, shared
from source_ats.errors import ConfigError, TransientError
from source_ats.spark import options, rows
from source_ats.sync.state import selection_hash
from source_ats.sync.stream import EVERYTHING, Partition, Partitioning, State, Stream

log = logging.getLogger("airbyte.source_ats.spark")

Offset = dict[str, Any]

PARTITIONS = 4
CHILDREN_NAMED = 10


class AtsDataSource(DataSource):
    """Reads one stream, as a table or as a stream of batches."""

    @classmethod
    def name(cls) -> str:
        """Return the name of the format."""
        return "ats"

    def schema(self) -> StructType:
        """Return the columns. Sends no request."""
        settings = ReadSettings.parsed(self.options)
        return rows.schema(settings.stream().schema, settings.objects)

    def reader(self, schema: StructType) -> DataSourceReader:
        """Return the reader of the whole stream."""
        del schema
        return TableReader(ReadSettings.parsed(self.options))

    def streamReader(self, schema: StructType) -> DataSourceStreamReader:  # noqa: N802 - Spark's name
        """Return the reader of batches."""
        del schema
        return BatchesReader(ReadSettings.parsed(self.options))


class ReadTask(InputPartition):
    """What one task reads, with its share of the token's limits. Without partitions: nothing."""

    def __init__(self, number: int, of: int, partitions: Sequence[Partition | None]) -> None:
        """A partition of None is the whole stream."""
        self.number = number
        self.of = of
        self.partitions = partitions


@dataclass(frozen=True, slots=True)
class ReadSettings:
    """The options of a data source, parsed. Sent to the executors."""

    config: SourceConfig
    """With the section of the stream's vendor only."""
    name: str
    partitions: int
    objects: rows.Objects
    leave_out: bool

    @classmethod
    def parsed(cls, given: Mapping[str, str]) -> ReadSettings:
        """Parse the options. Raises `ConfigError` that names the wrong one."""
        name = options.text(given, "stream")
        config = commands.only_for(commands.configured(options.config(given)), name)
        return cls(
            config=config,
            name=name,
            partitions=min([options.number(given, "partitions", PARTITIONS), *limits(config)]),
            objects="json"
            if options.choice(given, "objects", "variant", "json") == "json"
            else "variant",
            leave_out=options.choice(given, "refused", "fail", "leave_out") == "leave_out",
        )

    def stream(self) -> Stream:
        """Return the stream to plan with: it has the whole limits, as no task runs meanwhile."""
        return commands.stream(self.config, self.name, SystemClock())

    def tasks(self, partitions: Sequence[Partition | None]) -> list[ReadTask]:
        """Distribute the partitions over tasks, neighbours together, within the token's limits."""
        if not limits(self.config):
            return [ReadTask(0, 1, [each]) for each in partitions] or [ReadTask(0, 1, [])]
        of = max(1, min(self.partitions, len(partitions)))
        ends = [len(partitions) * number // of for number in range(of + 1)]
        return [ReadTask(n, of, partitions[ends[n] : ends[n + 1]]) for n in range(of)]

    def read(self, task: ReadTask) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a task, on an executor."""
        clock = SystemClock()
        config = shared(self.config, task.number, task.of)
        stream = commands.stream(config, self.name, clock)
        row = rows.reader(stream.schema, self.objects)
        # An earlier attempt may have been killed just now: the rate limit holds across attempts.
        clock.sleep(seconds_between_calls(config))
        for partition in task.partitions:
            state: State = {}
            if partition is None:
                pages = stream.read({}, full_refresh=False)
            else:
                pages = stream.read_partition(partition)
            for page in pages:
                state = page.state
                yield from map(row, page.records)
            self._report_set_aside(state.get("set_aside", {}))

    def _report_set_aside(self, set_aside: Mapping[str, str]) -> None:
        """Fail, or warn, if a partition was read without some of its children."""
        if not set_aside:
            return
        named = ", ".join(list(set_aside)[:CHILDREN_NAMED])
        what = f"{self.name}: {len(set_aside)} refused while others were answered: {named}."
        if not self.leave_out:
            message = f'{what} .option("refused", "leave_out") reads the rest without them.'
            raise TransientError(message)
        log.warning("%s They are left out.", what)


class TableReader(DataSourceReader):
    """Reads the whole stream once."""

    def __init__(self, settings: ReadSettings) -> None:
        """Nothing is requested yet."""
        self._settings = settings

    def partitions(self) -> Sequence[InputPartition]:
        """Return the tasks."""
        partitioning = self._settings.stream().partitioning
        if partitioning is None:
            return self._settings.tasks([None])
        after = partitioning.plan({}, EVERYTHING)
        return self._settings.tasks(partitioning.split({}, after, self._settings.partitions))

    def read(self, partition: InputPartition) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a partition."""
        assert isinstance(partition, ReadTask)  # noqa: S101 - ours, and never none
        return self._settings.read(partition)


class BatchesReader(DataSourceStreamReader, SupportsTriggerAvailableNow):
    """Reads batch after batch. Lives in the driver; `read` runs on the executors, in a copy."""

    def __init__(self, settings: ReadSettings) -> None:
        """Nothing is requested yet."""
        self._settings = settings
        self._available_now = False
        self._reached = False
        stream = settings.stream()
        self._selection = selection_hash(stream.selection)
        if stream.partitioning is None:
            message = (
                f"The stream {settings.name} is read as a whole, so it cannot be read in batches. "
                "Use spark.read instead of spark.readStream."
            )
            raise ConfigError(message)

    def initialOffset(self) -> Offset:  # noqa: N802 - Spark's name
        """Return the state before the first batch."""
        return {"selection": self._selection}

    def prepareForTriggerAvailableNow(self) -> None:  # noqa: N802 - Spark's name
        """Plan until everything that exists now is read, then stop."""
        self._available_now = True

    def latestOffset(self, start: Offset, limit: ReadLimit) -> Offset:  # noqa: N802 - Spark's name
        """Plan the next batch: return the state after it, or the same if nothing is due."""
        del limit
        if self._reached:
            return start
        state = self._state(start, self._selection)
        after = self._partitioning().plan(state, self._settings.partitions)
        if self._available_now and "in_progress" not in after:
            self._reached = True
        return {"selection": self._selection, **after}

    def partitions(self, start: Offset, end: Offset) -> Sequence[InputPartition]:
        """Return the tasks of a batch; the same again when it is repeated."""
        if start == end:
            return []
        before, after = (self._state(each, end.get("selection")) for each in (start, end))
        partitions = self._partitioning().split(before, after, self._settings.partitions)
        return self._settings.tasks(partitions)

    def read(self, partition: InputPartition) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a partition."""
        assert isinstance(partition, ReadTask)  # noqa: S101 - ours
        return self._settings.read(partition)

    def _partitioning(self) -> Partitioning:
        partitioning = self._settings.stream().partitioning
        assert partitioning is not None  # noqa: S101 - checked when this was made
        return partitioning

    def _state(self, offset: Offset, selection: object) -> State:
        """Return the stream's state; none if the configuration selected other rows then."""
        if offset.get("selection") != selection:
            log.warning(
                "%s: the configuration selects other rows than before; everything is read again.",
                self._settings.name,
            )
            return {}
        return {name: value for name, value in offset.items() if name != "selection"}
