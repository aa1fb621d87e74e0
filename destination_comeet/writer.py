"""The write loop: messages in, outcomes and states out.

| outcome       | what is known                                            | counted as |
| ------------- | -------------------------------------------------------- | ---------- |
| created       | Comeet has it since this run                             | written    |
| already there | Comeet had it: unchanged, updated, or merged or deleted  | written    |
| skipped       | it is not meant to be written, and was not               | neither    |
| rejected      | Comeet does not have it, and will not get it as it is    | rejected   |
| unknown       | Comeet may have it, and it cannot be told                | rejected   |

An outcome is a value; a failure that ends the run is an exception. A STATE is passed on only when
every record before it has an outcome and all of them are on disk: written ones in the ledger,
rejected ones in their file. However a run ends, what was passed on is done.
"""

from __future__ import annotations

import enum
import json
import logging
import math
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import orjson

from destination_comeet.message_scanner import Scanner
from destination_comeet.rejects import Refusal, Rejected
from destination_comeet.stdin import LONGEST_LINE, Line, LongLine
from source_ats.clock import Clock
from source_ats.decoding import repair
from source_ats.errors import AtsError, ConfigError
from source_ats.http.usage import WARNINGS_OF_EACH_REASON
from source_ats.plural import counted

log = logging.getLogger("airbyte.source_ats.writing")

SECONDS_BETWEEN_PROGRESS_LINES = 60.0
LINES_AHEAD = 16
BYTES_AHEAD = 1 << 20
"""Lines that are read before their turn."""
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Result(enum.Enum):
    """A row of the table above; "already there" has three kinds."""

    CREATED = "created"
    UNCHANGED = "already there and unchanged"
    UPDATED = "already there and updated"
    CLOSED = "merged or deleted in the meantime"
    SKIPPED = "skipped"
    REJECTED = "rejected"
    UNKNOWN = "of unknown outcome"


NOT_WRITTEN = frozenset({Result.REJECTED, Result.UNKNOWN})
"""The results that a record counts as rejected for."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a record in one position. `field` and `reason` say why it was not written."""

    result: Result
    position_uid: str | None = None
    key: str | None = None
    field: str = ""
    reason: str = ""
    """Without values, so that it can be logged."""
    vendor_text: str = ""
    """What Comeet answered: it may hold values, and goes to the rejected file only."""
    left_out: Sequence[str] = ()
    """Changed fields that cannot be updated."""
    sent: Sequence[str] = ()
    """The names of the fields that Comeet was sent."""
    dropped: Sequence[tuple[str, str]] = ()
    """Optional fields that were left out, each with the reason, without values."""


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


class _LogOrTrace(msgspec.Struct):
    log: _Log = msgspec.field(default_factory=_Log)
    trace: _Trace = msgspec.field(default_factory=_Trace)


_log_or_trace = msgspec.json.Decoder(_LogOrTrace)
_message = msgspec.json.Decoder(_Message)
_state = msgspec.json.Decoder(_State)
_object = msgspec.json.Decoder(dict[str, msgspec.Raw])

_ZEROS_FOR_DIGITS = bytes.maketrans(b"123456789", b"0" * 9)
_LONG_NUMBER = b"0" * 19
"""An integer beyond 64 bits has this many digits at least. orjson makes a rounded float of it."""
_PASSED_OVER = frozenset({"CATALOG", "CONNECTION_STATUS", "CONTROL", "SPEC", "DESTINATION_CATALOG"})
"""Types that mean nothing to a destination. LOG and TRACE of a source in the same pipe are kept."""


@dataclass(slots=True)
class _InputLine:
    """A line that was read before its turn."""

    number: int
    line: Line
    text: bytes = b""
    message: _Message | None = None
    data: Record | None = None
    """The content of a record that is to be delivered; None if it cannot be read."""
    error: ConfigError | None = None

    @property
    def size(self) -> int:
        """Return about how many bytes it takes."""
        return len(self.text)


@dataclass(slots=True)
class _Tally:
    """Records since the last STATE that covers them."""

    records: int = 0
    rejected: int = 0


