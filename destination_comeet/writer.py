"""The one write loop: messages in, outcomes and states out.

| outcome       | what is known                                       | counted as |
| ------------- | --------------------------------------------------- | ---------- |
| created       | it is there since this run                          | written    |
| already there | it was: unchanged, updated, or closed for ever      | written    |
| refused       | it is not there, and will not be as the record is   | rejected   |
| unknown       | it may be there, and nobody can tell                | rejected   |

An outcome is a value; a failure that stops the run is an exception. A STATE is passed on only when
every record before it has an outcome and all of them are on disk: written ones in the ledger,
rejected ones in their file. So when a run ends, however it ends, what was passed on is done.
"""

from __future__ import annotations

import enum
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import orjson

from destination_comeet.rejects import Rejected
from source_ats.clock import Clock
from source_ats.decoding import repair
from source_ats.errors import ConfigError

log = logging.getLogger("airbyte.source_ats.writing")

SECONDS_BETWEEN_PROGRESS_LINES = 60.0


class Result(enum.Enum):
    """A row of the table above; "already there" has three kinds."""

    CREATED = "created"
    UNCHANGED = "already there and unchanged"
    UPDATED = "already there and updated"
    CLOSED = "merged or deleted in the meantime"
    REFUSED = "refused"
    UNKNOWN = "unknown"


