"""The list reader: a list of ATZ CRM, page by page, forwards and backwards.

The server lists by age, and its pages shift while they are read: a deleted object pulls all later
ones forward, and the first of the next page slips into one that was read already. So a list is read
twice, forwards and later backwards, where the same shift only shows some objects twice. An object
is missed only if shifts in both directions hit it both times.

| what follows a page              | a short page (fewer rows than asked) | a full page     |
| -------------------------------- | ------------------------------------ | --------------- |
| rows that were not seen yet      | continue                             | continue        |
| an empty page                    | the end                              | the end         |
| a 404 that lasts                 | the end                              | `ContractError` |
| only rows that were seen before  | the end                              | `ContractError` |
| nothing, as the total is reached | the end, without a request           | continue        |
"""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from itertools import count, islice

from source_ats.errors import ConfigError, ContractError, RequestRefused, RetryableError
from source_ats.http.client import Client
from source_ats.http.retry import RetryPolicy
from source_ats.sync.page_size import PageSize
from source_ats.vendors.atz_crm import requests, responses
from source_ats.vendors.atz_crm.config import AtzCrmConfig
from source_ats.vendors.atz_crm.listing_index import ListingIndex
from source_ats.vendors.atz_crm.requests import Resource
from source_ats.vendors.atz_crm.responses import ListPage

log = logging.getLogger("airbyte.source_ats.atz_crm")

SMALLER_LIMITS = (50, 25)
"""The largest `limit` is not documented: where the server refuses ours, these are tried."""
SECONDS_BETWEEN_404S = (1.0, 3.0, 6.0)
"""A page that is not found is requested again after each of these, before that counts."""
SLOW_SECONDS = 0.5
"""When a page takes this much longer than the rate limiter makes it wait, the next ones are
requested ahead."""
SHIFTS_IN_A_ROW = 5
"""Pages in a row that may hold only known rows because the list shifted by a whole page."""
PAGES_BETWEEN_LOG_LINES = 50
_SETTING = "atz_crm.page_size"
ADVICE = "If this happens again, set atz_crm.page_size to another number."


