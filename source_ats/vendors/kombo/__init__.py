"""Kombo's unified API: the stream `candidates`, and one for each other model.

Doors: `client` (all calls of one key), `streams` (what can be read), `check` (whether it can).
"""

from source_ats.vendors.kombo.check import check
from source_ats.vendors.kombo.streams import client, streams

__all__ = ["check", "client", "streams"]
