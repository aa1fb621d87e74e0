"""Requests to Kombo, as the vendor documents them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from requests import Request as HttpRequest

from source_ats.http.models import Request
from source_ats.vendors.kombo import requests

BASE = "https://api.example.com/v1"
ODD_ID = "greenhouse:7kQm/W3?x#T z"


def url(request: Request) -> str:
    """Return the address as the HTTP library sends it."""
    prepared = HttpRequest(request.method, request.url, params=dict(request.params)).prepare()
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


def test_base_url_of_each_region() -> None:
    assert requests.BASE_URLS == {
        "eu": "https://api.kombo.dev/v1",
        "us": "https://api.us.kombo.dev/v1",
    }


def test_the_key_is_sent_as_a_bearer_token() -> None:
    assert requests.auth("ks_dev_made_up").headers() == {"Authorization": "Bearer ks_dev_made_up"}


def test_the_key_check_names_no_integration() -> None:
    request = requests.check_api_key(BASE)
    assert url(request) == f"{BASE}/check-api-key"
    assert not request.headers


def test_an_integration_id_is_percent_encoded_in_a_path() -> None:
    request = requests.integration(BASE, ODD_ID)
    assert url(request) == f"{BASE}/integrations/greenhouse%3A7kQm%2FW3%3Fx%23T%20z"
    assert "X-Integration-Id" not in request.headers


def test_an_integration_id_is_raw_in_the_header() -> None:
    assert rows().headers == {"X-Integration-Id": ODD_ID}


def test_the_first_page_has_no_cursor() -> None:
    request = rows()
    assert request.url == f"{BASE}/ats/candidates"
    assert request.params == {"page_size": "250", "include_deleted": "true"}


def test_booleans_are_sent_as_words() -> None:
    assert rows(include_deleted=False).params["include_deleted"] == "false"


def test_filters_are_sent_with_every_page() -> None:
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
def test_updated_after_has_the_documented_form_and_is_never_later(
    moment: datetime, text: str
) -> None:
    assert rows(updated_after=moment).params["updated_after"] == text


def test_every_request_is_a_get() -> None:
    for request in (rows(), requests.check_api_key(BASE), requests.integration(BASE, ODD_ID)):
        assert request.method == "GET"
        assert not request.creates
        assert request.json is None


def test_endpoint_names_hold_no_values() -> None:
    for request in (rows(cursor="canary"), requests.integration(BASE, "canary")):
        assert "canary" not in request.endpoint
        assert ODD_ID not in request.endpoint
