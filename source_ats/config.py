"""The configuration of the source: what users type. Airbyte's spec is generated from these models.

Parsed once, at the door; each room gets its own section only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

from source_ats.errors import ConfigError
from source_ats.protocol import spec as forms
from source_ats.protocol.spec import BaseUrl, Moment, Secret, Section

DOCUMENTATION_URL = "https://docs.airbyte.com/integrations/sources/ats"


class Kombo(Section):
    """Kombo's unified API."""

    api_key: Secret = Field(
        title="API key",
        description=(
            "Key of one Kombo environment, made on the Secrets page of Kombo's dashboard. "
            "It begins with ks_prod_ or ks_dev_."
        ),
        examples=["ks_prod_..."],
        json_schema_extra={"airbyte_secret": True, "order": 0},
    )
    integration_ids: Annotated[
        list[Annotated[str, Field(min_length=1, pattern=r"^[\x21-\x7e]+$")]],
        Field(min_length=1),
        AfterValidator(lambda ids: list(dict.fromkeys(ids))),
    ] = Field(
        title="Integration IDs",
        description=(
            "The connected accounts to read, one ID for each customer: the tool's name, a colon "
            "and 24 characters. Shown on the Integrations page of Kombo's dashboard."
        ),
        examples=["greenhouse:7kQmW3xTzB9sLp2VhNfRc4Yd"],
        json_schema_extra={"order": 1},
    )
    region: Literal["eu", "us"] = Field(
        "eu",
        title="Region",
        description="Where the Kombo environment is hosted. A wrong region looks like a wrong key.",
        json_schema_extra={"order": 2},
    )
    include_deleted: bool = Field(
        default=True,
        title="Include deleted rows",
        description=(
            "Also read rows that were deleted in the applicant tracking system, with "
            "remote_deleted_at set. Kombo empties their other fields after 14 days."
        ),
        json_schema_extra={"order": 3},
    )
    full_read_every_days: int = Field(
        7,
        ge=0,
        le=3650,
        title="Days between full reads",
        description=(
            "An incremental sync reads everything again when the last full read is older than "
            "this. Kombo advises about a week. 0 turns it off."
        ),
        json_schema_extra={"order": 4},
    )
    page_size: int = Field(
        250,
        ge=1,
        le=250,
        title="Page size",
        description="Rows in one request. 250 is the most that Kombo allows.",
        json_schema_extra={"order": 5},
    )
    base_url: BaseUrl | None = Field(
        None,
        title="Base URL",
        description="For tests and proxies; wins over the region.",
        json_schema_extra={
            "order": 6,
            "pattern": r"^https?://.+$",
            "pattern_descriptor": "https://...",
        },
    )


class AtzCrm(Section):
    """ATZ CRM."""

    access_token: Secret = Field(
        title="Access token",
        description=(
            "An access token of your ATZ CRM account, made in ATZ CRM's own settings. The history "
            "of the candidates that its user may see is read."
        ),
        json_schema_extra={"airbyte_secret": True, "order": 0},
    )
    job_slug: Annotated[str, Field(min_length=1, pattern=r"^[\x21-\x7e]+$")] | None = Field(
        None,
        title="Job slug",
        description=(
            "Only the history of this job is read; it begins with job_. Leave empty for all jobs."
        ),
        examples=["job_0123456789abcdef0123"],
        json_schema_extra={"order": 1, "pattern_descriptor": "job_..."},
    )
    history_of: Literal["every_candidate", "changed_candidates"] = Field(
        "every_candidate",
        title="Histories to read",
        description=(
            "every_candidate asks for everybody's history in each sync and misses nothing. "
            "changed_candidates asks only for candidates whose own updated_at has moved: far "
            "fewer requests, but it may miss stage changes, since ATZ CRM does not say that those "
            "move it."
        ),
        json_schema_extra={"order": 2},
    )
    requests_per_minute: int = Field(
        55,
        ge=1,
        le=6000,
        title="Requests per minute",
        description=(
            "ATZ CRM documents a limit of 60 for each token. Less than that leaves room for other "
            "uses of the token; more is for accounts with a higher limit."
        ),
        json_schema_extra={"order": 3},
    )
    concurrent_requests: int = Field(
        4,
        ge=1,
        le=16,
        title="Concurrent requests",
        description="Calls in flight at a time, so that slow answers do not waste the rate limit.",
        json_schema_extra={"order": 4},
    )
    min_hours_between_passes: float = Field(
        1,
        ge=0,
        le=8760,
        title="Hours between passes",
        description=(
            "A sync reads nothing when the last complete pass over all candidates ended less than "
            "this ago: so a retry because of another stream does not begin a pass of hours again. "
            "0 turns it off."
        ),
        json_schema_extra={"order": 5},
    )
    page_size: int = Field(
        100,
        ge=1,
        le=1000,
        title="Page size",
        description="Rows in one request for a list; ATZ CRM may give fewer.",
        json_schema_extra={"order": 6},
    )
    base_url: BaseUrl | None = Field(
        None,
        title="Base URL",
        description="For tests and proxies.",
        json_schema_extra={
            "order": 7,
            "pattern": r"^https?://.+$",
            "pattern_descriptor": "https://...",
        },
    )


