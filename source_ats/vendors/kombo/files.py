"""The files of candidates, on request: one live call per candidate, side by side.

Each call goes to the applicant tracking system, so Kombo limits how many are in flight, and says in
its answers how many more it allows. A list of candidates has no such limit.

| answer                                       | then                                              |
| -------------------------------------------- | ------------------------------------------------- |
| a list                                       | the candidate gets it                             |
| the tool has no files, for Kombo             | `files` is null for all, with one warning         |
| files are not allowed, and none was answered | the integration is left out, like one without     |
|                                              | permission: its state stays                       |
| anything else, for one candidate             | `files` is null; the candidate is set aside       |
| no answer for several, and no other answer   | the stream ends as transient                      |
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, closing

import tenacity

from source_ats.errors import (
    AnsweredBefore,
    AtsError,
    ContractError,
    IncompleteResponse,
    PartitionUnavailable,
    RequestRefused,
    RetryableError,
    WrongAddress,
)
from source_ats.http.client import Client
from source_ats.http.rate_limiter import ConcurrencyLimiter
from source_ats.http.retry import RetryPolicy
from source_ats.plural import counted
from source_ats.sync.concurrency import map_ordered
from source_ats.vendors.kombo import requests, responses

log = logging.getLogger("airbyte.source_ats.kombo")

MOST_CALLS = 10
"""In flight per integration. Kombo allows 30, and fewer for fragile tools (documented)."""
PATIENCE = RetryPolicy(attempts=3, seconds=900.0, longest_wait=900.0)
"""For one candidate's files. Waiting for a limit is not an attempt."""
ATTEMPTS_WITHIN_LIMIT = 20
"""About eight minutes."""
ENOUGH_TO_TELL = 5
"""If this many candidates get no answer and no other one does, it is not for one of them."""
NEIGHBOURS = 3
"""Other candidates that are requested then, if none has been answered yet."""
IDS_NAMED = 10

_SCOPE = (
    'Files need the scope "Read document attachments": switch it on in Kombo, or set '
    "kombo.candidate_files to false."
)
_OF_ONE_CANDIDATE = (
    AnsweredBefore,
    ContractError,
    IncompleteResponse,
    RetryableError,
    WrongAddress,
)
"""Failures that may be one candidate's own. Others concern the integration or the key."""


