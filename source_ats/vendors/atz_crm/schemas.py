"""Schemas of the records. Source: docs.atzcrm.com (documented), unless said otherwise."""

from __future__ import annotations

from source_ats.protocol.schemas import (
    ANYTHING,
    DATE,
    INTEGER,
    MOMENT,
    STRING,
    Schema,
    fields,
    list_of,
    table,
)

_NUMBER: Schema = {"type": ["null", "integer", "string"]}
"""Documented as integer; the vendor's own examples have some such numbers as strings."""

_AMOUNT: Schema = {"type": ["null", "number", "string"]}
"""Documented as number; the vendor's own examples have some as strings."""
_WORDS: Schema = {"type": ["null", "string", "array"], "items": {}}
"""Documented as string, but shown as a list in brackets. Assumed: either may come."""
_OBJECTS = list_of(ANYTHING)
"""Always a list: see `responses.LIST_FIELDS`."""
_LINKED = fields(id=_NUMBER)
"""The id of another object."""

CANDIDATES = table(
    id=_NUMBER,
    slug=STRING,
    first_name=STRING,
    last_name=STRING,
    full_name=STRING,
    email=STRING,
    phone=STRING,
    resume=STRING,
    profile_picture=STRING,
    education_specialization=STRING,
    university=STRING,
    current_position=STRING,
    current_organization=STRING,
    last_organization=STRING,
    willing_to_relocate=_NUMBER,
    available_from=DATE,
    graduation_date=DATE,
    tags=_WORDS,
    skill=_WORDS,
    experience=_AMOUNT,
    current_salary=_AMOUNT,
    expected_salary=_AMOUNT,
    notice_period=_AMOUNT,
    salary_type=_NUMBER,
    description=STRING,
    source=STRING,
    nationality=STRING,
    address=STRING,
    language=STRING,
    city=STRING,
    # Assumed from here on, by the fields of other objects and of an update: the available
    # documentation ends with the city.
    state=STRING,
    country=STRING,
    gender=_NUMBER,
    date_of_birth=DATE,
    currency=_LINKED,
    qualification=_LINKED,
    industry=_LINKED,
    socials=fields(linkedin=STRING, xing=STRING),
    custom_fields=_OBJECTS,
    owner=_LINKED,
    created_by=_LINKED,
    updated_by=_LINKED,
    created_at=MOMENT,
    updated_at=MOMENT,
)

DEALS = table(
    id=_NUMBER,
    slug=STRING,
    name=STRING,
    stage=fields(id=_NUMBER, label=STRING, percentage=_AMOUNT),
    deal_amount=_AMOUNT,
    amount_by_stage=_AMOUNT,
    close_date=DATE,
    deal_type=_NUMBER,
    organization=_LINKED,
    jobs=_OBJECTS,
    candidates=_OBJECTS,
    contacts=_OBJECTS,
    tags=_WORDS,
    custom_fields=_OBJECTS,
    owner=_LINKED,
    created_by=_LINKED,
    updated_by=_LINKED,
    created_at=MOMENT,
    updated_at=MOMENT,
)

_USER = fields(
    id=_NUMBER,
    email=STRING,
    first_name=STRING,
    last_name=STRING,
    full_name=STRING,
    role=STRING,
    phone=STRING,
)

CANDIDATE_HISTORY = table(
    id=STRING,
    candidate_id=INTEGER,
    candidate_slug=STRING,
    job_slug=STRING,
    job_name=STRING,
    organization=fields(slug=STRING, name=STRING),
    job_status=fields(id=_NUMBER, name=STRING),
    talent_stage=fields(id=_NUMBER, name=STRING),
    stage_date=DATE,
    visibility=_NUMBER,
    comment=STRING,
    updated_by=_USER,
    updated_at=MOMENT,
    read_at=MOMENT,
)
