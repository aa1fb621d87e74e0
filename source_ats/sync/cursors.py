"""Cursors of a list: noticing that they go round."""

from __future__ import annotations

from source_ats.errors import ContractError


class SeenCursors:
    """The cursors of one read. A repeated one means that the list would never end.

    Only hashes are kept: a million rows in pages of 250 have 4,000 cursors, which take less than
    half a megabyte.
    """

    def __init__(self, first: str | None = None) -> None:
        """`first` is the cursor at which the read begins; None: at the first page."""
        self._hashes = set() if first is None else {hash(first)}

    def add(self, cursor: str, where: str) -> None:
        """Note the cursor of the next page. Raises `ContractError` if it was seen before."""
        if hash(cursor) in self._hashes:
            message = (
                "A page points back to a page that was read before, so this list would never end. "
                "Ask the vendor's support, and give them the request id."
            )
            raise ContractError(message, detail=where)
        self._hashes.add(hash(cursor))
