"""The mapping `kombo_candidates`: the stream `candidates` of source-ats."""

from __future__ import annotations

from urllib.parse import urlsplit

from destination_comeet.mapping.model import Application, Person, Record, Skipped
from destination_comeet.mapping.values import as_object, as_objects, first


def from_kombo_candidates(record: Record) -> Person | Skipped:
    """Return whom a record is about."""
    if record.get("remote_deleted_at") is not None:
        return Skipped("remote_deleted_at", "is set: the candidate is deleted")
    if str(record.get("integration_id")).startswith("comeet:"):
        return Skipped("integration_id", "is Comeet itself: the candidate comes from there")
    if record.get("confidential") is True:
        return Skipped("confidential", "is true: the candidate must not be passed on")
    phones = [each.get("phone_number") for each in as_objects(record.get("phone_numbers"))]
    emails = [each.get("email_address") for each in as_objects(record.get("email_addresses"))]
    links = [each.get("link") for each in as_objects(record.get("social_media"))]
    profiles = [link for link in links if _is_linkedin(link)]
    location = as_object(record.get("location"))
    return Person(
        source_key=[record.get("id")],
        fields={
            "first_name": record.get("first_name"),
            "last_name": record.get("last_name"),
            "email": first(emails),
            "mobile_phone": first(phones),
            "phone": first(phones[1:]),
            "linkedin_url": first(profiles),
            "links": [{"url": link} for link in links if link and link not in profiles[:1]],
            "address": {
                "country": location.get("country"),
                "city": location.get("city"),
                "state": location.get("state"),
                "zip": location.get("zip_code"),
                "street": location.get("street_1"),
            },
        },
        applications=[_application(each) for each in as_objects(record.get("applications"))],
    )


def _application(application: Record) -> Application:
    job = as_object(application.get("job"))
    ids = (job.get("id"), job.get("remote_id"))
    return Application(
        tuple(each for each in ids if isinstance(each, str)),
        closed=application.get("outcome") in ("DECLINED", "HIRED"),
    )


def _is_linkedin(link: object) -> bool:
    if not isinstance(link, str):
        return False
    try:
        host = urlsplit(link if "://" in link else f"https://{link}").hostname or ""
    except ValueError:
        return False
    return host == "linkedin.com" or host.endswith(".linkedin.com")
