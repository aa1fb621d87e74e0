"""Kombo's section of the configuration."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from source_ats.protocol.spec import ALWAYS_SHOW, BaseUrl, Secret, Section


class KomboConfig(Section):
    """Kombo's unified API."""

    api_key: Secret = Field(
        title="API key",
        description=(
            "Key of one Kombo environment, made on the Secrets page of Kombo's dashboard. "
            "It begins with ks_prod_ or ks_dev_."
        ),
        examples=["ks_prod_..."],
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
    )
    region: Literal["eu", "us"] = Field(
        "eu",
        title="Region",
        description="Where the Kombo environment is hosted. A wrong region looks like a wrong key.",
        json_schema_extra=ALWAYS_SHOW,
    )
    include_deleted: bool = Field(
        default=True,
        title="Include deleted rows",
        description=(
            "Also read rows that were deleted in the applicant tracking system, with "
            "remote_deleted_at set. Kombo empties their other fields after 14 days."
        ),
    )
    candidate_files: bool = Field(
        default=False,
        title="Files of candidates",
        description=(
            "Add files to each candidate: names, types and links to CVs and other documents. That "
            "takes one more live call for each candidate that is read, also in full reads, and the "
            "scope Read document attachments in Kombo."
        ),
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
    )
    page_size: int = Field(
        250,
        ge=1,
        le=250,
        title="Page size",
        description="Rows in one request. 250 is the most that Kombo allows.",
    )
    base_url: BaseUrl | None = Field(
        None,
        title="Base URL",
        description="For tests and proxies; wins over the region.",
    )
