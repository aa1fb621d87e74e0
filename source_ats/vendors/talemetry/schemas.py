"""The schema of a person's record.

Source: two samples of the details endpoint (documented). Strings and times are declared as the
samples show them; blocks that no sample shows are open objects.
"""

from __future__ import annotations

from source_ats.protocol.schemas import (
    STRING,
    Schema,
    anything,
    boolean,
    date,
    fields,
    list_of,
    open_object,
    string,
    table,
    timestamp,
)


def _partial_date(description: str) -> Schema:
    """Return a date as a resume has it: the samples show one of the three fields at a time."""
    return fields(
        description,
        YearMonth=string("Year and month, such as 2020-01."),
        Year=string("Year alone, such as 2020."),
        StringDate=string("A word, such as current."),
    )


_EMPLOYER = fields(
    EmployerOrgName=string("Name of the employer."),
    PositionHistory=list_of(
        "Positions held there. Several positions can also be several entries of one employer.",
        fields(
            Title=string("Job title."),
            OrgName=fields(
                "Organization of the position.",
                OrganizationName=string("Name of the organization."),
            ),
            OrgInfo=fields(
                "More about the organization.",
                LocationSummary=fields(
                    "Where the organization is.",
                    CountryCode=string("Code of the country."),
                ),
            ),
            Description=string("Description of the position."),
            StartDate=_partial_date("When the position began."),
            EndDate=_partial_date("When the position ended."),
        ),
    ),
)
_SCHOOL = fields(
    schoolType=string("Kind of school, such as university."),
    School=fields("The school.", SchoolName=string("Name of the school.")),
    Degree=list_of(
        "Degrees earned there.",
        fields(
            DegreeName=string("Name of the degree."),
            DegreeDate=_partial_date("When the degree was earned."),
            DegreeMajor=fields("Major of the degree.", Name=string("Name of the major.")),
            DatesOfAttendance=fields(
                "When the school was attended.",
                StartDate=_partial_date("When attendance began."),
                EndDate=_partial_date("When attendance ended."),
            ),
        ),
    ),
)
# The samples show most of these as null: what they mean is read from their names.
_APPLICATION = {
    "Id": string("ID of the requisition applied to. It is not an ID of the application."),
    "PostingTitle": string("Title of the job posting."),
    "JV_ApplicationID": string("Jobvite's ID of the application."),
    "ContextId": string("ID of the context of the application."),
    "RecruitmentId": string("ID of the recruitment."),
    "WebTrackingId": string("ID that web tracking gave the application."),
    "talemetry_bid": string("Identifier of Talemetry's own."),
    "OpenDate": string("When the requisition was opened. The format is not documented."),
    "HireStartDate": string("When the employment begins. The format is not documented."),
    "prev_term_date": string("When an earlier employment ended. The format is not documented."),
    "referral_datetime": string("When the person was referred. The format is not documented."),
    "DispositionReasonCode": string("Code of the reason for the status."),
    "DispositionReasonName": string("Name of the reason for the status."),
    "DispositionStatusCode": string("Code of the status. It can have leading zeros."),
    "DispositionStatusName": string("Name of the status, such as Applied."),
    "DispositionReasonSearch": string("Search code of the reason for the status."),
    "DispositionReasonSearchName": string("Search name of the reason for the status."),
    "Interviewed": string("Whether the person was interviewed."),
    "TargetCrmStage": string("Stage in the CRM that the application leads to."),
    "Company": string("Code of the company."),
    "CompanyName": string("Name of the company."),
    "Department": string("Code of the department."),
    "DepartmentName": string("Name of the department."),
    "Location": string("Where the job is."),
    "ManagerID": string("ID of the hiring manager."),
    "Manager": string("Name of the hiring manager."),
    "RecruiterID": string("ID of the recruiter."),
    "Recruiter": string("Name of the recruiter."),
    "app_source_id": string("ID of the source of the application."),
    "app_source_name": string("Name of the source of the application."),
    "app_source_text": string("Free text about the source of the application."),
    "app_subsource_id": string("ID of the subsource of the application."),
    "app_subsource_name": string("Name of the subsource of the application."),
    "app_subsource_search_id": string("Search ID of the subsource of the application."),
    "app_subsource_search_name": string("Search name of the subsource of the application."),
    "company_source": string("Company that the application came from."),
    "referrer_name": string("Given name of the person who referred the candidate."),
    "referrer_family": string("Family name of the person who referred the candidate."),
    "employee_email": string("Email address of the employee who referred the candidate."),
    "previous_employee": string("Whether the person was employed by the company before."),
}

PROFILES = table(
    id=string("GUID of the person in Talemetry. The primary key."),
    formatted_name=string("Whole name, copied from contact."),
    given_name=string("Given name, copied from contact."),
    family_name=string("Family name, copied from contact."),
    email=string("First email address, copied from contact."),
    # As the vendor sent it: here one phone is an object, and several are a list.
    contact=fields(
        "Name, addresses and phones of the person, as the vendor sent them.",
        PersonName=fields(
            "Name of the person.",
            FormattedName=string("Whole name."),
            GivenName=string("Given name."),
            FamilyName=string("Family name."),
        ),
        ContactMethod=anything(
            "Email addresses, phones and postal addresses: an object, or a list of them."
        ),
    ),
    employment_history=list_of(
        "Employers of the person with the positions held. Null if experience was not requested.",
        _EMPLOYER,
    ),
    education_history=list_of(
        "Schools of the person with the degrees earned. Null if education was not requested.",
        _SCHOOL,
    ),
    applications=list_of(
        "Applications of the person. Null if ats_application_histories was not requested.",
        fields(
            **_APPLICATION,
            application_date=date("Day of the application."),
            DispositionDate=date("Day on which the application came into its status."),
        ),
    ),
    notes=list_of(
        "Notes about the person. Null if notes was not requested.",
        fields(
            Id=string("ID of the note, a UUID."),
            Text=string("Text of the note."),
            DateTime=timestamp("When the note was written."),
            AuthorEmail=string("Email address of the author."),
        ),
    ),
    tags=list_of("Tags of the person. Null if tags was not requested.", STRING),
    custom_data=list_of(
        "Standard, consent and custom fields. Null if custom_data was not requested.",
        fields(
            name=string("Name of the field."),
            value=string("Value of a field that has one."),
            values=list_of("Values of a field that has room for several.", STRING),
            updated_at=timestamp("When the field was last updated."),
        ),
    ),
    audience_types=list_of(
        "Audience types of the person. Null if custom_data was not requested.", STRING
    ),
    lifecycle_state=string("State of the person's life cycle, such as applicant."),
    do_not_contact=open_object(
        "Blocks whose names begin with DoNot: whether the person may be contacted or hired. Their "
        "shape is not documented."
    ),
    referrals=open_object("Referrals of the person. Their shape is not documented."),
    extra=open_object(
        "Everything else that the vendor sent: blocks of UserArea by name, all else in its place."
    ),
    is_deleted=boolean("True if the person was deleted. Then only id and as_of are filled."),
    as_of=timestamp("End of the window of time under which the change was listed."),
)
