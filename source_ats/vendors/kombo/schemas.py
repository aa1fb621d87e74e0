"""What Kombo's rows look like. Source: Kombo's OpenAPI 3.1, May 2026, and its SDK, September 2026.

Words that Kombo passes on as the tool has them (kinds of phone numbers, the status of a job) are
free text there, so nothing here is an enum.
"""

from __future__ import annotations

from source_ats.protocol.schemas import (
    ANYTHING,
    STRING,
    Schema,
    anything,
    boolean,
    fields,
    integer,
    list_of,
    number,
    open_object,
    string,
    table,
    timestamp,
)

# What several models have


def _model(**own: Schema) -> Schema:
    """Return the schema of a model: what each has, what we add, and its own fields."""
    return table(
        id=string("Kombo's ID of the row, unique within this stream. The primary key."),
        integration_id=string("The integration that the row was read from. Added on reading."),
        remote_id=string("ID in the applicant tracking system. It can be a composite of several."),
        **own,
        remote_data=open_object(
            "What the applicant tracking system itself sent, by upstream path. Depends on the plan."
        ),
        changed_at=timestamp(
            "When Kombo last saw this row change. A change of nested rows does not move it."
        ),
        remote_deleted_at=timestamp(
            "When Kombo no longer found the row in the applicant tracking system, else null."
        ),
    )


_TIMES = {
    "remote_created_at": timestamp("When it was created in the applicant tracking system."),
    "remote_updated_at": timestamp("When it was last updated in the applicant tracking system."),
}
_CUSTOM = {
    "custom_fields": open_object("Custom fields by their names, with values of any type."),
    "integration_fields": list_of(
        "Fields that Kombo maps for this integration, standard and custom ones.",
        fields(
            id=string("Kombo's ID of the field."),
            key=string("Key of the field."),
            type=string("DEFAULT or CUSTOM."),
            value=anything("Value of the field, of any type."),
            label=string("Label of the field for people."),
        ),
    ),
}
_LOCATION = {
    "city": string("Name of the city."),
    "country": string("Country: an ISO 3166-1 code of two letters where Kombo could map it."),
    "raw": string("The location as the applicant tracking system has it."),
    "state": string("State or region."),
    "street_1": string("First line of the street address."),
    "street_2": string("Second line of the street address."),
    "zip_code": string("Postal code."),
}
_PHONE_NUMBERS = list_of(
    "Phone numbers of the candidate.",
    fields(
        phone_number=string("The number, as the applicant tracking system has it."),
        type=string("Kind of number, such as HOME or MOBILE. Free text."),
    ),
)
_EMAIL_ADDRESSES = list_of(
    "Email addresses of the candidate. Kombo leaves out invalid ones.",
    fields(
        email_address=string("The email address."),
        type=string("Kind of address, such as PRIVATE or WORK. Free text."),
    ),
)
_SOCIAL_MEDIA = list_of(
    "Profiles of the candidate on social media.",
    fields(
        link=string("Address of the profile."),
        type=string("Kind of network, such as LINKEDIN. Free text."),
        username=string("User name on the network."),
    ),
)
_TAGS = list_of(
    "Tags of the candidate.",
    fields(
        id=string("Kombo's ID of the tag, the key of kombo_tags."),
        name=string("Name of the tag."),
        remote_id=string("ID of the tag in the applicant tracking system."),
    ),
)
_STAGE = {
    "id": string("Kombo's ID of the stage."),
    "name": string("Name of the stage."),
    "remote_id": string("ID of the stage in the applicant tracking system."),
    "index": integer("Position of the stage in the hiring process."),
}
_STAGE_STATUS = string("ACTIVE or INACTIVE. Archived and hidden stages are inactive.")
# In the SDK only.
_STAGE_WITH_SDK_FIELDS = {
    **_STAGE,
    "status": _STAGE_STATUS,
    "custom_fields": open_object("Custom fields of the stage by their names."),
}
_JOB_SUMMARY = fields(
    "The job, in short.",
    id=string("Kombo's ID of the job, the key of kombo_jobs."),
    name=string("Title of the job."),
    remote_id=string("ID of the job in the applicant tracking system."),
)
_USER = {
    "id": string("Kombo's ID of the user, the key of kombo_users."),
    "remote_id": string("ID of the user in the applicant tracking system."),
    "first_name": string("First name of the user."),
    "last_name": string("Last name of the user."),
    "email": string("Email address of the user."),
}
_AUTHOR = {
    "author_id": string("Kombo's ID of the user who is the author, the key of kombo_users."),
    "author": fields("The user who is the author, in short.", **_USER),
}
_ROLE = {
    "remote_label": string("Name of the role in the applicant tracking system."),
    "scope": string("SYSTEM or JOB: whether the role holds everywhere or for one job."),
    "unified_type": string("Kombo's kind of role, such as RECRUITER or HIRING_MANAGER."),
}
_ASSIGNED_ROLE = fields(
    remote_id=string("ID of the role in the applicant tracking system."),
    **_ROLE,
)
_CANDIDATE_SUMMARY = {
    "id": string("Kombo's ID of the candidate, the key of candidates."),
    "remote_id": string("ID of the candidate in the applicant tracking system."),
    "first_name": string("First name of the candidate."),
    "last_name": string("Last name of the candidate."),
    "email_addresses": _EMAIL_ADDRESSES,
}
_CANDIDATE_ID = string("Kombo's ID of the candidate, the key of candidates.")
_APPLICATION_ID = string("Kombo's ID of the application, the key of kombo_applications.")
_FILE_TYPE = string("CV, COVER_LETTER or OTHER.")
_FILE_NAME = string("Name of the file.")
_OUTCOME = string("PENDING, HIRED or DECLINED.")
_REJECTION_REASON = string("Name of the reason for the rejection.")
_REJECTED_AT = timestamp("When the application was rejected.")
_REMOTE_URL = string("Address of the page in the applicant tracking system.")
_CANCELED = boolean("True if the interview was canceled.")
_STARTING_AT = timestamp("When the interview begins.")
_ENDING_AT = timestamp("When the interview ends.")
_PLACE = fields("Where the interview takes place.", **_LOCATION)

