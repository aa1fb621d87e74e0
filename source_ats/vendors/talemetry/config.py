"""Talemetry's section of the configuration."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, ConfigDict, Field

from source_ats.protocol.spec import BaseUrl, Secret, Section

IncludeOption = Literal[
    "contact",
    "education",
    "experience",
    "ats_application_histories",
    "donotcontact_info",
    "tags",
    "notes",
    "custom_data",
]


class TokenCredentials(Section):
    """A ready token."""

    model_config = ConfigDict(title="Token")

    auth_type: Literal["token"]
    token: Secret = Field(
        title="Token",
        description="A token from Jobvite's Authorization call, without the word OAUTH before it.",
        examples=["TGC-..."],
    )


class ClientCredentials(Section):
    """Client ID and secret key, exchanged for tokens."""

    model_config = ConfigDict(title="Client ID and secret key")

    auth_type: Literal["client_credentials"]
    client_id: Secret = Field(
        title="Client ID",
        description="Client ID of a CRM user with the privilege Source&CRM - API User.",
    )
    client_secret: Secret = Field(
        title="Secret key",
        description="Secret key of the same CRM user.",
    )
    authorization_url: BaseUrl = Field(
        title="Authorization URL",
        description=(
            "The whole address of the Authorization call, from Jobvite's help pages (they need a "
            "sign-in) or from Jobvite's support."
        ),
    )


class TalemetryConfig(Section):
    """Talemetry, the Source&CRM part of Jobvite."""

    credentials: Annotated[
        TokenCredentials | ClientCredentials, Field(discriminator="auth_type")
    ] = Field(
        title="Credentials",
        description=(
            "A ready token, or the client ID and secret key of a CRM user with the privilege "
            "Source&CRM - API User."
        ),
    )
    include: Annotated[
        list[IncludeOption],
        AfterValidator(lambda options: list(dict.fromkeys(["contact", *options]))),
    ] = Field(
        list(get_args(IncludeOption)),
        title="Blocks",
        description=(
            "What to read of each person; contact is always read. When this changes, everybody is "
            "read again."
        ),
        json_schema_extra={"uniqueItems": True},
    )
    exclude_sources: list[str] = Field(
        [],
        title="Excluded sources",
        description="People who have a profile from one of these sources are left out.",
        examples=["peoplesoft_ats"],
    )
    exclude_life_cycles: list[str] = Field(
        [],
        title="Excluded life cycles",
        description="People in one of these life cycles are left out.",
        examples=["current_contingent"],
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
    )
    ids_per_request: int = Field(
        25,
        ge=1,
        le=100,
        title="People in one request",
        description="Jobvite publishes no maximum.",
    )
    page_size: int = Field(
        100,
        ge=1,
        le=10_000,
        title="Page size",
        description="IDs on one page of the listing. Jobvite publishes no maximum.",
    )
    window_days: int = Field(
        30,
        ge=1,
        le=3650,
        title="Days in one window",
        description="Changes are listed in windows of this length, so that a cut repeats little.",
    )
    ids_method: Literal["POST", "GET"] = Field(
        "POST",
        title="Method of the listing",
        description="The method of people/ids is not documented. Try GET if POST is refused.",
    )
    ids_base_url: BaseUrl | None = Field(
        None,
        title="Base URL of the listing",
        description="For tests and proxies.",
    )
    profiles_base_url: BaseUrl | None = Field(
        None,
        title="Base URL of the profiles",
        description="For tests and proxies.",
    )
