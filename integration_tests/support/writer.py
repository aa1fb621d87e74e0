"""`destination-comeet` as its users run it: a process, lines on its standard input, lines back."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from destination_comeet.cli import main as destination_main
from integration_tests.sandbox.running import PROJECT, Sandbox
from integration_tests.support import killed_writer
from source_ats.clock import Clock, SystemClock
from source_ats.process import Output

Message = dict[str, Any]

COMMAND = (str(Path(sys.executable).with_name("destination-comeet")),)

OPEN = "4A.1C2"
"""A position of the sandbox that takes candidates."""

SECOND = "4C.0F7"
"""Another one."""


@dataclass
class Run:
    """What one run printed, and how it ended."""

    code: int
    messages: list[Message]
    output: str

    def states(self) -> list[dict[str, Any]]:
        """The states that were passed on."""
        return [each["state"] for each in self.messages if each["type"] == "STATE"]

    def logs(self, level: str = "") -> str:
        """The text of the log lines of a level, or of all."""
        logs = [each["log"] for each in self.messages if each["type"] == "LOG"]
        return "\n".join(each["message"] for each in logs if level in ("", each["level"]))

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The lines of a type, without their type."""
        return [
            {name: value for name, value in each.items() if name != "type"}
            for each in self.messages
            if each["type"] == kind
        ]

    def error(self) -> dict[str, str]:
        """The one error trace."""
        (error,) = (each["trace"]["error"] for each in self.messages if each["type"] == "TRACE")
        return dict(error)

    def status(self) -> dict[str, str]:
        """The answer of `check`."""
        (status,) = (
            each["connectionStatus"]
            for each in self.messages
            if each["type"] == "CONNECTION_STATUS"
        )
        return dict(status)


class SandboxClock(SystemClock):
    """The machine's clock, but waits pass at once: here and in the sandbox."""

    def __init__(self, sandbox: Sandbox, stop: threading.Event) -> None:
        """Begin at the machine's time."""
        super().__init__(stop)
        self._sandbox = sandbox
        self._waited = 0.0

    def monotonic(self) -> float:
        """Return seconds from an unknown moment, waits included."""
        return super().monotonic() + self._waited

    def now(self) -> datetime:
        """Return the time, waits included."""
        return super().now() + timedelta(seconds=self._waited)

    def sleep(self, seconds: float) -> None:
        """Move both times; the short steps of an even pace are not worth a call."""
        super().sleep(0)
        if seconds > 0:
            self._waited += seconds
        if seconds > 0.01:
            self._sandbox.advance(seconds)


class ShiftedClock(SandboxClock):
    """The same, but wrong by some minutes."""

    shift = timedelta(0)

    def now(self) -> datetime:
        """Return the wrong time."""
        return super().now() + self.shift


