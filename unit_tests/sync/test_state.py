"""A stored state: what counts as damaged, in every vendor's state."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from source_ats.errors import ConfigError
from source_ats.sync.state import parse_state, usable_state
from source_ats.vendors.atz_crm import history_pass, lists
from source_ats.vendors.comeet import streams as comeet
from source_ats.vendors.kombo import state as kombo
from source_ats.vendors.talemetry.state import ProfilesState

T = "2026-01-31T12:00:00Z"


@pytest.mark.parametrize(
    ("kind", "state", "field"),
    [
        (
            kombo.StreamState,
            {"integrations": {"one": {"updated_after": None, "full_read_at": T}}},
            "integrations.one.updated_after",
        ),
        (
            kombo.StreamState,
            {"integrations": {"one": {"updated_after": T, "full_read_at": None}}},
            "integrations.one.full_read_at",
        ),
        (
            kombo.StreamState,
            {"integrations": {"one": {"in_progress": None}}},
            "integrations.one.in_progress",
        ),
        (comeet.StreamState, {"updated_after": None}, "updated_after"),
        (ProfilesState, {"listed_until": None}, "listed_until"),
        (ProfilesState, {"listed_until": T, "in_progress": None}, "in_progress"),
        (history_pass.StreamState, {"updated_at": None}, "updated_at"),
        (history_pass.StreamState, {"updated_at": T, "finished_at": None}, "finished_at"),
        (lists.StreamState, {"updated_at": None}, "updated_at"),
    ],
)
def test_a_null_bookmark_is_a_damaged_state(
    kind: type[object], state: dict[str, Any], field: str
) -> None:
    with pytest.raises(ConfigError, match=f"damaged: {field} is null"):
        parse_state(state, kind, "some_stream")


def test_a_null_that_is_written_by_the_connector_is_accepted() -> None:
    """Talemetry's first listing has no lower time limit, and its first page no cursor."""
    progress = {"from": None, "to": T, "event": "all", "cursor": None, "kept_at": T}
    kept = parse_state({"in_progress": progress}, ProfilesState, "profiles")
    assert kept.in_progress is not None
    assert kept.in_progress.start is None


STATES_SIDE_BY_SIDE = """
import sys, threading, msgspec
from source_ats.sync.state import parse_state

def parse():
    start.wait()
    parse_state({"first": {"one": {"names": {"a": "b"}}}}, kind, "some_stream")

sys.setswitchinterval(1e-6)
for _ in range(100):
    entry = msgspec.defstruct("Entry", [("at", str | None, None), ("names", dict[str, str], {})])
    fields = [(name, dict[str, entry], {}) for name in ("first", "second", "third")]
    kind = msgspec.defstruct("Kind", fields, omit_defaults=True)
    start = threading.Barrier(8)
    threads = [threading.Thread(target=parse) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
"""


def test_streams_that_begin_side_by_side_do_not_crash_the_process() -> None:
    """Types that no thread has used yet: in a process of its own, which would not survive it."""
    done = subprocess.run([sys.executable, "-c", STATES_SIDE_BY_SIDE], check=False)
    assert done.returncode == 0


@pytest.mark.parametrize("generation", [None, 2])
def test_a_full_refresh_says_that_it_ignores_earlier_syncs(
    generation: int | None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    stored = {"selection": "s", "generation": 1, "updated_at": T}
    assert usable_state("people", "s", stored, full_refresh=True, generation=generation) == {}
    assert caplog.messages == ["people: full refresh, the state of earlier syncs is ignored."]