# The models

CANDIDATES = _model(
    first_name=string("First name."),
    last_name=string("Last name."),
    company=string("Current employer."),
    title=string("Current job title."),
    confidential=boolean("True if the candidate is marked as confidential."),
    source=string("Where the candidate came from, such as a job board. Free text."),
    phone_numbers=_PHONE_NUMBERS,
    email_addresses=_EMAIL_ADDRESSES,
    social_media=_SOCIAL_MEDIA,
    location=fields("Where the candidate lives.", **_LOCATION),
    **_CUSTOM,
    remote_url=_REMOTE_URL,
    **_TIMES,
    applications=list_of(
        "Applications of the candidate, in short.",
        fields(
            id=_APPLICATION_ID,
            remote_id=string("ID of the application in the applicant tracking system."),
            outcome=_OUTCOME,
            rejection_reason_name=_REJECTION_REASON,
            rejected_at=_REJECTED_AT,
            remote_url=_REMOTE_URL,
            changed_at=timestamp("When Kombo last saw the application change."),
            **_TIMES,
            current_stage=fields("Stage that the application is in.", **_STAGE),
            job=_JOB_SUMMARY,
        ),
    ),
    tags=_TAGS,
)

FILES = list_of(
    "Files of the candidate and of its applications. Null: they could not be read this time, or "
    "the candidate is deleted.",
    fields(
        id=string("Kombo's ID of the file."),
        remote_id=string("ID in the applicant tracking system."),
        candidate_id=_CANDIDATE_ID,
        application_id=string("Kombo's ID of the application; null: the file is the candidate's."),
        type=_FILE_TYPE,
        file_name=_FILE_NAME,
        content_type=string("MIME type, as the applicant tracking system has it."),
        data_url=string("Address to download the file from, good for 7 days. Keep it secret."),
        **_TIMES,
    ),
)
"""A column of `candidates` that is there on request only."""

CANDIDATES_WITH_FILES: Schema = {
    **CANDIDATES,
    "properties": {**CANDIDATES["properties"], "files": FILES},
}

