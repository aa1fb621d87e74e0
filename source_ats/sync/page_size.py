"""Smaller pages for a list whose large pages keep failing.

Some servers fail or time out on a page of many rows while they answer smaller ones. A request for
one row tells this from a vendor that is down.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Protocol, TypeVar

from source_ats.errors import RetryableError, TransientError
from source_ats.http.retry import READ_POLICY, RetryPolicy

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")

log = logging.getLogger("airbyte.source_ats.sync")

TWO_ATTEMPTS, ONE_ATTEMPT = replace(READ_POLICY, attempts=2), replace(READ_POLICY, attempts=1)
SMALLEST = 10
"""Smaller pages are not tried: the number of requests would outweigh what they help."""


class FirstPage(Protocol[T_co]):
    """Requests the first page of a list."""

    def __call__(self, rows: int, retry_policy: RetryPolicy | None) -> T_co:
        """Return a page of this number of rows; `retry_policy` as `Client.send` takes it."""
        ...


class PageSize:
    """The number of rows that one read of a list asks for.

    It only changes where a read begins at its first page, never under one cursor or page number.
    """

    def __init__(self, rows: int, setting: str | None, advice: str = READ_POLICY.advice) -> None:
        """`rows` is the configured size or that of the read in progress; `setting` its name.

        `advice` says what to do after a failure that passes.
        """
        self.rows = rows
        self._setting = setting
        self._advice = advice

    def first_page(self, request: FirstPage[T]) -> T:
        """Return the first page, with fewer rows than now if this number keeps failing.

        Raises what the request raises, and `TransientError` with the name of the setting when one
        row is answered, but not the smallest page.
        """
        while self.rows > SMALLEST:
            try:
                return request(self.rows, TWO_ATTEMPTS)
            except RetryableError as error:
                if error.rate_limit:
                    raise
                if not self._is_one_row_answered(request):
                    # The vendor is down.
                    return request(self.rows, None)
            try:
                return request(self.rows, ONE_ATTEMPT)
            except RetryableError as error:
                if error.rate_limit:
                    raise
                self._halve(error)
        try:
            return request(self.rows, None)
        except RetryableError as error:
            if error.rate_limit or not self._is_one_row_answered(request):
                raise
            raise self._keeps_failing(error) from None

    def shrink(self, error: RetryableError, request: FirstPage[object]) -> None:
        """Halve the size after the page at which this run resumed has failed with `error`.

        The read then begins again from its bookmark. Raises `error` if the vendor is down.
        """
        if not self._is_one_row_answered(request):
            raise error
        self._halve(error)

    def _is_one_row_answered(self, request: FirstPage[object]) -> bool:
        try:
            request(1, ONE_ATTEMPT)
        except RetryableError:
            return False
        return True

    def _halve(self, error: RetryableError) -> None:
        if self.rows <= SMALLEST:
            raise self._keeps_failing(error) from None
        smaller = max(SMALLEST, self.rows // 2)
        log.warning(
            "A page of %d rows keeps failing, while one row is answered. The list is read from its "
            "beginning in pages of %d rows.%s [%s]",
            self.rows,
            smaller,
            f" Set {self._setting} to a smaller number to avoid this." if self._setting else "",
            error.detail,
        )
        self.rows = smaller

    def _keeps_failing(self, error: RetryableError) -> TransientError:
        remedy = f"set {self._setting} below {self.rows}, or " if self._setting else ""
        message = (
            f"A page of {self.rows} rows keeps failing, while one row is answered. {self._advice} "
            f"If this does not pass, {remedy}ask the vendor's support."
        )
        return TransientError(message, detail=error.detail)
