"""Talemetry's requests: what is sent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from source_ats.vendors.talemetry import requests
from source_ats.vendors.talemetry.config import TalemetryConfig, TokenCredentials

START = datetime(2025, 1, 1, 2, 3, 4, 567_000, tzinfo=timezone(timedelta(hours=2)))
END = datetime(2025, 1, 31, tzinfo=UTC)


def config(**settings: Any) -> TalemetryConfig:
    return TalemetryConfig(
        credentials=TokenCredentials(auth_type="token", token="token"), **settings
    )


def test_a_window_is_sent_completely_in_whole_seconds_of_utc() -> None:
    request = requests.people_ids(
        config(ids_base_url="https://ids.example.com"),
        event="updated",
        start=START,
        end=END,
        page_size=100,
    )
    assert (request.method, request.url) == (
        "POST",
        "https://ids.example.com/match/v1/people/ids",
    )
    assert request.json == {
        "DateTimeRange": {
            "From": "2025-01-01T00:03:04Z",
            "To": "2025-01-31T00:00:00Z",
            "Event": "updated",
        },
        "PageSize": 100,
    }
    assert request.params == {}
    assert not request.creates


def test_everybody_is_listed_without_a_range() -> None:
    filters = {"exclude_sources": ["a"], "exclude_life_cycles": ["b", "c"]}
    request = requests.people_ids(
        config(ids_method="GET", **filters),
        event=None,
        start=None,
        end=END,
        page_size=7,
        cursor="x",
    )
    assert request.method == "GET"
    assert request.json == {
        "PageSize": 7,
        "ExcludeSources": ["a"],
        "ExcludeLifeCycles": ["b", "c"],
        "Cursor": "x",
    }


def test_people_are_requested_with_the_names_of_the_blocks() -> None:
    request = requests.profiles(
        config(profiles_base_url="https://profiles.example.com", include=["tags"]), ("a", "b")
    )
    assert (request.method, request.url) == (
        "POST",
        "https://profiles.example.com/soap/profiles/v1",
    )
    assert request.json == {"ids": ["a", "b"], "include": ["contact", "tags"]}
    assert not request.creates


def test_requests_are_named_for_messages_and_by_event() -> None:
    listed = requests.people_ids(config(), event="updated", start=START, end=END, page_size=1)
    assert (listed.endpoint, listed.partition) == ("people/ids", "updated")
    assert requests.profiles(config(), ("a",)).endpoint == "profiles"


def test_a_token_is_exchanged_for_the_client() -> None:
    request = requests.authorization("https://auth.example.com/token", "client", "secret")
    assert (request.method, request.url) == ("POST", "https://auth.example.com/token")
    assert request.json == {
        "grant_type": "client_credentials",
        "client_id": "client",
        "client_secret": "secret",
    }


def test_the_scheme_of_the_token_is_oauth() -> None:
    assert requests.auth("TGC-1").headers() == {"Authorization": "OAUTH TGC-1"}