TalemetryOption = Literal[
    "contact",
    "education",
    "experience",
    "ats_application_histories",
    "donotcontact_info",
    "tags",
    "notes",
    "custom_data",
]


class TalemetryToken(Section):
    """A ready token."""

    model_config = ConfigDict(title="Token")

    auth_type: Literal["token"] = Field(json_schema_extra={"order": 0})
    token: Secret = Field(
        title="Token",
        description="A token from Jobvite's Authorization call, without the word OAUTH before it.",
        examples=["TGC-..."],
        json_schema_extra={"airbyte_secret": True, "order": 1},
    )


class TalemetryClient(Section):
    """Client ID and secret key, exchanged for tokens."""

    model_config = ConfigDict(title="Client ID and secret key")

    auth_type: Literal["client_credentials"] = Field(json_schema_extra={"order": 0})
    client_id: Secret = Field(
        title="Client ID",
        description="Client ID of a CRM user with the privilege Source&CRM - API User.",
        json_schema_extra={"airbyte_secret": True, "order": 1},
    )
    client_secret: Secret = Field(
        title="Secret key",
        description="Secret key of the same CRM user.",
        json_schema_extra={"airbyte_secret": True, "order": 2},
    )
    authorization_url: BaseUrl = Field(
        title="Authorization URL",
        description=(
            "The whole address of the Authorization call, from Jobvite's help pages (they need a "
            "sign-in) or from Jobvite's support."
        ),
        json_schema_extra={
            "order": 3,
            "pattern": r"^https?://.+$",
            "pattern_descriptor": "https://...",
        },
    )


