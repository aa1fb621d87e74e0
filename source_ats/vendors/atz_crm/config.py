"""ATZ CRM's section of the configuration."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from source_ats.protocol.spec import EACH_ONCE, BaseUrl, Secret, Section


class AtzCrmConfig(Section):
    """ATZ CRM."""

    limits = ("requests_per_minute", "concurrent_requests")

    access_token: Secret = Field(
        title="Access token",
        description=(
            "An access token of your ATZ CRM account. You create it in the settings of ATZ CRM. "
            "Candidates that the token's user cannot see are not read."
        ),
    )
    candidate_slugs: Annotated[
        list[Annotated[str, Field(pattern=r"^[\x21-\x7e]+$")]], *EACH_ONCE
    ] = Field(
        [],
        title="Only these candidates",
        description=(
            "Reads the history of these candidates only, and lists no candidates for that: "
            "candidate_id is null then. The slugs begin with candidate_."
        ),
        examples=["candidate_0123456789abcdef0123"],
    )
    job_slug: Annotated[str, Field(min_length=1, pattern=r"^[\x21-\x7e]+$")] | None = Field(
        None,
        title="Job slug",
        description=(
            "Reads the history of this job only. The slug begins with job_. Leave it empty for all "
            "jobs."
        ),
        examples=["job_0123456789abcdef0123"],
        json_schema_extra={"pattern_descriptor": "job_..."},
    )
    history_of: Literal["every_candidate", "changed_candidates"] = Field(
        "every_candidate",
        title="Histories to read",
        description=(
            "Every candidate: each sync requests every history and misses nothing. Changed "
            "candidates: only the histories of candidates whose own updated_at has moved. That "
            "is far fewer requests, but it may miss stage changes, because ATZ CRM does not say "
            "that they move updated_at."
        ),
    )
    requests_per_minute: int = Field(
        55,
        ge=1,
        le=6000,
        title="Requests per minute",
        description=(
            "ATZ CRM allows 60 requests a minute for each token. A smaller number leaves some for "
            "other uses of the token. Enter a larger number only if your account has a higher "
            "limit."
        ),
    )
    concurrent_requests: int = Field(
        4,
        ge=1,
        le=16,
        title="Concurrent requests",
        description=(
            "The number of requests in flight. Several are needed to use the whole rate limit when "
            "responses are slow."
        ),
    )
    min_hours_between_passes: float = Field(
        1,
        ge=0,
        le=8760,
        title="Hours between passes",
        description=(
            "A pass reads the history of every candidate. If the last complete pass ended less "
            "than this number of hours ago, a sync does not start another one: a retry because of "
            "another stream would take hours. 0 turns this off."
        ),
    )
    page_size: int = Field(
        100,
        ge=1,
        le=1000,
        title="Page size",
        description="The number of rows in one page of a list. ATZ CRM may send fewer.",
    )
    base_url: BaseUrl | None = Field(
        None,
        title="Base URL",
        description="Replaces the vendor's own address, for tests and proxies. Usually empty.",
    )
