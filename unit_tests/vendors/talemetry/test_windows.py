"""How time is cut into windows, for a run and for Spark's partitions."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from source_ats.sync.stream import ReadOptions
from source_ats.vendors.talemetry.config import TalemetryConfig, TokenCredentials
from source_ats.vendors.talemetry.state import InProgress, Position
from source_ats.vendors.talemetry.windows import OVERLAP, Window, WindowPlan
from unit_tests.fakes import NOON

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def plan(
    *, start_date: datetime | None = None, lookback: timedelta = HOUR, window_days: int = 30
) -> WindowPlan:
    config = TalemetryConfig(
        credentials=TokenCredentials(auth_type="token", token="token"), window_days=window_days
    )
    return WindowPlan.of(config, ReadOptions(start_date, lookback))


def windows(plan: WindowPlan, position: Position, end: datetime = NOON) -> list[Window]:
    return list(plan.windows(position, lambda: end))


def interrupted(window: Window) -> Position:
    """Return the position of a run that was cut in this window."""
    return Position(None, InProgress(window.start, window.end, "created", None, window.end))


def test_everybody_is_listed_without_state_and_start_date() -> None:
    assert windows(plan(), Position()) == [Window(None, NOON)]


def test_the_first_read_begins_at_the_start_date() -> None:
    found = windows(plan(start_date=NOON - 70 * DAY), Position())
    assert [each.start for each in found][:1] == [NOON - 70 * DAY]
    assert len(found) == 3


def test_a_run_begins_a_lookback_before_the_bookmark_and_not_before_the_start_date() -> None:
    bookmark = Position(NOON - DAY)
    assert windows(plan(), bookmark)[0].start == NOON - DAY - HOUR
    late_start = plan(start_date=NOON - DAY - HOUR / 2)
    assert windows(late_start, bookmark)[0].start == NOON - DAY - HOUR / 2


def test_the_window_after_an_interrupted_one_begins_a_lookback_before_its_end() -> None:
    cut = Window(NOON - 10 * DAY, NOON - 9 * DAY)
    first, second = windows(plan(), interrupted(cut))
    assert first == cut
    assert second == Window(cut.end - HOUR, NOON)


def test_after_an_interrupted_listing_of_everybody_comes_a_window_with_a_lookback() -> None:
    cut = Window(None, NOON - DAY)
    assert windows(plan(), interrupted(cut)) == [cut, Window(NOON - DAY - HOUR, NOON)]


def test_nothing_is_left_within_a_second_of_the_end() -> None:
    assert windows(plan(start_date=NOON - OVERLAP), Position()) == []
    assert windows(plan(start_date=NOON + DAY), Position()) == []


@given(
    days=st.integers(1, 400),
    window_days=st.integers(1, 40),
    lookback=st.timedeltas(timedelta(0), timedelta(days=7)),
)
def test_windows_share_a_second_and_are_longer_than_the_lookback(
    days: int, window_days: int, lookback: timedelta
) -> None:
    start = NOON - days * DAY
    cut = plan(start_date=start, window_days=window_days, lookback=lookback)
    found = windows(cut, Position())
    assert (found[0].start, found[-1].end) == (start, NOON)
    for before, after in pairwise(found):
        assert after.start == before.end - timedelta(seconds=1)
        assert before.start is not None
        assert before.end - before.start >= 2 * lookback


def test_runs_that_are_cut_in_every_window_come_to_the_end() -> None:
    cut = plan(start_date=NOON - 60 * DAY, window_days=1, lookback=timedelta(days=7))
    position, runs = Position(), 0
    while (found := windows(cut, position))[1].end < NOON:
        position = interrupted(found[1])
        runs += 1
        assert runs < 100