class Talemetry(Section):
    """Talemetry, the Source&CRM part of Jobvite."""

    credentials: Annotated[TalemetryToken | TalemetryClient, Field(discriminator="auth_type")] = (
        Field(
            title="Credentials",
            description=(
                "A ready token, or the client ID and secret key of a CRM user with the privilege "
                "Source&CRM - API User."
            ),
            json_schema_extra={"order": 0},
        )
    )
    include: Annotated[
        list[TalemetryOption],
        AfterValidator(lambda options: list(dict.fromkeys(["contact", *options]))),
    ] = Field(
        list(get_args(TalemetryOption)),
        title="Blocks",
        description=(
            "What to read of each person; contact is always read. When this changes, everybody is "
            "read again."
        ),
        json_schema_extra={"order": 1, "uniqueItems": True},
    )
    exclude_sources: list[str] = Field(
        [],
        title="Excluded sources",
        description="People who have a profile from one of these sources are left out.",
        examples=["peoplesoft_ats"],
        json_schema_extra={"order": 2},
    )
    exclude_life_cycles: list[str] = Field(
        [],
        title="Excluded life cycles",
        description="People in one of these life cycles are left out.",
        examples=["current_contingent"],
        json_schema_extra={"order": 3},
    )
    concurrent_requests: int = Field(
        2,
        ge=1,
        le=16,
        title="Concurrent requests",
        description=(
            "How many requests are in flight at once. Jobvite publishes no rate limit; ask before "
            "you set it high."
        ),
        json_schema_extra={"order": 4},
    )
    ids_per_request: int = Field(
        25,
        ge=1,
        le=100,
        title="People in one request",
        description="Jobvite publishes no maximum.",
        json_schema_extra={"order": 5},
    )
    page_size: int = Field(
        100,
        ge=1,
        le=10_000,
        title="Page size",
        description="IDs on one page of the listing. Jobvite publishes no maximum.",
        json_schema_extra={"order": 6},
    )
    window_days: int = Field(
        30,
        ge=1,
        le=3650,
        title="Days in one window",
        description="Changes are listed in windows of this length, so that a cut repeats little.",
        json_schema_extra={"order": 7},
    )
    ids_method: Literal["POST", "GET"] = Field(
        "POST",
        title="Method of the listing",
        description="The method of people/ids is not documented. Try GET if POST is refused.",
        json_schema_extra={"order": 8},
    )
    ids_base_url: BaseUrl | None = Field(
        None,
        title="Base URL of the listing",
        description="For tests and proxies.",
        json_schema_extra={
            "order": 9,
            "pattern": r"^https?://.+$",
            "pattern_descriptor": "https://...",
        },
    )
    profiles_base_url: BaseUrl | None = Field(
        None,
        title="Base URL of the profiles",
        description="For tests and proxies.",
        json_schema_extra={
            "order": 10,
            "pattern": r"^https?://.+$",
            "pattern_descriptor": "https://...",
        },
    )


class Comeet(Section):
    """Comeet."""

    api_key: Secret = Field(
        title="API key",
        description=(
            "Key of the customer's account, shown when an admin of Comeet activates the "
            "integration."
        ),
        json_schema_extra={"airbyte_secret": True, "order": 0},
    )
    secret: Secret = Field(
        title="Secret",
        description="Secret of your app, given by Comeet when it approves the integration.",
        json_schema_extra={"airbyte_secret": True, "order": 1},
    )
    base_url: BaseUrl | None = Field(
        None,
        title="Base URL",
        description="For tests and proxies.",
        json_schema_extra={
            "order": 2,
            "pattern": r"^https?://.+$",
            "pattern_descriptor": "https://...",
        },
    )


class SourceConfig(Section):
    """The configuration of `source-ats`."""

    model_config = ConfigDict(title="ATS Source Spec")

    start_date: Moment | None = Field(
        None,
        title="Start date",
        description=(
            "Nothing that changed before this moment is read. Leave empty to read everything."
        ),
        examples=["2025-01-01T00:00:00Z"],
        json_schema_extra={
            "order": 0,
            "pattern": (
                r"^[0-9]{4}-[0-9]{2}-[0-9]{2}"
                r"(T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2}))?$"
            ),
            "pattern_descriptor": "YYYY-MM-DDTHH:mm:ssZ",
        },
    )
    kombo: Kombo | None = Field(
        None,
        title="Kombo",
        description="Reads candidates and the kombo_ streams. Leave empty if you do not use Kombo.",
        json_schema_extra={"order": 1},
    )
    atz_crm: AtzCrm | None = Field(
        None,
        title="ATZ CRM",
        description=(
            "Reads candidate_history and the atz_ streams. Leave empty if you do not use ATZ CRM."
        ),
        json_schema_extra={"order": 3},
    )
    talemetry: Talemetry | None = Field(
        None,
        title="Talemetry (Jobvite CRM)",
        description="Reads the stream profiles. Leave empty if you do not use Talemetry.",
        json_schema_extra={"order": 2},
    )
    comeet: Comeet | None = Field(
        None,
        title="Comeet (Spark Hire Recruit)",
        description=(
            "Reads the streams comeet_positions, comeet_candidates and comeet_deleted_candidates: "
            "what became of the people who were written there, among others. Leave empty if you "
            "do not use Comeet."
        ),
        json_schema_extra={"order": 4},
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
        json_schema_extra={"order": 9},
    )


