"""A list of the vendor's: read page by page, and kept in a temporary file, in the order of slugs.

The server lists by age, by pages that shift while they are read: an object that is deleted pulls
all later ones forward, and the first of the next page slips into one that was read already. So the
list is read twice, forwards and later backwards, where the same shift only shows some objects
twice. One is missed only if shifts in both directions hit it both times.
"""

from __future__ import annotations

import enum
import logging
import sqlite3
import weakref
import zlib
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from types import TracebackType
from typing import Self

from source_ats.errors import ConfigError, ContractError, RequestRefused
from source_ats.http.client import Client
from source_ats.vendors.atz_crm import requests, responses
from source_ats.vendors.atz_crm.config import AtzCrmConfig
from source_ats.vendors.atz_crm.requests import Resource
from source_ats.vendors.atz_crm.responses import Listed, ListPage

log = logging.getLogger("airbyte.source_ats.atz_crm")

SMALLER_LIMITS = (50, 25)
"""The largest `limit` is not documented: where the server refuses ours, these are tried."""
SLOW_SECONDS = 0.5
"""When a page takes so much longer than the wait for its turn, another is asked for ahead."""
ALIKE_AT_MOST = 5
"""So many pages may be like the one before. A short one is where objects that appear meanwhile push
its own to the next page."""
PAGES_BETWEEN_LOG_LINES = 50


def base_url(section: AtzCrmConfig) -> str:
    """Return where the API is."""
    return section.base_url or requests.BASE_URL


class Lister:
    """Asks for pages of a list, in a way that the server takes."""

    def __init__(
        self, section: AtzCrmConfig, client: Client, resource: Resource, *, whole: bool = False
    ) -> None:
        """`resource` is what is listed; with `whole`, objects have their records."""
        self._client = client
        self._base_url = base_url(section)
        self._resource = resource
        self._read = partial(responses.listed, name=resource.name, whole=whole)
        page_size = section.page_size
        limits = [page_size, *(limit for limit in SMALLER_LIMITS if limit < page_size)]
        self._ways: list[tuple[int, Mapping[str, str]]] = [
            (limit, sort) for sort in (requests.BY_AGE, {}) for limit in limits
        ]
        self._patience = 60 / section.requests_per_minute + SLOW_SECONDS
        self._at_once = section.concurrent_requests
        self._full_length = 0

    @property
    def limit(self) -> int:
        """How many objects a page is asked to have; what page is where depends on it."""
        return self._ways[0][0]

    def first_page(self) -> ListPage:
        """Return the first page. A refused `limit` or sort is given up for a smaller, or none.

        Raises `ConfigError` where there is no such list, and `RequestRefused` when nothing helps.
        """
        while True:
            try:
                page = self._ask(1)
            except RequestRefused as refusal:
                if refusal.status == 404:
                    message = (
                        f"ATZ CRM has no list of {self._resource.name} there. Check "
                        "atz_crm.base_url."
                    )
                    raise ConfigError(message, detail=refusal.detail) from None
                if refusal.status not in {400, 422} or len(self._ways) == 1:
                    raise
                del self._ways[0]
                log.info("ATZ CRM does not take this limit or order; trying another.")
            else:
                self._full_length = len(page.objects)
                return page

    def page(self, number: int) -> ListPage:
        """Return any other page; an empty one after the last."""
        try:
            return self._ask(number)
        except RequestRefused as refusal:
            # What a page after the last answers is not documented.
            if refusal.status != 404:
                raise
            return ListPage([], self._client.now(), refusal.detail)

    def is_full(self, page: ListPage) -> bool:
        """Tell whether there may be a page after this one.

        The server may cap `limit` and says nothing of totals, so pages are compared with the first.
        """
        return bool(page.objects) and len(page.objects) >= self._full_length

    def pages_after(self, number: int, page: ListPage) -> Iterator[ListPage]:
        """Yield the pages after this one, to the last, which is not full and may be empty.

        One call at a time, so that none is made for a page that is not there. Only when answers
        come more slowly than calls are allowed, pages are asked for ahead: in time that would be
        lost, and at the end of the list a few in vain.

        Raises `ContractError` when the server gives the same page again and again.
        """
        asked = number
        alike = 0
        calls_in_flight = 1
        ahead: deque[Future[ListPage]] = deque()
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
                alike = alike + 1 if following.objects == page.objects else 0
                if alike > ALIKE_AT_MOST:
                    message = (
                        f"ATZ CRM answers the same page of {self._resource.name} for every page "
                        "number."
                    )
                    raise ContractError(message, detail=following.where)
                number, page = number + 1, following
                if number % PAGES_BETWEEN_LOG_LINES == 0:
                    log.info("%d pages of %s listed so far.", number, self._resource.name)
                yield page
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _ask(self, number: int) -> ListPage:
        limit, sort = self._ways[0]
        request = requests.listed(
            self._resource, self._base_url, page=number, limit=limit, sort=sort
        )
        return self._client.send(request, self._read)


