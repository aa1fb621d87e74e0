"""Kombo in tests: the source configured for a sandbox, and what the sandbox holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from integration_tests.sandbox.running import Sandbox
from integration_tests.support.connector import Connector, Table


def kombo_connector(sandbox: Sandbox, folder: Path, **kombo: Any) -> Connector:
    """Return the source, configured for all Kombo integrations of a sandbox."""
    section = {
        "api_key": "ks_dev_sandbox",
        "integration_ids": integrations(sandbox),
        "base_url": f"{sandbox.url}/kombo/v1",
        **kombo,
    }
    return Connector(folder, {"kombo": section, "lookback_minutes": 0})


def integrations(sandbox: Sandbox) -> list[str]:
    """Return the ids of the sandbox's integrations, the largest first."""
    return [each["id"] for each in sandbox.look("/_control/kombo/integrations")]


def truth(sandbox: Sandbox, *only: str) -> Table:
    """Return all rows as they are now, by id, as the connector should deliver them."""
    return {
        row["id"]: {**row, "integration_id": integration_id}
        for integration_id in only or integrations(sandbox)
        for row in sandbox.truth("/_control/kombo/truth", integration_id=integration_id)
    }


def known(rows: Table) -> Table:
    """Return rows without what Kombo empties 14 days after a deletion, without a sign."""
    lasting = ("id", "integration_id", "changed_at", "remote_deleted_at")
    return {
        key: {name: row[name] for name in lasting} if row["remote_deleted_at"] else row
        for key, row in rows.items()
    }


def known_truth(sandbox: Sandbox, *only: str) -> Table:
    """Return what should be known of all rows now."""
    return known(truth(sandbox, *only))


def change(sandbox: Sandbox, **wish: Any) -> dict[str, list[str]]:
    """Add, change and delete candidates; return their ids."""
    changed: dict[str, list[str]] = sandbox.control("/_control/kombo/change", wish)
    return changed


def set_up(sandbox: Sandbox, integration_id: str, **wish: Any) -> None:
    """Change how the vendor treats an integration."""
    sandbox.control("/_control/kombo/integration", {"integration_id": integration_id, **wish})


def pages_of(size: int) -> int:
    """Return how many pages of 250 hold this many rows."""
    return -(-size // 250)
