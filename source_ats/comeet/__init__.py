"""Comeet's Recruiting API (now Spark Hire Recruit), the side that is written to.

Doors: `client` (all calls of one key), `mappers` (how records become candidates), `deliveries` (how
they are brought there), `check` (whether they can be). A source's room has `streams` instead of the
two in the middle.
"""

from source_ats.comeet.check import check
from source_ats.comeet.streams import client, deliveries, mappers

__all__ = ["check", "client", "deliveries", "mappers"]
