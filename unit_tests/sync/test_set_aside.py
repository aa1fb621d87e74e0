"""Children set aside: what stands in the state, and when there are too many."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest

from source_ats.errors import TransientError
from source_ats.sync.set_aside import AT_MOST, SetAside
from unit_tests.fakes import NOON


def test_child_keeps_its_first_time_and_is_warned_of_each_time(
    caplog: pytest.LogCaptureFixture,
) -> None:
    aside = SetAside("Child", {"a": NOON})
    with caplog.at_level(logging.WARNING):
        aside.add("a", NOON + timedelta(days=1), "refused")
        aside.add("b", NOON + timedelta(days=1), "refused")
    assert aside.as_state() == {
        "set_aside": {"a": "2026-01-31T12:00:00Z", "b": "2026-02-01T12:00:00Z"}
    }
    assert [("Child a" in each, "refused" in each) for each in caplog.messages] == [
        (True, True),
        (False, True),
    ]


def test_released_child_is_forgotten() -> None:
    aside = SetAside("Child", {"a": NOON, "b": NOON})
    aside.release("a")
    aside.release("nobody")
    assert aside.keys() == ["b"]
    assert "a" not in aside
    aside.release("b")
    assert aside.as_state() == {}


def test_too_many_set_aside_is_transient() -> None:
    aside = SetAside("Child", {f"{number}": NOON for number in range(AT_MOST)})
    aside.add("0", NOON, "refused")
    assert aside.has_room_for("0")
    assert not aside.has_room_for("new")
    with pytest.raises(TransientError):
        aside.add("new", NOON, "refused")
    assert len(aside.as_state()["set_aside"]) == AT_MOST
