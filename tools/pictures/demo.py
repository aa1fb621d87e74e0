"""What `scripts/demo` prints, as a drawing of a terminal."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

from integration_tests.sandbox.running import PROJECT
from tools.demo.screen import WIDTH

CANDIDATES = 300
BEGIN, END = "The second read", "What next"
"""The picture shows what is printed between these, the first included."""
HEADINGS = ("The second read", "source-ats |")


def draw(path: Path) -> None:
    """Run the demo and write an SVG of the second half of its output."""
    with tempfile.TemporaryDirectory() as folder:
        printed = subprocess.run(  # noqa: S603 - our own program
            [
                *(sys.executable, "-m", "tools.demo", f"--candidates={CANDIDATES}"),
                f"--into={folder}/demo.duckdb",
            ],
            cwd=PROJECT,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout
    shown = re.sub(
        r"(\s*\n){3,}", "\n\n", printed[printed.index(BEGIN) : printed.index(END)].strip()
    )
    with Path("/dev/null").open("w") as nowhere:
        console = Console(file=nowhere, width=WIDTH, record=True, highlight=False)
        for line in shown.splitlines():
            console.print(Text(line.rstrip(), style="bold" if line.startswith(HEADINGS) else ""))
        path.write_text(
            console.export_svg(title=f"scripts/demo --candidates {CANDIDATES}", unique_id="demo"),
            "utf-8",
        )