class ListReader:
    """Requests pages of a list with parameters that the server accepts."""

    def __init__(
        self,
        config: AtzCrmConfig,
        client: Client,
        resource: Resource,
        *,
        with_records: bool = False,
        kept_limit: int | None = None,
    ) -> None:
        """`resource` is what is listed; `with_records` keeps the objects as they came.

        `kept_limit` is that of the read in progress; a smaller one in the configuration wins.
        """
        self._client = client
        self._base_url = requests.base_url(config.base_url)
        self._resource = resource
        self._read = partial(responses.list_page, name=resource.name, with_records=with_records)
        page_size = min(kept_limit or config.page_size, config.page_size)
        limits = [page_size, *(limit for limit in SMALLER_LIMITS if limit < page_size)]
        self._parameters: list[tuple[int, Mapping[str, str]]] = [
            (limit, sort) for sort in (requests.BY_AGE, {}) for limit in limits
        ]
        self._size = PageSize(page_size, _SETTING, client.advice)
        self._patience = 60 / config.requests_per_minute + SLOW_SECONDS
        self._concurrent_requests = config.concurrent_requests
        self._longest = 0
        """The number of objects of the longest page so far."""
        self._last = math.inf
        """The number of the last page, once the list was read to its end."""

    @property
    def limit(self) -> int:
        """The number of objects that a page is asked for; page numbers depend on it."""
        return self._size.rows

    def first_page(self) -> ListPage:
        """Return the first page. A `limit` or sort that is refused is replaced by the next one.

        Raises `ConfigError` if there is no such list, and `RequestRefused` when all are refused.
        """
        while True:
            try:
                page = self._size.first_page(partial(self._page, 1))
            except RequestRefused as refusal:
                if refusal.status not in {400, 422} or len(self._parameters) == 1:
                    raise
                del self._parameters[0]
                self._size = PageSize(self._parameters[0][0], _SETTING, self._client.advice)
                log.info("ATZ CRM does not accept this limit or order; another one is tried.")
                continue
            if not page.found:
                message = (
                    f"ATZ CRM has no list of {self._resource.name} at this address. Check "
                    "atz_crm.base_url."
                )
                raise ConfigError(message, detail=page.where)
            return page

    def shrink(self, error: RetryableError) -> None:
        """Halve the limit after a page has failed at which this list is read again and again.

        Raises `error` for a rate limit, or if ATZ CRM is down.
        """
        if error.rate_limit:
            raise error
        self._size.shrink(error, partial(self._page, 1))

    def page(self, number: int) -> ListPage:
        """Return a page; one with `found` False and no objects if ATZ CRM keeps answering 404."""
        return self._page(number, self.limit, None)

    def _page(self, number: int, limit: int, retry_policy: RetryPolicy | None) -> ListPage:
        for seconds in SECONDS_BETWEEN_404S:
            page = self._request(number, limit, retry_policy)
            if page.found:
                return page
            self._client.pause(seconds)
        return self._request(number, limit, retry_policy)

    def pages_after(
        self, number: int, page: ListPage | None, index: ListingIndex
    ) -> Iterator[ListPage]:
        """Yield the pages after page `number`, as far as they hold objects.

        `page` is that page; None if an earlier run has read it. The caller adds each page to
        `index` before it takes the next one.

        No page is requested ahead after one that was the last before, or that is shorter than
        others and so is likely to be the last.
        """
        shifts = 0
        left_out = set(page.left_out if page is not None else ())
        following_pages = self._requested(count(number + 1))
        try:
            while page is None or not self._is_last(number, page, index):
                likely = number < self._last and (page is None or len(page) >= self._longest)
                following = following_pages.take(ahead=likely)
                if not len(following) and following.found:
                    return
                if index.has_unknown(following) or not left_out.issuperset(following.left_out):
                    shifts = 0
                    left_out.update(following.left_out)
                elif (
                    following.found
                    and page is not None
                    and shifts < SHIFTS_IN_A_ROW
                    and self._shifted(number, page, following)
                ):
                    shifts += 1
                elif self._is_full(page or self.page(number)):
                    raise self._incomplete(number + 1, following)
                else:
                    return
                number, page = number + 1, following
                if number % PAGES_BETWEEN_LOG_LINES == 0:
                    log.info("%d pages of %s listed so far.", number, self._resource.name)
                yield page
        finally:
            self._last = number
            following_pages.close()

    def pages_before(self, last: int) -> Iterator[ListPage]:
        """Yield the pages before page `last`, the one nearest to it first."""
        following = None
        numbers = range(last - 1, 0, -1)
        pages = self._requested(iter(numbers))
        try:
            for number in numbers:
                page = pages.take(ahead=True)
                if following is not None and not following.found and self._is_full(page):
                    raise self._incomplete(number + 1, following)
                following = page
                yield page
        finally:
            pages.close()

    def _requested(self, numbers: Iterator[int]) -> _RequestedPages:
        return _RequestedPages(self.page, numbers, self._concurrent_requests, self._patience)

    def _request(self, number: int, limit: int, retry_policy: RetryPolicy | None) -> ListPage:
        _, sort = self._parameters[0]
        request = requests.list_page(
            self._resource, self._base_url, page=number, limit=limit, sort=sort
        )
        try:
            page = self._client.send(request, self._read, retry_policy=retry_policy)
        except RequestRefused as refusal:
            # What a page after the last one answers is not documented.
            if refusal.status != 404:
                raise
            return ListPage([], self._client.now(), refusal.detail, found=False)
        except responses.ReportedError as error:
            if number == 1:
                raise
            return ListPage([], self._client.now(), error.detail, found=False)
        self._longest = max(self._longest, len(page))
        return page

    def _is_full(self, page: ListPage) -> bool:
        return len(page) >= self.limit

    def _is_last(self, number: int, page: ListPage, index: ListingIndex) -> bool:
        """Return True if nothing has to be requested to know that no page follows this one.

        Assumed: a total counts the whole list. One on the first page may count that page, so it is
        not relied on.
        """
        if not len(page):
            return True
        return number > 1 and not self._is_full(page) and page.total == index.count_all()

    def _shifted(self, number: int, page: ListPage, following: ListPage) -> bool:
        """Return True if new objects have pushed those of page `number`, or of one before it, on.

        Either that page holds others by now, or it has none of the page that follows: these were
        on it when the list was read in the other direction. Otherwise the server repeats itself.
        """
        if not self._is_full(page):
            return False
        before, after = ({each.slug for each in one.objects} for one in (page, following))
        now = {each.slug for each in self.page(number).objects}
        return now != before or now.isdisjoint(after)

    def _incomplete(self, number: int, page: ListPage) -> ContractError:
        what = "holds only rows of earlier pages" if page.found else "is not found (404)"
        message = (
            f"Page {number} of ATZ CRM's list of {self._resource.name} {what}, although the page "
            f"before it is full, so the list may be incomplete. {ADVICE}"
        )
        return ContractError(message, detail=page.where)


class _RequestedPages:
    """Pages in the order of their numbers, one request at a time.

    Only when responses come more slowly than the rate limit allows requests, pages are requested
    ahead, in time that would be lost otherwise: each page in flight takes memory.
    """

    def __init__(
        self, page: Callable[[int], ListPage], numbers: Iterator[int], most: int, patience: float
    ) -> None:
        """At most `most` requests are in flight; one more after each wait of `patience` seconds."""
        self._page = page
        self._numbers = numbers
        self._most = most
        self._patience = patience
        self._in_flight = 1
        self._pending: deque[Future[ListPage]] = deque()
        self._pool = ThreadPoolExecutor(max_workers=most)

    def take(self, *, ahead: bool) -> ListPage:
        """Return the next page, once for each number; `ahead` allows several requests."""
        while True:
            room = (self._in_flight if ahead else 1) - len(self._pending)
            for number in islice(self._numbers, max(room, 0)):
                self._pending.append(self._pool.submit(self._page, number))
            if wait([self._pending[0]], timeout=self._patience).done:
                break
            self._in_flight = min(self._in_flight + 1, self._most)
            if not ahead:
                break
        return self._pending.popleft().result()

    def close(self) -> None:
        """Drop what is still to come."""
        self._pool.shutdown(wait=False, cancel_futures=True)
