"""A tap of the Singer SDK that sends what an Airbyte source printed, as Meltano's wrapper does.

Run in the environment of `scripts/environment clients`, with the files of a catalog and of the
messages; prints Singer messages.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from singer_sdk import Stream, Tap
from singer_sdk import typing as th


class PrintedStream(Stream):
    """One stream of the catalog, with the rows that were printed."""

    rows: list[dict[str, Any]]

    def get_records(self, context: object) -> Iterable[dict[str, Any]]:  # noqa: ARG002 - the SDK's
        """Yield the rows, in their order."""
        yield from self.rows


class PrintedTap(Tap):
    """All streams of the catalog."""

    name = "tap-printed"
    config_jsonschema = th.PropertiesList(
        th.Property("catalog", th.StringType), th.Property("messages", th.StringType)
    ).to_dict()

    def discover_streams(self) -> list[PrintedStream]:
        """Return a stream for each entry of the catalog."""
        rows: dict[str, list[dict[str, Any]]] = {}
        for line in Path(self.config["messages"]).read_text().split("\n")[:-1]:
            message = json.loads(line)
            if message["type"] == "RECORD":
                record = message["record"]
                rows.setdefault(record["stream"], []).append(record["data"])
        found = []
        for entry in json.loads(Path(self.config["catalog"]).read_text())["streams"]:
            declared = entry["stream"]
            stream = PrintedStream(self, schema=declared["json_schema"], name=declared["name"])
            stream.primary_keys = [key for (key,) in declared["source_defined_primary_key"]]
            stream.rows = rows.get(declared["name"], [])
            found.append(stream)
        return found


if __name__ == "__main__":
    catalog, messages = sys.argv[1:]
    PrintedTap(config={"catalog": catalog, "messages": messages}).sync_all()
