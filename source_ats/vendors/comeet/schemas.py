"""What Comeet's rows look like.

Sources: Candidate Schema and Position Schema (documented), but for what is marked: seen by third
parties in their accounts (observed). Parts of an object come only with a permission of their own.
"""

from __future__ import annotations

from source_ats.protocol.schemas import (
    BOOLEAN,
    MOMENT,
    NUMBER,
    OPEN_OBJECT,
    STRING,
    fields,
    list_of,
    table,
)

_USER = fields(uid=STRING, first_name=STRING, last_name=STRING, email=STRING)
_NAMED_VALUE = fields(name=STRING, value=STRING)

POSITIONS = table(
    uid=STRING,
    name=STRING,
    internal_name=STRING,
    status=STRING,
    is_discreet=BOOLEAN,
    is_published=BOOLEAN,
    is_talent_pool=BOOLEAN,
    department=STRING,
    email=STRING,
    URL=STRING,
    url_comeet_hosted_page=STRING,
    url_active_page=STRING,
    position_url=STRING,
    picture_url=STRING,
    experience_level=STRING,
    employment_type=STRING,
    workplace_type=STRING,
    internal_use_custom_id=STRING,
    company_name=STRING,
    location=fields(
        uid=STRING,
        name=STRING,
        country=STRING,
        city=STRING,
        state=STRING,
        postal_code=STRING,
        street_name=STRING,
        street_number=STRING,
        arrival_instructions=STRING,
        timezone=STRING,
    ),
    salary_range=fields(min=NUMBER, max=NUMBER, currency_code=STRING, period=STRING),
    categories=list_of(_NAMED_VALUE),
    details=list_of(_NAMED_VALUE),
    # Their names are those by which a position is written; the fields within are observed.
    users=fields(lead_recruiter=_USER, hiring_manager=_USER, lead_recruiting_coordinator=_USER),
    time_updated=MOMENT,
)

_STEP = fields(
    # Observed.
    position_step_uid=STRING,
    name=STRING,
    type=STRING,
    time_scheduled=MOMENT,
    time_completed=MOMENT,
)

CANDIDATES = table(
    uid=STRING,
    person_uid=STRING,
    position_uid=STRING,
    deleted=BOOLEAN,
    first_name=STRING,
    middle_name=STRING,
    last_name=STRING,
    email=STRING,
    phone=STRING,
    mobile_phone=STRING,
    id_number=STRING,
    linkedin_url=STRING,
    URL=STRING,
    status=STRING,
    prospect_status=STRING,
    current_steps=list_of(_STEP),
    completed_steps=list_of(_STEP),
    future_steps=list_of(_STEP),
    opening=fields(
        uid=STRING,
        time_start_to_work=MOMENT,
        # Observed, its format not.
        hired_candidate_hire_date=STRING,
    ),
    source=fields(uid=STRING, name=STRING, type=STRING),
    # Read as first and last name (documented), answered to a write as full name and phone.
    source_contact=fields(
        uid=STRING,
        first_name=STRING,
        last_name=STRING,
        full_name=STRING,
        email=STRING,
        phone=STRING,
    ),
    resume=fields(name=STRING, url=STRING),
    tags=list_of(OPEN_OBJECT),
    # Observed.
    custom_fields=OPEN_OBJECT,
    time_created=MOMENT,
    time_last_status_changed=MOMENT,
)

DELETED_CANDIDATES = table(uid=STRING, read_at=MOMENT)
