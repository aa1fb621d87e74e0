"""The one way through a list of Comeet's: page after page, along links on the configured host."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol, TypeVar

from source_ats.http.client import Call, Reply
from source_ats.vendors.comeet import requests


class _HasLink(Protocol):
    @property
    def next_page(self) -> str | None: ...


PageT = TypeVar("PageT", bound=_HasLink)


def listed(
    send: Callable[[Call, Callable[[Reply], PageT]], PageT],
    first: Call,
    read: Callable[[Reply], PageT],
) -> Iterator[tuple[PageT, str | None]]:
    """Yield each page from that call on, and the link to the next one, None after the last.

    A link that leads to another host ends the list with `ContractError` instead of the page that
    bore it: it is neither followed nor handed on.
    """
    call: Call | None = first
    while call is not None:
        page = send(call, read)
        call = requests.following(call, page.next_page)
        yield page, None if call is None else call.url
