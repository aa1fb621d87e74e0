"""State: what a vendor package keeps for a stream, and what the reader keeps next to it.

The reader adds `selection` (a hash of the settings that choose rows) and, in a full refresh,
`full_refresh` while it lasts and the catalog's `generation`.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, TypeVar

import msgspec
import orjson

from source_ats.clock import rfc3339
from source_ats.decoding import describe_mismatch
from source_ats.errors import ConfigError
from source_ats.sync.stream import State

T = TypeVar("T")

log = logging.getLogger("airbyte.source_ats.sync")

Timestamp = Annotated[datetime, msgspec.Meta(tz=True)]
"""A time in a state: RFC 3339 with a time zone."""
CLOCKS_DIFFER_AT_MOST = timedelta(days=1)
_one_at_a_time = threading.Lock()
"""Streams begin side by side. msgspec prepares a type when it is first converted to, and a second
thread that uses the type meanwhile crashes the process (seen with msgspec 0.22)."""
_KEPT_BY_THE_READER = {"selection", "generation", "full_refresh"}


def selection_hash(selection: Mapping[str, object]) -> str:
    """Return what represents a selection in a state."""
    text = orjson.dumps(selection, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(text).hexdigest()[:16]


def parse_state(state: State, kind: type[T], stream: str) -> T:
    """Return a stream's state as its declared type. Raises `ConfigError` if it is damaged."""
    try:
        with _one_at_a_time:
            parsed = msgspec.convert(state, kind)
    except msgspec.ValidationError as error:
        raise _damaged(stream, describe_mismatch(error)) from None
    # A field without a value is left out of a state. Taken as left out, a null would make the
    # next run read everything.
    null = _null_field(state, msgspec.to_builtins(parsed))
    if null is not None:
        raise _damaged(stream, f"{null} is null")
    return parsed


def _null_field(state: State, parsed: State) -> str | None:
    """Return the path of a field that is null in a state but left out where it has no value."""
    for key, value in state.items():
        if value is None and key not in parsed:
            return str(key)
        if isinstance(value, Mapping) and isinstance(parsed.get(key), Mapping):
            path = _null_field(value, parsed[key])
            if path is not None:
                return f"{key}.{path}"
    return None


def _damaged(stream: str, reason: str) -> ConfigError:
    return ConfigError(
        f"The state of {stream} is damaged: {reason}. Pass the state of an earlier run, or clear "
        "it to read everything again."
    )


def reject_future_state(
    stream: str, times: Iterable[datetime | None], vendors_now: datetime
) -> None:
    """Raise `ConfigError` if a state holds a time that lies ahead of the vendor's clock.

    Read from there, nothing would be found, and what changes until then would be lost.
    """
    last = max((time for time in times if time is not None), default=vendors_now)
    if last > vendors_now + CLOCKS_DIFFER_AT_MOST:
        reason = f"it says {rfc3339(last)}, and the vendor's clock says {rfc3339(vendors_now)}"
        raise _damaged(stream, reason)


def usable_state(
    stream: str,
    selection: str,
    stored: State | None,
    *,
    full_refresh: bool,
    generation: int | None,
) -> State | None:
    """Return the state to resume from, empty to begin; None: nothing is left to read.

    In a full refresh only the state of an earlier attempt at the same one counts: of the same
    generation, or, where the catalog has none, of a read that is still in progress. Raises
    `ConfigError` if the state is not one of ours.
    """
    if not stored:
        return {}
    if not isinstance(stored.get("selection"), str):
        message = (
            f"The state of stream {stream} is not one that this connector wrote: "
            'it has no "selection". Pass the state of an earlier run, or clear it to read '
            "everything again."
        )
        raise ConfigError(message)
    if full_refresh:
        if generation is None:
            same_attempt = "full_refresh" in stored
        else:
            same_attempt = stored.get("generation") == generation
        if not same_attempt:
            log.info("%s: full refresh, the state of earlier syncs is ignored.", stream)
            return {}
    if stored["selection"] != selection:
        log.info(
            "%s: the configuration selects other rows than when the state was written; "
            "everything from the start date is read again.",
            stream,
        )
        return {}
    if full_refresh and "full_refresh" not in stored:
        log.info("%s: this full refresh was finished by an earlier attempt.", stream)
        return None
    return {key: value for key, value in stored.items() if key not in _KEPT_BY_THE_READER}


def complete_state(
    state: State, selection: str, *, full_refresh: bool, generation: int | None
) -> dict[str, Any]:
    """Return a vendor package's state with what the reader keeps next to it."""
    complete = {"selection": selection, **state}
    if full_refresh:
        complete["full_refresh"] = True
        if generation is not None:
            complete["generation"] = generation
    return complete


def without_full_refresh_mark(state: State) -> State:
    """Return a state that is finished: the next incremental sync continues from it."""
    return {key: value for key, value in state.items() if key != "full_refresh"}
