"""What each version of the connectors shows and accepts, one file for each version.

A file holds the forms without their texts, the streams with their schemas, and configurations with
what that version made of them. It is never changed once its version is released.
`python -m unit_tests.protocol.saved_interfaces` writes the file of the version that is here, with
the configurations of the newest one; add configurations with the new keys there first.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from destination_comeet import config as destination_config
from source_ats import commands
from source_ats import config as source_config
from source_ats.clock import SystemClock
from source_ats.sync.state import selection_hash

FOLDER = Path(__file__).with_name("interfaces")
TEXTS = {
    *("title", "description", "examples", "pattern_descriptor"),
    *("order", "always_show", "group", "groups"),
}
"""What a form or a schema tells its reader, and how it is laid out."""


def files() -> dict[str, Any]:
    """Return what was saved, by version, the oldest first."""
    paths = sorted(FOLDER.glob("*.json"), key=lambda path: [*map(int, path.stem.split("."))])
    return {path.stem: json.loads(path.read_text("utf-8")) for path in paths}


def forms() -> dict[str, Any]:
    """Return the form of each connector."""
    return {
        "source": without_texts(source_config.spec()["connectionSpecification"]),
        "destination": without_texts(destination_config.spec()["connectionSpecification"]),
    }


def streams(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """Return the streams that the source offers with a configuration, by name."""
    catalog = commands.discover(commands.configured(configuration), SystemClock())
    return {each["name"]: without_texts(each) for each in catalog["streams"]}


def without_texts(part: Any, *, names: bool = False) -> Any:
    """Return a part of a schema without its texts. The keys of `properties` are names."""
    if isinstance(part, Mapping):
        return {
            key: without_texts(value, names=key == "properties" and not names)
            for key, value in part.items()
            if names or key not in TEXTS
        }
    return [without_texts(each) for each in part] if isinstance(part, list) else part


def meaning(connector: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what this version makes of a configuration.

    `selections` are those of the states of the streams, `prefixes` are those of the keys.
    """
    if connector == "destination":
        parsed = destination_config.parse(given)
        return {
            "settings": parsed.config.model_dump(mode="json"),
            "prefixes": {each.stream: each.prefix for each in parsed.config.streams},
            "warnings": parsed.warnings,
        }
    source = source_config.parse(given)
    return {
        "settings": source.config.model_dump(mode="json"),
        "selections": {
            name: selection_hash(commands.stream(source.config, name, SystemClock()).selection)
            for name in streams(given)
        },
        "warnings": source.warnings,
    }


def write() -> None:
    """Write the file of this version."""
    path = FOLDER / f"{version('airbyte-source-ats')}.json"
    newest = [*files().values()][-1]
    saved: dict[str, Any] = {
        connector: {
            "form": form,
            "configurations": [
                {"given": each["given"], **meaning(connector, each["given"])}
                for each in newest[connector]["configurations"]
            ],
        }
        for connector, form in forms().items()
    }
    saved["source"]["streams"] = streams(newest["source"]["configurations"][0]["given"])
    path.write_text(json.dumps(saved, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    write()
