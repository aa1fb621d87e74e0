"""Draws wall times: `python plot.py RESULTS PNG`. Runs in the opponents' environment."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from statistics import median

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot as plt

STREAMS = ("candidates", "candidate_history", "profiles")


def main(results: str, png: str) -> None:
    """Draw a panel of bars for each stream."""
    whole = json.loads(Path(results).read_text())
    figure, panels = plt.subplots(1, len(STREAMS), figsize=(13, 3.6), layout="constrained")
    for stream, panel in zip(STREAMS, panels, strict=True):
        runs = whole["results"][stream]
        walls = {who: median(run["wall"] for run in each) for who, each in runs.items()}
        names = sorted(walls, key=lambda who: -walls[who])
        colors = ["#2a6f97" if name == "source-ats" else "#b8c4cc" for name in names]
        bars = panel.barh(names, [walls[name] for name in names], color=colors)
        panel.bar_label(bars, fmt="%.1f s", padding=3)
        panel.set_xlim(right=1.25 * max(walls.values()))
        panel.set_title(stream)
        panel.spines[["top", "right"]].set_visible(False)
    figure.supxlabel("wall time of the whole process, seconds, median")
    figure.savefig(png, dpi=110)


if __name__ == "__main__":
    main(*sys.argv[1:])
