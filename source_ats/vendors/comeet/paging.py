"""Reading a list of Comeet page by page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol, TypeVar

from source_ats.http.models import Request, Response
from source_ats.sync.cursors import SeenCursors
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
) -> Iterator[tuple[PageT, str | None]]:
    """Yield each page from `first` on, with the address of the next page, None after the last.

    Raises `ContractError` instead of a page whose link leads back to a page that was read.
    """
    seen = SeenCursors(first.url)
    request: Request | None = first
    while request is not None:
        page, where = send(request, lambda response: (read(response), response.where))
        link = None if seen.is_at_end(is_empty=page.is_empty) else page.next_page
        request = requests.next_page(base_url, request, link, where)
        if request is not None:
            seen.add(request.url, where)
        yield page, None if request is None else request.url
