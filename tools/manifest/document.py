"""The manifest as a whole."""

from __future__ import annotations

from copy import deepcopy
from importlib.metadata import version
from typing import Any

import yaml

from integration_tests.sandbox.running import PROJECT
from source_ats import config
from tools.manifest import atz_crm, kombo, talemetry
from tools.manifest.components import Component, definition

FILE = PROJECT / "manifests" / "source-ats-lite.yaml"
VENDORS = (kombo, talemetry, atz_crm)
COMMON = ("start_date", "lookback_minutes")
_HEADER = """\
# Three streams of source-ats for Airbyte Cloud, which runs manifests and no custom images.
# docs/cloud.md says how to use it and what it does not do. Written by scripts/docs.
"""


def manifest() -> Component:
    """Return the manifest."""
    streams = {vendor: [definition(name) for name in vendor.STREAMS] for vendor in VENDORS}
    return {
        "version": version("airbyte-cdk"),
        "type": "DeclarativeSource",
        # It takes the first streams of those that are configured; `CheckStream` takes names, and
        # fails for the streams of a system that is not used.
        "check": {
            "type": "CheckDynamicStream",
            "stream_count": sum(len(each) for each in streams.values()),
        },
        "concurrency_level": _concurrency(),
        "api_budget": atz_crm.BUDGET,
        "definitions": {
            name: each for vendor in VENDORS for name, each in vendor.definitions().items()
        },
        "streams": [
            {
                "type": "ConditionalStreams",
                "condition": "{{ config.get('" + vendor.SECTION + "') }}",
                "streams": references,
            }
            for vendor, references in streams.items()
        ],
        "schemas": {name: each for vendor in VENDORS for name, each in vendor.SCHEMAS.items()},
        "spec": {
            "type": "Spec",
            "documentation_url": config.DOCUMENTATION_URL,
            "connection_specification": _connection_specification(),
        },
    }


def _concurrency() -> Component:
    """Return how many requests may be in flight: there is one number for all vendors."""
    form = config.spec()["connectionSpecification"]["properties"]
    fields = {
        vendor.SECTION: form[vendor.SECTION]["properties"]["concurrent_requests"]
        for vendor in VENDORS
    }
    numbers = [
        f"config.get('{section}', {{}}).get('concurrent_requests', {field['default']})"
        for section, field in fields.items()
    ]
    return {
        "type": "ConcurrencyLevel",
        "default_concurrency": "{{ max(" + ", ".join(numbers) + ") }}",
        "max_concurrency": max(field["maximum"] for field in fields.values()),
    }


def written() -> str:
    """Return the text of the file."""
    text = yaml.dump(
        deepcopy(manifest()), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100
    )
    return _HEADER + text


def _connection_specification() -> dict[str, Any]:
    """Return the form of `source-ats` with the fields that the manifest knows."""
    schema: dict[str, Any] = deepcopy(config.spec()["connectionSpecification"])
    sections = {vendor.SECTION: vendor.FIELDS for vendor in VENDORS}
    schema["properties"] = {
        name: each
        for name, each in schema["properties"].items()
        if name in COMMON or name in sections
    }
    for name, fields in sections.items():
        section = schema["properties"][name]
        section["properties"] = {field: section["properties"][field] for field in fields}
    groups = {each["group"] for each in schema["properties"].values()}
    schema["groups"] = [each for each in schema["groups"] if each["id"] in groups]
    schema["required"] = ["start_date"]
    return schema


class _Dumper(yaml.SafeDumper):
    """Writes long texts as blocks, and everything where it is used."""

    def ignore_aliases(self, data: Any) -> bool:
        del data
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else '"' if "'" in text and '"' not in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)
