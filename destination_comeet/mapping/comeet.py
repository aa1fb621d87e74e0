"""The mapping `comeet`: the records already use Comeet's names."""

from __future__ import annotations

from collections.abc import Sequence

from destination_comeet.mapping.keys import PrimaryKey, primary_key_of
from destination_comeet.mapping.model import (
    JOB,
    KEY,
    POSITION,
    Application,
    Person,
    Record,
    Skipped,
)
from destination_comeet.validation import FIELDS


def from_comeet(record: Record, primary_key: PrimaryKey) -> Person | Skipped:
    """Return whom a record is about. Names that Comeet does not have are ignored."""
    if record.get("deleted") is True:
        return Skipped("deleted", "is true: the record is a tombstone")
    key = record.get(KEY)
    return from_own_names(record, primary_key_of(record, primary_key) if key is None else [key])


def from_own_names(values: Record, source_key: Sequence[object]) -> Person:
    """Return the person whom these values, under Comeet's names, are about."""
    return Person(
        source_key=source_key,
        fields={name: values[name] for name in FIELDS if name in values},
        applications=applications_for(values.get(JOB)),
        position_uid=values.get(POSITION),
    )


def applications_for(job: object) -> Sequence[Application]:
    """Return the application for a job; none if it is null or blank, as an empty cell of a CSV."""
    job_id = "" if job is None else str(job).strip()
    return [Application((job_id,))] if job_id else []
