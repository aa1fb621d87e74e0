"""ATZ CRM in tests: the source configured for a sandbox, and what the sandbox holds."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from integration_tests.sandbox.running import Sandbox
from integration_tests.support.connector import Connector, Run

STREAM = "candidate_history"

OURS = {"id", "candidate_id", "candidate_slug", "read_at"}

Histories = dict[str, list[dict[str, Any]]]


def atz_connector(sandbox: Sandbox, folder: Path, **atz_crm: Any) -> Connector:
    """Return the source, configured for the ATZ CRM of a sandbox."""
    section = {
        "access_token": "atz-sandbox",
        "base_url": f"{sandbox.url}/atz_crm/v1",
        "requests_per_minute": 6000,
        "min_hours_between_passes": 0,
        "page_size": 50,
        **atz_crm,
    }
    return Connector(folder, {"atz_crm": section, "lookback_minutes": 0})


def set_up(sandbox: Sandbox, **settings: Any) -> None:
    """Change what kind of server the sandbox is."""
    sandbox.control("/_control/atz_crm/settings", settings)


def change(sandbox: Sandbox, **wish: Any) -> dict[str, Any]:
    """Make changes; return the slugs of the changed candidates."""
    changed: dict[str, Any] = sandbox.control("/_control/atz_crm/change", wish)
    return changed


def mark(sandbox: Sandbox, slug: str, answer: int | None) -> None:
    """Make one candidate's history answer with a status."""
    sandbox.control("/_control/atz_crm/mark", {"slug": slug, "answer": answer})


def truth(sandbox: Sandbox) -> Histories:
    """Return the history of everybody who is there and has one."""
    lines = sandbox.truth("/_control/atz_crm/truth")
    return {line["slug"]: in_order(line["history"]) for line in lines if line["history"]}


def delivered(*runs: Run) -> Histories:
    """Return what a warehouse holds: by upsert, and of each candidate what was read last."""
    table: dict[str, dict[str, Any]] = {}
    for run in runs:
        for row in run.records(STREAM):
            table[row["id"]] = row
    by_slug: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in table.values():
        by_slug[row["candidate_slug"]].append(row)
    histories = {}
    for slug, rows in by_slug.items():
        newest = max(row["read_at"] for row in rows)
        histories[slug] = in_order(
            [
                {name: value for name, value in row.items() if name not in OURS}
                for row in rows
                if row["read_at"] == newest
            ]
        )
    return histories


def in_order(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: json.dumps(row, sort_keys=True))


def pages(sandbox: Sandbox) -> list[int]:
    """Return the pages of the list that were asked for."""
    return [int(call["query"]["page"]) for call in sandbox.log("atz_crm.candidates")]
