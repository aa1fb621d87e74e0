"""What Comeet's rows look like.

Sources: Candidate Schema and Position Schema (documented), but for what is marked: seen by third
parties in their accounts (observed). Parts of an object come only with a permission of their own.
"""

from __future__ import annotations

from source_ats.protocol.schemas import (
    Schema,
    boolean,
    fields,
    list_of,
    number,
    open_object,
    string,
    table,
    timestamp,
)


def _user(description: str) -> Schema:
    """Return a person who works with Comeet."""
    return fields(
        description,
        uid=string("Comeet's UID of the person."),
        first_name=string("First name of the person."),
        last_name=string("Last name of the person."),
        email=string("Email address of the person."),
    )


_NAMED_VALUE = fields(name=string("Name of the entry."), value=string("Value of the entry."))

POSITIONS = table(
    uid=string("Comeet's UID of the position, such as 4A.1C2. The primary key."),
    name=string("Title of the position."),
    internal_name=string("Title that only the company sees. Needs a permission."),
    status=string("Status of the position: open, on hold or closed."),
    is_discreet=boolean("True if the position is kept from most users."),
    is_published=boolean("True if the position is published."),
    is_talent_pool=boolean("True if the position is a pool of candidates and not one opening."),
    department=string("Department of the position."),
    email=string("Email address to which resumes for the position can be sent."),
    URL=string("Address of the position's page in Comeet."),
    url_comeet_hosted_page=string("Address of the job page that Comeet hosts."),
    url_active_page=string("Address of the job page in use: Comeet's or the company's own."),
    position_url=string("Address of the position, as Comeet sends it."),
    picture_url=string("Address of the position's picture."),
    experience_level=string("Experience that the position asks for."),
    employment_type=string("Type of employment, such as full-time."),
    workplace_type=string("Where the work is done, such as remote."),
    internal_use_custom_id=string("Code that the company gave the position. It is not the UID."),
    company_name=string("Name of the company."),
    location=fields(
        "Where the position is.",
        uid=string("Comeet's UID of the location."),
        name=string("Name of the location."),
        country=string("Country of the location."),
        city=string("City of the location."),
        state=string("State or region."),
        postal_code=string("Postal code."),
        street_name=string("Street of the location."),
        street_number=string("Number in the street."),
        arrival_instructions=string("How to get there."),
        timezone=string("Time zone of the location."),
    ),
    salary_range=fields(
        "Salary of the position. Needs a permission.",
        min=number("Lower end, in the currency, per period."),
        max=number("Upper end, in the currency, per period."),
        currency_code=string("Code of the currency."),
        period=string("Period that the amounts are for."),
    ),
    categories=list_of("Categories that the company sorts its positions by.", _NAMED_VALUE),
    details=list_of("Texts of the position, such as description and requirements.", _NAMED_VALUE),
    # Their names are those by which a position is written; the fields within are observed.
    users=fields(
        "People who hire for the position. Needs a permission.",
        lead_recruiter=_user("The lead recruiter."),
        hiring_manager=_user("The hiring manager."),
        lead_recruiting_coordinator=_user("The lead recruiting coordinator."),
    ),
    time_updated=timestamp("When the position was last updated."),
)

_STEP = fields(
    # Observed.
    position_step_uid=string("Comeet's UID of the step in the position's workflow."),
    name=string("Name of the step."),
    type=string("Kind of step."),
    time_scheduled=timestamp("When the step is scheduled."),
    time_completed=timestamp("When the step was completed."),
)

CANDIDATES = table(
    uid=string("Comeet's UID of the candidate: one person on one position. The primary key."),
    person_uid=string("Comeet's UID of the person, the same on all positions."),
    position_uid=string("Comeet's UID of the position, the key of comeet_positions."),
    deleted=boolean("True if the candidate was deleted: then only uid is filled."),
    first_name=string("First name."),
    middle_name=string("Middle name."),
    last_name=string("Last name."),
    email=string("Email address."),
    phone=string("Phone number."),
    mobile_phone=string("Mobile phone number."),
    id_number=string("National ID number. It is written under the name national_id."),
    linkedin_url=string("Address of the profile on LinkedIn."),
    URL=string("Address of the candidate's page in Comeet."),
    status=string("In progress, On hold, Awaiting Decision, Rejected, Withdrawn or Hired."),
    prospect_status=string(
        "Sourced, Contacted, Responded, Interested, Not interested or Do not contact."
    ),
    current_steps=list_of("Steps of the hiring process now. Empty unless in progress.", _STEP),
    completed_steps=list_of("Steps of the hiring process that are done.", _STEP),
    future_steps=list_of("Steps that are still to come. Needs a permission.", _STEP),
    opening=fields(
        "Opening that the candidate was hired for. Null unless hired.",
        uid=string("Comeet's UID of the opening."),
        time_start_to_work=timestamp("When the work begins."),
        # Observed, its format not.
        hired_candidate_hire_date=string("Date of the hire. Its format is not documented."),
    ),
    source=fields(
        "Where the candidate came from. Needs a permission.",
        uid=string("Comeet's UID of the source."),
        name=string("Name of the source."),
        type=string("Kind of source."),
    ),
    # Read as first and last name (documented), answered to a write as full name and phone.
    source_contact=fields(
        "Person who submitted the candidate, such as a headhunter. Needs a permission.",
        uid=string("Comeet's UID of the person."),
        first_name=string("First name of the person."),
        last_name=string("Last name of the person."),
        full_name=string("Full name of the person."),
        email=string("Email address of the person."),
        phone=string("Phone number of the person."),
    ),
    resume=fields(
        "Resume of the candidate. Needs a permission.",
        name=string("Name of the file."),
        url=string("Address to download the file from, good for 15 minutes."),
    ),
    tags=list_of("Tags of the candidate.", fields()),
    # Observed.
    custom_fields=open_object("Custom fields of the candidate by their names."),
    time_created=timestamp("When the candidate was created."),
    time_last_status_changed=timestamp("When status last changed."),
)

DELETED_CANDIDATES = table(
    uid=string("Comeet's UID of a candidate or lead who was deleted. The primary key."),
    read_at=timestamp(
        "When the connector read the list. Comeet does not show when it was deleted."
    ),
)
