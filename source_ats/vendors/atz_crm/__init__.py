"""ATZ CRM: candidates, deals, and the stages that candidates went through.

Only GET is sent: the vendor's DELETE has the same addresses. More files than in the other packages:
`lists.py` reads candidates and deals, `history.py` requests each candidate's history, and
`listing.py` is what both need, the list page by page and a temporary file of what it showed.
"""
