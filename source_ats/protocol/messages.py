"""Airbyte's messages as lines of bytes, each one JSON object and a line break.

Written without the CDK, whose import costs more than a small read; a test compares each with what
the CDK's own serializer writes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

import orjson

from source_ats.clock import epoch_ms
from source_ats.decoding import Change
from source_ats.errors import AtsError

Status = Literal["STARTED", "RUNNING", "COMPLETE", "INCOMPLETE"]


def line(message: Mapping[str, Any]) -> bytes:
    """Return any message as a line."""
    try:
        return orjson.dumps(message, option=orjson.OPT_APPEND_NEWLINE)
    except orjson.JSONEncodeError:
        # A half character or a number beyond 64 bits, out of a file that the user passed.
        return json.dumps(message, ensure_ascii=False).encode("utf-8", "replace") + b"\n"


def records(
    stream: str,
    rows: Sequence[bytes],
    emitted_at: datetime,
    changes: Mapping[int, Sequence[Change]] | None = None,
) -> bytes:
    """Return RECORD lines for rows that are encoded already, each a JSON object on one line.

    `changes` says what was changed in a row, by its number; only such a record has a `meta`.
    """
    head = b'{"type":"RECORD","record":{"stream":%b,"data":' % orjson.dumps(stream)
    tail = b',"emitted_at":%d}}\n' % epoch_ms(emitted_at)
    parts = [part for row in rows for part in (head, row, tail)]
    for number, changed in (changes or {}).items():
        meta = orjson.dumps({"changes": [change._asdict() for change in changed]})
        parts[3 * number + 2] = b',"meta":%b%b' % (meta, tail)
    return b"".join(parts)


def state(stream: str, stream_state: Mapping[str, Any], record_count: int) -> bytes:
    """Return a STATE line; `record_count` counts the records since the stream's last STATE."""
    return line(
        {
            "type": "STATE",
            "state": {
                "type": "STREAM",
                "stream": {"stream_descriptor": {"name": stream}, "stream_state": stream_state},
                # The protocol wants a float.
                "sourceStats": {"recordCount": float(record_count)},
            },
        }
    )


def status(
    stream: str, value: Status, emitted_at: datetime, *, quota_reset: datetime | None = None
) -> bytes:
    """Return a stream status; with `quota_reset`, that it waits for the rate limit until then."""
    stream_status: dict[str, Any] = {"stream_descriptor": {"name": stream}, "status": value}
    if quota_reset is not None:
        reason = {
            "type": "RATE_LIMITED",
            "rate_limited": {"quota_reset": epoch_ms(quota_reset)},
        }
        stream_status["reasons"] = [reason]
    return _trace("STREAM_STATUS", emitted_at, {"stream_status": stream_status})


def estimate(stream: str, row_estimate: int, emitted_at: datetime) -> bytes:
    """Return an estimate of all rows; for a stream read child by child, of the children."""
    content = {"name": stream, "type": "STREAM", "row_estimate": row_estimate}
    return _trace("ESTIMATE", emitted_at, {"estimate": content})


def error(failure: AtsError, emitted_at: datetime, *, stream: str | None = None) -> bytes:
    """Return the trace of a failure that this package understands."""
    internal = f"{type(failure).__name__} {failure.detail}".rstrip()
    return _error(failure.message, internal, failure.failure_type, emitted_at, stream)


def bug(failure: BaseException, emitted_at: datetime, *, stream: str | None = None) -> bytes:
    """Return the trace of an unexpected failure: a bug.

    Its text may hold anybody's data, so only the type and the places in the code are shown.
    """
    places = []
    at = failure.__traceback__
    while at is not None:
        code = at.tb_frame.f_code
        places.append(f"{code.co_filename.rsplit('/', 1)[-1]}:{at.tb_lineno} {code.co_qualname}")
        at = at.tb_next
    internal = f"{type(failure).__name__} at {' > '.join(places)}"
    message = "Something went wrong inside the connector. Please report it with this message."
    return _error(message, internal, "system_error", emitted_at, stream)


def log(level: str, text: str) -> bytes:
    """Return a LOG line. `level` is Airbyte's: DEBUG, INFO, WARN, ERROR, FATAL."""
    return line({"type": "LOG", "log": {"level": level, "message": text}})


def connection_status(*, succeeded: bool, message: str) -> bytes:
    """Return the answer to `check`."""
    answer = {"status": "SUCCEEDED" if succeeded else "FAILED"}
    if message:
        answer["message"] = message
    return line({"type": "CONNECTION_STATUS", "connectionStatus": answer})


def _error(
    message: str, internal: str, failure_type: str, emitted_at: datetime, stream: str | None
) -> bytes:
    content: dict[str, Any] = {
        "message": message,
        "internal_message": internal,
        "failure_type": failure_type,
    }
    if stream is not None:
        content["stream_descriptor"] = {"name": stream}
    return _trace("ERROR", emitted_at, {"error": content})


def _trace(kind: str, emitted_at: datetime, content: Mapping[str, Any]) -> bytes:
    # The protocol wants a float here too.
    trace = {"type": kind, "emitted_at": float(epoch_ms(emitted_at)), **content}
    return line({"type": "TRACE", "trace": trace})
