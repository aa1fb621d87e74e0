"""What Kombo's rows look like. Source: Kombo's OpenAPI 3.1, May 2026, and its SDK of July 2026.

Words that Kombo passes on as the tool has them (kinds of phone numbers, the status of a job) are
free text there, so nothing here is an enum.
"""

from __future__ import annotations

from source_ats.protocol.schemas import (
    ANYTHING,
    BOOLEAN,
    INTEGER,
    MOMENT,
    NUMBER,
    OPEN_OBJECT,
    STRING,
    Schema,
    fields,
    list_of,
    table,
)

# What several models have


def _model(**own: Schema) -> Schema:
    """Return the schema of a model: what each has, what we add, and its own fields."""
    return table(
        id=STRING,
        integration_id=STRING,
        remote_id=STRING,
        **own,
        remote_data=OPEN_OBJECT,
        changed_at=MOMENT,
        remote_deleted_at=MOMENT,
    )


_TIMES = {"remote_created_at": MOMENT, "remote_updated_at": MOMENT}
_CUSTOM = {
    "custom_fields": OPEN_OBJECT,
    "integration_fields": list_of(
        fields(id=STRING, key=STRING, type=STRING, value=ANYTHING, label=STRING)
    ),
}
_LOCATION = fields(
    city=STRING,
    country=STRING,
    raw=STRING,
    state=STRING,
    street_1=STRING,
    street_2=STRING,
    zip_code=STRING,
)
_PHONE_NUMBERS = list_of(fields(phone_number=STRING, type=STRING))
_EMAIL_ADDRESSES = list_of(fields(email_address=STRING, type=STRING))
_SOCIAL_MEDIA = list_of(fields(link=STRING, type=STRING, username=STRING))
_TAGS = list_of(fields(id=STRING, name=STRING, remote_id=STRING))
_STAGE = {"id": STRING, "name": STRING, "remote_id": STRING, "index": INTEGER}
# In the SDK only.
_YOUNG_STAGE = {**_STAGE, "status": STRING, "custom_fields": OPEN_OBJECT}
_JOB = fields(id=STRING, name=STRING, remote_id=STRING)
_USER = {
    "id": STRING,
    "remote_id": STRING,
    "first_name": STRING,
    "last_name": STRING,
    "email": STRING,
}
_ROLES = list_of(fields(remote_id=STRING, remote_label=STRING, scope=STRING, unified_type=STRING))
_CANDIDATE = {
    "id": STRING,
    "remote_id": STRING,
    "first_name": STRING,
    "last_name": STRING,
    "email_addresses": _EMAIL_ADDRESSES,
}

# The models

CANDIDATES = _model(
    first_name=STRING,
    last_name=STRING,
    company=STRING,
    title=STRING,
    confidential=BOOLEAN,
    source=STRING,
    phone_numbers=_PHONE_NUMBERS,
    email_addresses=_EMAIL_ADDRESSES,
    social_media=_SOCIAL_MEDIA,
    location=_LOCATION,
    **_CUSTOM,
    remote_url=STRING,
    **_TIMES,
    applications=list_of(
        fields(
            id=STRING,
            remote_id=STRING,
            outcome=STRING,
            rejection_reason_name=STRING,
            rejected_at=MOMENT,
            remote_url=STRING,
            changed_at=MOMENT,
            **_TIMES,
            current_stage=fields(**_STAGE),
            job=_JOB,
        )
    ),
    tags=_TAGS,
)

