"""The schema of a person's record.

Source: two samples of the details endpoint (documented). Strings and times are declared as the
samples show them; blocks that no sample shows are open objects.
"""

from __future__ import annotations

from source_ats.protocol.schemas import (
    ANYTHING,
    BOOLEAN,
    DATE,
    MOMENT,
    OPEN_OBJECT,
    STRING,
    Schema,
    fields,
    list_of,
    table,
)

# One of the three, as in the resume: `2020-01`, `2020`, or a word such as `current`.
_PARTIAL_DATE = fields(YearMonth=STRING, Year=STRING, StringDate=STRING)
_EMPLOYER = fields(
    EmployerOrgName=STRING,
    PositionHistory=list_of(
        fields(
            Title=STRING,
            OrgName=fields(OrganizationName=STRING),
            OrgInfo=fields(LocationSummary=fields(CountryCode=STRING)),
            Description=STRING,
            StartDate=_PARTIAL_DATE,
            EndDate=_PARTIAL_DATE,
        )
    ),
)
_SCHOOL = fields(
    schoolType=STRING,
    School=fields(SchoolName=STRING),
    Degree=list_of(
        fields(
            DegreeName=STRING,
            DegreeDate=_PARTIAL_DATE,
            DegreeMajor=fields(Name=STRING),
            DatesOfAttendance=fields(StartDate=_PARTIAL_DATE, EndDate=_PARTIAL_DATE),
        )
    ),
)
_APPLICATION_TEXTS = (
    *("Id", "PostingTitle", "JV_ApplicationID", "ContextId", "RecruitmentId", "WebTrackingId"),
    *("talemetry_bid", "OpenDate", "HireStartDate", "prev_term_date", "referral_datetime"),
    *("DispositionReasonCode", "DispositionReasonName", "DispositionStatusCode"),
    *("DispositionStatusName", "DispositionReasonSearch", "DispositionReasonSearchName"),
    *("Interviewed", "TargetCrmStage", "Company", "CompanyName", "Department", "DepartmentName"),
    *("Location", "ManagerID", "Manager", "RecruiterID", "Recruiter", "app_source_id"),
    *("app_source_name", "app_source_text", "app_subsource_id", "app_subsource_name"),
    *("app_subsource_search_id", "app_subsource_search_name", "company_source", "referrer_name"),
    *("referrer_family", "employee_email", "previous_employee"),
)
_TEXTS: dict[str, Schema] = dict.fromkeys(_APPLICATION_TEXTS, STRING)

PROFILES = table(
    id=STRING,
    formatted_name=STRING,
    given_name=STRING,
    family_name=STRING,
    email=STRING,
    # As the vendor sent it: here one phone is an object, and several are a list.
    contact=fields(
        PersonName=fields(FormattedName=STRING, GivenName=STRING, FamilyName=STRING),
        ContactMethod=ANYTHING,
    ),
    employment_history=list_of(_EMPLOYER),
    education_history=list_of(_SCHOOL),
    applications=list_of(fields(**_TEXTS, application_date=DATE, DispositionDate=DATE)),
    notes=list_of(fields(Id=STRING, Text=STRING, DateTime=MOMENT, AuthorEmail=STRING)),
    tags=list_of(STRING),
    custom_data=list_of(
        fields(name=STRING, value=STRING, values=list_of(STRING), updated_at=MOMENT)
    ),
    audience_types=list_of(STRING),
    lifecycle_state=STRING,
    do_not_contact=OPEN_OBJECT,
    referrals=OPEN_OBJECT,
    extra=OPEN_OBJECT,
    is_deleted=BOOLEAN,
    as_of=MOMENT,
)
