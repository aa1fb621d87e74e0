"""Cursors of a list: noticing that it would never end."""

from __future__ import annotations

from source_ats.errors import ContractError

MOST_EMPTY_PAGES = 10
"""In a row. Assumed: no vendor sends as many in the middle of a list."""


class SeenCursors:
    """The cursors of one read. A repeated one means that the list would never end.

    So do empty pages that always name a next one. A few may be in the middle of a list, where a
    vendor filters rows after it has cut the pages.

    Only hashes are kept: a million rows in pages of 250 have 4,000 cursors, which take less than
    half a megabyte.
    """

    def __init__(self, first: str | None = None) -> None:
        """`first` is the cursor at which the read begins; None: at the first page."""
        self._hashes = set() if first is None else {hash(first)}
        self._empty_pages = 0

    def add(self, cursor: str, where: str) -> None:
        """Note the cursor of the next page. Raises `ContractError` if it was seen before."""
        if hash(cursor) in self._hashes:
            message = (
                "A page points back to a page that was read before, so this list would never end. "
                "Ask the vendor's support, and give them the request id."
            )
            raise ContractError(message, detail=where)
        self._hashes.add(hash(cursor))

    def is_at_end(self, *, is_empty: bool) -> bool:
        """Return whether the list ends at this page, although it names a next one."""
        self._empty_pages = self._empty_pages + 1 if is_empty else 0
        return self._empty_pages == MOST_EMPTY_PAGES
