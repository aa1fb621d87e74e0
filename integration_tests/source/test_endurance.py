"""The measurement of memory, with few people: that it measures. Full size runs by hand."""

from __future__ import annotations

import pytest

from tools.endurance import RUNS


@pytest.mark.parametrize("name", RUNS)
def test_all_arrive_and_memory_is_sampled(name: str) -> None:
    run, _ = RUNS[name]
    endured, came = run(100)
    assert endured.code == 0
    assert came == 100
    assert len(endured.samples) > 1
