"""Kombo's section of the configuration."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from source_ats.protocol.spec import ALWAYS_SHOW, EACH_ONCE, BaseUrl, Secret, Section

_KOMBO_ID = re.compile(r"[1-9A-HJ-NP-Za-km-z]{24}")


def _kombo_id(text: str) -> str:
    if not _KOMBO_ID.fullmatch(text):
        raise ValueError("is not an ID of Kombo: 24 letters and digits, without 0, O, I and l")
    return text


def _without_comma(text: str) -> str:
    # Kombo separates the values of a filter by commas, and offers no way to escape one.
    if "," in text or not text.isprintable():
        raise ValueError("must not hold a comma or a control character")
    return text


def _address(text: str) -> str:
    if not re.fullmatch(r"[^\s@,]+@[^\s@,]+", text):
        raise ValueError("must be one email address")
    return text


_KomboIds = Annotated[
    list[
        Annotated[
            str,
            AfterValidator(_kombo_id),
            Field(
                json_schema_extra={
                    "pattern": f"^{_KOMBO_ID.pattern}$",
                    "pattern_descriptor": "24 letters and digits",
                }
            ),
        ]
    ],
    *EACH_ONCE,
]


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
            "The connected accounts to read, one ID for each customer: the name of the "
            "applicant tracking system, a colon and 24 characters. Shown on the Integrations page "
            "of Kombo's dashboard."
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
            "takes one more request for each candidate that is read, also in full reads; Kombo "
            "forwards it to the applicant tracking system. It needs the scope Read document "
            "attachments in Kombo."
        ),
    )
    candidate_ids: _KomboIds = Field(
        [],
        title="Only these candidates",
        description=(
            "Reads only candidates with these IDs of Kombo. Like all filters, it holds for the "
            "stream candidates. A candidate has to match each filter that is set."
        ),
        examples=["7kQmW3xTzB9sLp2VhNfRc4Yd"],
    )
    remote_ids: Annotated[
        list[Annotated[str, AfterValidator(_without_comma)]],
        *EACH_ONCE,
    ] = Field(
        [],
        title="Only candidates with these remote IDs",
        description=(
            "Reads only candidates with these IDs of the applicant tracking system: the values of "
            "remote_id."
        ),
    )
    job_ids: _KomboIds = Field(
        [],
        title="Only applicants of these jobs",
        description="Reads only candidates who applied to one of these jobs, by their Kombo IDs.",
        examples=["6hGdJ4nKqC8yTw5MvZrXe9Ub"],
    )
    email: Annotated[str, AfterValidator(_address)] | None = Field(
        None,
        title="Only the candidate with this email address",
        description="Reads only candidates who have this email address. Case does not matter.",
        examples=["mira.solberg@example.org"],
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
    concurrent_requests: int = Field(
        4,
        ge=1,
        le=16,
        title="Concurrent requests",
        description=(
            "How many requests may be in flight: integrations and streams are read side by side. "
            "Kombo publishes no limit for lists, and its rate limit is obeyed in any case."
        ),
    )
    base_url: BaseUrl | None = Field(
        None,
        title="Base URL",
        description="Replaces the vendor's own address, for tests and proxies. Usually empty.",
    )
