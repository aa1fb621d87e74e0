"""What earlier versions accepted and showed, today's accepts and shows, with the same meaning.

A change that one of these tests finds breaks somebody's connection. It needs a section in
docs/upgrading.md and an entry in `releases.breakingChanges`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from unit_tests.protocol import saved_interfaces

SAVED = saved_interfaces.files()
CONNECTORS = ("source", "destination")

ANYTHING = {"null", "string", "number", "boolean", "object", "array"}
LOWER_BOUNDS = {"minimum", "minLength", "minItems"}
UPPER_BOUNDS = {"maximum", "maxLength", "maxItems"}
PARTS = {"properties", "required", "items", "oneOf"}


def breaks(before: Mapping[str, Any], now: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Yield what a schema no longer has or no longer accepts, or what has another type."""
    names = now.get("properties", {})
    for name, part in before.get("properties", {}).items():
        if name in names:
            yield from breaks(part, names[name], f"{path}.{name}")
        else:
            yield f"{path}.{name} is gone"
    for name in set(now.get("required", ())) - set(before.get("required", ())):
        yield f"{path}.{name} is required"
    if "items" in before:
        yield from breaks(before["items"], now.get("items", {}), f"{path}[]")
    options = {constants(each): each for each in now.get("oneOf", ())}
    for option in before.get("oneOf", ()):
        if constants(option) in options:
            yield from breaks(option, options[constants(option)], f"{path}{constants(option)}")
        else:
            yield f"{path}{constants(option)} is gone"
    for keyword in sorted((before.keys() | now.keys()) - PARTS):
        if is_tighter(keyword, before.get(keyword), now.get(keyword)):
            yield f"{path}: {keyword} was {before.get(keyword)} and is {now.get(keyword)}"


def constants(option: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what an option of a choice is told by, e.g. its `auth_type`."""
    return tuple(each["const"] for each in option["properties"].values() if "const" in each)


def is_tighter(keyword: str, before: Any, now: Any) -> bool:
    """True if a keyword accepts less than before, or means something else."""
    if keyword in LOWER_BOUNDS:
        return bool((-math.inf if now is None else now) > (-math.inf if before is None else before))
    if keyword in UPPER_BOUNDS:
        return bool((math.inf if now is None else now) < (math.inf if before is None else before))
    if keyword == "enum":
        return now is not None and (before is None or not {*before} <= {*now})
    if keyword == "type" and before is None:
        return {*now} != ANYTHING
    if keyword == "additionalProperties":
        return now is False and before is not False
    return bool(before != now)


every_version = pytest.mark.parametrize("version", SAVED)
every_connector = pytest.mark.parametrize("connector", CONNECTORS)


@every_version
@every_connector
def test_every_setting_is_still_accepted(version: str, connector: str) -> None:
    before = SAVED[version][connector]["form"]
    assert [*breaks(before, saved_interfaces.forms()[connector])] == []


@every_version
def test_every_stream_keeps_its_columns_types_and_keys(version: str) -> None:
    before = SAVED[version]["source"]
    now = saved_interfaces.streams(before["configurations"][0]["given"])
    assert before["streams"].keys() - now.keys() == set()
    for name, stream in before["streams"].items():
        assert [*breaks(stream["json_schema"], now[name]["json_schema"], name)] == []
        for key in stream.keys() - {"name", "json_schema"}:
            assert now[name][key] == stream[key], (name, key)


@pytest.mark.parametrize(
    ("connector", "saved"),
    [
        pytest.param(connector, saved, id=f"{version}-{connector}-{number}")
        for version, file in SAVED.items()
        for connector in CONNECTORS
        for number, saved in enumerate(file[connector]["configurations"])
    ],
)
def test_a_configuration_means_the_same(connector: str, saved: dict[str, Any]) -> None:
    """It is accepted without a warning. States stay valid, and people keep their keys."""
    now = saved_interfaces.meaning(connector, saved["given"])
    assert now["warnings"] == []
    assert among(now["settings"], saved["settings"]) == saved["settings"]
    if connector == "source":
        assert among(now["selections"], saved["selections"]) == saved["selections"]
    else:
        assert now["prefixes"] == saved["prefixes"]


def among(now: Any, before: Any) -> Any:
    """Return of today's settings those that there were before."""
    if isinstance(now, dict) and isinstance(before, dict):
        return {key: among(now[key], before[key]) for key in before if key in now}
    if isinstance(now, list) and isinstance(before, list) and len(now) == len(before):
        return [among(*pair) for pair in zip(now, before, strict=True)]
    return now


TEXT: dict[str, Any] = {"type": "string"}


@pytest.mark.parametrize(
    ("before", "now", "found"),
    [
        ({"properties": {"a": TEXT}}, {"properties": {}}, [".a is gone"]),
        (
            {"properties": {"a": TEXT}},
            {"properties": {"a": {"type": "array"}}},
            [".a: type was string and is array"],
        ),
        ({"properties": {"a": TEXT}}, {"properties": {"a": TEXT}, "required": ["a"]},
         [".a is required"]),
        ({"items": {"enum": ["a", "b"]}}, {"items": {"enum": ["a", "c"]}},
         ["[]: enum was ['a', 'b'] and is ['a', 'c']"]),
        ({"minimum": 1}, {"minimum": 2}, [": minimum was 1 and is 2"]),
        ({}, {"maximum": 2}, [": maximum was None and is 2"]),
        (TEXT, {**TEXT, "pattern": "^a$"}, [": pattern was None and is ^a$"]),
        ({"default": 1}, {"default": 2}, [": default was 1 and is 2"]),
        ({"oneOf": [{"properties": {"kind": {"const": "a"}}}]}, {"oneOf": []},
         ["('a',) is gone"]),
        ({"minimum": 2, "enum": ["a"]}, {"minimum": 1, "enum": ["a", "b"]}, []),
        ({}, {"type": sorted(ANYTHING), "properties": {}, "additionalProperties": True}, []),
    ],
)  # fmt: skip
def test_what_breaks_is_found(
    before: dict[str, Any], now: dict[str, Any], found: list[str]
) -> None:
    assert [*breaks(before, now)] == found
