"""The data sink `comeet`: the write loop of `destination-comeet` on the executors, in turns.

| option        | default  | meaning                                                          |
| ------------- | -------- | ---------------------------------------------------------------- |
| `config`      | required | the configuration of `destination-comeet`, as JSON text          |
| `stream`      | required | the name in its `streams` under which the rows are written       |
| `primary_key` | `id`     | the columns that make a row's key, with commas between them      |

The executors share the ledger in PostgreSQL, and one task at a time writes with it; the others wait
for their turn. More writers would not be faster, since all calls share the pace of one key, and the
ledger's one lock is what makes sure that nobody is created twice: by a task that is run again, by
an executor that was given up and still runs, or by another concurrent run.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice

import msgspec
import orjson
import tenacity
from pyspark.sql.datasource import DataSource, DataSourceWriter, WriterCommitMessage
from pyspark.sql.types import Row, StructType

from destination_comeet import commands
from destination_comeet.config import DestinationConfig, PostgresLedger
from source_ats.clock import Clock, SystemClock
from source_ats.errors import ConfigError, LedgerInUse
from source_ats.plural import counted
from source_ats.spark import options, rows

log = logging.getLogger("airbyte.source_ats.spark")

ROWS_BETWEEN_FLUSHES = 100
SECONDS_BETWEEN_ATTEMPTS = 1.0
ATTEMPTS_BETWEEN_LOG_LINES = 60


class ComeetDataSource(DataSource):
    """Writes candidates into Comeet."""

    @classmethod
    def name(cls) -> str:
        """Return the name of the format."""
        return "comeet"

    def writer(self, schema: StructType, overwrite: bool) -> DataSourceWriter:  # noqa: FBT001 - Spark's signature
        """Return what writes the rows. Raises `ConfigError` if that could not work."""
        config = commands.configured(options.config(self.options))
        stream = options.text(self.options, "stream")
        key = self.options.get("primary_key", "id").split(",")
        if not isinstance(config.ledger, PostgresLedger):
            message = (
                "The executors need a ledger that they can share: set ledger.ledger_type to "
                "postgres, and run destination-comeet check once."
            )
            raise ConfigError(message)
        if stream not in [each.stream for each in config.streams]:
            message = f"The configuration has no stream {stream} in streams. Add it there."
            raise ConfigError(message)
        if missing := [each for each in key if each not in schema.fieldNames()]:
            message = f"There is no column {missing[0]}. Correct the option primary_key."
            raise ConfigError(message)
        streams = [each for each in config.streams if each.stream == stream]
        config = config.model_copy(update={"streams": streams})
        return Writer(config, stream, key, "overwrite" if overwrite else "append")


@dataclass(frozen=True, slots=True)
class Written(WriterCommitMessage):
    """What became of a task's rows."""

    records: int = 0
    rejected: int = 0


class _Statistics(msgspec.Struct):
    recordCount: float  # noqa: N815 - Airbyte's name
    rejectedRecordCount: float  # noqa: N815 - Airbyte's name


class _State(msgspec.Struct):
    destinationStats: _Statistics  # noqa: N815 - Airbyte's name


class _Message(msgspec.Struct):
    state: _State


class Writer(DataSourceWriter):
    """Brings rows to Comeet. `write` runs on the executors, the rest in the driver."""

    def __init__(
        self, config: DestinationConfig, stream: str, key: Sequence[str], mode: str
    ) -> None:
        """`key` names the columns of the primary key."""
        self._config = config
        self._stream = stream
        self._catalog = {
            "streams": [
                {
                    "stream": {"name": stream},
                    "primary_key": [[column] for column in key],
                    "destination_sync_mode": mode,
                }
            ]
        }

    def write(self, iterator: Iterator[Row]) -> Written:
        """Write a task's rows when it is its turn. All of them have an outcome when this returns.

        A task that is run again sends nothing of what an earlier attempt has done: the ledger
        knows it.
        """
        first = next(iterator, None)
        if first is None:
            return Written()
        clock = SystemClock()
        in_turn = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(LedgerInUse),
            wait=tenacity.wait_fixed(SECONDS_BETWEEN_ATTEMPTS),
            sleep=clock.sleep,
            before_sleep=_say_that_it_waits,
        )
        # The ledger is opened before the first row is taken, so a turn that is not ours takes none.
        return in_turn(self._write, chain([first], iterator), clock)

    def commit(self, messages: list[WriterCommitMessage | None]) -> None:
        """Say what became of all rows."""
        written = [each for each in messages if isinstance(each, Written)]
        rejected = sum(each.rejected for each in written)
        log.log(
            logging.WARNING if rejected else logging.INFO,
            "%s: %s written, %d of them rejected; the executors' logs or the file at "
            "rejected_path tell why.",
            self._stream,
            counted(sum(each.records for each in written), "record"),
            rejected,
        )

    def _write(self, row_iterator: Iterator[Row], clock: Clock) -> Written:
        batches = self._batches(row_iterator, clock)
        lines = list(commands.write(self._config, self._catalog, batches, clock))
        # All there is to print is the state at the end.
        statistics = msgspec.json.decode(lines[-1], type=_Message).state.destinationStats
        return Written(int(statistics.recordCount), int(statistics.rejectedRecordCount))

    def _batches(self, row_iterator: Iterator[Row], clock: Clock) -> Iterator[Sequence[bytes]]:
        """Yield the rows as messages, and at the end a state, which is answered with counts."""
        # The task before may have sent a request just now: the rate limit holds across tasks.
        clock.sleep(60 / self._config.requests_per_minute)
        while batch := list(islice(row_iterator, ROWS_BETWEEN_FLUSHES)):
            yield [self._message(row) for row in batch]
        descriptor = {"stream_descriptor": {"name": self._stream}}
        state = {"type": "STREAM", "stream": {**descriptor, "stream_state": {}}}
        yield [orjson.dumps({"type": "STATE", "state": state})]

    def _message(self, row: Row) -> bytes:
        content = {"stream": self._stream, "data": orjson.Fragment(rows.record(row))}
        return orjson.dumps({"type": "RECORD", "record": content})


def _say_that_it_waits(state: tenacity.RetryCallState) -> None:
    if state.attempt_number % ATTEMPTS_BETWEEN_LOG_LINES == 0:
        log.warning("The ledger is in use. Still waiting for a turn to write with it.")