class CandidateFiles:
    """Adds their files to the candidates of one integration. For one thread."""

    def __init__(self, client: Client, base_url: str, integration_id: str) -> None:
        """`client` has to allow `MOST_CALLS` connections."""
        self._client = client
        self._base_url = base_url
        self._integration_id = integration_id
        self._limit = _Limit()
        self._answered: str | None = None
        """The last candidate whose files were read; any thread may set it."""
        self._is_offered = True
        self._within_limit = tenacity.Retrying(
            retry=tenacity.retry_if_exception(_exceeds_limit),
            # Documented: the first wait is about a second.
            wait=tenacity.wait_exponential(max=30) + tenacity.wait_random(0, 1),
            stop=tenacity.stop_after_attempt(ATTEMPTS_WITHIN_LIMIT),
            sleep=client.pause,
            reraise=True,
        )

    def fetch(self, candidate_id: str) -> responses.Files:
        """Return the files of one candidate. Raises `PartitionUnavailable` if none are allowed."""
        try:
            files: responses.Files = self._within_limit(self._request, candidate_id)
        except RequestRefused as refusal:
            if refusal.code == responses.ACTION_DISABLED and self._answered is None:
                message = f"The files of candidates are switched off. {_SCOPE}"
                raise PartitionUnavailable(message, passes=False, detail=refusal.detail) from None
            raise
        except PartitionUnavailable as error:
            if self._answered is not None:
                message = "The files cannot be read."
                raise IncompleteResponse(message, detail=error.detail) from None
            message = f"{error.message} {_SCOPE}"
            raise PartitionUnavailable(message, passes=error.passes, detail=error.detail) from None
        self._answered = candidate_id
        return files

    def _request(self, candidate_id: str) -> responses.Files:
        request = requests.candidate_files(self._base_url, self._integration_id, candidate_id)
        with self._limit.turn():
            try:
                files = self._client.send(request, responses.files, retry_policy=PATIENCE)
            except RequestRefused as refusal:
                if _exceeds_limit(refusal):
                    self._limit.lower()
                raise
            self._limit.adapt(files.calls_allowed, files.calls_left)
        return files

    def add_to_one(self, rows: Sequence[bytes]) -> Sequence[bytes]:
        """Return a row that was requested again. Raises `IncompleteResponse` without its files."""

        def fail(candidate_id: str, error: AtsError) -> None:
            del candidate_id
            detail = f"its files cannot be read [{error.detail}]"
            raise IncompleteResponse("The files cannot be read.", detail=detail)

        return self.add(rows, on_success=lambda candidate_id: None, on_failure=fail)

    def add(
        self,
        rows: Sequence[bytes],
        *,
        on_success: Callable[[str], object],
        on_failure: Callable[[str, AtsError], None],
    ) -> Sequence[bytes]:
        """Return the rows with their files.

        `on_success` gets the id of each candidate whose files were read, `on_failure` that of each
        one whose files cannot be read now, and why. Files of deleted candidates are null and not
        requested.
        """
        heads = [responses.candidate_head(row) for row in rows]
        with_files: list[bytes] = []
        answered: list[str] = []
        is_up = False
        failed: dict[str, AtsError] = {}
        incomplete: list[str] = []
        # Closed, so that nothing more is sent once all of them fail.
        with closing(map_ordered(self._files_or_error, heads, MOST_CALLS)) as results:
            for row, head, result in zip(rows, heads, results, strict=True):
                if isinstance(result, responses.Files):
                    answered.append(head.id)
                    is_up = True
                    if result.warnings:
                        incomplete.append(head.id)
                elif result is not None and not self._is_unsupported(result):
                    failed[head.id] = result
                    is_up = is_up or self._is_up(failed, heads)
                encoded = result.encoded if isinstance(result, responses.Files) else b"null"
                with_files.append(responses.with_field(row, "files", encoded))
        for candidate_id in answered:
            on_success(candidate_id)
        for candidate_id, error in failed.items():
            on_failure(candidate_id, error)
        self._warn_of_incomplete(incomplete)
        return with_files

    def _files_or_error(self, head: responses.CandidateHead) -> responses.Files | AtsError | None:
        if head.remote_deleted_at is not None or not self._is_offered:
            return None
        return self._files_of(head.id)

    def _files_of(self, candidate_id: str) -> responses.Files | AtsError:
        try:
            return self.fetch(candidate_id)
        except _OF_ONE_CANDIDATE as error:
            if isinstance(error, RetryableError) and error.rate_limit:
                raise
            return error

    def _is_unsupported(self, error: AtsError) -> bool:
        """Note and warn once if the tool does not offer files at all."""
        is_it = isinstance(error, RequestRefused) and error.code == responses.ACTION_NOT_AVAILABLE
        if is_it and self._is_offered:
            self._is_offered = False
            log.warning(
                "candidates: Integration %s: its applicant tracking system does not offer the "
                "files of candidates to Kombo, so files is null for all of them. [%s]",
                self._integration_id,
                error.detail,
            )
        return is_it

    def _is_up(
        self, failed: Mapping[str, AtsError], heads: Sequence[responses.CandidateHead]
    ) -> bool:
        """Return True if somebody else is answered, False if it is too early to tell.

        Raises the failure if it concerns all candidates, for then it is nobody's own.
        """
        down = [
            error
            for error in failed.values()
            if isinstance(error, (RetryableError, AnsweredBefore))
        ]
        if len(down) < ENOUGH_TO_TELL:
            return False
        others = [
            head.id for head in heads if head.id not in failed and head.remote_deleted_at is None
        ]
        # From all over the page: bad candidates may stand next to each other.
        spread = others[:: max(len(others) // NEIGHBOURS, 1)]
        neighbours = [self._answered] if self._answered else spread[-NEIGHBOURS:]
        if not any(isinstance(self._files_of(each), responses.Files) for each in neighbours):
            raise down[-1]
        return True

    def _warn_of_incomplete(self, ids: Sequence[str]) -> None:
        if ids:
            # The texts of the warnings name files.
            log.warning(
                "candidates: Integration %s: Kombo says that the files of %s may be "
                "incomplete, among them %s.",
                self._integration_id,
                counted(len(ids), "candidate"),
                ", ".join(ids[:IDS_NAMED]),
            )


def _exceeds_limit(error: BaseException) -> bool:
    return isinstance(error, RequestRefused) and error.code == responses.CONCURRENCY_LIMIT_EXCEEDED


class _Limit:
    """How many calls may be in flight: what the last answer allows, at most `MOST_CALLS`."""

    def __init__(self) -> None:
        self._limiter = ConcurrencyLimiter(MOST_CALLS)
        self._most = MOST_CALLS
        # One until the first answer: the tool may be a fragile one.
        self._limiter.limit_to(1)

    def turn(self) -> AbstractContextManager[None]:
        """Wait until one more call is allowed."""
        return self._limiter.slot()

    def adapt(self, allowed: int | None, left: int | None) -> None:
        """Take over what an answer says: calls allowed in all, and how many more now."""
        most = self._most
        self._limiter.limit_to(most if allowed is None else min(most, allowed), left)

    def lower(self) -> None:
        """Allow one call fewer from now on: Kombo has refused one too many."""
        self._most = max(1, self._most - 1)
        self._limiter.limit_to(min(self._most, self._limiter.allowed))
