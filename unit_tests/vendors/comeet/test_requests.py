"""Requests to Comeet."""

from __future__ import annotations

from datetime import timedelta

import pytest
import urllib3.util
from requests import Request as HttpRequest

from source_ats.errors import ContractError
from source_ats.http.models import Request
from source_ats.vendors.comeet import requests
from unit_tests.fakes import NOON

BASE = "https://api.example.com"


def url(call: Request) -> str:
    """Return the address as the HTTP library sends it."""
    prepared = HttpRequest(call.method, call.url, params=dict(call.params)).prepare()
    assert prepared.url is not None
    return prepared.url


def test_create_names_position_and_key_and_is_never_repeated_blindly() -> None:
    call = requests.create(BASE, "4A.1C2", "people:1", {"first_name": "Mira"})
    assert (call.method, url(call), call.creates) == ("POST", f"{BASE}/candidates", True)
    assert call.json == {
        "position_uid": "4A.1C2",
        "partner_candidate_id": "people:1",
        "first_name": "Mira",
    }


def test_change_tells_who_changes() -> None:
    call = requests.change(BASE, "B3.07F", {"phone": "+00 1"})
    assert (call.method, url(call), call.creates) == ("PATCH", f"{BASE}/candidates/B3.07F", False)
    assert call.json == {
        "updated_by": {"type": "app", "name": "Airbyte destination-comeet"},
        "phone": "+00 1",
    }


def test_a_number_needs_the_header_and_a_uid_must_not_have_it() -> None:
    assert requests.candidate(BASE, 98765).headers == {"IDENTIFIER_TYPE": "REAL_ID"}
    assert not requests.candidate(BASE, "B3.07F").headers
    assert url(requests.candidate(BASE, "../x?y")) == f"{BASE}/candidates/..%2Fx%3Fy"


def test_filters_are_spelled_with_a_colon() -> None:
    call = requests.created_between(BASE, NOON, NOON + timedelta(hours=1))
    assert call.endpoint == "candidates"
    assert call.params == {
        "time_created:after": "2026-01-31T12:00:00Z",
        "time_created:before": "2026-01-31T13:00:00Z",
        "limit": "1000",
    }


def test_a_stream_requests_recent_activity_or_everything() -> None:
    assert requests.active_since(BASE, NOON).params == {
        "time_hiring_process_updated:after": "2026-01-31T12:00:00Z",
        "limit": "1000",
    }
    assert requests.active_since(BASE, None).params == {"limit": "1000"}
    assert requests.deleted_since(BASE, NOON).params == {
        "time_deleted:after": "2026-01-31T12:00:00Z"
    }
    assert requests.deleted_since(BASE, None).params == {}
    assert requests.positions(BASE).params == {"limit": "500"}


PUBLIC = "https://api.comeet.co"
PROXY = "https://proxy.example.com/comeet"


@pytest.mark.parametrize(
    ("base_url", "link", "expected"),
    [
        (BASE, f"{BASE}/positions?cursor=5", f"{BASE}/positions?cursor=5"),
        (BASE, "https://API.Example.COM/positions?cursor=5", f"{BASE}/positions?cursor=5"),
        (BASE, "https://api.example.com:443/positions?cursor=5", f"{BASE}/positions?cursor=5"),
        (BASE, "http://api.example.com/positions?cursor=5", f"{BASE}/positions?cursor=5"),
        (BASE, "/positions?cursor=5", f"{BASE}/positions?cursor=5"),
        (BASE, "positions?cursor=5", f"{BASE}/positions?cursor=5"),
        (BASE, "?cursor=5", f"{BASE}/positions?cursor=5"),
        (BASE, f"{PUBLIC}/positions?cursor=5#x", f"{BASE}/positions?cursor=5"),
        (PROXY, f"{PROXY}/positions?cursor=5", f"{PROXY}/positions?cursor=5"),
        (PROXY, f"{PUBLIC}/positions?cursor=5", f"{PROXY}/positions?cursor=5"),
        (PROXY, f"{PUBLIC}/comeet/positions?cursor=5", f"{PROXY}/positions?cursor=5"),
        (PROXY, "/positions?cursor=5", f"{PROXY}/positions?cursor=5"),
        (PROXY, "positions?cursor=5", f"{PROXY}/positions?cursor=5"),
        (PROXY, "?cursor=5", f"{PROXY}/positions?cursor=5"),
    ],
)
def test_a_link_is_followed_by_path_and_query(base_url: str, link: str, expected: str) -> None:
    following = requests.next_page(base_url, requests.positions(base_url), link, "Comeet")
    assert following is not None
    assert (following.endpoint, following.url) == ("positions", expected)
    assert not following.params


@pytest.mark.parametrize(
    "link",
    [
        "https://api.example.com@evil.example.com/candidates",
        "https://api.example.com:443@evil.example.com/candidates",
        "https://evil.example.com\\@api.example.com/candidates",
        "https://api.example.com\\.evil.example.com/candidates",
        "https://api.example.com.evil.example.com/candidates",
        "https://api.example.com:8443/candidates",
        "https://api.exam\tple.com/candidates",
        "https://api.example.com//evil.example.com/candidates",
        "https://api.example.com/\\evil.example.com/candidates",
        "//evil.example.com/candidates",
        "@evil.example.com/candidates",
        ":80@evil.example.com/",
        "file:///etc/hostname",
        "mailto:evil@evil.example.com",
    ],
)
@pytest.mark.parametrize("base_url", [BASE, PROXY])
def test_no_link_leads_to_another_host(base_url: str, link: str) -> None:
    request = requests.active_since(base_url, None)
    following = requests.next_page(base_url, request, link, "Comeet")
    assert following is not None
    sent_to = urllib3.util.parse_url(url(following))
    assert (
        f"{sent_to.scheme}://{sent_to.netloc}/" == base_url.removesuffix("comeet").rstrip("/") + "/"
    )


@pytest.mark.parametrize("link", [None, ""])
def test_no_link_ends_the_list(link: str | None) -> None:
    assert requests.next_page(BASE, requests.positions(BASE), link, "Comeet") is None


def test_a_link_that_is_not_an_address_is_a_contract_error() -> None:
    with pytest.raises(ContractError) as caught:
        requests.next_page(BASE, requests.positions(BASE), "https://[x", "Comeet positions 200 r7")
    assert caught.value.detail == "Comeet positions 200 r7"
