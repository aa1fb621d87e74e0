"""ATZ CRM's section of the configuration."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from source_ats.protocol.spec import BaseUrl, Secret, Section


class AtzCrmConfig(Section):
    """ATZ CRM."""

    access_token: Secret = Field(
        title="Access token",
        description=(
            "An access token of your ATZ CRM account, made in ATZ CRM's own settings. The history "
            "of the candidates that its user may see is read."
        ),
    )
    job_slug: Annotated[str, Field(min_length=1, pattern=r"^[\x21-\x7e]+$")] | None = Field(
        None,
        title="Job slug",
        description=(
            "Only the history of this job is read; it begins with job_. Leave empty for all jobs."
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
            "ATZ CRM documents a limit of 60 for each token. Less than that leaves room for other "
            "uses of the token; more is for accounts with a higher limit."
        ),
    )
    concurrent_requests: int = Field(
        4,
        ge=1,
        le=16,
        title="Concurrent requests",
        description="Calls in flight at a time, so that slow answers do not waste the rate limit.",
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
    )
    page_size: int = Field(
        100,
        ge=1,
        le=1000,
        title="Page size",
        description="Rows in one request for a list; ATZ CRM may give fewer.",
    )
    base_url: BaseUrl | None = Field(
        None,
        title="Base URL",
        description="For tests and proxies.",
    )