APPLICATIONS = _model(
    outcome=_OUTCOME,
    rejection_reason_name=_REJECTION_REASON,
    rejected_at=_REJECTED_AT,
    current_stage_id=string("Kombo's ID of the stage that the application is in."),
    job_id=string("Kombo's ID of the job, the key of kombo_jobs."),
    candidate_id=_CANDIDATE_ID,
    screening_question_answers=list_of(
        "Answers of the candidate to screening questions.",
        fields(
            answer=fields(
                "The answer. The type of the question decides which of the fields it has.",
                content=string("Answer to a question of type TEXT."),
                choice=string("Answer to a question of type SINGLE_SELECT."),
                choices=list_of("Answers to a question of type MULTI_SELECT.", STRING),
                checked=boolean("Answer to a question of type BOOLEAN."),
                number=number("Answer to a question of type NUMBER."),
                date=string("Answer to a question of type DATE."),
                raw=anything("Answer to a question whose type Kombo does not know."),
            ),
            question=fields(
                "The question.",
                remote_id=string("ID of the question in the applicant tracking system."),
                title=string("Text of the question."),
                type=string("Type of the question, such as TEXT, BOOLEAN or UNKNOWN."),
            ),
        ),
    ),
    **_CUSTOM,
    remote_url=_REMOTE_URL,
    **_TIMES,
    candidate=fields(
        "The candidate, in short.",
        **_CANDIDATE_SUMMARY,
        phone_numbers=_PHONE_NUMBERS,
        social_media=_SOCIAL_MEDIA,
        source=string("Where the candidate came from. Free text."),
        remote_url=_REMOTE_URL,
        tags=_TAGS,
    ),
    current_stage=fields(
        "Stage that the application is in. If only the stage itself changes, the row does not come "
        "again before the next full read.",
        **_STAGE_WITH_SDK_FIELDS,
    ),
    job=_JOB_SUMMARY,
    interviews=list_of(
        "Interviews for the application, in short.",
        fields(
            id=string("Kombo's ID of the interview, the key of kombo_interviews."),
            remote_id=string("ID of the interview in the applicant tracking system."),
            title=string("Title of the interview."),
            starting_at=_STARTING_AT,
            ending_at=_ENDING_AT,
            location=_PLACE,
            canceled=_CANCELED,
        ),
    ),
    offers=list_of(
        "Offers made for the application, in short.",
        fields(
            id=string("Kombo's ID of the offer, the key of kombo_offers."),
            remote_id=string("ID of the offer in the applicant tracking system."),
            status=string("Status of the offer, such as SENT or ACCEPTED."),
        ),
    ),
)

APPLICATION_STAGES = _model(
    name=string("Name of the stage."),
    # In the SDK only.
    status=_STAGE_STATUS,
    custom_fields=open_object("Custom fields of the stage by their names."),
)

JOBS = _model(
    name=string("Title of the job."),
    job_code=string("Code that the company gave the job."),
    description=string("Description of the job, often HTML."),
    confidential=boolean("True if the job is confidential. Deprecated by Kombo: see visibility."),
    weekly_hours=number("Working time in hours per week."),
    employment_type=string("Such as FULL_TIME, PART_TIME, CONTRACT, or another original word."),
    status=string("OPEN, CLOSED, DRAFT, ARCHIVED, or another original word."),
    visibility=string("PUBLIC, INTERNAL, UNLISTED, CONFIDENTIAL, or another original word."),
    category=string("Category of the job. Free text."),
    department=string("Department of the job. Free text."),
    post_url=string("Address of the published job posting."),
    experience_level=string("Experience that the job asks for. Free text."),
    remote_work_status=string("REMOTE, HYBRID, TEMPORARY, ON_SITE, or another original word."),
    salary_amount=number("Salary, where it is one amount, in salary_currency per salary_period."),
    salary_amount_from=number("Lower end of the salary range."),
    salary_amount_to=number("Upper end of the salary range."),
    salary_currency=string("Currency of the salary."),
    salary_period=string("YEAR, MONTH, TWO_WEEKS, WEEK, DAY, HOUR, or another original word."),
    location=fields("Where the job is.", **_LOCATION),
    **_CUSTOM,
    remote_url=_REMOTE_URL,
    opened_at=timestamp("When the job was opened."),
    closed_at=timestamp("When the job was closed."),
    **_TIMES,
    contact_id=string("Kombo's ID of the contact person. Deprecated by Kombo: see hiring_team."),
    stages=list_of(
        "Stages of the job's hiring process.",
        fields(
            **_STAGE_WITH_SDK_FIELDS,
            remote_data=open_object("What the applicant tracking system itself sent."),
        ),
    ),
    screening_questions=list_of(
        "Questions that candidates answer when they apply.",
        fields(
            id=string("Kombo's ID of the question."),
            remote_id=string("ID of the question in the applicant tracking system."),
            title=string("Text of the question."),
            description=string("Further text about the question."),
            format=fields(
                "What an answer looks like. The type decides which of the fields it has.",
                type=string("Type of the question, such as TEXT or SINGLE_SELECT."),
                display_type=string("How the question is shown."),
                options=list_of(
                    "Options to choose from.",
                    fields(
                        id=string("Kombo's ID of the option."),
                        remote_id=string("ID of the option in the applicant tracking system."),
                        name=string("Text of the option."),
                    ),
                ),
                max_length=number("Most characters that a text may have."),
                min=number("Smallest number that is accepted."),
                max=number("Largest number that is accepted."),
                accepted_mime_types=list_of("MIME types of the files that are accepted.", STRING),
                max_file_size_bytes=number("Largest file that is accepted, in bytes."),
                raw_question=anything("The original question, where Kombo does not know its type."),
            ),
            category=string("Category of the question."),
            index=integer("Position of the question in the form."),
            required=boolean("True if the question has to be answered."),
            precondition_question_id=string("Question that decides whether this one is asked."),
            precondition_options=list_of(
                "Answers to that question under which this one is asked: IDs of options, or true "
                "and false.",
                ANYTHING,
            ),
        ),
    ),
    job_postings=list_of(
        "Published postings of the job.",
        fields(
            id=string("Kombo's ID of the posting."),
            remote_id=string("ID of the posting in the applicant tracking system."),
            title=string("Title of the posting."),
            description_html=string("Text of the posting, as HTML."),
            status=string("Status of the posting."),
            visibility=string("Who can see the posting."),
            url=string("Address of the posting."),
            remote_data=open_object("What the applicant tracking system itself sent."),
        ),
    ),
    hiring_team=list_of(
        "Users who hire for the job.",
        fields(
            **_USER,
            hiring_team_roles=list_of("Kombo's kinds of role, such as RECRUITER.", STRING),
            job_roles=list_of("Roles of the user for this job.", _ASSIGNED_ROLE),
        ),
    ),
)

