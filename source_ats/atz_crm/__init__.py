"""ATZ CRM: the stream `candidate_history`, one call for each candidate.

Doors: `client` (all calls of one token), `streams` (what can be read), `check` (whether it can).
Beside the files that every room has, `listing.py` reads the list of candidates and keeps it in a
temporary file. This room sends GET only: the vendor's DELETE has the same addresses.
"""

from source_ats.atz_crm.check import check
from source_ats.atz_crm.streams import client, streams

__all__ = ["check", "client", "streams"]
