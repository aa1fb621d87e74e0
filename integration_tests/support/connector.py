"""The connector as its users run it: the command line, here or in a process of its own."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from integration_tests.sandbox.running import Sandbox
from source_ats.cli import main
from source_ats.clock import Clock, SystemClock
from source_ats.errors import Stopped
from source_ats.process import Output

Message = dict[str, Any]
Table = dict[str, dict[str, Any]]

SOURCE = Path(sys.executable).with_name("source-ats")
NO_SPACE = (
    b"Standard output cannot be written: No space left on device. Make room there, or redirect it, "
    b"and run again.\n"
)
"""What both commands say on standard error when the disk of their output is full."""


@dataclass
class Run:
    """What one run printed, and how it ended."""

    code: int
    messages: list[Message]
    stderr: str = ""

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The contents of all messages of a type, e.g. `RECORD`."""
        return [each[_CONTENT[kind]] for each in self.messages if each["type"] == kind]

    def records(self, stream: str = "candidates") -> list[dict[str, Any]]:
        """The rows of a stream, in the order in which they came."""
        return [each["data"] for each in self.of("RECORD") if each["stream"] == stream]

    def state(self, stream: str = "candidates") -> dict[str, Any]:
        """The last state of a stream."""
        states = self.states(stream)
        assert states, f"no STATE of {stream}: {self.logs()} {self.errors()}"
        return states[-1]

    def states(self, stream: str = "candidates") -> list[dict[str, Any]]:
        """All states of a stream."""
        return [
            each["stream"]["stream_state"]
            for each in self.of("STATE")
            if each["stream"]["stream_descriptor"]["name"] == stream
        ]

    def statuses(self, stream: str = "candidates") -> list[str]:
        """The statuses of a stream, `RATE_LIMITED` where that is the reason."""
        found = []
        for trace in self.of("TRACE"):
            status = trace.get("stream_status")
            if status and status["stream_descriptor"]["name"] == stream:
                reasons = status.get("reasons")
                found.append(reasons[0]["type"] if reasons else status["status"])
        return found

    def errors(self) -> list[dict[str, Any]]:
        """The error traces."""
        return [each["error"] for each in self.of("TRACE") if each["type"] == "ERROR"]

    def logs(self, level: str = "") -> str:
        """The text of the log lines of a level, or of all."""
        return "\n".join(
            each["message"] for each in self.of("LOG") if not level or each["level"] == level
        )


_CONTENT = {
    "RECORD": "record",
    "STATE": "state",
    "TRACE": "trace",
    "LOG": "log",
    "SPEC": "spec",
    "CATALOG": "catalog",
    "CONNECTION_STATUS": "connectionStatus",
}


@dataclass
class Connector:
    """`source-ats` with one configuration. Files are written into `folder`."""

    folder: Path
    config: dict[str, Any]
    program: Sequence[str | Path] = ()
    """Starts the connector, in a process of its own. If it is empty, `run` starts none: the command
    line runs in this process, which takes half of the time."""
    _numbers: Iterator[int] = field(default_factory=lambda: iter(range(1_000_000)))

    def file(self, name: str, content: object) -> str:
        """Write a file, JSON unless it is text, and return its path."""
        path = self.folder / f"{next(self._numbers)}-{name}"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return str(path)

    def command(
        self,
        verb: str,
        *,
        catalog: object = None,
        state: object = None,
        debug: bool = False,
        config: object = None,
    ) -> list[str]:
        """The arguments of a run."""
        arguments = [verb]
        if verb != "spec":
            content = self.config if config is None else config
            arguments += ["--config", self.file("config.json", content)]
        if catalog is not None:
            arguments += ["--catalog", self.file("catalog.json", catalog)]
        if state is not None:
            arguments += ["--state", self.file("state.json", state)]
        return [*arguments, "--debug"] if debug else arguments

    def run(self, verb: str, **options: Any) -> Run:
        """Run a verb to its end."""
        if self.program:
            return self.run_process(verb, **options)
        stop = threading.Event()
        with contextlib.redirect_stderr(io.StringIO()) as stderr:
            run = self._run_here(self.command(verb, **options), SystemClock(stop), stop)
        return dataclasses.replace(run, stderr=stderr.getvalue())

    def run_process(self, verb: str, **options: Any) -> Run:
        """Run a verb to its end, in a process of its own."""
        command = [*self._program(), *self.command(verb, **options)]
        done = subprocess.run(command, capture_output=True, check=False, timeout=1100)
        return Run(done.returncode, parsed(done.stdout), done.stderr.decode())

    def _program(self) -> Sequence[str | Path]:
        return self.program or (SOURCE,)

    def read(self, *streams: str, mode: str = "incremental", **options: Any) -> Run:
        """Read streams to the end."""
        return self.run("read", catalog=catalog(*streams, mode=mode), **options)

    def start(self, **options: Any) -> Started:
        """Begin to read, and return while it goes on."""
        output = Path(self.file("out.jsonl", ""))
        with output.open("wb") as file:
            process = subprocess.Popen(
                [*self._program(), *self.command("read", **options)],
                stdout=file,
                stderr=subprocess.PIPE,
            )
        return Started(process, output)

    def read_quickly(self, *streams: str, **options: Any) -> Run:
        """Read in this process, with a clock that passes every wait at once."""
        return self.run_quickly("read", catalog=catalog(*streams), **options)

    def run_quickly(self, verb: str, *, clock: QuickClock | None = None, **options: Any) -> Run:
        """Run a verb in this process, with a clock that passes every wait at once."""
        return self.run_quickly_with(self.command(verb, **options), clock)

    def run_quickly_with(self, arguments: list[str], clock: QuickClock | None = None) -> Run:
        """Run with these arguments in this process, with a clock that passes every wait at once."""
        clock = clock or QuickClock(threading.Event())
        return self._run_here(arguments, clock, clock.stop)

    def _run_here(self, arguments: list[str], clock: Clock, stop: threading.Event) -> Run:
        path = self.folder / f"{next(self._numbers)}-out.jsonl"
        descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
        others = set(threading.enumerate())
        try:
            code = main(arguments, Output(descriptor), stop, clock)
        finally:
            # A process would end here, with all calls in flight. Whoever still waits for an answer
            # may write a last log line: not into a file that gets the number of this one.
            stop.set()
            # One without an identity is not started yet: a scripted vendor's, for a call.
            left = {each for each in threading.enumerate() if each.ident} - others
            for each in left:
                each.join(timeout=1)
            if not any(each.is_alive() for each in left):
                os.close(descriptor)
        return Run(code, parsed(path.read_bytes()))


