"""What a person has to put right."""

from __future__ import annotations


class Problem(Exception):
    """The report cannot be made. The text is a whole sentence with the remedy."""
