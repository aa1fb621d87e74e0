"""What Kombo's rows look like. Source: Kombo's OpenAPI 3.1, May 2026 (documented).

Kinds of phone numbers, addresses and links are free text there, so nothing here is an enum.
"""

from __future__ import annotations

from source_ats.schemas import (
    ANYTHING,
    BOOLEAN,
    INTEGER,
    MOMENT,
    OPEN_OBJECT,
    STRING,
    fields,
    list_of,
    table,
)

_STAGE = fields(id=STRING, name=STRING, remote_id=STRING, index=INTEGER)
_JOB = fields(id=STRING, name=STRING, remote_id=STRING)
_APPLICATION = fields(
    id=STRING,
    remote_id=STRING,
    outcome=STRING,
    rejection_reason_name=STRING,
    rejected_at=MOMENT,
    remote_url=STRING,
    changed_at=MOMENT,
    remote_created_at=MOMENT,
    remote_updated_at=MOMENT,
    current_stage=_STAGE,
    job=_JOB,
)

CANDIDATES = table(
    id=STRING,
    integration_id=STRING,
    remote_id=STRING,
    first_name=STRING,
    last_name=STRING,
    company=STRING,
    title=STRING,
    confidential=BOOLEAN,
    source=STRING,
    phone_numbers=list_of(fields(phone_number=STRING, type=STRING)),
    email_addresses=list_of(fields(email_address=STRING, type=STRING)),
    social_media=list_of(fields(link=STRING, type=STRING, username=STRING)),
    location=fields(
        city=STRING,
        country=STRING,
        raw=STRING,
        state=STRING,
        street_1=STRING,
        street_2=STRING,
        zip_code=STRING,
    ),
    custom_fields=OPEN_OBJECT,
    integration_fields=list_of(
        fields(id=STRING, key=STRING, type=STRING, value=ANYTHING, label=STRING)
    ),
    remote_url=STRING,
    remote_created_at=MOMENT,
    remote_updated_at=MOMENT,
    remote_data=OPEN_OBJECT,
    changed_at=MOMENT,
    remote_deleted_at=MOMENT,
    applications=list_of(_APPLICATION),
    tags=list_of(fields(id=STRING, name=STRING, remote_id=STRING)),
)
