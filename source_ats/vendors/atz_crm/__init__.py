"""ATZ CRM: candidates, deals, and the stages that candidates went through.

Doors: `client` (all calls of one token), `streams` (what can be read), `check` (whether it can).
Beside the files that every room has: `lists.py` reads candidates and deals, `history.py` asks for
each candidate's history, and `listing.py` is what both need: the list, page by page, and a
temporary file of what it showed. This room sends GET only: the vendor's DELETE has the same
addresses.
"""

from source_ats.vendors.atz_crm.check import check
from source_ats.vendors.atz_crm.streams import client, streams

__all__ = ["check", "client", "streams"]
