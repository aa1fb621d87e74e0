"""The manifest for Airbyte Cloud in tests: run by the CDK's own runner against a sandbox."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from integration_tests.sandbox.running import Sandbox
from integration_tests.support.connector import Connector, Run
from integration_tests.support.kombo import integrations
from tools.manifest.document import FILE

RUNNER = Path(sys.executable).with_name("source-declarative-manifest")


@dataclass
class ManifestConnector(Connector):
    """The manifest with one configuration."""

    program: Sequence[str | Path] = (RUNNER,)

    def command(self, verb: str, **options: Any) -> list[str]:
        """The arguments of a run."""
        return [*super().command(verb, **options), "--manifest-path", str(FILE)]


def configuration(sandbox: Sandbox) -> dict[str, Any]:
    """Return a configuration of the manifest, which is one of `source-ats`, too."""
    sandbox.control("/_control/atz_crm/settings", {"rate_limit": None})
    return {
        "start_date": "2000-01-01T00:00:00Z",
        "kombo": {
            "api_key": "ks_dev_sandbox",
            "integration_ids": integrations(sandbox),
            "base_url": f"{sandbox.url}/kombo/v1",
        },
        "talemetry": {
            "credentials": {"auth_type": "token", "token": "TGC-sandbox"},
            "window_days": 3650,
            "ids_base_url": f"{sandbox.url}/talemetry",
            "profiles_base_url": f"{sandbox.url}/talemetry",
        },
        "atz_crm": {
            "access_token": "atz-sandbox",
            "requests_per_minute": 6000,
            "base_url": f"{sandbox.url}/atz_crm/v1",
        },
    }


def last_states(run: Run) -> list[dict[str, Any]]:
    """Return the last STATE of each stream, as the platform keeps them."""
    by_stream = {state["stream"]["stream_descriptor"]["name"]: state for state in run.of("STATE")}
    return list(by_stream.values())
