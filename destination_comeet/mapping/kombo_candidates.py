"""The mapping `kombo_candidates`: the stream `candidates` of source-ats."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from destination_comeet.mapping.model import POSITION, Application, Person, Record, Skipped
from destination_comeet.mapping.values import as_object, as_objects, first, has_hash
from destination_comeet.validation import RESUME_TYPES


def from_kombo_candidates(record: Record) -> Person | Skipped:
    """Return whom a record is about."""
    if record.get("remote_deleted_at") is not None:
        return Skipped("remote_deleted_at", "is set: the candidate is deleted")
    if str(record.get("integration_id")).startswith("comeet:"):
        return Skipped("integration_id", "is Comeet itself: the candidate comes from there")
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
            **_files(as_objects(record.get("files"))),
        },
        applications=[_application(each) for each in as_objects(record.get("applications"))],
        columns={"first_name": "first_name", "last_name": "last_name", POSITION: "applications"},
    )


def _files(files: Sequence[Record]) -> dict[str, object]:
    """Return the newest CV that Comeet takes as a resume, and the other files as such."""
    usable = [{**file, "file_name": _name(file)} for file in files if file.get("data_url")]
    resumes = [
        file
        for file in usable
        if file.get("type") == "CV" and _extension(file["file_name"]) in RESUME_TYPES
    ]
    resume = max(resumes, key=_time, default=None)
    others = [_as_file(file) for file in usable if file is not resume]
    return {"resume": None if resume is None else _as_file(resume), "files": others}


def _as_file(file: Record) -> dict[str, object]:
    # The address is a new one in every read; the id stays.
    return {"id": file.get("id"), "name": file["file_name"], "file": file["data_url"]}


def _time(file: Record) -> str:
    times = (file.get("remote_updated_at"), file.get("remote_created_at"))
    return max((each for each in times if isinstance(each, str)), default="")


def _name(file: Record) -> str:
    """Return the name of a file, or else its type, with the extension of its MIME type."""
    name = file.get("file_name")
    kind = str(file.get("type") or "file")
    if not isinstance(name, str) or not name.strip():
        name = kind
    elif has_hash(name):
        # Comeet's list of files is compared by name.
        name = f"{kind}-{name.strip()[:8]}"
    extension = _EXTENSIONS.get(str(file.get("content_type")).partition(";")[0].strip().lower())
    return name if _extension(name) or extension is None else f"{name}.{extension}"


def _extension(name: str) -> str:
    stem, dot, extension = name.rpartition(".")
    return extension.lower() if dot and stem else ""


_EXTENSIONS = {
    "application/pdf": "pdf",
    "application/x-pdf": "pdf",
    "text/html": "html",
    "application/msword": "doc",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
}
"""Of types that may be a resume, and of web pages, which would else count as a login. Tools often
name a file without its extension (assumed)."""


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
