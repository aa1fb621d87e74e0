"""Counts in messages for people."""

from __future__ import annotations


def counted(number: int, singular: str, plural: str = "") -> str:
    """Return a number with its noun: "1 record", "2 records"."""
    noun = singular if number == 1 else plural or f"{singular}s"
    return f"{number} {noun}"
