"""The mapping `atz_candidates`: the stream `atz_candidates` of source-ats."""

from __future__ import annotations

from destination_comeet.mapping.model import Person, Record
from destination_comeet.mapping.values import as_object


def from_atz_candidates(record: Record) -> Person:
    """Return whom a record is about.

    A row names no job, and of its files only their names. All fields after `city` are assumed.
    """
    socials = as_object(record.get("socials"))
    xing = socials.get("xing")
    return Person(
        source_key=[record.get("slug")],
        fields={
            "first_name": record.get("first_name"),
            "last_name": record.get("last_name"),
            "email": record.get("email"),
            "mobile_phone": record.get("phone"),
            "linkedin_url": socials.get("linkedin"),
            "links": [{"url": xing}] if xing else [],
            "address": {
                "country": record.get("country"),
                "city": record.get("city"),
                "state": record.get("state"),
                "street": record.get("address"),
            },
        },
        columns={"first_name": "first_name", "last_name": "last_name"},
    )
