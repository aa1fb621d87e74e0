"""The sandbox as a child process, and its control API as plain methods."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import requests

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT = Path(__file__).resolve().parents[2]
KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(1 << 26), "MALLOC_TRIM_THRESHOLD_": str(1 << 28)}
"""glibc would give the memory of each large page back and fetch it again for the next one, which
takes a fifth of the time. Other C libraries do not know these."""

PATIENCE = 60
"""Seconds after which a call to the control API counts as failed."""


@dataclass
class Sandbox:
    """A running sandbox. It ends with the `with` block, and in any case with this process."""

    url: str
    process: subprocess.Popen[bytes]
    http: requests.Session = field(default_factory=requests.Session)

    @classmethod
    def start(
        cls,
        candidates: int = 10_000,
        seed: int = 7,
        accounts: int = 3,
        port: int = 0,
        certificate: Path | None = None,
    ) -> Self:
        """Start one and return once it listens. `candidates` are made for each vendor.

        With a certificate (a PEM file that holds the key too) it speaks TLS.
        """
        process = subprocess.Popen(  # noqa: S603 - our own module, our own arguments
            [
                sys.executable,
                "-m",
                "integration_tests.sandbox",
                f"--candidates={candidates}",
                f"--seed={seed}",
                f"--accounts={accounts}",
                f"--port={port}",
                "--with-parent",
                *([] if certificate is None else [f"--certificate={certificate}"]),
            ],
            cwd=PROJECT,
            env=os.environ | KEEP_MEMORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert process.stdout is not None  # noqa: S101 - a pipe was asked for
        first_line = process.stdout.readline()
        if not first_line:
            message = f"The sandbox ended with code {process.wait()} before it listened."
            raise RuntimeError(message)
        sandbox = cls(url=json.loads(first_line)["url"], process=process)
        sandbox.http.verify = str(certificate) if certificate else True
        sandbox.http.trust_env = False  # a proxy must not stand before a loopback address
        return sandbox

    def __enter__(self) -> Self:
        """Use it in a `with` block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        self.stop()

    def stop(self) -> None:
        """End the process and wait for it."""
        self.http.close()
        self.process.terminate()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()

    def now(self) -> datetime:
        """The sandbox's time."""
        return datetime.fromisoformat(self.look("/_control/time")["now"])

    def advance(self, seconds: float) -> datetime:
        """Move the sandbox's time and return the new one."""
        answer = self.control("/_control/time", {"advance_seconds": seconds})
        return datetime.fromisoformat(answer["now"])

    def fault(self, endpoint: str, kind: str, **rest: object) -> None:
        """Add one fault (`faults.py` lists kinds and keys)."""
        self.control("/_control/faults", [{"endpoint": endpoint, "kind": kind, **rest}])

    def clear_faults(self) -> None:
        """Remove all faults."""
        self._call("DELETE", "/_control/faults")

    def log(self, endpoint: str = "*", since: int = 0) -> list[dict[str, Any]]:
        """The calls that came, numbered above `since`, oldest first."""
        entries: list[dict[str, Any]] = self.look("/_control/log", endpoint=endpoint, since=since)
        return entries

    def counts(self) -> dict[str, dict[str, int]]:
        """Calls by route name and status; exact, however many there were."""
        counts: dict[str, dict[str, int]] = self.look("/_control/counts")
        return counts

    def reset_log(self) -> None:
        """Forget calls and counts."""
        self._call("DELETE", "/_control/log")

    def control(self, path: str, json: object) -> Any:
        """POST to the control API and return its answer."""
        return self._call("POST", path, json=json).json()

    def look(self, path: str, **query: str | int) -> Any:
        """GET from the control API and return its answer."""
        return self._call("GET", path, params=query).json()

    def truth(self, path: str, **query: str | int) -> Iterator[dict[str, Any]]:
        """The rows of an NDJSON export, one at a time."""
        with self._call("GET", path, params=query, stream=True) as answer:
            for line in answer.iter_lines(chunk_size=1 << 16):
                yield json.loads(line)

    def _call(self, method: str, path: str, **rest: Any) -> requests.Response:
        answer = self.http.request(method, self.url + path, timeout=PATIENCE, **rest)
        if not answer.ok:
            message = f"{method} {path}: {answer.status_code} {answer.text}"
            raise RuntimeError(message)
        return answer
