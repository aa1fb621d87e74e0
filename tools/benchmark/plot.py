"""Draws wall times: `python plot.py RESULTS FOLDER`. Runs in the opponents' environment."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot as plt

STREAMS = ("candidates", "candidate_history", "profiles")


def main(results: str, folder: str) -> None:
    """Draw a picture, or one for each distance."""
    whole = json.loads(Path(results).read_text())
    if "distances" in whole:
        for latency, contests in whole["distances"].items():
            runs = {stream: contests[stream]["runs"] for stream in STREAMS}
            _draw(runs, Path(folder) / f"performance_{latency}_ms.png")
    else:
        _draw(whole["results"], Path(folder) / "performance.png")


def _draw(results: Mapping[str, Any], png: Path) -> None:
    """Draw a panel of bars for each stream."""
    figure, panels = plt.subplots(1, len(STREAMS), figsize=(13, 3.6), layout="constrained")
    for stream, panel in zip(STREAMS, panels, strict=True):
        walls = {who: median(run["wall"] for run in each) for who, each in results[stream].items()}
        names = sorted(walls, key=lambda who: -walls[who])
        colors = ["#2a6f97" if name.startswith("source-ats") else "#b8c4cc" for name in names]
        bars = panel.barh(names, [walls[name] for name in names], color=colors)
        panel.bar_label(bars, fmt="%.1f s", padding=3)
        panel.set_xlim(right=1.25 * max(walls.values()))
        panel.set_title(stream)
        panel.spines[["top", "right"]].set_visible(False)
    figure.supxlabel("wall time of the whole process, seconds, median")
    figure.savefig(png, dpi=110)


if __name__ == "__main__":
    main(*sys.argv[1:])