USERS = _model(
    first_name=string("First name."),
    last_name=string("Last name."),
    email=string("Email address. Null where it is invalid."),
    status=string("ACTIVE or INACTIVE."),
    system_roles=list_of("Roles of the user that hold everywhere.", _ASSIGNED_ROLE),
)

TAGS = _model(name=string("Name of the tag."))

OFFERS = _model(
    status=string("ACCEPTED, DECLINED, SENT, APPROVED, DRAFT or ABANDONED."),
    employment_start_date=timestamp("When the employment begins."),
    application_id=_APPLICATION_ID,
    **_CUSTOM,
    **_TIMES,
    application=fields(
        "The application, in short.",
        candidate=fields("The candidate, in short.", **_CANDIDATE_SUMMARY),
        job=_JOB_SUMMARY,
    ),
)

INTERVIEWS = _model(
    title=string("Title of the interview."),
    starting_at=_STARTING_AT,
    ending_at=_ENDING_AT,
    location=_PLACE,
    video_conferencing_url=string("Address of the video call."),
    application_id=_APPLICATION_ID,
    stage_id=string("Kombo's ID of the stage that the interview belongs to."),
    canceled=_CANCELED,
    **_TIMES,
    users=list_of("Users who interview.", fields(**_USER)),
    application=fields(
        "The application, in short.",
        id=_APPLICATION_ID,
        remote_id=string("ID of the application in the applicant tracking system."),
        outcome=_OUTCOME,
        rejection_reason_name=_REJECTION_REASON,
        candidate=fields("The candidate, in short.", **_CANDIDATE_SUMMARY),
        job=_JOB_SUMMARY,
    ),
)

NOTES = _model(
    candidate_id=_CANDIDATE_ID,
    application_id=string(
        "Kombo's ID of the application. Null where the system ties notes to candidates only."
    ),
    **_AUTHOR,
    title=string("Title of the note."),
    content_html=string("Text of the note. It may be HTML: sanitize it before showing it."),
    is_private=boolean(
        "True if only people with more than standard access see the note. Null: not known."
    ),
    **_TIMES,
)

_SCORECARD_OPTION = {
    "remote_id": string("ID of the option in the applicant tracking system."),
    "label": string("Text of the option."),
}
SCORECARDS = _model(
    candidate_id=_CANDIDATE_ID,
    application_id=_APPLICATION_ID,
    interview_id=string("Kombo's ID of the interview, the key of kombo_interviews."),
    **_AUTHOR,
    responses=list_of(
        "Every question of the evaluation form with its answer, a headline rating included.",
        fields(
            type=string("TEXT, NUMBER, BOOLEAN, DATE, SINGLE_SELECT or MULTI_SELECT."),
            remote_id=string("ID of the question. Null for what stands outside the form."),
            label=string("Text of the question."),
            description=string("Further text about the question."),
            required=boolean("True if the question has to be answered."),
            options=list_of(
                "Options to choose from: SINGLE_SELECT and MULTI_SELECT only.",
                fields(**_SCORECARD_OPTION),
            ),
            answer=anything("The answer: text, number, true or false, one option, or a list."),
        ),
    ),
    **_TIMES,
)

ATTACHMENTS = _model(
    candidate_id=_CANDIDATE_ID,
    application_id=string(
        "Kombo's ID of the application. Null if the file belongs to the candidate."
    ),
    type=_FILE_TYPE,
    file_name=_FILE_NAME,
    content_ref=fields(
        "Where Kombo put the file: in a bucket of yours. The file may be gone from there.",
        type=string("Kind of storage: always s3."),
        bucket=string("Name of the bucket."),
        key=string("Whole key of the object in the bucket."),
    ),
    **_TIMES,
)

REJECTION_REASONS = _model(name=string("Name of the reason."))

ROLES = _model(**_ROLE)
