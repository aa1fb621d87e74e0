"""The mapping `talemetry_profiles`: the stream `profiles` of source-ats."""

from __future__ import annotations

from collections.abc import Mapping

from destination_comeet.mapping.model import POSITION, Application, Person, Record, Skipped
from destination_comeet.mapping.values import as_object, as_objects, first

_CLOSED_WORDS = ("hired", "reject", "declin", "withdr", "not selected")
"""In the name of a disposition. Customers name them freely (inferred): the usual words."""


def from_talemetry_profiles(record: Record) -> Person | Skipped:
    """Return whom a record is about."""
    if record.get("is_deleted") is True:
        return Skipped("is_deleted", "is true: the profile is deleted")
    if _is_marked(record.get("do_not_contact")):
        return Skipped("do_not_contact", "is set: the person must not be contacted or hired")
    methods = as_objects(as_object(record.get("contact")).get("ContactMethod"))
    mobiles = [each for method in methods for each in as_objects(method.get("Mobile"))]
    phones = [each for method in methods for each in as_objects(method.get("Telephone"))]
    addresses = [each for method in methods for each in as_objects(method.get("PostalAddress"))]
    return Person(
        source_key=[record.get("id")],
        fields={
            "first_name": record.get("given_name"),
            "last_name": record.get("family_name"),
            "email": record.get("email"),
            "mobile_phone": first(map(_number, mobiles)),
            "phone": first(map(_number, phones)),
            "address": first(map(_address, addresses)),
        },
        applications=[_application(each) for each in as_objects(record.get("applications"))],
        columns={"first_name": "given_name", "last_name": "family_name", POSITION: "applications"},
    )


def _application(application: Record) -> Application:
    # The requisition's id (documented sample).
    job = application.get("Id")
    name = str(application.get("DispositionStatusName") or "").casefold()
    return Application(
        (job,) if isinstance(job, str) else (),
        closed=bool(application.get("HireStartDate"))
        or any(word in name for word in _CLOSED_WORDS),
    )


def _number(phone: Record) -> str:
    """Return a phone number made of its three parts, any of which may be missing."""
    country = phone.get("InternationalCountryCode")
    rest = (phone.get("AreaCityCode"), phone.get("SubscriberNumber"))
    parts = [each for each in rest if each]
    return " ".join(map(str, [f"+{country}", *parts] if country and parts else parts))


def _address(address: Record) -> dict[str, object]:
    delivery = address.get("DeliveryAddress")
    # privacy.hash makes a text of the whole object.
    lines = delivery if isinstance(delivery, str) else as_object(delivery).get("AddressLine")
    street = [str(each) for each in (lines if isinstance(lines, list) else [lines]) if each]
    return {
        "country": address.get("CountryCode"),
        "city": address.get("Municipality"),
        "state": address.get("Region"),
        "zip": address.get("PostalCode"),
        "street": ", ".join(street),
    }


def _is_marked(value: object) -> bool:
    """Return True if a do-not-contact block says yes.

    Its shape is not documented (assumed: `DoNot...` flags at any depth, a `Value`, or a block that
    holds anything at all), so only a plain no, or nothing, counts as no.
    """
    if isinstance(value, str):
        return value.strip().casefold() not in ("", "false", "no", "n", "0")
    if isinstance(value, list):
        return any(map(_is_marked, value))
    if isinstance(value, Mapping):
        flags = [each for key, each in value.items() if key.casefold().startswith("donot")]
        if flags:
            return any(map(_is_marked, flags))
        return _is_marked(value["Value"]) if "Value" in value else bool(value)
    return bool(value)