@dataclass(frozen=True, slots=True)
class Share:
    """One of equal shares of all there are; by slug, so it is always the same one's."""

    number: int
    of: int

    def __contains__(self, slug: str) -> bool:
        """Tell whether this share has it."""
        return zlib.crc32(slug.encode()) % self.of == self.number


WHOLE = Share(0, 1)


class Part(enum.IntEnum):
    """When a candidate's turn is."""

    FIRST = 0
    """Before the others: those that were set aside."""
    WALK = 1
    """In the walk: those that the first reading of the list showed."""
    MISSED = 2
    """After the walk: those that only the second reading showed."""


class ListFile:
    """Listed objects on disk, each once: slug, id and `updated_at`, nothing else of them.

    The file has no name and is gone with the process, however that ends. Memory holds a few
    megabytes of it. For one thread at a time.
    """

    def __init__(self, share: Share = WHOLE) -> None:
        """Begin with none. Those of other shares are never added."""
        self._share = share
        # An empty name is SQLite's word for a temporary file. A generator that is dropped
        # halfway may be closed by another thread.
        self._file = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        # Also if it is handed over to somebody who never comes.
        self._close = weakref.finalize(self, self._file.close)
        self._file.executescript(
            """
            PRAGMA journal_mode = OFF;
            PRAGMA cache_size = -8000;
            CREATE TABLE listed (slug TEXT PRIMARY KEY, id, updated_at REAL, part INTEGER)
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
        self._close()

    def add(self, page: ListPage, part: Part) -> list[Listed]:
        """Add those of a page that are not there yet, and return them."""
        self._file.execute("BEGIN")
        ours = (each for each in page.objects if each.slug in self._share)
        added = [each for each in ours if self._add(each, part)]
        self._file.execute("COMMIT")
        return added

    def _add(self, listed: Listed, part: Part) -> bool:
        at = listed.updated_at and listed.updated_at.timestamp()
        row = (listed.slug, listed.id, at, part)
        cursor = self._file.execute("INSERT OR IGNORE INTO listed VALUES (?, ?, ?, ?)", row)
        return cursor.rowcount == 1

    def move_to_first(self, slug: str) -> None:
        """Let somebody's turn be before the others, also if the list did not show them."""
        self._file.execute(
            "INSERT INTO listed VALUES (?, ?, NULL, ?) "
            "ON CONFLICT DO UPDATE SET part = excluded.part",
            [slug, b"null", Part.FIRST],
        )

    def objects(
        self, part: Part, *, after: str = "", changed_since: datetime | None = None
    ) -> Iterator[Listed]:
        """Yield them in the order of their slugs, from the first after `after`.

        With `changed_since`, only those that changed then or later, or of which that is not known.
        """
        columns = "slug, id, updated_at"
        for slug, number, updated_at in self._select(columns, part, after, changed_since):
            at = None if updated_at is None else datetime.fromtimestamp(updated_at, UTC)
            yield Listed(slug, number, at)

    def count(self, part: Part, *, after: str = "", changed_since: datetime | None = None) -> int:
        """Return how many `objects` would yield."""
        return int(self._select("count(*)", part, after, changed_since).fetchone()[0])

    def _select(
        self, columns: str, part: Part, after: str, changed_since: datetime | None
    ) -> sqlite3.Cursor:
        return self._file.execute(
            f"SELECT {columns} FROM listed WHERE part = :part AND slug > :after "  # noqa: S608 - our own words
            "AND (:since IS NULL OR updated_at IS NULL OR updated_at >= :since) ORDER BY slug",
            {
                "part": part,
                "after": after,
                "since": changed_since and changed_since.timestamp(),
            },
        )


@dataclass(frozen=True, slots=True)
class WholeList:
    """All candidates, read forwards and backwards; `began_at` is when that began."""

    listed: ListFile
    began_at: datetime


@dataclass(slots=True)
class Handover:
    """What one stream has listed, for the other that needs it in the same run."""

    whole: WholeList | None = None

    def take(self) -> WholeList | None:
        """Return it, to one only."""
        whole, self.whole = self.whole, None
        return whole
