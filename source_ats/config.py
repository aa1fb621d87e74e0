"""The configuration of the source: what users type. Airbyte's spec is generated from these models.

The common settings and one section per vendor. A vendor package gets its own section and
`ReadOptions`, never the whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import ConfigDict, Field
from pydantic.fields import FieldInfo

from source_ats.clock import rfc3339
from source_ats.errors import ConfigError
from source_ats.protocol import spec as forms
from source_ats.protocol.spec import ALWAYS_SHOW, EACH_ONCE, Moment, Section
from source_ats.vendors.atz_crm.config import AtzCrmConfig
from source_ats.vendors.comeet.config import ComeetConfig
from source_ats.vendors.kombo.config import KomboConfig
from source_ats.vendors.talemetry.config import TalemetryConfig

DOCUMENTATION_URL = "https://docs.airbyte.com/integrations/sources/ats"


class PrivacyConfig(Section):
    """Fields that are removed or hashed before anything leaves the connector."""

    drop: Annotated[list[str], *EACH_ONCE] = Field(
        [],
        title="Dropped fields",
        description=(
            "Paths of fields that are removed: stream.field, or *.field for every stream. Separate "
            "nested fields by dots; a path applies to every element of a list. A dot within a name "
            "is written \\."
        ),
        examples=["*.remote_data", "candidates.social_media.link"],
        json_schema_extra=ALWAYS_SHOW,
    )
    hash: Annotated[list[str], *EACH_ONCE] = Field(
        [],
        title="Hashed fields",
        description=(
            "Paths of fields whose values are replaced by an HMAC-SHA-256 with the hash key. Equal "
            "values have equal hashes, so the field can still be joined on."
        ),
        examples=["candidates.email_addresses.email_address"],
        json_schema_extra=ALWAYS_SHOW,
    )
    hash_key: Annotated[str, Field(min_length=1)] | None = Field(
        None,
        title="Hash key",
        description=(
            "A long random text, needed for hashed fields. Keep it: with another key the same "
            "value gets another hash."
        ),
        json_schema_extra={"airbyte_secret": True, **ALWAYS_SHOW},
    )


class SourceConfig(Section):
    """The configuration of `source-ats`."""

    model_config = ConfigDict(title="ATS Source Spec")

    start_date: Moment | None = Field(
        None,
        title="Start date",
        description=(
            "Nothing that changed before this moment is read. It may lie at most a day ahead of "
            "this machine's clock. Leave empty to read everything."
        ),
        examples=["2025-01-01T00:00:00Z"],
    )
    kombo: KomboConfig | None = Field(
        None,
        title="Kombo",
        description="Reads candidates and the kombo_ streams. Leave empty if you do not use Kombo.",
    )
    talemetry: TalemetryConfig | None = Field(
        None,
        title="Talemetry (Jobvite CRM)",
        description="Reads the stream profiles. Leave empty if you do not use Talemetry.",
    )
    atz_crm: AtzCrmConfig | None = Field(
        None,
        title="ATZ CRM",
        description=(
            "Reads candidate_history and the atz_ streams. Leave empty if you do not use ATZ CRM."
        ),
    )
    comeet: ComeetConfig | None = Field(
        None,
        title="Comeet (Spark Hire Recruit)",
        description=(
            "Reads the streams comeet_positions, comeet_candidates and comeet_deleted_candidates: "
            "all candidates of the shared positions, also those that destination-comeet wrote. "
            "Leave empty if you do not use Comeet."
        ),
    )
    privacy: PrivacyConfig | None = Field(
        None,
        title="Privacy",
        description="Removes or hashes fields before anything leaves the connector.",
    )
    lookback_minutes: int = Field(
        60,
        ge=0,
        le=10080,
        title="Lookback in minutes",
        description=(
            "Each incremental sync begins this much before its bookmark, for rows that become "
            "visible after their timestamp. Rows read twice are merged by primary key."
        ),
    )


SECTIONS: Mapping[str, type[Section]] = {
    "kombo": KomboConfig,
    "talemetry": TalemetryConfig,
    "atz_crm": AtzCrmConfig,
    "comeet": ComeetConfig,
}
"""The vendors' sections; at least one has to be filled in."""


