"""Rows of a list that are left out because they are not valid JSON, and requested again."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Generic, TypeVar

from source_ats.errors import (
    AccessDenied,
    AnsweredBefore,
    ContractError,
    IncompleteResponse,
    RequestRefused,
    RetryableError,
    WrongAddress,
)
from source_ats.sync.concurrency import with_background
from source_ats.sync.set_aside import AT_MOST, SetAside

StateT = TypeVar("StateT")
PageT = TypeVar("PageT")

REQUESTED_AT_ONCE = 2
"""Rows that were left out, next to the list: most of the requests in flight stay the list's."""

_NOT_THIS_ROW = (
    AccessDenied,
    AnsweredBefore,
    ContractError,
    IncompleteResponse,
    RetryableError,
    WrongAddress,
)
"""Errors that leave a row where it is: the list may be readable although no single row is."""

log = logging.getLogger("airbyte.source_ats.sync")


class LeftOutRows(Generic[StateT]):
    """What the state says of such rows. For one list and one thread.

    A row whose key can be read is set aside. Behind any other row the state does not move, so that
    the next run requests its page again.
    """

    def __init__(
        self, name: str, since: Mapping[str, datetime], now: Callable[[], datetime]
    ) -> None:
        """`name` is the list in messages, `since` what the state says, `now` the vendor's time."""
        self._name = name
        self._set_aside = SetAside(f"{name}: row", since)
        self._now = now
        self._held: StateT | None = None
        self._in_this_run: set[str] = set()
        """The keys of rows that this run's list has shown, and that are not valid JSON."""

    def with_rows_again(
        self,
        pages: Iterable[PageT],
        fetch: Callable[[str], Sequence[bytes]],
        page_of: Callable[[Sequence[bytes]], PageT],
    ) -> Iterator[PageT]:
        """Yield the pages and, in between, a page of each row that earlier runs left out.

        Those rows are requested side by side with the pages, as far as they can be read now.
        `fetch` requests one row by its key, with little patience, in another thread. It raises
        `IncompleteResponse` for a row that is still not valid JSON. A row that does not exist any
        more is forgotten. More than half of what the state may hold is requested before the pages,
        whose own rows could exceed the limit otherwise.
        """

        def request(key: str) -> Callable[[], PageT | None]:
            try:
                rows = fetch(key)
            except _NOT_THIS_ROW as error:
                if isinstance(error, RetryableError) and error.rate_limit:
                    raise
                if not isinstance(error, RequestRefused) or error.status != 404:
                    return partial(self._still_left_out, key, error.detail)
                rows = []
            return lambda: page_of(rows) if self.release(key) else None

        listed: Iterable[Callable[[], PageT | None]] = (partial(_same, page) for page in pages)
        keys = list(self._set_aside.keys())
        parts = [listed] if len(keys) <= AT_MOST // 2 else [(), listed]
        for part in parts:
            # What an answer changes is changed here, in the thread of the pages.
            for take in with_background(part, request, keys, REQUESTED_AT_ONCE):
                page = take()
                if page is not None:
                    yield page
            keys = []

    def _still_left_out(self, key: str, reason: str) -> None:
        # A page of the list may have shown the row meanwhile.
        if key in self._set_aside:
            self._add(key, reason)

    def state_after(
        self, keys: Sequence[str | None], where: str, before: StateT, after: StateT
    ) -> StateT:
        """Return the state after a page whose rows with these keys are left out.

        It is `before`, the state before that page, from the first row without a readable key on.
        """
        for key in keys:
            if key is not None:
                self._in_this_run.add(key)
                self._add(key, f"it is not valid JSON [{where}]")
            elif self._held is None:
                self._held = before
                log.warning(
                    "%s: a row is left out: it is not valid JSON, and its key cannot be read. The "
                    "next run requests its page again. [%s]",
                    self._name,
                    where,
                )
        return after if self._held is None else self._held

    def request_next_time(self, key: str, why: str) -> None:
        """Have the next run request a row again that was emitted without a part of it."""
        self._set_aside.keep(key, self._now(), why)

    def release(self, key: str) -> bool:
        """Forget a row that a list shows again; True if an earlier run left it out."""
        was_left_out = key in self._set_aside
        self._set_aside.release(key)
        return was_left_out

    def release_unlisted(self, is_listed: Callable[[str], bool]) -> None:
        """Forget the rows that a complete list has not shown. A row without a key may be any."""
        if self._held is None:
            for key in self._set_aside.keys():  # noqa: SIM118 - not a mapping
                if key not in self._in_this_run and not is_listed(key):
                    self._set_aside.release(key)

    @property
    def holds_back(self) -> bool:
        """True if the state does not move, because a row without a readable key is left out."""
        return self._held is not None

    @property
    def is_empty(self) -> bool:
        """True if no row of this run or of earlier ones is left out."""
        return self._held is None and not self._set_aside.keys()

    def as_state(self) -> dict[str, dict[str, str]]:
        """Return the part of the state that holds the keys; empty when there are none."""
        return self._set_aside.as_state()

    def _add(self, key: str, reason: str) -> None:
        self._set_aside.add(key, self._now(), reason)


def _same(page: PageT) -> PageT:
    return page
