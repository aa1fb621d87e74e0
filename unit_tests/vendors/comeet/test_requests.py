"""The calls to Comeet: what goes on the wire, and the token."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import jwt
import pytest
from requests import Request as HttpRequest

from source_ats.errors import ContractError
from source_ats.http.models import Request
from source_ats.vendors.comeet import requests

BASE = "https://api.example.com"
SECRET = "a-secret-of-the-app-of-32-letters"  # noqa: S105 - made up
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def url(call: Request) -> str:
    """Return the address as the HTTP library sends it."""
    prepared = HttpRequest(call.method, call.url, params=dict(call.params)).prepare()
    assert prepared.url is not None
    return prepared.url


class Times:
    """A clock of the vendor's."""

    def __init__(self) -> None:
        self.now = NOON + timedelta(milliseconds=300)


@pytest.fixture
def times() -> Times:
    return Times()


@pytest.fixture
def tokens(times: Times) -> requests.Tokens:
    return requests.Tokens("key-1", SECRET, lambda: times.now)


def claims(tokens: requests.Tokens) -> dict[str, object]:
    kind, token = tokens.headers()["Authorization"].split(" ")
    assert kind == "Bearer"
    assert jwt.get_unverified_header(token)["alg"] == "HS256"
    found: dict[str, object] = jwt.decode(
        token, SECRET, algorithms=["HS256"], options={"verify_exp": False}
    )
    return found


def test_a_token_holds_the_key_and_a_whole_second_ten_minutes_ahead(
    tokens: requests.Tokens,
) -> None:
    assert claims(tokens) == {"iss": "key-1", "exp": int(NOON.timestamp()) + 600}


def test_a_token_is_used_until_a_minute_before_its_end(
    tokens: requests.Tokens, times: Times
) -> None:
    first = tokens.headers()
    times.now += timedelta(seconds=539)
    assert tokens.headers() == first
    times.now += timedelta(seconds=1)
    assert tokens.headers() != first


def test_a_refused_token_is_signed_anew_by_the_time_known_since(
    tokens: requests.Tokens, times: Times
) -> None:
    refused = tokens.headers()
    times.now -= timedelta(days=1)
    assert tokens.renew(refused)
    assert claims(tokens)["exp"] == int(NOON.timestamp()) + 600 - 86_400


def test_a_short_secret_is_the_vendors_matter() -> None:
    # A warning of the library would be an error in this test.
    assert requests.Tokens("key-1", "short", lambda: NOON).headers()


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


def test_the_filters_are_spelled_with_a_colon() -> None:
    call = requests.created_between(BASE, NOON, NOON + timedelta(hours=1))
    assert call.params == {
        "time_created:after": "2026-01-31T12:00:00Z",
        "time_created:before": "2026-01-31T13:00:00Z",
        "limit": "1000",
    }


def test_a_stream_asks_for_what_had_activity_or_for_everything() -> None:
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


@pytest.mark.parametrize(
    "link",
    [
        "https://api.example.com@evil.example.com/candidates",
        "https://api.example.com:443@evil.example.com/candidates",
        "https://evil.example.com\\@api.example.com/candidates",
        "https://api.example.com\\.evil.example.com/candidates",
        "https://api.example.com.evil.example.com/candidates",
        "https://api.example.com:8443/candidates",
        "//evil.example.com/candidates",
        "candidates?cursor=2",
        "file:///etc/hostname",
    ],
)
def test_a_link_that_only_looks_like_ours_is_not_followed(link: str) -> None:
    with pytest.raises(ContractError, match="another host"):
        requests.following(requests.active_since(BASE, None), link)


def test_a_link_is_followed_without_what_libraries_read_differently() -> None:
    call = requests.following(
        requests.positions(BASE), "https://api.exam\tple.com/positions?cursor=5#x"
    )
    assert call is not None
    assert call.url == f"{BASE}/positions?cursor=5#x"


def test_the_link_to_the_next_page_is_followed_within_the_host_only() -> None:
    call = requests.positions(BASE)
    following = requests.following(call, f"{BASE}/positions?cursor=5")
    assert following is not None
    assert (following.url, following.endpoint) == (f"{BASE}/positions?cursor=5", "positions")
    assert requests.following(call, None) is None
    assert requests.following(call, "") is None
    for elsewhere in ("https://evil.example.com/positions", "http://api.example.com/positions"):
        with pytest.raises(ContractError, match="another host"):
            requests.following(call, elsewhere)
    with pytest.raises(ContractError, match="same page"):
        requests.following(following, following.url)
