"""The calls to Talemetry: what goes on the wire."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from source_ats.vendors.talemetry import requests

START = datetime(2025, 1, 1, 2, 3, 4, 567_000, tzinfo=timezone(timedelta(hours=2)))
END = datetime(2025, 1, 31, tzinfo=UTC)


def test_a_window_is_sent_whole_in_whole_seconds_of_utc() -> None:
    call = requests.people_ids(
        "https://ids", method="POST", event="updated", start=START, end=END, page_size=100
    )
    assert (call.method, call.url) == ("POST", "https://ids/match/v1/people/ids")
    assert call.json == {
        "DateTimeRange": {
            "From": "2025-01-01T00:03:04Z",
            "To": "2025-01-31T00:00:00Z",
            "Event": "updated",
        },
        "PageSize": 100,
    }
    assert call.params == {}
    assert not call.creates


def test_everybody_is_listed_without_a_range() -> None:
    call = requests.people_ids(
        "https://ids",
        method="GET",
        event=None,
        start=None,
        end=END,
        page_size=7,
        exclude_sources=["a"],
        exclude_life_cycles=["b", "c"],
        cursor="x",
    )
    assert call.method == "GET"
    assert call.json == {
        "PageSize": 7,
        "ExcludeSources": ["a"],
        "ExcludeLifeCycles": ["b", "c"],
        "Cursor": "x",
    }


def test_people_are_asked_for_with_all_blocks_named() -> None:
    call = requests.profiles("https://profiles", ("a", "b"), ["contact", "tags"])
    assert (call.method, call.url) == ("POST", "https://profiles/soap/profiles/v1")
    assert call.json == {"ids": ["a", "b"], "include": ["contact", "tags"]}
    assert not call.creates


def test_the_word_before_the_token_is_oauth() -> None:
    assert requests.auth("TGC-1").headers() == {"Authorization": "OAUTH TGC-1"}