SECTIONS: Mapping[str, type[Section]] = {
    "kombo": Kombo,
    "talemetry": Talemetry,
    "atz_crm": AtzCrm,
    "comeet": Comeet,
}
"""The vendors' sections; at least one has to be filled in."""


LIMITS = ("requests_per_minute", "concurrent_requests")
"""The fields of a section that hold for all calls of its token together."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """A configuration that holds, and what the user should know of it."""

    config: SourceConfig
    warnings: list[str]


def spec() -> dict[str, Any]:
    """Return what `spec` answers: the form that Airbyte shows.

    Nothing is `required` inside an optional section: the form fills defaults into sections that a
    user left alone, and the platform would then miss the key; `parse` tells what is missing.
    """
    form = forms.form(SourceConfig)
    for section in SECTIONS:
        group = form["properties"][section]
        for name in group.pop("required"):
            field = group["properties"][name]
            field["always_show"] = True
            for choice in field.get("oneOf", ()):
                choice["required"] = [each for each in choice["required"] if each.endswith("_type")]
    return {"documentationUrl": DOCUMENTATION_URL, "connectionSpecification": form}


def parse(raw: Mapping[str, Any]) -> Parsed:
    """Return the configuration. Raises `ConfigError` that names each wrong field, without values.

    A `null` means that the field is not set, as Airbyte's form sends it, and a vendor's section
    that holds nothing but defaults counts as absent.
    """
    given = filled_in(raw)
    try:
        config = SourceConfig.model_validate(given)
    except ValidationError as error:
        raise forms.refusal(error, _description) from None
    if not any(getattr(config, name) for name in SECTIONS):
        message = (
            f"The configuration names no system to read. Fill in one of: {', '.join(SECTIONS)}."
        )
        raise ConfigError(message)
    return Parsed(config, forms.warnings_of(_unknown(given)))


def limits(config: SourceConfig) -> list[int]:
    """Return the limits of all sections: a token can be shared by so many readers, not more."""
    return [
        getattr(section, field)
        for section in _sections(config).values()
        for field in LIMITS
        if field in type(section).model_fields
    ]


def shared(config: SourceConfig, number: int, of: int) -> SourceConfig:
    """Return the configuration for one of several readers at once: with its share of the limits.

    The shares of all together are the limit.
    """
    sections = {
        name: section.model_copy(
            update={
                field: (getattr(section, field) + number) // of
                for field in LIMITS
                if field in type(section).model_fields
            }
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


def filled_in(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the user filled in: without `null`s and without sections of mere defaults."""
    given: dict[str, Any] = forms.without_nulls(raw)
    return {
        name: value
        for name, value in given.items()
        if not (
            name in SECTIONS
            and isinstance(value, Mapping)
            and _only_defaults(value, SECTIONS[name].model_fields)
        )
    }


def _only_defaults(section: Mapping[str, Any], fields: Mapping[str, FieldInfo]) -> bool:
    """Tell whether the form alone may have filled the section."""
    return all(
        _nothing(value) or (name in fields and value == fields[name].default)
        for name, value in section.items()
    )


def _nothing(value: object) -> bool:
    """Tell whether a value is empty; a choice of which only the kind is given is."""
    if isinstance(value, Mapping):
        return all(_nothing(each) or name.endswith("_type") for name, each in value.items())
    return value in ("", [])


def _unknown(given: Mapping[str, Any]) -> Iterator[str]:
    yield from (name for name in given if name not in SourceConfig.model_fields)
    for section, model in SECTIONS.items():
        for name in given.get(section, {}):
            if name not in model.model_fields:
                yield f"{section}.{name}"


def _description(location: forms.Location) -> str | None:
    model: type[BaseModel] = SourceConfig
    if location and location[0] in SECTIONS and len(location) > 1:
        model, location = SECTIONS[str(location[0])], location[1:]
    field = model.model_fields.get(str(location[0])) if location else None
    return None if field is None else field.description
