"""Schemas of the records. Source: docs.atzcrm.com (documented), unless said otherwise."""

from __future__ import annotations

from source_ats.protocol.schemas import (
    ANYTHING,
    Schema,
    date,
    fields,
    integer,
    list_of,
    string,
    table,
    timestamp,
)


def _number(description: str) -> Schema:
    """Documented as integer; the vendor's own examples have some such numbers as strings."""
    return {"type": ["null", "integer", "string"], "description": description}


def _amount(description: str) -> Schema:
    """Documented as number; the vendor's own examples have some such numbers as strings."""
    return {"type": ["null", "number", "string"], "description": description}


def _words(description: str) -> Schema:
    """Documented as string, but shown as a list in brackets; it is assumed that either comes."""
    return {"type": ["null", "string", "array"], "items": ANYTHING, "description": description}


def _objects(description: str) -> Schema:
    """Return a list. One comes as an object, several as a list: see `responses.LIST_FIELDS`."""
    return list_of(description, ANYTHING)


def _linked(description: str) -> Schema:
    """Return an object elsewhere, by its number."""
    return fields(description, id=_number("Its ID in ATZ CRM."))


_CHANGES = {
    "owner": _linked("User who owns the row."),
    "created_by": _linked("User who created the row."),
    "updated_by": _linked("User who last updated the row."),
    "created_at": timestamp("When the row was created."),
}
_CUSTOM_FIELDS = _objects("Custom fields, each with id, field_name, field_type and value.")

CANDIDATES = table(
    id=_number("ID of the candidate. It may come as a number or as text: slug is the key."),
    slug=string("Identifier, such as candidate_0123456789abcdef0123. The primary key."),
    first_name=string("First name."),
    last_name=string("Last name."),
    full_name=string("First and last name."),
    email=string("Email address."),
    phone=string("Phone number."),
    resume=string("Resume file: its name. Whether it can be an address is not documented."),
    profile_picture=string("Picture file: its name. Whether it can be an address is unknown."),
    education_specialization=string("Field of study."),
    university=string("University of the candidate."),
    current_position=string("Current job title."),
    current_organization=string("Current employer."),
    last_organization=string("Previous employer."),
    willing_to_relocate=_number("Whether the candidate is willing to relocate: 1 yes, 0 no."),
    available_from=date("First day on which the candidate is available."),
    graduation_date=date("Day of graduation."),
    tags=_words("Tags of the candidate, as text or as a list."),
    skill=_words("Skills of the candidate, as text or as a list."),
    experience=_amount("Work experience. The unit is not documented; years are likely."),
    current_salary=_amount("Current salary, in currency per salary_type."),
    expected_salary=_amount("Salary that the candidate expects, in currency per salary_type."),
    notice_period=_amount("Notice period. The unit is not documented; days are likely."),
    salary_type=_number(
        "Period of the salaries: 1 annual, 2 monthly, 3 weekly, 4 daily, 5 hourly."
    ),
    description=string("Free text about the candidate."),
    source=string("Where the candidate came from, such as a referral."),
    nationality=string("Nationality of the candidate."),
    address=string("Street address."),
    language=string("Languages of the candidate."),
    city=string("City of the candidate."),
    # Assumed from here on, by what other objects have and what an update takes: the documentation
    # that is available ends with the city.
    state=string("State or region."),
    country=string("Country of the candidate."),
    gender=_number("Gender: 0 not available, 1 male, 2 female."),
    date_of_birth=date("Date of birth."),
    currency=_linked("Currency of the salaries."),
    qualification=_linked("Highest qualification."),
    industry=_linked("Industry that the candidate works in."),
    socials=fields(
        "Profiles of the candidate on social networks.",
        linkedin=string("Address of the profile on LinkedIn."),
        xing=string("Address of the profile on Xing."),
    ),
    custom_fields=_CUSTOM_FIELDS,
    **_CHANGES,
    updated_at=timestamp("When the row was last updated. Assumed: without it all rows are read."),
)

DEALS = table(
    id=_number("ID of the deal. It may come as a number or as text: slug is the key."),
    slug=string("Identifier of the deal, with its type as prefix. The primary key."),
    name=string("Name of the deal."),
    stage=fields(
        "Stage of the deal.",
        id=_number("ID of the stage."),
        label=string("Name of the stage."),
        percentage=_amount("Probability that the deal is won in this stage, in percent."),
    ),
    deal_amount=_amount("Value of the deal."),
    amount_by_stage=_amount("Value of the deal, weighted by its stage."),
    close_date=date("Day on which the deal closes."),
    deal_type=_number("Type of the deal: 1 new business, 2 existing business."),
    organization=_linked("Organization that the deal is with."),
    jobs=_objects("Jobs that belong to the deal, each with its id."),
    candidates=_objects("Candidates who belong to the deal, each with its id."),
    contacts=_objects("Contacts who belong to the deal, each with its id."),
    tags=_words("Tags of the deal, as text or as a list."),
    custom_fields=_CUSTOM_FIELDS,
    **_CHANGES,
    updated_at=timestamp("When the row was last updated."),
)

CANDIDATE_HISTORY = table(
    id=string(
        "The primary key, made by the connector from candidate, job, stage, stage_date and a "
        "counter among rows alike in all of these."
    ),
    candidate_id=integer("ID of the candidate. Null where no list of candidates was read."),
    candidate_slug=string("Identifier of the candidate, the key of atz_candidates."),
    job_slug=string("Identifier of the job."),
    job_name=string("Title of the job."),
    organization=fields(
        "Organization that has the job. A job can be without one.",
        slug=string("Identifier of the organization."),
        name=string("Name of the organization."),
    ),
    job_status=fields(
        "Status of the job.",
        id=_number("ID of the status."),
        name=string("Name of the status, such as In Progress."),
    ),
    talent_stage=fields(
        "Stage of the job that the candidate was put into.",
        id=_number("ID of the stage."),
        name=string("Name of the stage, such as Assigned or Interview."),
    ),
    stage_date=date("Day on which the candidate came into the stage."),
    visibility=_number("Whether the row is shown: 1 visible, 0 hidden."),
    comment=string("Comment on the change of stage."),
    updated_by=fields(
        "User who last updated the row.",
        id=_number("ID of the user."),
        email=string("Email address of the user."),
        first_name=string("First name of the user."),
        last_name=string("Last name of the user."),
        full_name=string("First and last name of the user."),
        role=string("Role of the user, such as Admin."),
        phone=string("Phone number of the user."),
    ),
    updated_at=timestamp("When the row was last updated."),
    read_at=timestamp(
        "When the connector read the row. A candidate's current history is the rows with its "
        "newest read_at."
    ),
)
