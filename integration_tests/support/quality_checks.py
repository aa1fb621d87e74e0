"""Runs Airbyte's own checks of connectors, offline, and prints their results as JSON.

Started with the Python of `scripts/environment quality`, in a folder that is laid out as Airbyte's
repository; its arguments are the connectors' names.
"""

from __future__ import annotations

import contextlib
import functools
import json
import sys

import yaml
from airbyte_ops_mcp.connector_ops import utils
from airbyte_ops_mcp.connector_qa.checks import ENABLED_CHECKS, metadata, version

ASKS_THE_NETWORK = "CheckDocumentationLinks"


def offline() -> None:
    """Answer what the checks would ask the network for as it is for a connector of one's own."""
    # In neither of Airbyte's registries, ...
    utils.download_catalog = lambda _: {"sources": [], "destinations": []}
    # ... not in its repository, ...
    version.CheckVersionIncrement._get_master_metadata = lambda *_: None  # noqa: SLF001
    # ... and not on Docker Hub.
    metadata.ValidatorOptions = functools.partial(
        metadata.ValidatorOptions, disable_dockerhub_checks=True
    )


def results(name: str) -> dict[str, tuple[str, str]]:
    """Return how each check ended for a connector, and what it said."""
    connector = utils.Connector(name)
    found = {}
    for check in ENABLED_CHECKS:
        check_name = type(check).__name__
        if check_name != ASKS_THE_NETWORK:
            result = check.run(connector)
            found[check_name] = (result.status.name, result.message)
    return found


if __name__ == "__main__":
    offline()
    # They read the same file some hundred times; in C that takes a tenth of the time.
    yaml.safe_load = functools.partial(yaml.load, Loader=yaml.CSafeLoader)
    with contextlib.redirect_stdout(sys.stderr):  # the validators tell what they do
        found = {name: results(name) for name in sys.argv[1:]}
    json.dump(found, sys.stdout)
