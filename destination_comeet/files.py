"""The files of candidates, and fetching them ahead of their turn.

Fetched files are kept in memory only, as many as `FILES_AHEAD`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, Protocol

from destination_comeet.mapping.model import CandidateFile
from destination_comeet.mapping.values import as_objects
from destination_comeet.validation import FILE_FIELDS, LONGEST_FILE, is_address
from source_ats.clock import Clock
from source_ats.http.downloads import Downloader, Fetched

FILES_AHEAD = 8
"""Files of records whose turn has not come: 48 MB at most."""
CONCURRENT_DOWNLOADS = 4
_TICK = 0.25


def files_in(fields: Mapping[str, Any]) -> Sequence[CandidateFile]:
    """Return the files in fields that were checked: the resume first."""
    return [
        CandidateFile(name, each.get("name"), each["file"], each.get("id"))
        for name in FILE_FIELDS
        for each in as_objects(fields.get(name))
    ]


def addressed_files_in(fields: Mapping[str, Any]) -> Sequence[CandidateFile]:
    """Return the files that have to be fetched, in fields that were not checked."""
    return [
        CandidateFile(name, None, each["file"], None if each.get("id") is None else str(each["id"]))
        for name in FILE_FIELDS
        for each in as_objects(fields.get(name))
        if isinstance(each.get("file"), str) and is_address(each["file"])
    ]


class FileSource(Protocol):
    """Where the content of files comes from."""

    def begin(self, addresses: Sequence[str]) -> None:
        """Begin to fetch files whose turn will come."""
        ...

    def is_at_hand(self, address: str) -> bool:
        """Return True if a file does not have to be waited for."""
        ...

    def content(self, address: str, name: str | None) -> bytes:
        """Return the content of a file of this name. Raises `FileUnavailable`."""
        ...

    def forget(self, addresses: Sequence[str]) -> None:
        """Drop what was fetched for these."""
        ...


class Downloads:
    """Fetches files from allowed hosts, ahead of their turn. For one thread."""

    def __init__(self, hosts: Sequence[str], clock: Clock) -> None:
        """`hosts` as in `file_hosts`."""
        self._downloader = Downloader(
            hosts,
            "file_hosts",
            clock,
            largest=LONGEST_FILE,
            connections=CONCURRENT_DOWNLOADS,
        )
        self._clock = clock
        self._pool = ThreadPoolExecutor(max_workers=CONCURRENT_DOWNLOADS)
        self._waiting: deque[str] = deque()
        self._begun: dict[str, Future[Fetched]] = {}

    def close(self) -> None:
        """Wait for nothing that is still under way."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def begin(self, addresses: Sequence[str]) -> None:
        """Fetch files whose turn will come, as soon as there is room for them."""
        self._waiting.extend(addresses)
        self._fill()

    def is_at_hand(self, address: str) -> bool:
        """Return True if a file does not have to be waited for."""
        begun = self._begun.get(address)
        return begun is not None and begun.done()

    def content(self, address: str, name: str | None) -> bytes:
        """Return the content of a file of this name. Raises `FileUnavailable`, and `Stopped`."""
        begun = self._begun.get(address) or self._pool.submit(self._downloader.fetch, address)
        while not wait([begun], timeout=_TICK).done:
            # A run that was asked to end does not wait for a slow host.
            self._clock.sleep(0)
        return begun.result().as_file(name)

    def forget(self, addresses: Sequence[str]) -> None:
        """Drop what was fetched for these."""
        for address in addresses:
            begun = self._begun.pop(address, None)
            if begun is not None:
                begun.cancel()
            elif address in self._waiting:
                self._waiting.remove(address)
        self._fill()

    def _fill(self) -> None:
        while self._waiting and len(self._begun) < FILES_AHEAD:
            address = self._waiting.popleft()
            if address not in self._begun:
                self._begun[address] = self._pool.submit(self._downloader.fetch, address)


class NoDownloads:
    """In place of `Downloads` where no file is to be fetched: a dry run."""

    def begin(self, addresses: Sequence[str]) -> None:
        """Do nothing."""

    def is_at_hand(self, address: str) -> bool:
        """Return True: nothing is fetched."""
        del address
        return True

    def content(self, address: str, name: str | None) -> bytes:
        """Return nothing."""
        del address, name
        return b""

    def forget(self, addresses: Sequence[str]) -> None:
        """Do nothing."""
