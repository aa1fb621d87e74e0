"""The messages of a read, followed while they are written into a file."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import orjson


class Messages:
    """Counts records and keeps the times of the streams' statuses."""

    def __init__(self, path: Path) -> None:
        """Follow the file at `path`, which need not exist yet."""
        self.path = path
        self.forget()

    def forget(self) -> None:
        """Begin with the next read."""
        self.path.unlink(missing_ok=True)
        self._offset = 0
        self._rest = b""
        self.records: Counter[str] = Counter()
        self._started: dict[str, float] = {}
        self._ended: dict[str, float] = {}

    def follow(self) -> None:
        """Take in what was written since the last time."""
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            file.seek(self._offset)
            written = file.read()
        self._offset += len(written)
        *lines, self._rest = (self._rest + written).split(b"\n")
        for line in lines:
            message = orjson.loads(line)
            if message["type"] == "RECORD":
                self.records[message["record"]["stream"]] += 1
            elif message["type"] == "TRACE":
                self._take_trace(message["trace"])

    def keep(self, path: Path) -> None:
        """Move the messages of a read that is over into another file."""
        self.path.rename(path)

    def _take_trace(self, trace: dict[str, Any]) -> None:
        if trace["type"] != "STREAM_STATUS":
            return
        status = trace["stream_status"]
        stream, seconds = status["stream_descriptor"]["name"], trace["emitted_at"] / 1_000
        if status["status"] == "STARTED":
            self._started[stream] = seconds
        elif status["status"] in {"COMPLETE", "INCOMPLETE"}:
            self._ended[stream] = seconds

    def state(self, stream: str) -> str:
        """Say how far a stream is."""
        if stream in self._ended:
            return "done"
        return "reading" if stream in self._started else "waiting"

    def seconds(self, stream: str | None = None) -> float:
        """The time from the start to the end of a stream, or of all."""
        if stream is None:
            return max(self._ended.values()) - min(self._started.values())
        return self._ended[stream] - self._started[stream]
