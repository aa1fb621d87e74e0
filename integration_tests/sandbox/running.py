"""The sandbox as a child process, and its control API as plain methods."""

from __future__ import annotations

import json
import multiprocessing
import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from unittest import mock

import requests

from integration_tests.sandbox import serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.process import BaseProcess

PROJECT = Path(__file__).resolve().parents[2]
KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(1 << 26), "MALLOC_TRIM_THRESHOLD_": str(1 << 28)}
"""glibc would give the memory of each large page back and fetch it again for the next one, which
takes a fifth of the time. Other C libraries do not know these."""

PATIENCE = 60
"""Seconds after which a call to the control API counts as failed."""

_forks = multiprocessing.get_context("forkserver")
# Each sandbox, and each command of `support/forked.py`, is forked from a process that has imported
# these: to import one takes 0.3 s.
_forks.set_forkserver_preload([serving.__name__, "integration_tests.support.killed_writer"])


@dataclass
class Sandbox:
    """A running sandbox. One that `start` started ends with the `with` block or this process."""

    url: str
    process: BaseProcess | None = None
    """Its process, if `start` started it."""
    http: requests.Session = field(default_factory=requests.Session)

    def __post_init__(self) -> None:
        """Use no proxy for a loopback address."""
        self.http.trust_env = False

    @classmethod
    @contextmanager
    def start(
        cls,
        candidates: int = 10_000,
        seed: int = 7,
        accounts: int = 3,
        port: int = 0,
        certificate: Path | None = None,
    ) -> Iterator[Self]:
        """Start one, and yield once it listens. `candidates` are made for each vendor.

        With a certificate (a PEM file that holds the key too) it speaks TLS.
        """
        ours, theirs = _forks.Pipe()
        options = serving.Options(candidates, seed, accounts, port, certificate)
        process = _forks.Process(target=serving.serve, args=(options, theirs))
        with mock.patch.dict(os.environ, KEEP_MEMORY):
            process.start()
        theirs.close()
        try:
            with ours, requests.Session() as http:
                try:
                    url = ours.recv()
                except EOFError:
                    process.join()
                    message = f"The sandbox ended with code {process.exitcode} before it listened."
                    raise RuntimeError(message) from None
                http.verify = str(certificate) if certificate else True
                yield cls(url, process, http)
        finally:
            process.join(timeout=10)
            process.kill()
            process.join()

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
