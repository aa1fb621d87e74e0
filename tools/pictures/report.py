"""The beginning of the report that `scripts/demo` ends with, photographed in Chromium."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from integration_tests.sandbox.running import PROJECT
from integration_tests.support import chromium

CANDIDATES = 300
WIDTH = 880
SHOWN = "#funnel"
"""The last part of the page that is shown."""


def photograph(path: Path) -> None:
    """Run the demo, and write a PNG of its report down to the end of the part that is named."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(  # noqa: S603 - our own program
            [
                *(sys.executable, "-m", "tools.demo", f"--candidates={CANDIDATES}"),
                f"--into={folder}/demo.duckdb",
            ],
            cwd=PROJECT,
            stdout=subprocess.DEVNULL,
            check=True,
        )
        with chromium.running() as browser:
            page = browser.new_page(
                viewport={"width": WIDTH, "height": 600}, device_scale_factor=1.5
            )
            page.goto((Path(folder) / "demo.html").as_uri())
            end = page.evaluate(
                "name => document.querySelector(name).getBoundingClientRect().bottom", SHOWN
            )
            page.screenshot(
                path=path,
                full_page=True,
                clip={"x": 0, "y": 0, "width": WIDTH, "height": end + 16},
            )
