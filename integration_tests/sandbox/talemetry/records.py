"""One candidate of the fake Talemetry, as HR-XML turned into JSON (talemetry.md, Quirks).

Everything is a pure function of seed, number and version. Each form of each block occurs among
the first 200 people.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal
from zlib import crc32

from integration_tests.sandbox.people import CITIES, COMPANIES, TITLES, mix, person
from integration_tests.sandbox.talemetry.data import DAY, Dice, Life, life_cycle, sources

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Json = dict[str, object]

INCLUDE = (
    "contact",
    "education",
    "experience",
    "ats_application_histories",
    "donotcontact_info",
    "tags",
    "notes",
    "custom_data",
)
WITHOUT_INCLUDE = frozenset({"contact", "education", "experience", "ats_application_histories"})
"""What comes when `include` is not sent (a sample shows it, [DET])."""

Form = int | Literal["missing", "null", "hollow"]
"""How a repeatable element occurs: so often, or in one of the three ways of not being there."""

FORMS: tuple[Form, ...] = (1, 2, "missing", 1, 3, "null", 2, "hollow")
"""Of a block of repeatable entries."""
PARTS: tuple[Form, ...] = (1, "missing", 1, 1, "null", 1, 1, 2, 1, 1)
"""Of a part that occurs once as a rule."""

MULTIVALUES = ("North", "East", "South", "West")
LONG_TEXT = "Kept the line running · trained new colleagues · wrote it all down. " * 60

SELDOM_FILLED = {
    # All keys are there in every entry of the sample, most values null ([DET]); the texts are
    # made up.
    "JV_ApplicationID": "jv-7731",
    "ContextId": "ctx-12",
    "RecruitmentId": "rec-40",
    "WebTrackingId": "web-93",
    "talemetry_bid": "bid-5",
    "OpenDate": "2019-11-04",
    "HireStartDate": "2020-03-01",
    "prev_term_date": "2018-06-30",
    "referral_datetime": "2020-01-05 09:30:00 UTC",
    "DispositionReasonCode": "R7",
    "DispositionReasonName": "Shift does not fit",
    "DispositionReasonSearch": "shift",
    "DispositionReasonSearchName": "Shift",
    "Interviewed": "true",
    "TargetCrmStage": "Interview",
    "Company": "QW",
    "CompanyName": "Quill Works",
    "Department": "D4",
    "DepartmentName": "Kitchen",
    "Location": "Bergen",
    "ManagerID": "m-3",
    "Manager": "Freya Brandt",
    "RecruiterID": "r-8",
    "Recruiter": "Ines Haddad",
    "app_source_id": "21",
    "app_source_text": "Seen on a poster",
    "app_subsource_id": "4",
    "app_subsource_name": "Poster",
    "app_subsource_search_id": "44",
    "app_subsource_search_name": "Posters",
    "company_source": "Job fair",
    "referrer_name": "Ewan",
    "referrer_family": "Ngata",
    "employee_email": "colleague@example.org",
    "previous_employee": "false",
}
DISPOSITIONS = (("020", "Applied"), ("035", "Interview"), ("090", "Hired"), ("110", "Rejected"))


@dataclass(frozen=True, slots=True)
class Record:
    """One candidate as the vendor's XML turned into JSON shows it (talemetry.md, Quirks)."""

    dice: Dice
    guid: str
    life: Life
    blocks: frozenset[str]
    referrals: bool
    do_not_contact_shape: str

    def candidate(self) -> Json:
        """The whole `Candidate`, with only the blocks asked for."""
        info: Json = {"Id": {"IdValue": self.guid}}
        if self.dice.pick("record status", (True, *[False] * 6)):
            info["Status"] = {"validFrom": "2020-01-01", "Name": "Active"}
        candidate: Json = {
            "xmlns": "http://ns.hr-xml.org/2007-04-15",
            "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance",
            "xsi:schemaLocation": "http://ns.hr-xml.org/2007-04-15 Candidate.xsd",
            "CandidateRecordInfo": info,
        }
        if self.dice.pick("supplier", (True, *[False] * 10)):
            candidate["CandidateSupplier"] = {"SupplierId": {"IdValue": "sup-7"}}
        resume: Json = {"xmlns:rm": "http://ns.hr-xml.org/2007-04-15"}
        # "An empty container may be null instead of an object": at every level.
        form = self.dice.pick("resume", ("null", "hollow", *["whole"] * 78))
        if form != "null":
            resume["StructuredXMLResume"] = None if form == "hollow" else self.resume()
        candidate["Resume"] = None if form == "null" else resume
        area = self.user_area()
        if area:
            candidate["UserArea"] = area
        elif self.dice.pick("user area", (True, False)):
            candidate["UserArea"] = None
        return candidate

    def resume(self) -> Json:
        """`StructuredXMLResume`."""
        resume: Json = {"ContactInfo": self.contact_info()}
        if "experience" in self.blocks:
            form = self.dice.pick("employers", (*FORMS, 6))
            put(resume, "EmploymentHistory", "EmployerOrg", form, self.employer)
            if self.dice.pick("languages", (True, *[False] * 8)):
                resume["Languages"] = {"Language": {"LanguageCode": "NO", "Read": "true"}}
        if "education" in self.blocks:
            form = self.dice.pick("schools", FORMS)
            put(resume, "EducationHistory", "SchoolOrInstitution", form, self.school)
        return resume

    def contact_info(self) -> Json | None:
        """`ContactInfo`, cut down to name and email unless `contact` was asked for."""
        if self.dice.pick("contact info", (True, *[False] * 59)):
            return None
        who = person(self.dice.seed, self.dice.number)
        name: Json = {"FormattedName": f"{who.first} {who.last}"}
        parts = self.dice.pick("name", ("missing", "null", *["both"] * 28))
        if parts != "missing":
            name["GivenName"] = who.first if parts == "both" else None
            name["FamilyName"] = who.last
        info: Json = {"PersonName": name}
        form: Form = self.dice.pick("contact method", (2, "missing", 2, "null", 2, *[1] * 25))
        work = {"Use": "work", "InternetEmailAddress": f"work.{who.email}"}
        methods = (self.contact_method(who.email), work)
        put_part(info, "ContactMethod", form, methods.__getitem__)
        return info

    def contact_method(self, email: str) -> Json:
        """The personal `ContactMethod`."""
        method: Json = {"Use": "personal"}
        if "contact" in self.blocks:
            form = self.dice.pick("telephone", PARTS)
            put_part(method, "Telephone", form, self.phone)
            form = self.dice.pick("mobile", PARTS)
            put_part(method, "Mobile", form, lambda index: self.phone(index + 2))
        form = self.dice.pick("email", (*PARTS, *[1] * 20))
        put_part(method, "InternetEmailAddress", form, (email, f"old.{email}").__getitem__)
        if "contact" in self.blocks:
            form = self.dice.pick("address", ("missing", "null", *[1] * 6))
            put_part(method, "PostalAddress", form, lambda _: self.address())
        return method

    def phone(self, index: int) -> Json:
        """A phone number whose area code tells the version."""
        return {
            "InternationalCountryCode": "00",
            "AreaCityCode": f"{554 + self.life.version}",
            "SubscriberNumber": f"{self.dice.number:07d}{index}",
        }

    def address(self) -> Json:
        """A postal address, of which some disagree with themselves: parsed from a resume."""
        who = person(self.dice.seed, self.dice.number)
        form: Form = self.dice.pick("address line", (1, 2, "missing", "null", "hollow"))
        line: Json = {}
        put_part(line, "AddressLine", form, ("Flat 2", "3 Made-up Row").__getitem__)
        return {
            "CountryCode": who.country,
            "PostalCode": f"{self.dice.number % 10_000:04d}",
            "Region": self.dice.pick("region", CITIES)[0],
            "Municipality": who.city,
            "DeliveryAddress": None if form == "hollow" else line,
        }

    def employer(self, index: int) -> Json:
        """One `EmployerOrg`, the newest first."""
        name = COMPANIES[self.dice.below(len(COMPANIES), "employer", index // 2)]
        employer: Json = {"EmployerOrgName": name}
        form = self.dice.pick("positions", PARTS)
        put_part(employer, "PositionHistory", form, lambda more: self.position(name, index + more))
        return employer

    def position(self, employer: str, index: int) -> Json:
        """One `PositionHistory`."""
        title = TITLES[self.dice.below(len(TITLES), "title", index)]
        position: Json = {"Title": title, "OrgName": {"OrganizationName": employer}}
        if self.dice.pick("org info", (True, False)):
            position["OrgInfo"] = {"LocationSummary": {"CountryCode": "NO"}}
        long = self.dice.pick("description", (True, *[False] * 39))
        position["Description"] = LONG_TEXT if long else f"Work as {title} · all of it"
        position["StartDate"] = self.partial_date(2020 - 2 * index)
        position["EndDate"] = (
            self.partial_date(2022 - 2 * index) if index else {"StringDate": "current"}
        )
        return position

    def school(self, index: int) -> Json:
        """One `SchoolOrInstitution`; `schoolType` is an XML attribute."""
        year = 2012 - 3 * index
        name = self.dice.pick("school", (None, "Fjord College", "Quay School"))
        school: Json = {"schoolType": "university", "School": {"SchoolName": name}}
        form = self.dice.pick("degrees", PARTS)
        put_part(school, "Degree", form, lambda more: self.degree(year + 2 * more))
        return school

    def degree(self, year: int) -> Json:
        """One `Degree`."""
        return {
            "DegreeName": self.dice.pick("degree", ("BSc", "MSc")),
            "DegreeDate": self.partial_date(year),
            "DegreeMajor": {"Name": self.dice.pick("major", ("MATH", "NURSING", None))},
            "DatesOfAttendance": {
                "StartDate": self.partial_date(year - 3),
                "EndDate": self.partial_date(year),
            },
        }

    def partial_date(self, year: int) -> Json:
        """A date of the resume, in one of its partial forms."""
        form = self.dice.pick("dates", ("year", "month", "year", "month", "word"))
        if form == "month":
            return {"YearMonth": f"{year}-{1 + self.dice.below(12, 'month', year):02d}"}
        return {"Year": str(year)} if form == "year" else {"StringDate": "notKnown"}

    def user_area(self) -> Json:
        """`UserArea`: fixed blocks and, in `custom_data`, one key for each field."""
        area: Json = {}
        if "ats_application_histories" in self.blocks:
            form = self.dice.pick("applications", FORMS)
            name = "RelatedPositionPosting"
            put(area, "RelatedPositionPostings", name, form, self.application)
        if self.referrals:
            self.put_referrals(area)
        if "notes" in self.blocks:
            self.put_notes(area)
        if "tags" in self.blocks:
            form = self.dice.pick("tags", FORMS)
            put(area, "Tags", "Tag", form, ("alpha", "beta", "gamma·3").__getitem__)
        if "donotcontact_info" in self.blocks:
            self.put_do_not_contact(area)
        if "custom_data" in self.blocks:
            self.put_custom_data(area)
        return area

    def application(self, index: int) -> Json:
        """One `RelatedPositionPosting`."""
        code, name = DISPOSITIONS[self.dice.below(len(DISPOSITIONS), "disposition", index)]
        job = 100 + self.dice.below(12, "job", index)
        applied = self.life.created - index * 30 * DAY
        whole = self.dice.below(5, "whole application", index) == 0
        return {
            **(SELDOM_FILLED if whole else dict.fromkeys(SELDOM_FILLED)),
            "Id": f"REQ-{job}",
            "PostingTitle": TITLES[job % len(TITLES)],
            "application_date": utc(applied).date().isoformat(),
            "DispositionDate": utc(applied + DAY).date().isoformat(),
            "DispositionStatusCode": code,
            "DispositionStatusName": name,
            "app_source_name": min(sources(self.dice.seed, self.dice.number)),
        }

    def put_referrals(self, area: Json) -> None:
        """Null in the sample; the filled shape is made up, since it is not documented."""
        referral = {"ReferrerName": "Ines Brandt", "ReferredOn": "2024-02-03"}
        form = self.dice.pick("referrals", ("missing", "one", "list", *["null"] * 5))
        if form != "missing":
            many = {"Referral": [referral, {**referral, "ReferrerName": "Ewan Haddad"}]}
            area["Referrals"] = {"one": {"Referral": referral}, "list": many}.get(form)

    def put_notes(self, area: Json) -> None:
        """Notes as at the beginning, and one more for the newest version."""
        form = self.dice.pick("notes", FORMS)
        before = form if isinstance(form, int) else 0
        changed = self.life.version > 1

        def note(index: int) -> Json:
            tail = mix(self.dice.seed, self.dice.number, crc32(b"note"), index)
            of_change = index == before
            return {
                "Id": f"{tail >> 32:08x}-0000-4000-8000-{tail & 0xFFFFFFFF:012x}",
                "Text": f"Version {self.life.version}" if of_change else f"Called · {index + 1}",
                "DateTime": utc(
                    self.life.changed if of_change else self.life.created + 3600 * (index + 1)
                ).isoformat(),
                "AuthorEmail": "recruiter@example.org",
            }

        put(area, "Notes", "Note", before + 1 if changed else form, note)

    def put_do_not_contact(self, area: Json) -> None:
        """A made-up block: its shape is not documented, `Settings.do_not_contact_shape` sets it."""
        form = self.dice.pick("do not contact", ("yes", "null", *["missing"] * 6))
        shape = self.do_not_contact_shape
        updated = updated_at(self.life.created)
        if form == "missing":
            return
        if shape == "info":
            flags = {"DoNotContact": "true", "DoNotHire": "false"}
            area["donotcontact_info"] = flags if form == "yes" else None
            return
        filled: object = {"Reason": "Asked not to be called", "UpdatedAt": updated}
        if shape == "flag":
            filled = "true"
        elif shape == "value":
            filled = {"Value": "Yes", "UpdatedAt": updated}
        area["DoNotContact"] = filled if form == "yes" else None
        area["DoNotHire"] = None

    def put_custom_data(self, area: Json) -> None:
        """Fields of all kinds, directly under `UserArea`, beside blocks that are no fields."""
        made = updated_at(self.life.created)
        area["sandbox_version"] = {
            "Value": str(self.life.version),
            "UpdatedAt": updated_at(self.life.changed),
        }
        consent = self.dice.pick("consent", ("Yes", "No", "Y", "N", None))
        area["email_consent"] = {"Value": consent, "UpdatedAt": made if consent else None}
        if self.dice.pick("pay", (True, False, True)):
            pay = 30_000 + 500 * self.dice.below(80, "amount")
            area["DesiredCompensation"] = {"Value": str(pay), "UpdatedAt": made}
        count = self.dice.pick("regions", (0, 1, 2, 3, None))
        if count is not None:
            regions = collapsed(MULTIVALUES[:count])
            area["preferred_regions"] = {"Value": {"Value": regions}, "UpdatedAt": made}
        if self.dice.pick("odd field", (True, *[False] * 5)):
            area["Favourite tool (max. 1)"] = {
                "Value": "O'Neill & co · \u2028 <b>",
                "UpdatedAt": made,
            }
        form = self.dice.pick("audience", FORMS)
        put(area, "AudienceType", "AudienceType", form, ("x", "y", "z").__getitem__)
        state = life_cycle(self.dice.seed, self.dice.number)
        if state is not None:
            area["Lifecycle"] = {"State": state}
        elif self.dice.pick("no life cycle", (True, False)):
            area["Lifecycle"] = None
        if self.dice.pick("social", (True, *[False] * 8)):
            area["SocialProfiles"] = {"SocialProfile": {"Site": "example.org", "Name": "made.up"}}
        if self.dice.pick("namespace", (True, *[False] * 6)):
            area["xmlns:tal"] = "http://example.org/tal"


def collapsed(entries: Sequence[object]) -> object:
    """A list as XML turned into JSON shows it: none is null, one is the entry itself."""
    if len(entries) > 1:
        return list(entries)
    return entries[0] if entries else None


def put(parent: Json, block: str, entry: str, form: Form, make: Callable[[int], object]) -> None:
    """Put a block of repeatable entries into its parent."""
    if isinstance(form, int):
        parent[block] = {entry: collapsed([make(index) for index in range(form)])}
    elif form != "missing":
        parent[block] = None if form == "null" else {entry: None}


def put_part(parent: Json, name: str, form: Form, make: Callable[[int], object]) -> None:
    """Put an element that may be repeated into its parent."""
    if isinstance(form, int):
        parent[name] = collapsed([make(index) for index in range(form)])
    elif form != "missing":
        parent[name] = None


def utc(moment: int) -> datetime:
    """Seconds since 1970 as a time."""
    return datetime.fromtimestamp(moment, UTC)


def rfc3339(moment: int) -> str:
    """Seconds since 1970 in the form requests use."""
    return utc(moment).replace(tzinfo=None).isoformat() + "Z"


def updated_at(moment: int) -> str:
    """The form of `UpdatedAt` ([DET])."""
    return utc(moment).replace(tzinfo=None).isoformat(" ") + " UTC"
