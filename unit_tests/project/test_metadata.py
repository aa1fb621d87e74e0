"""metadata.yaml, from which Airbyte makes its registry: valid, and in step with the code."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

import jsonschema
import pytest
import yaml
from airbyte_connector_models.metadata.v0.connector_metadata_definition_v0 import (
    ConnectorMetadataDefinitionV0,
)

from destination_comeet import config as destination_config
from source_ats import commands, config
from source_ats.clock import SystemClock

PROJECT = Path(__file__).resolve().parents[2]
METADATA: dict[str, Any] = yaml.safe_load((PROJECT / "metadata.yaml").read_text())
DATA: dict[str, Any] = METADATA["data"]
DESTINATION: dict[str, Any] = yaml.safe_load(
    (PROJECT / "destination_comeet" / "metadata.yaml").read_text()
)


@pytest.mark.parametrize("metadata", [METADATA, DESTINATION], ids=["source", "destination"])
def test_airbytes_schema_holds(metadata: dict[str, Any]) -> None:
    folder = files("airbyte_connector_models") / "metadata" / "v0"
    schema = json.loads((folder / "ConnectorMetadataDefinitionV0.json").read_text())
    validator = jsonschema.Draft7Validator(
        without_ids(schema), format_checker=jsonschema.FormatChecker()
    )
    assert [f"{each.json_path}: {each.message}" for each in validator.iter_errors(metadata)] == []
    # Airbyte's own validator goes by this model.
    ConnectorMetadataDefinitionV0.model_validate(metadata)


def without_ids(schema: Any) -> Any:
    """Return a schema without the `$id`s of its parts, which lead its `#/` references astray."""
    if isinstance(schema, dict):
        return {key: without_ids(each) for key, each in schema.items() if key != "$id"}
    return [without_ids(each) for each in schema] if isinstance(schema, list) else schema


def test_the_package_has_its_version_from_here() -> None:
    setup = subprocess.run(
        [sys.executable, "setup.py", "--version"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert setup.stdout.split()[-1] == DATA["dockerImageTag"]
    assert version("airbyte-source-ats") == DATA["dockerImageTag"]
    # Airbyte reads each connector's own file, and one distribution holds both.
    assert DESTINATION["data"]["dockerImageTag"] == DATA["dockerImageTag"]


def test_the_changelog_and_the_documented_commands_name_the_version() -> None:
    (newest, *_) = re.findall(
        r"^## \[(\S+)\] - ", (PROJECT / "CHANGELOG.md").read_text(), re.MULTILINE
    )
    docs = "".join((PROJECT / "docs" / page).read_text() for page in ("docker.md", "airbyte.md"))
    images = re.findall(
        r"(?:/source-ats:|/destination-comeet:|VERSION=|image_tag += \"|image tag \| `)([\d.]*\d)",
        docs,
    )
    assert len(images) >= 14
    assert {newest, *images} == {DATA["dockerImageTag"]}


def test_all_hosts_that_are_called_are_allowed_and_no_others() -> None:
    defaults = {urlsplit(url).hostname for section in config.SECTIONS for url in base_urls(section)}
    form = config.spec()["connectionSpecification"]
    chosen = {f"${{{'.'.join(path)}}}" for path in fields(form) if path[-1].endswith("_url")}
    assert set(DATA["allowedHosts"]["hosts"]) == defaults | chosen


def test_the_destination_may_call_comeet_its_ledger_and_the_hosts_of_files() -> None:
    form = destination_config.spec()["connectionSpecification"]
    chosen = {f"${{{'.'.join(path)}}}" for path in fields(form) if path[-1].endswith("url")}
    assert "${ledger.url}" in chosen
    comeet = {urlsplit(url).hostname for url in base_urls("comeet")}
    file_hosts = set(form["properties"]["file_hosts"]["default"])
    assert file_hosts
    assert set(DESTINATION["data"]["allowedHosts"]["hosts"]) == comeet | chosen | file_hosts


def base_urls(section: str) -> Iterator[str]:
    """Yield the URLs that a vendor's package calls unless it is told another."""
    for name, value in vars(import_module(f"source_ats.vendors.{section}.requests")).items():
        if name.endswith("BASE_URL"):
            yield value
        elif name.endswith("BASE_URLS"):
            yield from value.values()


def fields(form: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """Yield the path of each field of a form."""
    for choice in form.get("oneOf", []):
        yield from fields(choice)
    for name, field in form.get("properties", {}).items():
        yield (name,)
        yield from ((name, *rest) for rest in fields(field))


def test_suggested_streams_exist() -> None:
    configuration = commands.configured(
        {
            "kombo": {"api_key": "made-up", "integration_ids": ["made-up"]},
            "talemetry": {"credentials": {"auth_type": "token", "token": "made-up"}},
            "atz_crm": {"access_token": "made-up"},
            "comeet": {"api_key": "made-up", "secret": "made-up"},
        }
    )
    catalog = commands.discover(configuration, SystemClock())
    suggested = DATA["suggestedStreams"]["streams"]
    assert set(suggested) <= {each["name"] for each in catalog["streams"]}
    # What Airbyte asks of a certified connector.
    assert 3 <= len(suggested) <= 10


def test_the_form_and_the_registry_name_the_same_documentation() -> None:
    assert config.spec()["documentationUrl"] == DATA["documentationUrl"]
    assert destination_config.spec()["documentationUrl"] == DESTINATION["data"]["documentationUrl"]


@pytest.mark.parametrize(
    "folder", [PROJECT, PROJECT / "destination_comeet"], ids=lambda it: it.name
)
def test_the_icon_is_there_and_square(folder: Path) -> None:
    icon = ET.parse(folder / "icon.svg").getroot()  # noqa: S314 - our own file
    assert icon.tag == "{http://www.w3.org/2000/svg}svg"
    left, top, width, height = map(float, icon.attrib["viewBox"].split())
    assert width == height == float(icon.attrib["width"]) == float(icon.attrib["height"])
    assert left == top == 0