REJECTED = frozenset({Result.REFUSED, Result.UNKNOWN})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one record in one place. `field` and `reason` say why it was rejected."""

    result: Result
    place: str | None = None
    key: str | None = None
    field: str = ""
    reason: str = ""
    """Without values, so that it can be logged."""
    said: str = ""
    """What the vendor said: it may hold values, and goes to the rejected file only."""
    left_out: Sequence[str] = ()
    """Changed fields that cannot be updated."""


Record = dict[str, Any]
Deliver = Callable[[Record], Sequence[Outcome]]
"""Brings one record to its places, and returns at least one outcome."""


class _RecordMessage(msgspec.Struct):
    stream: str
    data: msgspec.Raw


class _Message(msgspec.Struct):
    type: str
    record: _RecordMessage | None = None
    state: msgspec.Raw = msgspec.Raw()


class _StreamName(msgspec.Struct):
    name: str


class _StreamState(msgspec.Struct):
    stream_descriptor: _StreamName


class _State(msgspec.Struct):
    stream: _StreamState | None = None


class _Log(msgspec.Struct):
    level: str = ""


class _Trace(msgspec.Struct):
    type: str = ""


class _Said(msgspec.Struct):
    log: _Log = msgspec.field(default_factory=_Log)
    trace: _Trace = msgspec.field(default_factory=_Trace)


_said = msgspec.json.Decoder(_Said)
_message = msgspec.json.Decoder(_Message)
_state = msgspec.json.Decoder(_State)
_object = msgspec.json.Decoder(dict[str, msgspec.Raw])

_PASSED_OVER = frozenset({"CATALOG", "CONNECTION_STATUS", "CONTROL", "SPEC", "DESTINATION_CATALOG"})
"""Types that mean nothing to a destination. LOG and TRACE of a source in the same pipe are kept."""


@dataclass(slots=True)
class _Tally:
    """Records since the last STATE that covers them."""

    records: int = 0
    rejected: int = 0


class Writer:
    """One run. `write` reads like the way of a message; the rest are its steps."""

    def __init__(
        self,
        streams: Mapping[str, Deliver | None],
        settle: Callable[[], None],
        rejected: Rejected,
        clock: Clock,
        *,
        max_rejected: int | None = None,
    ) -> None:
        """`streams`: how to deliver each one of the catalog; None for one that is ignored.

        `settle` puts all outcomes on disk.
        """
        self._streams = streams
        self._settle_ledger = settle
        self._rejected = rejected
        self._clock = clock
        self._max_rejected = max_rejected
        self._lines = 0
        self._since_state: dict[str, _Tally] = {}
        self._records: Counter[str] = Counter()
        self._ignored = 0
        self._rejected_records = 0
        self._results: Counter[Result] = Counter()
        self._left_out: Counter[str] = Counter()
        self._odd: set[str] = set()
        self._progress_at = clock.monotonic()

    def write(self, batches: Iterable[Sequence[bytes]]) -> Iterator[bytes]:
        """Take the lines; yield lines to print: states that are safe, and what must be seen.

        A batch is what is there without waiting; before the next one all is settled. Raises
        `ConfigError` for a line that is no message, or when too many records are rejected, and
        whatever delivering raises; what came before is settled and passed on in any case.
        """
        for lines in batches:
            for line in lines:
                self._lines += 1
                yield from self._line(line)
            self._settle()
        log.info("Finished: %s.", self._how_far())

    def _line(self, line: bytes) -> Iterator[bytes]:
        text = line.strip()
        if not text.startswith(b"{"):
            # Never a message, nor the first part of one: something that a program printed.
            if text:
                self._say_once("Text between the messages of standard input is ignored.")
            return
        message = self._parsed(text)
        if message.type == "RECORD":
            self._record(self._part(message.record, "record"))
        elif message.type == "STATE":
            state = bytes(self._part(message.state or None, "state"))
            self._settle()
            yield self._with_statistics(text, state)
        elif message.type in {"LOG", "TRACE"}:
            if _must_be_seen(text):
                yield text + b"\n"
        elif message.type not in _PASSED_OVER:
            self._say_once("Messages of a type that is not known are ignored.")

    def _record(self, record: _RecordMessage) -> None:
        if record.stream not in self._streams:
            message = (
                f"Line {self._lines} of standard input is a record of a stream that the catalog "
                "does not name. Add the stream to the catalog, or leave it out of the input."
            )
            raise ConfigError(message)
        deliver = self._streams[record.stream]
        if deliver is None:
            self._ignored += 1
            return
        raw = bytes(record.data)
        outcomes = self._outcomes(deliver, raw)
        self._records[record.stream] += 1
        tally = self._since_state.setdefault(record.stream, _Tally())
        tally.records += 1
        for outcome in outcomes:
            self._results[outcome.result] += 1
            self._left_out.update(outcome.left_out)
        if any(outcome.result in REJECTED for outcome in outcomes):
            tally.rejected += 1
            self._reject(record.stream, raw, outcomes)
        if self._clock.monotonic() - self._progress_at >= SECONDS_BETWEEN_PROGRESS_LINES:
            self._progress_at = self._clock.monotonic()
            log.info("So far: %s.", self._how_far())

    def _outcomes(self, deliver: Deliver, raw: bytes) -> Sequence[Outcome]:
        if not raw.startswith(b"{"):
            raise self._not_a_message("record.data is not an object")
        try:
            data = orjson.loads(raw)
        except orjson.JSONDecodeError:
            reason = "holds a text or a number that cannot be read"
            return [Outcome(Result.REFUSED, field="record", reason=reason)]
        return deliver(data)

    def _reject(self, stream: str, raw: bytes, outcomes: Sequence[Outcome]) -> None:
        bad = [outcome for outcome in outcomes if outcome.result in REJECTED]
        self._rejected_records += 1
        if self._rejected.keeps_records:
            refusals = [
                {
                    "outcome": each.result.value,
                    "position_uid": each.place,
                    "partner_candidate_id": each.key,
                    "field": each.field,
                    "reason": each.reason,
                    "said": each.said,
                }
                for each in bad
            ]
            self._rejected.add(stream, refusals, raw)
        else:
            for each in bad:
                log.warning(
                    "Record %d of stream %s, key %s, is %s: %s %s.",
                    self._records[stream],
                    stream,
                    each.key or "none",
                    each.result.value,
                    each.field,
                    each.reason,
                )
        if self._max_rejected is not None and self._rejected_records > self._max_rejected:
            self._settle()
            message = (
                f"More than {self._max_rejected} records were refused (max_rejected). The reasons "
                "are in the log or in the file at rejected_path. Correct the records or the "
                "mapping, or allow more."
            )
            raise ConfigError(message)

    def _settle(self) -> None:
        self._rejected.settle()
        self._settle_ledger()

    def _with_statistics(self, line: bytes, state: bytes) -> bytes:
        """Return the STATE as it was received, with what became of the records that it covers."""
        try:
            message = _object.decode(line)
            content = _object.decode(state)
            stream = _state.decode(state).stream
            statistics = _object.decode(content.get("destinationStats", b"{}"))
        except msgspec.DecodeError as error:
            raise self._not_a_message(str(error)) from None
        covered = self._covered(stream.stream_descriptor.name if stream else None)
        # The protocol wants floats.
        statistics["recordCount"] = msgspec.Raw(b"%.1f" % covered.records)
        statistics["rejectedRecordCount"] = msgspec.Raw(b"%.1f" % covered.rejected)
        content["destinationStats"] = msgspec.Raw(msgspec.json.encode(statistics))
        message["state"] = msgspec.Raw(msgspec.json.encode(content))
        return msgspec.json.encode(message) + b"\n"

    def _covered(self, stream: str | None) -> _Tally:
        """Take the counts of one stream, or of all for a state that names none."""
        if stream is not None:
            return self._since_state.pop(stream, _Tally())
        tallies = list(self._since_state.values())
        self._since_state.clear()
        return _Tally(
            sum(tally.records for tally in tallies), sum(tally.rejected for tally in tallies)
        )

    def _parsed(self, text: bytes) -> _Message:
        try:
            return _message.decode(text)
        except msgspec.ValidationError as error:
            # Its text shows types and a path, no values.
            raise self._not_a_message(str(error)) from None
        except (msgspec.DecodeError, UnicodeDecodeError):
            repaired = repair(text)
            if repaired != text:
                return self._parsed(repaired)
            # It may be half a record: to go on could pass a state on that covers it.
            raise self._not_a_message("it is not JSON; it may have been cut off") from None

    def _part(self, part: Any, name: str) -> Any:
        if part is None:
            raise self._not_a_message(f"it has no {name}")
        return part

    def _not_a_message(self, why: str) -> ConfigError:
        return ConfigError(
            f"Line {self._lines} of standard input is not a message of Airbyte's protocol: {why}. "
            "What came before it is done. Check what writes to standard input, and run again."
        )

    def _say_once(self, text: str) -> None:
        if text not in self._odd:
            self._odd.add(text)
            log.warning("Line %d: %s", self._lines, text)

    def _how_far(self) -> str:
        parts = [f"{self._records.total()} records"]
        parts += [f"{self._results[each]} {each.value}" for each in Result if self._results[each]]
        if self._ignored:
            parts.append(f"{self._ignored} records of other streams ignored")
        if self._left_out:
            fields = ", ".join(f"{name} {count}" for name, count in self._left_out.most_common())
            parts.append(f"changes of fields that cannot be updated: {fields}")
        return "; ".join(parts)


def _must_be_seen(line: bytes) -> bool:
    """Tell whether a source's line, in a shell pipe, would be missed: warnings and errors."""
    try:
        said = _said.decode(line)
    except msgspec.DecodeError:
        return False
    return said.log.level in {"WARN", "ERROR", "FATAL"} or said.trace.type == "ERROR"