@dataclass
class Writer:
    """One configuration of the destination in a folder of its own, and a sandbox."""

    sandbox: Sandbox
    folder: Path
    config: dict[str, Any] = field(default_factory=dict)
    catalog: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Begin with one stream of Comeet's own names, and a ledger in the folder."""
        self.config = {
            "api_key": "comeet-key",
            "secret": "comeet-secret",
            "streams": [
                {
                    "stream": "people",
                    "mapping": {"mapping_type": "comeet"},
                    "position_uid": OPEN,
                }
            ],
            "ledger": {"ledger_type": "sqlite", "path": str(self.folder / "ledger.db")},
            "requests_per_minute": 100_000,
            "base_url": f"{self.sandbox.url}/comeet",
        }
        self.catalog = {"streams": [configured("people")]}

    def arguments(self, verb: str, *, debug: bool = False) -> list[str]:
        """The arguments of a run, with the configuration as it is now."""
        config, catalog = self.folder / "config.json", self.folder / "catalog.json"
        config.write_text(json.dumps(self.config))
        catalog.write_text(json.dumps(self.catalog))
        arguments = [verb, "--config", str(config), *["--debug"][:debug]]
        return [*arguments, "--catalog", str(catalog)] if verb == "write" else arguments

    def check(self, **options: Any) -> Run:
        """Check, which makes the ledger."""
        return self._in_this_process("check", b"", **options)

    def write(self, *messages: Message | bytes, **options: Any) -> Run:
        """Write these messages, or lines: the command line, without a process of its own."""
        return self._in_this_process("write", lines_of(messages), **options)

    def dry_run(self, *messages: Message | bytes, plan: Path | None = None, **options: Any) -> Run:
        """Make a dry run with these messages, or lines."""
        more = ["--dry-run", *(["--plan", str(plan)] if plan else [])]
        return self._in_this_process("write", lines_of(messages), more=more, **options)

    def run(self, verb: str, *more: str, **options: Any) -> Run:
        """Run a command of the destination's own, such as `replay`."""
        return self._in_this_process(verb, b"", more=more, **options)

    def write_by(self, command: Sequence[str], *messages: Message | bytes) -> Run:
        """Write these messages with a process of its own."""
        return self.run_by(command, "write", lines_of(messages))

    def run_by(self, command: Sequence[str], verb: str, lines: bytes = b"") -> Run:
        """Run a verb with a process of its own."""
        done = subprocess.run(
            [*command, *self.arguments(verb)],
            input=lines,
            capture_output=True,
            cwd=PROJECT,
            check=False,
            timeout=1100,
        )
        return finished(done.returncode, done.stdout, done.stderr)

    def write_killed(self, step: str, occurrence: int, *messages: Message) -> Run:
        """Write these messages, killed with SIGKILL when it comes to that step this many times."""
        return self.run_killed(step, occurrence, "write", lines_of(messages))

    def run_killed(self, step: str, occurrence: int, verb: str, lines: bytes = b"") -> Run:
        """Run a verb, killed with SIGKILL when it comes to that step this many times."""
        with tempfile.TemporaryDirectory() as folder:
            given = Path(folder) / "given"
            given.write_bytes(lines)
            done = killed_writer.run_killed(step, occurrence, self.arguments(verb), given)
        return finished(done.code, done.output, done.errors.encode())

    def _in_this_process(
        self,
        verb: str,
        lines: bytes,
        *,
        clock: Clock | None = None,
        debug: bool = False,
        more: Sequence[str] = (),
    ) -> Run:
        """Run a verb; unless `clock` is given, waits pass at once here and in the sandbox."""
        stop = threading.Event()
        clock = clock or SandboxClock(self.sandbox, stop)
        arguments = [*self.arguments(verb, debug=debug), *more]
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as printed:
            given.write(lines)
            given.seek(0)
            output = Output(printed.fileno())
            code = destination_main(arguments, given.fileno(), output, stop, clock)
            printed.seek(0)
            return finished(code, printed.read(), b"")

    def truth(self) -> list[dict[str, Any]]:
        """Every candidate that was ever created."""
        return list(self.sandbox.truth("/_control/comeet/truth"))

    def control(self, verb: str, **body: Any) -> Any:
        """Use the sandbox's control API of Comeet."""
        return self.sandbox.control(f"/_control/comeet/{verb}", body)

    def calls(self, endpoint: str) -> int:
        """How many calls came to an endpoint."""
        return self.sandbox.counts().get(f"comeet.{endpoint}", {}).get("total", 0)


def finished(code: int, output: bytes, errors: bytes) -> Run:
    """Read what a run printed. A line that was cut by a kill is left out."""
    whole = output[: output.rfind(b"\n") + 1]
    messages = [json.loads(line) for line in whole.splitlines()]
    return Run(code, messages, (output + errors).decode())


def lines_of(messages: Iterable[Message | bytes]) -> bytes:
    """Return messages as lines; bytes go as they are."""
    lines = (each if isinstance(each, bytes) else json.dumps(each).encode() for each in messages)
    return b"".join(line + b"\n" for line in lines)


def configured(
    stream: str, *, mode: str = "append_dedup", primary_key: Sequence[str] = ("id",)
) -> dict[str, Any]:
    """Return a stream of the catalog."""
    return {
        "stream": {"name": stream, "json_schema": {}, "supported_sync_modes": ["full_refresh"]},
        "sync_mode": "full_refresh",
        "destination_sync_mode": mode,
        "primary_key": [[name] for name in primary_key],
    }


def record(data: Mapping[str, Any], stream: str = "people") -> Message:
    """Return a RECORD."""
    return {"type": "RECORD", "record": {"stream": stream, "data": data, "emitted_at": 1}}


def state(cursor: object, stream: str = "people", **more: Any) -> Message:
    """Return a STATE of a stream."""
    content = {"stream_descriptor": {"name": stream}, "stream_state": {"cursor": cursor}}
    return {"type": "STATE", "state": {"type": "STREAM", "stream": content, **more}}


def person(number: int, **more: Any) -> dict[str, Any]:
    """Return a made-up person in Comeet's names."""
    return {
        "id": number,
        "first_name": "Mira",
        "last_name": f"Solberg {number}",
        "email": f"mira{number}@example.org",
        **more,
    }
