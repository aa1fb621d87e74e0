"""Writes the keys of both configurations into `docs/configuration.md`, from the models.

`scripts/docs` does it; a test says when the page is out of date.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from destination_comeet import config as destination
from integration_tests.sandbox.running import PROJECT
from source_ats import config as source
from source_ats.protocol.spec import connection_specification

PAGE = PROJECT / "docs" / "configuration.md"
BEGIN = "<!-- Keys: written by scripts/docs. -->\n"
END = "<!-- End of keys. -->\n"

TYPES = {"integer": "whole number", "number": "number", "boolean": "true or false"}
Schema = Mapping[str, Any]


def written() -> str:
    """Return the text of the page with its keys up to date."""
    before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{''.join(_content())}{END}{after}"


def _content() -> Iterator[str]:
    yield "## Keys of `source-ats`\n\n"
    yield "At least one of the four vendors' sections is needed.\n\n"
    yield from _cards(connection_specification(source.SourceConfig, source.GROUPS))
    yield "## Keys of `destination-comeet`\n\n"
    yield from _cards(connection_specification(destination.DestinationConfig, destination.GROUPS))


def _cards(schema: Schema) -> Iterator[str]:
    """Yield a heading and the keys of each card of the form, in the order of the form."""
    for group in schema["groups"]:
        yield f"### {group['title']}\n\n"
        for name, field in schema["properties"].items():
            if field["group"] == group["id"]:
                yield from _key(name, field, required=name in schema.get("required", ()))
        yield "\n"


def _key(name: str, field: Schema, *, required: bool) -> Iterator[str]:
    yield f"- `{name}` ({', '.join(_facts(field, required=required))}): {field['description']}\n"
    if "properties" in field:
        yield from _keys(f"{name}.", field)
    elif "oneOf" in field:
        for choice in field["oneOf"]:
            yield from _choice(name, choice)
    elif "properties" in field.get("items", {}):
        yield from _keys(f"{name}[].", field["items"])


def _keys(prefix: str, schema: Schema) -> Iterator[str]:
    for name, field in schema["properties"].items():
        if "const" not in field:
            yield from _key(f"{prefix}{name}", field, required=name in schema.get("required", ()))


def _choice(name: str, choice: Schema) -> Iterator[str]:
    ((kind, constant),) = (
        (key, field["const"]) for key, field in choice["properties"].items() if "const" in field
    )
    yield f"  - With `{kind}: {constant}`: {choice['description']}\n"
    yield from (f"    {line}" for line in _keys(f"{name}.", choice))


def _facts(field: Schema, *, required: bool) -> Iterator[str]:
    yield _type(field)
    if field.get("airbyte_secret"):
        yield "secret"
    if required:
        yield "required"
    elif "default" in field and not isinstance(field["default"], Mapping):
        yield f"default {_shown(field['default'])}"
    if "examples" in field:
        yield f"such as {_shown(field['examples'][0])}"


def _type(field: Schema) -> str:
    if "enum" in field:
        return "one of " + ", ".join(f"`{each}`" for each in field["enum"])
    if "oneOf" in field:
        return "one of the kinds below"
    if field["type"] == "array":
        of = "sections" if "properties" in field["items"] else "texts"
        return f"list of {of}"
    if field["type"] == "object":
        return "section"
    if field.get("format") == "date-time":
        return "date and time"
    kind = TYPES.get(field["type"], "text")
    if "minimum" in field and "maximum" in field:
        return f"{kind} from {field['minimum']} to {field['maximum']}"
    return kind


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, list):
        return ", ".join(map(_shown, value)) or "none"
    return f"`{value}`"


def main() -> None:
    """Write the page."""
    PAGE.write_text(written(), "utf-8")


if __name__ == "__main__":
    main()
