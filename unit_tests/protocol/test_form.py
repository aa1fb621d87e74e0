"""Both specs, held to what Airbyte's own form does with them.

The form shows nested objects without their titles, puts fields on the card of their group, hides
what is neither required nor `always_show`, and preselects the first choice of a `oneOf`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from destination_comeet import config as destination_config
from source_ats import config as source_config

SPECS: dict[str, dict[str, Any]] = {
    "source": source_config.spec()["connectionSpecification"],
    "destination": destination_config.spec()["connectionSpecification"],
}
CARDS = {
    "source": ["Kombo", "Talemetry (Jobvite CRM)", "ATZ CRM", "Comeet (Spark Hire Recruit)"],
    "destination": ["Comeet", "Streams", "Ledger", "Rejected records"],
}

each_spec = pytest.mark.parametrize("connector", SPECS)


@dataclass(frozen=True, slots=True)
class Field:
    """One field that the form shows."""

    path: tuple[str, ...]
    scope: tuple[str, ...]
    """The lists of objects and the choices around it: each is shown by itself."""
    schema: Mapping[str, Any]
    is_shown: bool


def fields(
    schema: Mapping[str, Any], path: tuple[str, ...] = (), scope: tuple[str, ...] = ()
) -> Iterator[Field]:
    """Yield the fields of an object, nested ones and those of each choice included."""
    for name, each in schema.get("properties", {}).items():
        here = (*path, name)
        is_shown = name in schema.get("required", ()) or each.get("always_show") is True
        if each["type"] == "object":
            yield from fields(each, here, scope)
            for choice in each.get("oneOf", ()):
                yield from fields(choice, here, (*scope, choice["title"]))
            if "oneOf" not in each:
                continue
        yield Field(here, scope, each, is_shown)
        if each["type"] == "array" and "properties" in each["items"]:
            yield from fields(each["items"], here, (*scope, name))


def nodes(schema: object) -> Iterator[Mapping[str, Any]]:
    if isinstance(schema, Mapping):
        yield schema
        for each in schema.values():
            yield from nodes(each)
    elif isinstance(schema, list):
        for each in schema:
            yield from nodes(each)


@each_spec
def test_every_top_level_field_is_on_a_titled_card(connector: str) -> None:
    spec = SPECS[connector]
    cards = {group["id"]: group["title"] for group in spec["groups"]}
    assert [title for title in cards.values() if title in CARDS[connector]] == CARDS[connector]
    used = {each["group"] for each in spec["properties"].values()}
    assert used == cards.keys()


@each_spec
def test_titles_are_unique_on_a_card(connector: str) -> None:
    """Two fields "API key" on one card could not be told apart."""
    seen = Counter(
        (SPECS[connector]["properties"][field.path[0]]["group"], field.scope, title)
        for field in fields(SPECS[connector])
        if (title := field.schema.get("title")) is not None
    )
    assert [each for each, times in seen.items() if times > 1] == []


@each_spec
def test_no_credential_is_hidden(connector: str) -> None:
    secrets = [field for field in fields(SPECS[connector]) if field.schema.get("airbyte_secret")]
    assert secrets
    assert [".".join(field.path) for field in secrets if not field.is_shown] == []


@pytest.mark.parametrize(
    ("connector", "path"),
    [
        ("source", ("kombo", "region")),
        ("source", ("kombo", "integration_ids")),
        ("source", ("talemetry", "credentials", "token")),
        ("destination", ("streams", "positions")),
        ("destination", ("streams", "position_uid")),
        ("destination", ("ledger", "url")),
    ],
)
def test_fields_that_most_users_need_are_shown(connector: str, path: tuple[str, ...]) -> None:
    (field,) = (each for each in fields(SPECS[connector]) if each.path == path)
    assert field.is_shown


@each_spec
def test_the_spec_uses_nothing_that_the_form_cannot_show(connector: str) -> None:
    for node in nodes(SPECS[connector]):
        assert not {"anyOf", "allOf", "$ref", "$defs"} & node.keys()
        if node.get("type") == "object":
            assert "properties" in node or "oneOf" in node, node
        if node.get("type") == "array":
            assert node["items"]["type"] in {"string", "object"}


@each_spec
def test_every_field_is_explained(connector: str) -> None:
    for field in fields(SPECS[connector]):
        if field.path[-1].endswith("_type"):
            continue
        assert field.schema["title"], field.path
        description = field.schema["description"]
        assert description[0].isupper() or description.startswith("postgresql://"), field.path
        assert description.endswith("."), field.path


def test_postgresql_is_the_preselected_ledger() -> None:
    assert SPECS["destination"]["properties"]["ledger"]["oneOf"][0]["title"].startswith("Postgre")


def test_a_section_left_alone_requires_nothing() -> None:
    for section in source_config.SECTIONS:
        for node in nodes(SPECS["source"]["properties"][section]):
            assert all(name.endswith("_type") for name in node.get("required", ()))
