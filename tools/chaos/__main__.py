"""Run seeds of chaos: `python -m tools.chaos --seeds N`, see `scripts/chaos`."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import traceback
from pathlib import Path

from integration_tests.support.postgres import NoServer, Postgres
from tools.chaos.seeds import ALL_KINDS, KINDS, live_through, server_for


def main() -> int:
    """Print how many seeds of each kind passed; return 1 and name those that did not."""
    parser = argparse.ArgumentParser(prog="scripts/chaos")
    parser.add_argument("--seeds", type=int, default=200, metavar="N", help="of each kind")
    parser.add_argument("--first-seed", type=int, default=0, metavar="K")
    parser.add_argument(
        "--stream", choices=ALL_KINDS, action="append", help="default: " + ", ".join(KINDS)
    )
    options = parser.parse_args()
    failed: list[str] = []
    for kind in options.stream or KINDS:
        began = time.monotonic()
        try:
            with server_for(kind) as server:
                cuts = [
                    _cuts(kind, seed, server, failed)
                    for seed in range(options.first_seed, options.first_seed + options.seeds)
                ]
        except NoServer as error:
            sys.stdout.write(f"{kind}: not run. {error}\n")
            continue
        sys.stdout.write(
            f"{kind}: {len(cuts) - cuts.count(None)} of {len(cuts)} seeds passed, "
            f"{sum(filter(None, cuts))} runs cut, {time.monotonic() - began:.0f} s\n"
        )
        sys.stdout.flush()
    for again in failed:
        sys.stdout.write(f"Failed; again: {again}\n")
    return 1 if failed else 0


def _cuts(kind: str, seed: int, server: Postgres | None, failed: list[str]) -> int | None:
    """Return how many runs of a seed were cut; None, and the command in `failed`, if it failed."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            return live_through(kind, seed, Path(folder), server)
    except (AssertionError, OSError, ValueError):
        failed.append(f"scripts/chaos --stream {kind} --first-seed {seed} --seeds 1")
        sys.stderr.write(f"{failed[-1]}\n")
        traceback.print_exc()
        return None


if __name__ == "__main__":
    sys.exit(main())
