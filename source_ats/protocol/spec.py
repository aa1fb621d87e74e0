"""What the configurations of both connectors share: kinds of fields, and Airbyte's form.

The models are the one place for a setting; the form that `spec` shows is made from them.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, TypeVar, get_args
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
)
from pydantic.fields import FieldInfo

from source_ats.errors import ConfigError
from source_ats.plural import counted

MOST_UNKNOWN_KEYS = 10
"""So many are warned of one by one."""

_PLACEHOLDER = re.compile(
    r".*(\.\.\.|\u2026)|<.*>|\$\{.*\}|\{\{.*\}\}"
    r"|your[-_ ].*(id|key|name|password|secret|slug|token|uid|url)"
    r"|(enter|insert|paste)[-_ ].*(here|key|token)"
    r"|(change|fill|replace)[-_ ]?(in|it|me|this)|placeholder|todo|xxx+",
    re.IGNORECASE | re.DOTALL,
)
"""What documentation and templates put where a value belongs."""


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


def _without_blanks(values: Any) -> Any:
    if not isinstance(values, list):
        return values
    return [each for each in values if not isinstance(each, str) or each.strip()]


EACH_ONCE = (
    BeforeValidator(_without_blanks),
    AfterValidator(lambda values: list(dict.fromkeys(values))),
)
"""For a list of texts that people paste: without blank entries and repetitions."""


class Section(BaseModel):
    """A group of settings. `validated` warns of unknown keys."""

    model_config = ConfigDict(extra="ignore", frozen=True, str_strip_whitespace=True)
    limits: ClassVar[tuple[str, ...]] = ()
    """The fields that hold for all requests with one token together."""


S = TypeVar("S", bound=Section)

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


def validated(model: type[S], given: Mapping[str, Any]) -> tuple[S, list[str]]:
    """Return a configuration and warnings of keys that are unknown, at every depth.

    Raises `ConfigError` with one sentence for each wrong field: its name, what is wrong, and what
    the field is. No value is shown.
    """
    unknown = []
    placeholders = {}
    for entry in _entries(model, given):
        if entry.field is None:
            unknown.append(entry)
        elif isinstance(entry.value, str) and _PLACEHOLDER.fullmatch(entry.value.strip()):
            placeholders[entry.path] = entry.field.description
    parsed: S | None = None
    mistakes = {}
    try:
        parsed = model.model_validate(given)
    except ValidationError as error:
        mistakes = _mistakes(model, error)
    for path, description in placeholders.items():
        mistakes[path] = _sentence(path, "still holds a placeholder", description)
    if parsed is None or placeholders:
        # What is in a wrong place was no field's value.
        wrong = tuple(f"{path}{mark}" for path in mistakes for mark in ".[")
        unknown = [each for each in unknown if not each.path.startswith(wrong)]
        sentences = ["The configuration is not usable.", *mistakes.values(), *_warnings(unknown)]
        raise ConfigError(" ".join(sentences))
    return parsed, _warnings(unknown)


@dataclass(frozen=True, slots=True)
class _Entry:
    """One key of a configuration, or one element of a list."""

    path: str
    value: object
    field: FieldInfo | None
    """None: no field has this name."""
    nearest: str | None = None
    """The field whose name is nearest to an unknown one."""


def _entries(model: type[Section], given: Mapping[str, Any], path: str = "") -> Iterator[_Entry]:
    """Yield all that a configuration holds, at every depth; keys with `__` are the platform's."""
    for name, value in given.items():
        here = f"{path}.{name}" if path else name
        field = model.model_fields.get(name)
        if field is not None:
            yield from _entries_of_field(field, value, here)
        elif not name.startswith("__"):
            nearest = difflib.get_close_matches(name, model.model_fields, n=1)
            yield _Entry(here, value, None, *nearest)


def _entries_of_field(field: FieldInfo, value: object, path: str) -> Iterator[_Entry]:
    yield _Entry(path, value, field)
    if isinstance(value, list):
        for number, element in enumerate(value):
            yield from _entries_of_field(field, element, f"{path}[{number}]")
    elif isinstance(value, Mapping):
        model = _section_of(field, value)
        if model is not None:
            yield from _entries(model, value, path)


def _section_of(field: FieldInfo, given: Mapping[str, Any]) -> type[Section] | None:
    """Return the model of a nested object; None if there is none, or its kind is not known."""
    models = _sections(field.annotation)
    if isinstance(field.discriminator, str):
        kind = given.get(field.discriminator)
        return next((each for each in models if kind == _kind(each, field.discriminator)), None)
    return models[0] if models else None


def _sections(annotation: object) -> list[type[Section]]:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return [annotation]
    return [each for part in get_args(annotation) for each in _sections(part)]


def _kind(model: type[Section], discriminator: str) -> str:
    (kind,) = get_args(model.model_fields[discriminator].annotation)
    return str(kind)


def _mistakes(model: type[Section], error: ValidationError) -> dict[str, str]:
    """Return a sentence for each wrong field, by its path."""
    mistakes: dict[str, str] = {}
    for each in error.errors(include_input=False, include_url=False):
        path, field = _place(model, each["loc"])
        what = each["msg"].removeprefix("Value error, ")
        match each["type"]:
            case "missing":
                what = "is required"
            case "model_type" | "model_attributes_type":
                # The library's text names a class.
                what = "must be an object, with keys and values"
            case "union_tag_invalid" | "union_tag_not_found":
                # The library's text shows the value.
                context = each["ctx"]
                kind = str(context["discriminator"]).strip("'")
                path = f"{path}.{kind}"
                kinds = [_kind(model, kind) for model in _sections(field and field.annotation)]
                what = f"must be one of {', '.join(kinds)}"
        mistakes.setdefault(path, _sentence(path, what, field and field.description))
    return mistakes


def _place(model: type[Section], location: Sequence[int | str]) -> tuple[str, FieldInfo | None]:
    """Return where a mistake is, in keys that the user wrote, and the innermost field there.

    The library's location also names the kind of a nested object.
    """
    path = ""
    inner: type[Section] | None = model
    field = None
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        elif inner is not None and part in inner.model_fields:
            path = f"{path}.{part}" if path else part
            field = inner.model_fields[part]
            models = _sections(field.annotation)
            inner = models[0] if len(models) == 1 else None
        elif field is not None and isinstance(field.discriminator, str):
            inner = _section_of(field, {field.discriminator: part})
    return path, field


def _sentence(path: str, what: str, description: str | None) -> str:
    return f"{path}: {what[:1].lower()}{what[1:]}. {description or ''}".strip()


def _warnings(unknown: Sequence[_Entry]) -> list[str]:
    """Return a sentence for each unknown key, up to the first ten."""
    warnings = []
    for each in unknown[:MOST_UNKNOWN_KEYS]:
        advice = "" if each.nearest is None else f" Did you mean {each.nearest}?"
        warnings.append(f"The configuration key {each.path} is unknown and ignored.{advice}")
    if len(unknown) > MOST_UNKNOWN_KEYS:
        number = len(unknown) - MOST_UNKNOWN_KEYS
        more = counted(number, "more configuration key is", "more configuration keys are")
        warnings.append(f"{more} unknown and ignored.")
    return warnings
