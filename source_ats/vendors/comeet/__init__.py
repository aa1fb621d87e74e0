"""Comeet's Recruiting API (now Spark Hire Recruit): positions, candidates, deleted candidates.

Comeet is written to as well, by `destination_comeet`: the requests and responses of both sides are
here. So there are files more than in other vendor packages: `connection.py` makes the client,
`token.py` signs its tokens, and `paging.py` follows a list's pages, for both sides.
"""
