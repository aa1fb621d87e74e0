"""Comeet's Recruiting API (now Spark Hire Recruit): positions, candidates, deleted candidates.

Doors: `client` (all calls of one key), `streams` (what can be read), `check` (whether it can). This
is the one vendor that is written to as well: the doors for that are in `destination`, and what both
sides need is in `calls`, `replies`, `connection` and `listing`.
"""

from source_ats.vendors.comeet.check import check
from source_ats.vendors.comeet.streams import client, streams

__all__ = ["check", "client", "streams"]
