"""The one way through a list of Comeet's: page after page, along links on the configured host."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol, TypeVar

from source_ats.http.models import Request, Response
from source_ats.vendors.comeet import requests


class _HasLink(Protocol):
    @property
    def next_page(self) -> str | None: ...


PageT = TypeVar("PageT", bound=_HasLink)


def listed(
    send: Callable[[Request, Callable[[Response], PageT]], PageT],
    first: Request,
    read: Callable[[Response], PageT],
) -> Iterator[tuple[PageT, str | None]]:
    """Yield each page from that call on, and the link to the next one, None after the last.

    A link that leads to another host ends the list with `ContractError` instead of the page that
    bore it: it is neither followed nor handed on.
    """
    request: Request | None = first
    while request is not None:
        page = send(request, read)
        request = requests.following(request, page.next_page)
        yield page, None if request is None else request.url
