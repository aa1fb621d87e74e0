"""Talemetry, the Source&CRM part of Jobvite: the stream `profiles`.

Doors: `client` (all calls of one customer), `streams` (what can be read), `check` (whether it can).

Two calls make a sync: one lists GUIDs by event and window, the other answers people by GUID. So the
room has more files than others: `details.py` asks for people in batches and finds the one bad GUID
in a batch, `seen.py` remembers on disk who was listed, `record.py` makes XML turned into JSON a
record, and `token.py` holds the credentials.
"""

from source_ats.vendors.talemetry.check import check
from source_ats.vendors.talemetry.streams import client, streams

__all__ = ["check", "client", "streams"]
