"""Reading a list of Comeet page by page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol, TypeVar

from source_ats.errors import ContractError
from source_ats.http.models import Request, Response
from source_ats.sync.cursors import MOST_EMPTY_PAGES, SeenCursors
from source_ats.vendors.comeet import requests


class _Page(Protocol):
    @property
    def next_page(self) -> str | None: ...
    @property
    def is_empty(self) -> bool: ...


PageT = TypeVar("PageT", bound=_Page)


def list_pages(
    send: Callable[[Request, Callable[[Response], tuple[PageT, str]]], tuple[PageT, str]],
    base_url: str,
    first: Request,
    read: Callable[[Response], PageT],
    *,
    ends_at_empty_pages: bool = False,
) -> Iterator[tuple[PageT, str | None]]:
    """Yield each page from `first` on, with the address of the next page, None after the last.

    Raises `ContractError` instead of a page whose link leads back to a page that was read, and
    after many empty pages in a row that name a next one. With `ends_at_empty_pages` these are the
    end instead. That is not for callers that look for a person: "not listed" would be a guess.
    """
    seen = SeenCursors(first.url)
    request: Request | None = first
    while request is not None:
        page, where = send(request, lambda response: (read(response), response.where))
        request = requests.next_page(base_url, request, page.next_page, where)
        if request is not None and seen.is_at_end(is_empty=page.is_empty):
            if not ends_at_empty_pages:
                message = (
                    f"{MOST_EMPTY_PAGES} empty pages in a row name a next page, so it cannot be "
                    "told where this list ends. Ask Comeet's support, and give them the request id."
                )
                raise ContractError(message, detail=where)
            request = None
        if request is not None:
            seen.add(request.url, where)
        yield page, None if request is None else request.url
