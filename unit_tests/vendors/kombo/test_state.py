"""What the state of an integration says."""

from __future__ import annotations

import pytest

from source_ats.vendors.kombo.state import InProgress, IntegrationState
from unit_tests.fakes import NOON

NEVER_READ = IntegrationState()
READ = IntegrationState(NOON, NOON)
BEGUN = IntegrationState(in_progress=InProgress(NOON, NOON))
READ_AGAIN = IntegrationState(NOON, NOON, InProgress(NOON, NOON))


@pytest.mark.parametrize(
    ("state", "is_left"), [(NEVER_READ, True), (BEGUN, True), (READ_AGAIN, True), (READ, False)]
)
def test_a_full_refresh_leaves_out_what_it_has_read_to_the_end(
    state: IntegrationState, is_left: bool
) -> None:
    assert state.is_left_to_read(True) is is_left
    assert state.is_left_to_read(False)