class Writer:
    """One run. `write` follows a message from the input to the output; the rest are its steps."""

    def __init__(  # noqa: PLR0913 - the streams of a run, and where their outcomes go
        self,
        streams: Mapping[str, Deliver | None],
        flush_ledger: Callable[[], None],
        rejected: Rejected,
        clock: Clock,
        *,
        max_rejected: int | None = None,
        rejected_before: int = 0,
        count_rejected: Callable[[int], None] = lambda number: None,
        is_decided: Callable[[], bool] = lambda: True,
        finish: Callable[[], None] = lambda: None,
        on_outcomes: Callable[[Sequence[Outcome]], None] = lambda outcomes: None,
        announce: Callable[[str, Record], None] = lambda stream, record: None,
        is_dry_run: bool = False,
    ) -> None:
        """`streams`: how to deliver each one of the catalog; None for one that is ignored.

        `flush_ledger` puts all outcomes on disk. `rejected_before` earlier attempts rejected, under
        states that were passed on; `count_rejected` notes, before the next flush, how many the
        state that is passed on then adds to them. While `is_decided` is false, an outcome may
        still turn into a failure of the run, and states wait; `finish` decides at the end.
        `on_outcomes` gets the outcomes of each record. `announce` gets a stream and a record
        before its turn, and the same record is delivered later. A dry run passes no state on.
        """
        self._streams = streams
        self._flush_ledger = flush_ledger
        self._rejected = rejected
        self._clock = clock
        self._max_rejected = max_rejected
        self._count_rejected = count_rejected
        self._is_decided = is_decided
        self._finish = finish
        self._on_outcomes = on_outcomes
        self._announce = announce
        self._is_dry_run = is_dry_run
        self._waiting_states: list[tuple[bytes, _Tally]] = []
        self._lines = 0
        self._messages = 0
        self._not_messages = 0
        self._since_state: dict[str, _Tally] = {}
        self._records: Counter[str] = Counter()
        self._ignored = 0
        self._rejected_records = rejected_before
        self._results: Counter[Result] = Counter()
        self._because: dict[Result, Counter[str]] = {each: Counter() for each in Result}
        self._is_summary_due = False
        self._left_out: Counter[str] = Counter()
        self._dropped_because: Counter[str] = Counter()
        self._said_once: set[str] = set()
        self._progress_at = clock.monotonic()

    def write(self, batches: Iterable[Sequence[Line]]) -> Iterator[bytes]:
        """Take the lines; yield lines to print: states that are safe, and what must be seen.

        A batch is what is there without waiting; before the next one all is on disk. Raises
        `ConfigError` for a line that is not a message, or when too many records are rejected,
        `Stopped` before a record when the run was asked to end, and whatever delivering raises;
        what came before is on disk and passed on in any case.
        """
        try:
            yield from self._written(batches)
        except AtsError:
            log.info("Not finished: %s.", self._progress())
            raise
        finished = "Finished the dry run, nothing was written" if self._is_dry_run else "Finished"
        log.info("%s: %s.", finished, self._progress())

    def _written(self, batches: Iterable[Sequence[Line]]) -> Iterator[bytes]:
        for lines in batches:
            for given in self._read_ahead(lines):
                self._lines = given.number
                if isinstance(given.line, LongLine):
                    self._long_line(given.line)
                else:
                    yield from self._line(given)
            self._flush()
            yield from self._safe_states()
        self._finish()
        yield from self._safe_states()
        if self._not_messages and not self._messages:
            message = (
                "Standard input has no message of Airbyte's protocol. Check what writes to it."
            )
            raise ConfigError(message)
        self._summarize()

    def _read_ahead(self, lines: Sequence[Line]) -> Iterator[_InputLine]:
        """Yield the lines of a batch in their order, each after a few that follow it were read.

        So the files of the next records can be fetched while one is sent. What is wrong with a
        line is raised when its turn comes.
        """
        waiting: deque[_InputLine] = deque()
        size = 0
        for number, line in enumerate(lines, self._lines + 1):
            waiting.append(self._read(number, line))
            size += waiting[-1].size
            while len(waiting) > LINES_AHEAD or size > BYTES_AHEAD:
                size -= waiting[0].size
                yield waiting.popleft()
        while waiting:
            yield waiting.popleft()

    def _read(self, number: int, line: Line) -> _InputLine:
        given = _InputLine(number, line)
        if isinstance(line, LongLine):
            return given
        given.text = line.strip().removeprefix(BYTE_ORDER_MARK)
        if not given.text.startswith(b"{"):
            return given
        self._lines = number
        try:
            given.message = self._parsed(given.text)
        except ConfigError as error:
            given.error = error
            return given
        record = given.message.record if given.message.type == "RECORD" else None
        if record is not None and self._streams.get(record.stream) is not None:
            given.data = decoded_record(bytes(record.data))
            if given.data is not None:
                self._announce(record.stream, given.data)
        return given

    def _line(self, given: _InputLine) -> Iterator[bytes]:
        text, message = given.text, given.message
        if given.error is not None:
            raise given.error
        if message is None:
            self._pass_over(text)
            return
        self._messages += 1
        if message.type == "RECORD":
            self._record(self._part(message.record, "record"), given.data)
        elif message.type == "STATE":
            self._take_state(text, bytes(self._part(message.state or None, "state")))
            yield from self._safe_states()
        elif message.type in {"LOG", "TRACE"}:
            if _must_be_seen(text):
                yield text + b"\n"
        elif message.type not in _PASSED_OVER:
            self._say_once("Messages of a type that is not known are ignored.")

    def _long_line(self, line: LongLine) -> None:
        """Count a line that was too long to be kept, if its stream is ignored anyway."""
        name = line.stream
        if name is None or name not in self._streams or self._streams[name] is not None:
            message = (
                f"Line {self._lines} of standard input is longer than {LONGEST_LINE >> 20} MB, "
                "more than any record that can be sent. What came before it is done. Check what "
                "writes to standard input, and run again."
            )
            raise ConfigError(message)
        self._messages += 1
        self._ignored += 1
        self._since_state.setdefault(name, _Tally()).records += 1

    def _pass_over(self, text: bytes) -> None:
        """Ignore what a program printed between the messages, but never a damaged message."""
        if not text:
            return
        if b"\0" in text:
            why = "it holds NUL bytes. Standard input has to be UTF-8, not UTF-16 or UTF-32"
            raise self._not_a_message(why)
        if b'"type"' in text:
            raise self._not_a_message("something precedes the message on the line, or encloses it")
        self._not_messages += 1
        self._say_once("Text between the messages of standard input is ignored.")

    def _record(self, record: _RecordMessage, data: Record | None) -> None:
        """Deliver a record; `data` is its content if that can be read."""
        # A run that was asked to end takes no more records, but passes on what is done.
        self._clock.sleep(0)
        if record.stream not in self._streams:
            message = (
                f"Line {self._lines} of standard input is a record of a stream that the catalog "
                "does not name. Add the stream to the catalog, or leave it out of the input."
            )
            raise ConfigError(message)
        deliver = self._streams[record.stream]
        tally = self._since_state.setdefault(record.stream, _Tally())
        tally.records += 1
        if deliver is None:
            self._ignored += 1
            return
        self._records[record.stream] += 1
        raw = bytes(record.data)
        if not raw.startswith(b"{"):
            raise self._not_a_message("record.data is not an object")
        if data is None:
            reason = "holds a text, a number or a depth that cannot be read"
            outcomes: Sequence[Outcome] = [Outcome(Result.REJECTED, field="record", reason=reason)]
        else:
            outcomes = deliver(data)
        self._count(outcomes)
        self._on_outcomes(outcomes)
        self._warn_of_dropped(record.stream, outcomes)
        if any(outcome.result in NOT_WRITTEN for outcome in outcomes):
            tally.rejected += 1
            kept = raw if data is not None else raw.decode("utf-8", "replace")
            self._reject(record.stream, kept, outcomes)
        else:
            self._rejected.remove(record.stream, outcomes[0].key)
        if self._clock.monotonic() - self._progress_at >= SECONDS_BETWEEN_PROGRESS_LINES:
            self._progress_at = self._clock.monotonic()
            log.info("So far: %s.", self._progress())

    def _count(self, outcomes: Sequence[Outcome]) -> None:
        """Count the outcomes of a record; it is skipped only if nothing else became of it."""
        skipped = [each for each in outcomes if each.result is Result.SKIPPED]
        if len(skipped) == len(outcomes):
            self._results[Result.SKIPPED] += 1
            self._because[Result.SKIPPED][because(skipped[0])] += 1
            return
        for outcome in outcomes:
            if outcome.result is not Result.SKIPPED:
                self._results[outcome.result] += 1
                self._left_out.update(outcome.left_out)

    def _reject(self, stream: str, record: bytes | str, outcomes: Sequence[Outcome]) -> None:
        bad = [outcome for outcome in outcomes if outcome.result in NOT_WRITTEN]
        self._rejected_records += 1
        for each in bad:
            if self._is_one_of_many(self._because[each.result], because(each)):
                continue
            log.warning(
                "Record %d of stream %s, key %s, is %s: %s.",
                self._records[stream],
                stream,
                each.key or "none",
                each.result.value,
                " ".join(filter(None, (each.field, each.reason))),
            )
        refusals = [
            Refusal(
                each.result.name.lower(),
                each.position_uid,
                each.key,
                each.field,
                each.reason,
                each.vendor_text,
            )
            for each in bad
        ]
        self._rejected.add(stream, refusals, record)
        if self._max_rejected is not None and self._rejected_records > self._max_rejected:
            self._flush()
            rejected = counted(self._max_rejected, "record was", "records were")
            message = (
                f"More than {rejected} rejected (max_rejected) since a write was "
                "last complete. The reasons are in the log. Correct the records or the mapping, "
                "or allow more."
            )
            raise ConfigError(message)

    def _warn_of_dropped(self, stream: str, outcomes: Sequence[Outcome]) -> None:
        for each in outcomes:
            for field, reason in each.dropped:
                if self._is_one_of_many(self._dropped_because, _reason(field, reason)):
                    continue
                log.warning(
                    "Record %d of stream %s, key %s: %s %s; it is left out.",
                    self._records[stream],
                    stream,
                    each.key or "none",
                    field,
                    reason,
                )

    def _is_one_of_many(self, counts: Counter[str], reason: str) -> bool:
        """Count a reason; True if it is left to the summary."""
        counts[reason] += 1
        if counts[reason] > WARNINGS_OF_EACH_REASON:
            self._is_summary_due = True
            return True
        return False

    def _summarize(self) -> None:
        """Warn of all reasons, if there are more records than were warned of one by one."""
        if self._is_summary_due:
            self._is_summary_due = False
            for each in Result:
                if each in NOT_WRITTEN and self._because[each]:
                    log.warning(
                        "%s so far: %s.", each.value.capitalize(), _listed(self._because[each])
                    )
            if self._dropped_because:
                log.warning("Fields left out so far: %s.", _listed(self._dropped_because))

    def _flush(self) -> None:
        self._rejected.flush()
        self._flush_ledger()

    def _take_state(self, line: bytes, state: bytes) -> None:
        """Take a STATE, with the counts of what it covers."""
        try:
            stream = _state.decode(repair(state)).stream
        except msgspec.DecodeError as error:
            raise self._not_a_message(str(error)) from None
        covered = self._covered(stream.stream_descriptor.name if stream else None)
        if not self._is_dry_run:
            self._waiting_states.append((line, covered))

    def _safe_states(self) -> Iterator[bytes]:
        """Put on disk what the states cover, and yield them as received, with their counts."""
        while self._waiting_states and self._is_decided():
            line, covered = self._waiting_states.pop(0)
            self._count_rejected(covered.rejected)
            self._flush()
            self._summarize()
            yield _with_statistics(line, covered) + b"\n"

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
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return self._parsed_in_parts(text)

    def _parsed_in_parts(self, text: bytes) -> _Message:
        """Parse a line that no decoder takes as a whole, for one value somewhere in it.

        A record among them is one to be rejected, unless only halves of a character are odd.
        """
        scanner = Scanner()
        scanner.read(text)
        if not scanner.is_complete:
            # It may be half a record: to continue could pass a state on that covers it.
            raise self._not_a_message("it is not JSON; it may have been cut off")
        stream = scanner.text("record", "stream")
        data = scanner.members.get(("record", "data"))
        if scanner.text("type") == "RECORD" and stream is not None and data is not None:
            raw = text[data.start : data.end].strip()
            return _Message("RECORD", _RecordMessage(stream, msgspec.Raw(raw)))
        repaired = repair(text)
        if repaired == text:
            raise self._not_a_message("it is not JSON that can be read")
        return self._parsed(repaired)

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
        if text not in self._said_once:
            self._said_once.add(text)
            log.warning("Line %d: %s", self._lines, text)

    def _progress(self) -> str:
        parts = [counted(self._records.total(), "record")]
        for each in Result:
            if self._results[each]:
                reasons = f": {_listed(self._because[each])}" if self._because[each] else ""
                parts.append(f"{self._results[each]} {each.value}{reasons}")
        if self._dropped_because:
            parts.append(f"fields left out because: {_listed(self._dropped_because)}")
        if self._ignored:
            parts.append(f"{counted(self._ignored, 'record')} of other streams ignored")
        if self._left_out:
            fields = ", ".join(f"{name} {count}" for name, count in self._left_out.most_common())
            parts.append(f"changes of fields that cannot be updated: {fields}")
        return "; ".join(parts)


