"""The data source `ats`: what is read side by side, on which executor, and from where on.

| option       | default   | meaning                                                               |
| ------------ | --------- | --------------------------------------------------------------------- |
| `config`     | required  | the configuration of `source-ats`, as JSON text                       |
| `stream`     | required  | one of the streams that `discover` shows                              |
| `partitions` | 4         | a limited token is used by so many tasks at once, at the most         |
| `objects`    | `variant` | what is open is a VARIANT; `json`: JSON text                          |
| `refused`    | `fail`    | a child that is refused alone fails the task; `leave_out`: a warning  |

Spark, not we, decides how many tasks run at once. So where a token has a limit, there are never
more partitions than shares of it, each with its own share; the limit then holds on any cluster.

A stream's offset is our state. It is planned: what a batch covers is fixed before it is read, and
any task of it can be repeated. Rows that changed while a batch was read may come again in the next.
"""

from __future__ import annotations

import logging
import sys
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
from source_ats.sync.stream import Partition, Partitioning, State, Stream

log = logging.getLogger("airbyte.source_ats.spark")

Offset = dict[str, Any]

PARTITIONS = 4
CHILDREN_NAMED = 10
ALL_OF_THEM = sys.maxsize


class AtsDataSource(DataSource):
    """Reads one stream, as a table or as a stream of batches."""

    @classmethod
    def name(cls) -> str:
        """Return the name of the format."""
        return "ats"

    def schema(self) -> StructType:
        """Return the columns. Calls nobody."""
        asked = Asked.parsed(self.options)
        return rows.schema(asked.stream().schema, asked.objects)

    def reader(self, schema: StructType) -> DataSourceReader:
        """Return what reads all there is."""
        del schema
        return TableReader(Asked.parsed(self.options))

    def streamReader(self, schema: StructType) -> DataSourceStreamReader:  # noqa: N802 - Spark's name
        """Return what reads batch after batch."""
        del schema
        return BatchesReader(Asked.parsed(self.options))


class TaskPartition(InputPartition):
    """What one task reads, with its share of the token's limits. No pieces: nothing at all."""

    def __init__(self, number: int, of: int, pieces: Sequence[Partition | None]) -> None:
        """A piece of None is the whole stream."""
        self.number = number
        self.of = of
        self.pieces = pieces


@dataclass(frozen=True, slots=True)
class Asked:
    """What the user asked for. It travels to the executors."""

    config: SourceConfig
    """With the section that the stream is of, and no other."""
    name: str
    partitions: int
    objects: rows.Objects
    leave_out: bool

    @classmethod
    def parsed(cls, given: Mapping[str, str]) -> Asked:
        """Parse the options. Raises `ConfigError` that says which one is wrong."""
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
        """Return the stream, to plan with: with the whole limits, which no task uses meanwhile."""
        return commands.stream(self.config, self.name, SystemClock())

    def dealt(self, pieces: Sequence[Partition | None]) -> list[TaskPartition]:
        """Deal the pieces to partitions, neighbours together, no more than may run at once."""
        if not limits(self.config):
            return [TaskPartition(0, 1, [piece]) for piece in pieces] or [TaskPartition(0, 1, [])]
        of = max(1, min(self.partitions, len(pieces)))
        ends = [len(pieces) * number // of for number in range(of + 1)]
        return [TaskPartition(n, of, pieces[ends[n] : ends[n + 1]]) for n in range(of)]

    def read(self, partition: TaskPartition) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a partition, on an executor."""
        clock = SystemClock()
        config = shared(self.config, partition.number, partition.of)
        stream = commands.stream(config, self.name, clock)
        row = rows.reader(stream.schema, self.objects)
        # An earlier attempt may have been killed a moment ago: the pace goes on over its end.
        clock.sleep(seconds_between_calls(config))
        for piece in partition.pieces:
            state: State = {}
            if piece is None:
                pages = stream.read({}, full_refresh=False)
            else:
                pages = stream.read_partition(piece)
            for page in pages:
                state = page.state
                yield from map(row, page.records)
            self._judge(state.get("set_aside", {}))

    def _judge(self, set_aside: Mapping[str, str]) -> None:
        """Decide what becomes of a piece without some of its children."""
        if not set_aside:
            return
        named = ", ".join(list(set_aside)[:CHILDREN_NAMED])
        what = f"{self.name}: {len(set_aside)} refused while others were answered: {named}."
        if not self.leave_out:
            message = f'{what} .option("refused", "leave_out") goes on without them.'
            raise TransientError(message)
        log.warning("%s They are left out.", what)


class TableReader(DataSourceReader):
    """Reads all there is, once."""

    def __init__(self, asked: Asked) -> None:
        """`asked` is all it knows."""
        self._asked = asked

    def partitions(self) -> Sequence[InputPartition]:
        """Return what is read side by side."""
        pieces = self._asked.stream().partitioning
        if pieces is None:
            return self._asked.dealt([None])
        after = pieces.plan({}, ALL_OF_THEM)
        return self._asked.dealt(pieces.split({}, after, self._asked.partitions))

    def read(self, partition: InputPartition) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a partition."""
        assert isinstance(partition, TaskPartition)  # noqa: S101 - ours, and never none
        return self._asked.read(partition)


class BatchesReader(DataSourceStreamReader, SupportsTriggerAvailableNow):
    """Reads batch after batch. Lives in the driver; `read` runs on the executors, in a copy."""

    def __init__(self, asked: Asked) -> None:
        """Nothing is asked of the vendor yet."""
        self._asked = asked
        self._available_now = False
        self._reached = False
        stream = asked.stream()
        self._selection = selection_hash(stream.selection)
        if stream.partitioning is None:
            message = (
                f"The stream {asked.name} is read as a whole, so it cannot be read in batches. Use "
                "spark.read instead of spark.readStream."
            )
            raise ConfigError(message)

    def initialOffset(self) -> Offset:  # noqa: N802 - Spark's name
        """Return the state before the first batch."""
        return {"selection": self._selection}

    def prepareForTriggerAvailableNow(self) -> None:  # noqa: N802 - Spark's name
        """From now on, plan only until nothing is left of what is there now."""
        self._available_now = True

    def latestOffset(self, start: Offset, limit: ReadLimit) -> Offset:  # noqa: N802 - Spark's name
        """Plan the next batch: return the state after it, or the same when nothing is due."""
        del limit
        if self._reached:
            return start
        state = self._state(start, self._selection)
        after = self._partitioning().plan(state, self._asked.partitions)
        if self._available_now and "in_progress" not in after:
            self._reached = True
        return {"selection": self._selection, **after}

    def partitions(self, start: Offset, end: Offset) -> Sequence[InputPartition]:
        """Return what a batch reads side by side; the same again when it is repeated."""
        if start == end:
            return []
        before, after = (self._state(each, end.get("selection")) for each in (start, end))
        return self._asked.dealt(self._partitioning().split(before, after, self._asked.partitions))

    def read(self, partition: InputPartition) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a partition."""
        assert isinstance(partition, TaskPartition)  # noqa: S101 - ours
        return self._asked.read(partition)

    def _partitioning(self) -> Partitioning:
        pieces = self._asked.stream().partitioning
        assert pieces is not None  # noqa: S101 - seen when this was made
        return pieces

    def _state(self, offset: Offset, selection: object) -> State:
        """Return the room's state; none if the configuration chose other rows then."""
        if offset.get("selection") != selection:
            log.warning(
                "%s: the configuration chooses other rows than before; everything is read again.",
                self._asked.name,
            )
            return {}
        return {name: value for name, value in offset.items() if name != "selection"}