APPLICATIONS = _model(
    outcome=STRING,
    rejection_reason_name=STRING,
    rejected_at=MOMENT,
    current_stage_id=STRING,
    job_id=STRING,
    candidate_id=STRING,
    screening_question_answers=list_of(
        fields(
            # One of these, by the type of the question; `raw` where Kombo does not know that.
            answer=fields(
                content=STRING,
                choice=STRING,
                choices=list_of(STRING),
                checked=BOOLEAN,
                number=NUMBER,
                date=STRING,
                raw=ANYTHING,
            ),
            question=fields(remote_id=STRING, title=STRING, type=STRING),
        )
    ),
    **_CUSTOM,
    remote_url=STRING,
    **_TIMES,
    candidate=fields(
        **_CANDIDATE,
        phone_numbers=_PHONE_NUMBERS,
        social_media=_SOCIAL_MEDIA,
        source=STRING,
        remote_url=STRING,
        tags=_TAGS,
    ),
    current_stage=fields(**_YOUNG_STAGE),
    job=_JOB,
    interviews=list_of(
        fields(
            id=STRING,
            remote_id=STRING,
            title=STRING,
            starting_at=MOMENT,
            ending_at=MOMENT,
            location=_LOCATION,
            canceled=BOOLEAN,
        )
    ),
    offers=list_of(fields(id=STRING, remote_id=STRING, status=STRING)),
)

JOBS = _model(
    name=STRING,
    job_code=STRING,
    description=STRING,
    confidential=BOOLEAN,
    weekly_hours=NUMBER,
    employment_type=STRING,
    status=STRING,
    visibility=STRING,
    category=STRING,
    department=STRING,
    post_url=STRING,
    experience_level=STRING,
    remote_work_status=STRING,
    salary_amount=NUMBER,
    salary_amount_from=NUMBER,
    salary_amount_to=NUMBER,
    salary_currency=STRING,
    salary_period=STRING,
    location=_LOCATION,
    **_CUSTOM,
    remote_url=STRING,
    opened_at=MOMENT,
    closed_at=MOMENT,
    **_TIMES,
    contact_id=STRING,
    stages=list_of(fields(**_YOUNG_STAGE, remote_data=OPEN_OBJECT)),
    screening_questions=list_of(
        fields(
            id=STRING,
            remote_id=STRING,
            title=STRING,
            description=STRING,
            # Which of these there are depends on the type.
            format=fields(
                type=STRING,
                display_type=STRING,
                options=list_of(fields(id=STRING, remote_id=STRING, name=STRING)),
                max_length=NUMBER,
                min=NUMBER,
                max=NUMBER,
                accepted_mime_types=list_of(STRING),
                max_file_size_bytes=NUMBER,
                raw_question=ANYTHING,
            ),
            category=STRING,
            index=INTEGER,
            required=BOOLEAN,
            precondition_question_id=STRING,
            # Ids of options, or true and false.
            precondition_options=list_of(ANYTHING),
        )
    ),
    job_postings=list_of(
        fields(
            id=STRING,
            remote_id=STRING,
            title=STRING,
            description_html=STRING,
            status=STRING,
            visibility=STRING,
            url=STRING,
            remote_data=OPEN_OBJECT,
        )
    ),
    hiring_team=list_of(fields(**_USER, hiring_team_roles=list_of(STRING), job_roles=_ROLES)),
)

USERS = _model(
    first_name=STRING,
    last_name=STRING,
    email=STRING,
    status=STRING,
    system_roles=_ROLES,
)

TAGS = _model(name=STRING)

OFFERS = _model(
    status=STRING,
    employment_start_date=MOMENT,
    application_id=STRING,
    **_CUSTOM,
    **_TIMES,
    application=fields(candidate=fields(**_CANDIDATE), job=_JOB),
)

INTERVIEWS = _model(
    title=STRING,
    starting_at=MOMENT,
    ending_at=MOMENT,
    location=_LOCATION,
    video_conferencing_url=STRING,
    application_id=STRING,
    stage_id=STRING,
    canceled=BOOLEAN,
    **_TIMES,
    users=list_of(fields(**_USER)),
    application=fields(
        id=STRING,
        remote_id=STRING,
        outcome=STRING,
        rejection_reason_name=STRING,
        candidate=fields(**_CANDIDATE),
        job=_JOB,
    ),
)

REJECTION_REASONS = _model(name=STRING)

ROLES = _model(remote_label=STRING, scope=STRING, unified_type=STRING)
