"""What a row of a candidate's history looks like. Source: docs.atzcrm.com (documented)."""

from __future__ import annotations

from source_ats.schemas import DATE, INTEGER, MOMENT, STRING, Schema, fields, table

_NUMBER: Schema = {"type": ["null", "integer", "string"]}
"""Documented as integer; the vendor's own examples have some such numbers as strings."""

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
