"""What the configurations of both connectors share: kinds of fields, and Airbyte's form.

The models are the one place for a setting; the form that `spec` shows is made from them.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
)

from source_ats.errors import ConfigError

Location = tuple[int | str, ...]
"""Where a field stands, as pydantic names it."""


def _checked_url(url: str) -> str:
    no_url = "must be a whole URL such as https://api.example.com/v1"
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        # The library's text shows the value.
        raise ValueError(no_url) from None
    if not parts.hostname or ".." in parts.hostname or parts.scheme not in {"https", "http"}:
        raise ValueError(no_url)
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("must be a plain URL, without user, query or fragment")
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        raise ValueError(
            "must begin with https://, so that the credentials cannot be read on the way"
        )
    return url.rstrip("/")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _checked_secret(secret: str) -> str:
    # It travels in a header: a line break or a letter outside ASCII is a slip of copying.
    if not secret.isascii() or not secret.isprintable() or " " in secret:
        raise ValueError("holds a character that no key has; copy it again, without spaces")
    return secret


def _moment(value: object) -> datetime:
    if not isinstance(value, str):
        raise ValueError("must be a date and time such as 2025-01-01T00:00:00Z")
    try:
        moment = datetime.fromisoformat(value.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("must be a date and time such as 2025-01-01T00:00:00Z") from None


Moment = Annotated[
    datetime,
    BeforeValidator(_moment),
    Field(
        json_schema_extra={
            "pattern": (
                r"^[0-9]{4}-[0-9]{2}-[0-9]{2}"
                r"(T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2}))?$"
            ),
            "pattern_descriptor": "YYYY-MM-DDTHH:mm:ssZ",
        }
    ),
]
BaseUrl = Annotated[
    str,
    AfterValidator(_checked_url),
    Field(
        json_schema_extra={"pattern": r"^https?://.+$", "pattern_descriptor": "https://..."},
    ),
]
Secret = Annotated[
    str,
    Field(min_length=1, json_schema_extra={"airbyte_secret": True}),
    AfterValidator(_checked_secret),
]


class Section(BaseModel):
    """A group of settings. Unknown keys are left to `unknown_keys` to be warned of."""

    model_config = ConfigDict(extra="ignore", frozen=True, str_strip_whitespace=True)


ALWAYS_SHOW: dict[str, Any] = {"always_show": True}
"""For an optional field that most users need: the form hides the others under a click."""


@dataclass(frozen=True, slots=True)
class Group:
    """A titled card of Airbyte's form, and the top-level fields on it.

    The form shows a nested object without its own title and description, so only its card tells
    the user which system a field belongs to.
    """

    id: str
    title: str
    fields: Sequence[str]


def connection_specification(model: type[BaseModel], groups: Sequence[Group]) -> dict[str, Any]:
    """Return a model's JSON schema in the dialect that Airbyte's form understands.

    No `$ref`, no `anyOf`, no `null`: the form knows optional fields by their absence. Fields keep
    the order of the model. Each top-level field is on the card of its group.
    """
    schema = model.model_json_schema()
    plain = _plain(schema, schema.pop("$defs", {}))
    del plain["description"]
    for group in groups:
        for name in group.fields:
            plain["properties"][name]["group"] = group.id
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        **plain,
        "groups": [{"id": group.id, "title": group.title} for group in groups],
    }


def show_instead_of_require(schema: dict[str, Any]) -> None:
    """Make nothing in an optional section required, but show what the user has to fill in.

    The form submits defaults for a section that the user left alone; the platform would then miss
    the required fields of that section. What is missing is said by our own parsing.
    """
    for name in schema.pop("required", ()):
        field = schema["properties"][name]
        field["always_show"] = True
        for choice in field.get("oneOf", ()):
            required = choice["required"]
            choice["required"] = [each for each in required if each.endswith("_type")]
            for each in required:
                choice["properties"][each]["always_show"] = True


def _plain(schema: dict[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    if "$ref" in schema:
        target = definitions[schema["$ref"].rsplit("/", 1)[-1]]
        return _plain({**target, **{k: v for k, v in schema.items() if k != "$ref"}}, definitions)
    if "anyOf" in schema:
        (only,) = (each for each in schema["anyOf"] if each != {"type": "null"})
        rest = {k: v for k, v in schema.items() if k not in {"anyOf", "default"}}
        return _plain({**only, **rest}, definitions)
    plain = {key: value for key, value in schema.items() if key != "discriminator"}
    if "properties" in plain:
        plain["type"] = "object"
        plain["additionalProperties"] = True
        plain["properties"] = {
            name: {**_plain(each, definitions), "order": number}
            for number, (name, each) in enumerate(plain["properties"].items())
        }
    if "items" in plain:
        plain["items"] = _plain(plain["items"], definitions)
    if "oneOf" in plain:
        plain["type"] = "object"
        plain["oneOf"] = [_plain(each, definitions) for each in plain["oneOf"]]
    return plain


def without_nulls(value: Any) -> Any:
    """Return a configuration without `null`s at any depth: so the form sends an emptied field."""
    if isinstance(value, Mapping):
        return {key: without_nulls(each) for key, each in value.items() if each is not None}
    if isinstance(value, list):
        return [without_nulls(each) for each in value if each is not None]
    return value


def refusal(error: ValidationError, advice: Callable[[Location], str | None]) -> ConfigError:
    """Return one sentence for each wrong field: its name, what is wrong, and what it is.

    No value is shown. `advice` is the description of a field, which tells where to find its value.
    """
    sentences = []
    for each in error.errors(include_input=False, include_url=False, include_context=False):
        name = ".".join(str(part) for part in each["loc"])
        what = each["msg"].removeprefix("Value error, ")
        if each["type"] == "union_tag_invalid":
            # Its text shows the value.
            what = "is of a type that does not exist"
        sentences.append(
            f"{name}: {what[:1].lower()}{what[1:]}. {advice(each['loc']) or ''}".strip()
        )
    return ConfigError("The configuration is not usable. " + " ".join(sentences))


def warnings_of(unknown: Iterable[str]) -> list[str]:
    """Return a warning for each unknown key, but for those that the platform adds, with `__`."""
    return [
        f"The configuration key {name} is unknown and ignored."
        for name in unknown
        if not name.startswith("__")
    ]
