"""The source, configured for the vendors of a sandbox or for a scripted vendor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from integration_tests.support.connector import Connector


def section(vendor: str, url: str, **more: Any) -> dict[str, Any]:
    """Return one vendor's section for a server that has the sandbox's paths."""
    settings: dict[str, dict[str, Any]] = {
        "kombo": {
            "api_key": "ks_dev_sandbox",
            "integration_ids": ["greenhouse:one"],
            "base_url": f"{url}/kombo/v1",
        },
        "talemetry": {
            "credentials": {"auth_type": "token", "token": "TGC-sandbox"},
            "ids_base_url": f"{url}/talemetry",
            "profiles_base_url": f"{url}/talemetry",
            "concurrent_requests": 1,
        },
        "atz_crm": {
            "access_token": "atz-sandbox",
            "base_url": f"{url}/atz_crm/v1",
            "requests_per_minute": 6000,
            "min_hours_between_passes": 0,
            "concurrent_requests": 1,
        },
        "comeet": {
            "api_key": "comeet-key",
            "secret": "comeet-secret",
            "base_url": f"{url}/comeet",
        },
    }
    return {**settings[vendor], **more}


def source(folder: Path, **sections: Any) -> Connector:
    """Return the source with these sections and common settings."""
    return Connector(folder, {"lookback_minutes": 0, **sections})


def failure_types(run: Any, stream: str) -> list[str]:
    """Return how a stream failed; empty if it did not."""
    return [
        error["failure_type"]
        for error in run.errors()
        if (error.get("stream_descriptor") or {}).get("name") == stream
    ]
