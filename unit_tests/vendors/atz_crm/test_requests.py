"""The calls to ATZ CRM: what goes on the wire, by the vendor's documentation."""

from __future__ import annotations

from requests import Request as HttpRequest

from source_ats.http.models import Request
from source_ats.vendors.atz_crm import requests

BASE = "https://api.example.com/v1"


def url(call: Request) -> str:
    """Return the address as the HTTP library sends it."""
    prepared = HttpRequest(call.method, call.url, params=dict(call.params)).prepare()
    assert prepared.url is not None
    return prepared.url


def test_the_address_is_the_documented_one_and_safe() -> None:
    assert requests.BASE_URL == "https://api.atzcrm.com/v1"


def test_the_token_is_a_bearer_token() -> None:
    assert requests.auth("made-up").headers() == {"Authorization": "Bearer made-up"}


def test_a_page_of_the_list() -> None:
    call = requests.list_page(requests.CANDIDATES, BASE, page=3, limit=100, sort=requests.BY_AGE)
    assert url(call) == f"{BASE}/candidate?page=3&limit=100&sortOrder=created_at&sortByColumn=asc"


def test_a_page_in_the_server_s_own_order() -> None:
    assert url(requests.list_page(requests.CANDIDATES, BASE, page=1, limit=25, sort={})) == (
        f"{BASE}/candidate?page=1&limit=25"
    )


def test_a_history_in_all_jobs_and_in_one() -> None:
    slug = "candidate_0123456789abcdef0123"
    assert url(requests.history(BASE, slug, None)) == f"{BASE}/candidate/{slug}/history"
    assert url(requests.history(BASE, slug, "job_1")) == (
        f"{BASE}/candidate/{slug}/history?job_slug=job_1"
    )


def test_a_slug_cannot_lead_to_another_address() -> None:
    assert url(requests.history(BASE, "../job/a?b#c", None)) == (
        f"{BASE}/candidate/..%2Fjob%2Fa%3Fb%23c/history"
    )
    assert url(requests.job(BASE, "a/b")) == f"{BASE}/job/a%2Fb"


def test_every_call_is_a_get_since_delete_has_the_same_addresses() -> None:
    for call in (
        requests.list_page(requests.CANDIDATES, BASE, page=1, limit=1, sort={}),
        requests.list_page(requests.DEALS, BASE, page=1, limit=1, sort={}),
        requests.history(BASE, "candidate_1", None),
        requests.job(BASE, "job_1"),
    ):
        assert call.method == "GET"
        assert call.json is None
        assert not call.creates
