"""Talemetry in tests: the source configured for a sandbox."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from integration_tests.sandbox.running import Sandbox
from integration_tests.support.connector import Connector, Run

GONE = "gone"
Table = dict[str, Any]


def talemetry_connector(sandbox: Sandbox, folder: Path, **talemetry: Any) -> Connector:
    """Return the source, configured for a sandbox."""
    section = {
        "credentials": {"auth_type": "token", "token": "TGC-sandbox"},
        "ids_base_url": f"{sandbox.url}/talemetry",
        "profiles_base_url": f"{sandbox.url}/talemetry",
        **talemetry,
    }
    return Connector(folder, {"talemetry": section, "lookback_minutes": 0})


def table(*runs: Run) -> Table:
    """Return who a warehouse holds, and in which version, after merging rows by key and cursor."""
    rows: dict[str, dict[str, Any]] = {}
    for run in runs:
        for row in run.records("profiles"):
            if row["as_of"] >= rows.get(row["id"], row)["as_of"]:
                rows[row["id"]] = row
    return {key: GONE if row["is_deleted"] else version(row) for key, row in rows.items()}


def truth(sandbox: Sandbox, *known: str) -> Table:
    """Return who there is now, and of those who are deleted only the ones known before."""
    everybody = {
        each["id"]: GONE if each["deleted"] else each["version"]
        for each in sandbox.truth("/_control/talemetry/truth")
    }
    return {key: is_now for key, is_now in everybody.items() if is_now != GONE or key in known}


def version(row: dict[str, Any]) -> int:
    """Return the version of a person that a record shows."""
    (field,) = [each for each in row["custom_data"] if each["name"] == "sandbox_version"]
    return int(field["value"])
