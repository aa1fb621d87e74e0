"""A few seeds of each kind of chaos; `scripts/chaos` runs as many as one likes."""

from __future__ import annotations

from pathlib import Path

import pytest

from integration_tests.support.postgres import NoServer
from tools.chaos.seeds import ALL_KINDS, KINDS, live_through, server_for

SEEDS = [(kind, seed) for kind in ALL_KINDS for seed in range(3 if kind in KINDS else 1)]


@pytest.mark.parametrize(("kind", "seed"), SEEDS)
def test_nothing_of_the_chaos_shows_in_the_end(kind: str, seed: int, tmp_path: Path) -> None:
    try:
        with server_for(kind) as server:
            live_through(kind, seed, tmp_path, server)
    except NoServer as error:
        pytest.skip(str(error))
