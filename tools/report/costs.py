"""What a sync took in requests, from the messages that it printed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from source_ats.http.usage import Summary
from tools.report.problem import Problem


@dataclass(frozen=True, slots=True)
class Sync:
    """A sync: what it took, one summary for each system and attempt."""

    name: str
    summaries: list[Summary]


def of_sync(path: Path) -> Sync:
    """Return what the messages in a file say. Raises `Problem` if they say nothing of it."""
    try:
        with path.open("rb") as lines:
            summaries = [summary for line in lines if (summary := _summary(line))]
    except OSError as error:
        raise Problem(f"{path} cannot be read: {error.strerror}.") from None
    if not summaries:
        raise Problem(
            f"{path} does not say what a sync took. Give the whole output of `source-ats read` or "
            "`destination-comeet write`: the summary is among its last messages."
        )
    return Sync(path.stem.replace("_", " "), summaries)


def _summary(line: bytes) -> Summary | None:
    # Most lines are records, which need not be decoded.
    if b" of that waiting for " not in line:
        return None
    try:
        message = json.loads(line)
    except ValueError:
        return None
    if not isinstance(message, dict) or message.get("type") != "LOG":
        return None
    return Summary.read(message["log"]["message"])
