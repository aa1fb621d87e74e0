"""Time as text."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from source_ats.clock import parse_timestamp
from unit_tests.fakes import NOON


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-31T12:00:00Z",
        "2026-01-31T12:00:00.000Z",
        "2026-01-31T12:00:00",
        "2026-01-31T14:00:00+02:00",
        "2026-01-31T00:00:00-12:00",
    ],
)
def test_time_is_read_as_utc(text: str) -> None:
    parsed = parse_timestamp(text)
    assert parsed == NOON
    assert parsed.tzinfo is UTC


@pytest.mark.parametrize(
    "value",
    [
        None,
        7,
        "",
        "yesterday",
        "0000-00-00T00:00:00Z",
        "0001-01-01T00:00:00",
        "0001-01-01T00:00:00+01:00",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59.9999999Z",
        "9999-12-31T23:59:59-01:00",
        "9999-12-31T23:59:59",
        "10000-01-01T00:00:00Z",
    ],
)
def test_impossible_time_counts_as_none(value: object) -> None:
    assert parse_timestamp(value) is None


@pytest.mark.parametrize("text", ["0002-01-01T00:00:00+01:00", "9998-12-31T23:59:59-01:00"])
def test_time_near_the_limits_is_none_or_can_be_calculated_with(text: str) -> None:
    parsed = parse_timestamp(text)
    if parsed is not None:
        assert datetime.fromtimestamp(parsed.timestamp(), UTC) == parsed
        assert parsed.astimezone(UTC) == parsed
