"""The files that a run gets: configuration, configured catalog, state."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from source_ats.decoding import describe_mismatch
from source_ats.errors import ConfigError


class _StreamName(msgspec.Struct):
    name: str


class _Stream(_StreamName):
    source_defined_primary_key: list[list[str]] | None = None


class ConfiguredStream(msgspec.Struct):
    """What a run needs to know of a stream in the configured catalog."""

    stream: _Stream
    sync_mode: Literal["full_refresh", "incremental"] | None = None
    """A source needs it; for a destination it means nothing."""
    generation_id: int | None = None
    destination_sync_mode: str = "append"
    configured_primary_key: list[list[str]] | None = msgspec.field(name="primary_key", default=None)

    @property
    def name(self) -> str:
        """Return the stream's name."""
        return self.stream.name

    @property
    def primary_key(self) -> list[list[str]]:
        """Return the paths of the primary key: the user's choice, else the source's."""
        return self.configured_primary_key or self.stream.source_defined_primary_key or []


class _Catalog(msgspec.Struct):
    streams: list[ConfiguredStream]


class _StreamState(msgspec.Struct):
    stream_descriptor: _StreamName
    stream_state: dict[str, Any] | None = None


class _State(msgspec.Struct):
    type: Literal["STREAM"]
    stream: _StreamState


def read_json(path: str, what: str) -> Any:
    """Return the content of a file. Raises `ConfigError` that names the file by `what` it is."""
    text = _text(path, what)
    try:
        return json.loads(text)
    except ValueError as error:
        raise ConfigError(f"The {what} file {path} is not JSON: {error}.") from None
    except RecursionError:
        raise ConfigError(f"The {what} file {path} is nested too deeply.") from None


def read_config(path: str) -> dict[str, Any]:
    """Return the configuration file's content, not checked yet."""
    content = read_json(path, "config")
    if not isinstance(content, dict):
        raise ConfigError(f"The config file {path} has to hold a JSON object.")
    return content


def parse_catalog(content: object) -> list[ConfiguredStream]:
    """Return the streams of a configured catalog.

    Raises `ConfigError` for anything else, and if a stream is listed twice.
    """
    try:
        streams = msgspec.convert(content, _Catalog).streams
    except msgspec.ValidationError as error:
        message = (
            f"The catalog is not a configured catalog: {describe_mismatch(error)}. "
            "Make it from what discover prints."
        )
        raise ConfigError(message) from None
    names = [each.name for each in streams]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"The catalog names the stream {name} twice. Remove one of them.")
    return streams


def read_state_file(path: str) -> list[Any]:
    """Return the state messages in a file: a JSON list, one alone, or lines that a run printed.

    Of printed lines, those that are no STATE are passed over.
    """
    text = _text(path, "state").strip()
    if not text:
        return []
    try:
        content = json.loads(text)
    except ValueError:
        content = [
            line for line in _printed_lines(text, path) if line.get("type", "STATE") == "STATE"
        ]
    except RecursionError:
        raise ConfigError(f"The state file {path} is nested too deeply.") from None
    if content is None:
        return []
    return content if isinstance(content, list) else [content]


def parse_states(content: Sequence[object]) -> dict[str, Mapping[str, Any]]:
    """Return the last state of each stream. Raises `ConfigError` for anything that is none."""
    last: dict[str, Mapping[str, Any]] = {}
    for number, each in enumerate(content):
        printed = isinstance(each, Mapping) and each.get("type") == "STATE"
        message = each.get("state") if isinstance(each, Mapping) and printed else each
        if each is None or message in ({}, {"type": "LEGACY", "data": {}}):
            continue
        try:
            stream = msgspec.convert(message, _State).stream
        except msgspec.ValidationError as error:
            text = (
                f"The state is damaged or not from this connector: entry {number}: "
                f"{describe_mismatch(error)}. Pass the state of an earlier run, or none to read "
                "everything again."
            )
            raise ConfigError(text) from None
        last[stream.stream_descriptor.name] = stream.stream_state or {}
    return last


def _text(path: str, what: str) -> str:
    try:
        return Path(path).read_text("utf-8")
    except OSError as error:
        message = (
            f"The {what} file {path} cannot be read: {error.strerror}. Check its path and rights."
        )
        raise ConfigError(message) from None
    except UnicodeDecodeError:
        raise ConfigError(f"The {what} file {path} is not UTF-8 text. Save it as UTF-8.") from None


def _printed_lines(text: str, path: str) -> Iterable[dict[str, Any]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            message = json.loads(line)
        except ValueError:
            message = None
        if not isinstance(message, dict):
            error = (
                f"Line {number} of the state file {path} is not a message. Pass a JSON list of "
                "states, or the STATE lines that a run printed, each whole."
            )
            raise ConfigError(error)
        yield message