_NESTED: Mapping[str, type[Section]] = {**SECTIONS, "privacy": PrivacyConfig}

GROUPS = (
    *(forms.Group(name, str(SourceConfig.model_fields[name].title), [name]) for name in SECTIONS),
    forms.Group("privacy", "Privacy", ["privacy"]),
    forms.Group("common", "All systems", ["start_date", "lookback_minutes"]),
)

START_AT_MOST_AHEAD = timedelta(days=1)
"""Clocks and time zones differ."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """A configuration that holds, and what the user should know of it."""

    config: SourceConfig
    warnings: list[str]


def spec() -> dict[str, Any]:
    """Return what `spec` prints: the form that Airbyte shows."""
    schema = forms.connection_specification(SourceConfig, GROUPS)
    for section in SECTIONS:
        forms.show_instead_of_require(schema["properties"][section])
    return {"documentationUrl": DOCUMENTATION_URL, "connectionSpecification": schema}


def parse(raw: Mapping[str, Any]) -> Parsed:
    """Return the configuration. Raises `ConfigError` that names each wrong field, without values.

    A `null` means that the field is not set, as Airbyte's form sends it, and a section that holds
    nothing but defaults counts as absent.
    """
    given = filled_in(raw)
    config, warnings = forms.validated(SourceConfig, given)
    if not any(getattr(config, name) for name in SECTIONS):
        message = (
            f"The configuration names no system to read. Fill in one of: {', '.join(SECTIONS)}."
        )
        raise ConfigError(" ".join([message, *warnings]))
    return Parsed(config, warnings)


def reject_future_start_date(config: SourceConfig, now: datetime) -> None:
    """Raise `ConfigError` if the start date lies more than a day ahead: nothing would be read.

    `now` is the machine's, for this is found out before the first request.
    """
    start = config.start_date
    if start is not None and start > now + START_AT_MOST_AHEAD:
        message = (
            f"start_date: {rfc3339(start)} lies in the future, so nothing would be read (this "
            f"machine's clock says {rfc3339(now)}). Correct it, or leave it empty to read "
            "everything."
        )
        raise ConfigError(message)


def limits(config: SourceConfig) -> list[int]:
    """Return the limits of all sections. A token can be shared by at most that many readers."""
    return [
        getattr(section, field)
        for section in _sections(config).values()
        for field in section.limits
    ]


def shared(config: SourceConfig, number: int, of: int) -> SourceConfig:
    """Return the configuration for one of several readers at once: with its share of the limits.

    The shares of all together are the limit.
    """
    sections = {
        name: section.model_copy(
            update={field: (getattr(section, field) + number) // of for field in section.limits}
        )
        for name, section in _sections(config).items()
    }
    return config.model_copy(update=sections)


def seconds_between_calls(config: SourceConfig) -> float:
    """Return how far apart the calls of a token are; 0 where they are not paced."""
    paces = [
        section.requests_per_minute
        for section in _sections(config).values()
        if "requests_per_minute" in type(section).model_fields
    ]
    return 60 / min(paces) if paces else 0.0


def _sections(config: SourceConfig) -> dict[str, Any]:
    """Return the vendors' sections that are filled in."""
    filled = {name: getattr(config, name) for name in SECTIONS}
    return {name: section for name, section in filled.items() if section is not None}


_PRESELECTED = {"auth_type": "token"}
"""The first kind of each choice, which Airbyte's form fills in."""


def filled_in(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the user filled in: without `null`s and without sections of mere defaults."""
    given: dict[str, Any] = forms.without_nulls(raw)
    return {
        name: value
        for name, value in given.items()
        if not (
            name in _NESTED
            and isinstance(value, Mapping)
            and _only_defaults(value, _NESTED[name].model_fields)
        )
    }


def _only_defaults(section: Mapping[str, Any], fields: Mapping[str, FieldInfo]) -> bool:
    """True if the form alone may have filled the section."""
    return all(
        _nothing(value) or (name in fields and value == fields[name].default)
        for name, value in section.items()
    )


def _nothing(value: object) -> bool:
    """True if a value is empty. So is a choice with nothing but the kind that the form selects."""
    if isinstance(value, Mapping):
        return all(_nothing(each) or _PRESELECTED.get(name) == each for name, each in value.items())
    return value in ("", [])
