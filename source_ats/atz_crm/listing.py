"""The list of candidates: read page by page, kept in a temporary file, in the order of slugs.

The server lists by age, by pages that shift while they are read: a candidate that is deleted pulls
all later ones forward, and the first of the next page slips into one that was read already. So the
list is read twice, forwards and later backwards, where the same shift only shows some candidates
twice. A candidate is missed only if shifts in both directions hit it both times.
"""

from __future__ import annotations

import enum
import logging
import sqlite3
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from source_ats.atz_crm import calls, replies
from source_ats.atz_crm.replies import Candidate, CandidatesPage
from source_ats.client import Client
from source_ats.errors import ConfigError, ContractError, Refusal

log = logging.getLogger("airbyte.source_ats.atz_crm")

SMALLER_LIMITS = (50, 25)
"""The largest `limit` is not documented: where the server refuses ours, these are tried."""
SLOW_SECONDS = 0.5
"""When a page takes so much longer than the wait for its turn, another is asked for ahead."""
PAGES_BETWEEN_LOG_LINES = 50


class Lister:
    """Asks for pages of the list, in a way that the server takes."""

    def __init__(
        self, client: Client, base_url: str, *, page_size: int, per_minute: int, at_once: int
    ) -> None:
        """`per_minute` is how fast the client sends, `at_once` how many calls it has in flight."""
        self._client = client
        self._base_url = base_url
        limits = [page_size, *(limit for limit in SMALLER_LIMITS if limit < page_size)]
        self._ways: list[tuple[int, Mapping[str, str]]] = [
            (limit, sort) for sort in (calls.BY_AGE, {}) for limit in limits
        ]
        self._patience = 60 / per_minute + SLOW_SECONDS
        self._at_once = at_once
        self._full_length = 0

    def first_page(self) -> CandidatesPage:
        """Return the first page. A refused `limit` or sort is given up for a smaller, or none.

        Raises `ConfigError` where there is no such list, and `Refusal` when nothing helps.
        """
        while True:
            try:
                page = self._ask(1)
            except Refusal as refusal:
                if refusal.status == 404:
                    message = "ATZ CRM has no list of candidates there. Check atz_crm.base_url."
                    raise ConfigError(message, detail=refusal.detail) from None
                if refusal.status not in {400, 422} or len(self._ways) == 1:
                    raise
                del self._ways[0]
                log.info("ATZ CRM does not take this limit or order; trying another.")
            else:
                self._full_length = len(page.candidates)
                return page

    def page(self, number: int) -> CandidatesPage:
        """Return any other page; an empty one after the last."""
        try:
            return self._ask(number)
        except Refusal as refusal:
            # What a page after the last answers is not documented.
            if refusal.status != 404:
                raise
            return CandidatesPage([], self._client.now(), refusal.detail)

    def is_full(self, page: CandidatesPage) -> bool:
        """Tell whether there may be a page after this one.

        The server may cap `limit` and says nothing of totals, so pages are compared with the first.
        """
        return bool(page.candidates) and len(page.candidates) >= self._full_length

    def pages_after(self, number: int, page: CandidatesPage) -> Iterator[CandidatesPage]:
        """Yield the pages after this one, to the last, which is not full and may be empty.

        One call at a time, so that none is made for a page that is not there. Only when answers
        come more slowly than calls are allowed, pages are asked for ahead: in time that would be
        lost, and at the end of the list a few in vain.

        Raises `ContractError` when the server gives the same page again and again.
        """
        asked = number
        calls_in_flight = 1
        ahead: deque[Future[CandidatesPage]] = deque()
        pool = ThreadPoolExecutor(max_workers=self._at_once)
        try:
            while self.is_full(page):
                while len(ahead) < calls_in_flight:
                    asked += 1
                    ahead.append(pool.submit(self.page, asked))
                if not wait([ahead[0]], timeout=self._patience).done:
                    calls_in_flight = min(calls_in_flight + 1, self._at_once)
                    if len(ahead) < calls_in_flight:
                        continue
                following = ahead.popleft().result()
                if following.candidates == page.candidates:
                    message = "ATZ CRM answers the same page of candidates for every page number."
                    raise ContractError(message, detail=following.where)
                number, page = number + 1, following
                if number % PAGES_BETWEEN_LOG_LINES == 0:
                    log.info("candidate_history: %d pages of candidates listed so far.", number)
                yield page
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _ask(self, number: int) -> CandidatesPage:
        limit, sort = self._ways[0]
        call = calls.candidates(self._base_url, page=number, limit=limit, sort=sort)
        return self._client.send(call, replies.candidates)


class Part(enum.IntEnum):
    """When a candidate's turn is."""

    FIRST = 0
    """Before the others: those that were set aside."""
    WALK = 1
    """In the walk: those that the first reading of the list showed."""
    MISSED = 2
    """After the walk: those that only the second reading showed."""


class CandidateFile:
    """Candidates on disk, each once: slug, id and `updated_at`, nothing else of them.

    The file has no name and is gone with the process, however that ends. Memory holds a few
    megabytes of it. For one thread at a time.
    """

    def __init__(self) -> None:
        """Begin with no candidates."""
        # An empty name is SQLite's word for a temporary file. A generator that is dropped
        # halfway may be closed by another thread.
        self._file = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._file.executescript(
            """
            PRAGMA journal_mode = OFF;
            PRAGMA cache_size = -8000;
            CREATE TABLE candidate (slug TEXT PRIMARY KEY, id, updated_at REAL, part INTEGER)
                WITHOUT ROWID;
            """
        )

    def __enter__(self) -> Self:
        """Use it in a `with` block."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove the file."""
        self._file.close()

    def add(self, candidates: Iterable[Candidate], part: Part) -> None:
        """Add those of a page that are not there yet."""
        rows = [
            (each.slug, each.id, each.updated_at and each.updated_at.timestamp(), part)
            for each in candidates
        ]
        self._file.execute("BEGIN")
        self._file.executemany("INSERT OR IGNORE INTO candidate VALUES (?, ?, ?, ?)", rows)
        self._file.execute("COMMIT")

    def move_to_first(self, slug: str) -> None:
        """Let a candidate's turn be before the others, also if the list did not show it."""
        self._file.execute(
            "INSERT INTO candidate VALUES (?, NULL, NULL, ?) "
            "ON CONFLICT DO UPDATE SET part = excluded.part",
            [slug, Part.FIRST],
        )

    def candidates(
        self, part: Part, *, after: str = "", changed_since: datetime | None = None
    ) -> Iterator[Candidate]:
        """Yield candidates in the order of their slugs, from the first after `after`.

        With `changed_since`, only those that changed then or later, or of which that is not known.
        """
        columns = "slug, id, updated_at"
        for slug, number, updated_at in self._select(columns, part, after, changed_since):
            at = None if updated_at is None else datetime.fromtimestamp(updated_at, UTC)
            yield Candidate(slug, number, at)

    def count(self, part: Part, *, after: str = "", changed_since: datetime | None = None) -> int:
        """Return how many `candidates` would yield."""
        return int(self._select("count(*)", part, after, changed_since).fetchone()[0])

    def _select(
        self, columns: str, part: Part, after: str, changed_since: datetime | None
    ) -> sqlite3.Cursor:
        return self._file.execute(
            f"SELECT {columns} FROM candidate WHERE part = :part AND slug > :after "  # noqa: S608 - our own words
            "AND (:since IS NULL OR updated_at IS NULL OR updated_at >= :since) ORDER BY slug",
            {
                "part": part,
                "after": after,
                "since": changed_since and changed_since.timestamp(),
            },
        )
