"""Talemetry in tests: the source configured for a sandbox."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from integration_tests.sandbox.running import Sandbox
from integration_tests.support.connector import Connector, Run

PEOPLE = 300
"""How many most tests of `profiles` have."""

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


def read(connector: Connector, after: Run | None = None, **options: Any) -> Run:
    """Read with the console script, from the last state of an earlier run."""
    return connector.read("profiles", **_state_of(after), **options)


def read_quickly(connector: Connector, after: Run | None = None) -> Run:
    """Read with a clock that passes every wait at once."""
    return connector.read_quickly("profiles", **_state_of(after))


def _state_of(after: Run | None) -> dict[str, Any]:
    return {} if after is None else {"state": after.of("STATE")[-1:]}


def change(sandbox: Sandbox, **wish: Any) -> dict[str, list[str]]:
    """Add, change and delete people; return their ids."""
    changed: dict[str, list[str]] = sandbox.control("/_control/talemetry/change", wish)
    return changed


def settings(sandbox: Sandbox, **wish: Any) -> None:
    """Set what the facts leave open."""
    sandbox.control("/_control/talemetry/settings", wish)


def mark(sandbox: Sandbox, ids: list[str], what: str | None) -> None:
    """Make the vendor treat some ids in a special way."""
    sandbox.control("/_control/talemetry/mark", {"ids": ids, "mark": what})


def asked(sandbox: Sandbox, endpoint: str) -> list[dict[str, Any]]:
    """Return the accepted bodies, oldest first."""
    bodies = sandbox.look("/_control/talemetry/asked")
    return [each["body"] for each in bodies if each["endpoint"] == f"talemetry.{endpoint}"]


def forget(sandbox: Sandbox) -> None:
    """Forget all calls so far."""
    sandbox.reset_log()
    sandbox._call("DELETE", "/_control/talemetry/asked")  # noqa: SLF001 - its other methods do not delete


def total(sandbox: Sandbox, endpoint: str) -> int:
    """Return how many calls came to an endpoint, whatever became of them."""
    return sandbox.counts().get(f"talemetry.{endpoint}", {}).get("total", 0)


def ranges(sandbox: Sandbox) -> list[tuple[str, str, str]]:
    """Return event, From and To of each listing, in order."""
    found = [body["DateTimeRange"] for body in asked(sandbox, "ids")]
    return [(each["Event"], each["From"], each["To"]) for each in found]


def moment(text: str) -> datetime:
    """Return a time as the vendor's requests have it."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


def ago(sandbox: Sandbox, seconds: float) -> str:
    """Return a time in the past of the sandbox."""
    return f"{sandbox.now() - timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%SZ}"