def decoded_record(raw: bytes) -> Record | None:
    """Return the record as it came, halves of characters and long integers included.

    None if it cannot be read.
    """
    if not raw.startswith(b"{"):
        return None
    # Each record is searched, and a regular expression takes ten times as long as the decoder.
    if _LONG_NUMBER not in raw.translate(_ZEROS_FOR_DIGITS):
        try:
            record: Record = orjson.loads(raw)
        except orjson.JSONDecodeError:
            if b"\\u" not in raw:
                return None
        else:
            return record
    try:
        record = json.loads(raw, parse_float=_finite, parse_constant=_finite)
    except (ValueError, RecursionError):
        return None
    return record


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("not a number of JSON")
    return number


def _with_statistics(line: bytes, covered: _Tally) -> bytes:
    """Return a STATE as it was received, byte by byte, with what became of its records."""
    scanner = Scanner()
    scanner.read(line)
    state = scanner.members["state",]
    given = scanner.members.get(("state", "destinationStats"))
    if given is not None and given.start < state.start:
        # It belongs to an earlier member of the same name, which does not count.
        given = None
    try:
        statistics = _object.decode(line[given.start : given.end]) if given else {}
    except msgspec.DecodeError:
        statistics = {}
    # The protocol wants floats.
    statistics["recordCount"] = msgspec.Raw(b"%.1f" % covered.records)
    statistics["rejectedRecordCount"] = msgspec.Raw(b"%.1f" % covered.rejected)
    value = msgspec.json.encode(statistics)
    if given is not None:
        return line[: given.start] + value + line[given.end :]
    head = line[: state.end].rstrip()[:-1].rstrip()
    comma = b"" if head.endswith(b"{") else b","
    return head + comma + b'"destinationStats":' + value + b"}" + line[state.end :]


def because(outcome: Outcome) -> str:
    """Return the reason as records share it."""
    return _reason(outcome.field, outcome.reason)


def _reason(field: str, reason: str) -> str:
    """Return a reason as records share it: no number of an element of a list, no request."""
    return " ".join(filter(None, (field.partition(".")[0], reason.partition(" [")[0])))


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{name} ({count})" for name, count in counts.most_common())


def _must_be_seen(line: bytes) -> bool:
    """Return True for a source's line, in a shell pipe, that would be missed: warnings, errors."""
    try:
        message = _log_or_trace.decode(line)
    except msgspec.DecodeError:
        return False
    return message.log.level in {"WARN", "ERROR", "FATAL"} or message.trace.type == "ERROR"
