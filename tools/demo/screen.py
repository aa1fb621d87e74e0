"""What the demo prints: tables of 80 columns, and progress where there is a terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich import box
from rich.console import Console
from rich.live import Live
from rich.table import Table

from tools.demo.messages import Messages

WIDTH = 80


@dataclass(frozen=True, slots=True)
class Line:
    """What one read did to one stream."""

    stream: str
    new: int
    changed: int
    deleted: int
    requests: int
    seconds: float

    def cells(self) -> list[str]:
        """The columns of the table."""
        counts = (self.new, self.changed, self.deleted, self.requests)
        return [self.stream, *(f"{count:,}" for count in counts), f"{self.seconds:.1f}"]


class Screen:
    """Standard output. Made before anything else is redirected."""

    def __init__(self) -> None:
        """Write to standard output; wider than 80 columns only where a command needs it."""
        terminal = Console(file=sys.stdout)
        self._console = Console(file=sys.stdout, width=min(WIDTH, terminal.width), highlight=False)

    def title(self, text: str) -> None:
        """Begin a part."""
        self._console.print(f"\n[bold]{text}[/bold]\n")

    def say(self, text: str) -> None:
        """Print a sentence."""
        self._console.print(text, markup=False)

    @contextmanager
    def working(self, what: str) -> Iterator[None]:
        """Show on a terminal that something is being done."""
        with self._console.status(f"{what} ..."):
            yield

    @contextmanager
    def following(self, title: str, streams: Sequence[str], messages: Messages) -> Iterator[None]:
        """Show on a terminal how far each stream is; elsewhere, what is being done."""

        def progress() -> Table:
            messages.follow()
            table = self._table(title, "stream", "rows so far", "")
            for stream in streams:
                table.add_row(stream, f"{messages.records[stream]:,}", messages.state(stream))
            return table

        if not self._console.is_terminal:
            self.say(f"Reading {len(streams)} streams ...")
            yield
            return
        with Live(console=self._console, get_renderable=progress, transient=True):
            yield

    def table(self, title: str, lines: Sequence[Line], seconds: float) -> None:
        """Print what a read did, with a line for all streams together."""
        table = self._table(title, "stream", "new", "changed", "deleted", "requests", "seconds")
        table.show_footer = True
        for line in lines:
            table.add_row(*line.cells())
        total = Line(
            stream="all, at the same time",
            new=sum(line.new for line in lines),
            changed=sum(line.changed for line in lines),
            deleted=sum(line.deleted for line in lines),
            requests=sum(line.requests for line in lines),
            seconds=seconds,
        )
        for column, cell in zip(table.columns, total.cells(), strict=True):
            column.footer = cell
        self._console.print()
        self._console.print(table)
        self._console.print()

    def _table(self, title: str, first: str, *others: str) -> Table:
        table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
        table.add_column(first, no_wrap=True)
        for other in others:
            table.add_column(other, justify="right", no_wrap=True)
        return table

    def say_report(self, page: Path) -> None:
        """Say where the report is."""
        self._as_it_is(f"The report is {page}: open it in a browser.\n")

    def say_next(self, database: Path) -> None:
        """Say where everything is, and what to do now."""
        self.title("What next")
        query = "SELECT first_name, last_name, title, changed_at FROM ats.candidates LIMIT 5"
        self._as_it_is(
            f"""\
All rows are in {database}. This shows some of them:

{os.path.relpath(sys.executable)} - <<'END'
import duckdb
with duckdb.connect('{database}') as database:
    database.sql('{query}').show(max_width=80)
END

To try the commands yourself, without an account: scripts/sandbox
With accounts of your own: docs/quick_start.md
"""
        )

    def _as_it_is(self, text: str) -> None:
        """Print without wrapping, so that a command can be copied."""
        self._console.print(text, markup=False, soft_wrap=True, end="")
