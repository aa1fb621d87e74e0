"""Comeet's Recruiting API (now Spark Hire Recruit): positions, candidates, deleted candidates.

Comeet is written to as well, by `destination_comeet`: the requests and responses of both sides are
here, with `connection.py` and `listing.py`, which both use.
"""
