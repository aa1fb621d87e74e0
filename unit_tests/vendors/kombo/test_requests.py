"""The calls to Kombo: what goes on the wire, by the vendor's documentation."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from requests import Request as HttpRequest

from source_ats.http.models import Request
from source_ats.vendors.kombo import requests

BASE = "https://api.example.com/v1"
ODD_ID = "greenhouse:7kQm/W3?x#T z"


def url(call: Request) -> str:
    """Return the address as the HTTP library sends it."""
    prepared = HttpRequest(call.method, call.url, params=dict(call.params)).prepare()
    assert prepared.url is not None
    return prepared.url


def rows(
    *,
    include_deleted: bool = True,
    updated_after: datetime | None = None,
    cursor: str | None = None,
) -> Request:
    return requests.rows(
        BASE,
        "candidates",
        integration_id=ODD_ID,
        page_size=250,
        include_deleted=include_deleted,
        updated_after=updated_after,
        cursor=cursor,
    )


def test_regions() -> None:
    assert requests.BASE_URLS == {
        "eu": "https://api.kombo.dev/v1",
        "us": "https://api.us.kombo.dev/v1",
    }


def test_the_key_is_a_bearer_token() -> None:
    assert requests.auth("ks_dev_made_up").headers() == {"Authorization": "Bearer ks_dev_made_up"}


def test_the_key_is_checked_without_an_integration() -> None:
    call = requests.check_api_key(BASE)
    assert url(call) == f"{BASE}/check-api-key"
    assert not call.headers


def test_an_integration_is_percent_encoded_in_a_path() -> None:
    call = requests.integration(BASE, ODD_ID)
    assert url(call) == f"{BASE}/integrations/greenhouse%3A7kQm%2FW3%3Fx%23T%20z"
    assert "X-Integration-Id" not in call.headers


def test_an_integration_is_raw_in_the_header() -> None:
    assert rows().headers == {"X-Integration-Id": ODD_ID}


def test_a_first_page() -> None:
    call = rows()
    assert call.url == f"{BASE}/ats/candidates"
    assert call.params == {"page_size": "250", "include_deleted": "true"}


def test_booleans_are_words() -> None:
    assert rows(include_deleted=False).params["include_deleted"] == "false"


def test_the_filters_are_the_same_on_every_page() -> None:
    moment = datetime(2026, 1, 31, 12, tzinfo=UTC)
    first = rows(updated_after=moment)
    next_page = rows(updated_after=moment, cursor="bWFkZSB1cA+/=")
    assert next_page.params == {**first.params, "cursor": "bWFkZSB1cA+/="}
    assert "cursor=bWFkZSB1cA%2B%2F%3D" in url(next_page)


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2026, 1, 31, 12, tzinfo=UTC), "2026-01-31T12:00:00.000Z"),
        (datetime(2026, 1, 31, 12, 0, 0, 250_999, tzinfo=UTC), "2026-01-31T12:00:00.250Z"),
        (
            datetime(2026, 1, 31, 12, tzinfo=timezone(timedelta(hours=2))),
            "2026-01-31T10:00:00.000Z",
        ),
        (datetime(999, 1, 1, tzinfo=UTC), "0999-01-01T00:00:00.000Z"),
    ],
)
def test_a_moment_has_the_documented_form_and_is_never_later(moment: datetime, text: str) -> None:
    assert rows(updated_after=moment).params["updated_after"] == text


def test_nothing_that_reads_may_create() -> None:
    for call in (rows(), requests.check_api_key(BASE), requests.integration(BASE, ODD_ID)):
        assert call.method == "GET"
        assert not call.creates
        assert call.json is None


def test_the_name_of_an_endpoint_holds_no_value() -> None:
    for call in (rows(cursor="canary"), requests.integration(BASE, "canary")):
        assert "canary" not in call.endpoint
        assert ODD_ID not in call.endpoint
