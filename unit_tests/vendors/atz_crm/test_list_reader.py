"""Which pages of a list are requested before the one before them is answered."""

from __future__ import annotations

import threading
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from source_ats.http.client import Client
from source_ats.http.models import Request
from source_ats.vendors.atz_crm import requests
from source_ats.vendors.atz_crm.config import AtzCrmConfig
from source_ats.vendors.atz_crm.list_reader import ListReader
from source_ats.vendors.atz_crm.listing_index import ListingIndex, Phase
from source_ats.vendors.atz_crm.responses import ListedObject, ListPage
from unit_tests.fakes import NOON

PAGES = 4
ROWS = 10


@dataclass
class LateVendor:
    """A client whose answer to one page waits until another page is requested, or for a time."""

    late: int
    following: int
    seconds: float
    advice: str = "Later."
    requested: dict[int, threading.Event] = field(
        default_factory=lambda: defaultdict(threading.Event)
    )
    was_requested: bool | None = None
    """Whether the other page was requested meanwhile."""

    def send(self, request: Request, *_: Any, **__: Any) -> ListPage:
        """Return a full page, or an empty one after the last."""
        page = int(request.params["page"])
        self.requested[page].set()
        if page == self.late:
            self.was_requested = self.requested[self.following].wait(self.seconds)
        rows = range(page * ROWS, (page + 1) * ROWS) if page <= PAGES else ()
        return ListPage([ListedObject(f"slug_{row}", b"1", None) for row in rows], NOON, "")


@pytest.mark.parametrize(("per_minute", "seconds", "ahead"), [(6000, 30, True), (1, 0.2, False)])
@pytest.mark.parametrize("is_backwards", [False, True])
def test_pages_are_requested_ahead_only_if_a_response_takes_longer_than_the_rate_limit(
    per_minute: int, seconds: float, ahead: bool, is_backwards: bool
) -> None:
    vendor = LateVendor(*((3, 2) if is_backwards else (2, 3)), seconds=seconds)
    config = AtzCrmConfig(access_token="made-up", page_size=ROWS, requests_per_minute=per_minute)
    reader = ListReader(config, cast("Client", vendor), requests.CANDIDATES)
    with ListingIndex() as index:
        if is_backwards:
            pages = list(reader.pages_before(PAGES + 1))
        else:
            pages = []
            for page in reader.pages_after(1, None, index):
                index.add(page, Phase.FIRST_LISTING)
                pages.append(page)
    order = [4, 3, 2, 1] if is_backwards else [2, 3, 4]
    assert [page.objects[0].slug for page in pages] == [f"slug_{page * ROWS}" for page in order]
    assert vendor.was_requested is ahead
