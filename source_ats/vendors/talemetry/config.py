"""Talemetry's section of the configuration."""

from __future__ import annotations

import re
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, ConfigDict, Field

from source_ats.protocol.spec import EACH_ONCE, BaseUrl, Secret, Section

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


_GUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


def _guid(text: str) -> str:
    if not _GUID.fullmatch(text):
        raise ValueError("must be a GUID such as 11111111-aaaa-11ef-8000-000000000001")
    return text


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
    """Client ID and secret key, which are exchanged for tokens."""

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
            "The complete URL of the Authorization call. Jobvite's help pages show it to users "
            "who sign in, and Jobvite's support knows it."
        ),
    )


class TalemetryConfig(Section):
    """Talemetry, the Source&CRM part of Jobvite."""

    limits = ("concurrent_requests",)

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
        AfterValidator(lambda options: options and list(dict.fromkeys(["contact", *options]))),
    ] = Field(
        list(get_args(IncludeOption)),
        title="Blocks",
        description=(
            "Which blocks of each person are read; with any of them, contact is read too. With an "
            "empty list the parameter is not sent, and Jobvite decides. A change makes the next "
            "sync read everybody again."
        ),
        json_schema_extra={"uniqueItems": True},
    )
    candidate_ids: Annotated[
        list[
            Annotated[
                str,
                AfterValidator(_guid),
                Field(
                    json_schema_extra={
                        "pattern": f"^{_GUID.pattern}$",
                        "pattern_descriptor": "a GUID",
                    }
                ),
            ]
        ],
        *EACH_ONCE,
    ] = Field(
        [],
        title="Only these people",
        description=(
            "Reads only the people with these GUIDs, in every sync. No list is requested then: the "
            "start date and the exclusions have no effect, and deletions are not seen."
        ),
        examples=["11111111-aaaa-11ef-8000-000000000001"],
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
            "How many requests are sent at the same time. Jobvite publishes no rate limit; ask its "
            "support before setting this high."
        ),
    )
    ids_per_request: int = Field(
        25,
        ge=1,
        le=100,
        title="People per request",
        description="How many people are fetched in one request. Jobvite publishes no maximum.",
    )
    page_size: int = Field(
        100,
        ge=1,
        le=10_000,
        title="Page size",
        description="How many IDs one page of the listing holds. Jobvite publishes no maximum.",
    )
    window_days: int = Field(
        30,
        ge=1,
        le=3650,
        title="Days per window",
        description=(
            "Changes are listed in windows of this length. After an interruption, a shorter window "
            "repeats less."
        ),
    )
    ids_method: Literal["POST", "GET"] = Field(
        "POST",
        title="Method of the listing",
        description="The HTTP method of people/ids is not documented. Try GET if POST is refused.",
    )
    ids_base_url: BaseUrl | None = Field(
        None,
        title="Base URL of the listing",
        description="Replaces the vendor's own address, for tests and proxies. Usually empty.",
    )
    profiles_base_url: BaseUrl | None = Field(
        None,
        title="Base URL of the profiles",
        description="Replaces the vendor's own address, for tests and proxies. Usually empty.",
    )