@dataclass
class Started:
    """A run that goes on. It prints into a file, so it never waits for us."""

    process: subprocess.Popen[bytes]
    output: Path

    def goes_on(self) -> bool:
        """True if it has not ended yet."""
        return self.process.poll() is None

    def wait_until(self, reached: Callable[[], bool]) -> bool:
        """Wait until something is true, and return True; False if the run has ended before."""
        while not reached():
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout=0.01)
                return reached()
        return True

    def wait_for_records(self, count: int) -> bool:
        """Wait until this many records are printed; False if the run has ended before."""
        return self.wait_until(lambda: self.printed().count(b'"type":"RECORD"') >= count)

    def printed(self) -> bytes:
        """Return all that it has printed so far."""
        return self.output.read_bytes()

    def end(self, number: signal.Signals | None = None) -> Run:
        """Send it a signal, if one is given, wait for its end, and return what it printed."""
        if number is not None:
            self.process.send_signal(number)
        _, stderr = self.process.communicate(timeout=60)
        return Run(self.process.returncode, parsed(self.printed()), stderr.decode())


class QuickClock:
    """The machine's clock, but for waits, which pass at once."""

    def __init__(self, stop: threading.Event) -> None:
        """`stop` ends the run, as with the real clock."""
        self.stop = stop
        self.waited = 0.0
        self._lock = threading.Lock()
        self._seen = threading.local()

    def monotonic(self) -> float:
        """Real time and all waits so far."""
        self._seen.waited = waited = self.waited
        return datetime.now(UTC).timestamp() + waited

    def now(self) -> datetime:
        """The machine's time: waits do not count, as no vendor's clock has moved either."""
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        """Count the wait from the time that the thread saw last: side by side they pass once."""
        if self.stop.is_set():
            raise Stopped("The run was asked to end.")
        with self._lock:
            began = getattr(self._seen, "waited", self.waited)
            passed = began + seconds - self.waited
            if passed > 0:
                self.passes(passed)
                self.waited += passed
            self._seen.waited = self.waited

    def passes(self, seconds: float) -> None:
        """Nothing else moves with this clock."""


class MovingClock(QuickClock):
    """A quick clock that moves the sandbox's clock along: a wait passes in both places."""

    def __init__(self, sandbox: Sandbox) -> None:
        """Begin at the machine's time."""
        super().__init__(threading.Event())
        self._sandbox = sandbox

    def now(self) -> datetime:
        """Return the machine's time, waits included."""
        return super().now() + timedelta(seconds=self.waited)

    def passes(self, seconds: float) -> None:
        """Move the sandbox's clock first: no request may reach it from a time that it has not."""
        self._sandbox.advance(seconds)


def parsed(output: bytes) -> list[Message]:
    """Return the whole lines of an output; what follows the last line break was cut off."""
    return [json.loads(line) for line in output.split(b"\n")[:-1]]


def catalog(
    *streams: str, mode: str = "incremental", generation: int | None = None
) -> dict[str, Any]:
    """Return a configured catalog."""
    return {
        "streams": [
            {
                "stream": {
                    "name": name,
                    "json_schema": {},
                    "supported_sync_modes": ["full_refresh", "incremental"],
                },
                "sync_mode": mode,
                "destination_sync_mode": "append_dedup",
                **({} if generation is None else {"generation_id": generation}),
            }
            for name in streams or ("candidates",)
        ]
    }


def state(stream_state: Mapping[str, Any] | None, stream: str = "candidates") -> list[Any]:
    """Return a state file's content."""
    return [
        {
            "type": "STREAM",
            "stream": {"stream_descriptor": {"name": stream}, "stream_state": stream_state},
        }
    ]


def table(*runs: Run, stream: str = "candidates", key: str = "id") -> Table:
    """Return what a warehouse holds after upserting the rows of these runs in order."""
    rows: Table = {}
    for run in runs:
        for row in run.records(stream):
            rows[row[key]] = row
    return rows
