"""Fetches people by GUID in batches, and finds the person who breaks a batch."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from source_ats.clock import rfc3339
from source_ats.errors import RequestRefused, RetryableError, Stopped, TransientError
from source_ats.http.client import Client
from source_ats.http.models import Response
from source_ats.http.retry import READ_POLICY, RetryPolicy
from source_ats.vendors.talemetry import record, requests, responses
from source_ats.vendors.talemetry.config import TalemetryConfig

log = logging.getLogger("airbyte.source_ats.talemetry")

GROUP_POLICY = replace(READ_POLICY, attempts=3, seconds=150.0)
"""A batch that fails three times is bisected."""
IMPATIENT_POLICY = replace(READ_POLICY, attempts=2, seconds=60.0)
"""While a batch is bisected, and for people who are set aside."""
OUTAGE_POLICY = replace(READ_POLICY, seconds=180.0)
"""For the request that tells whether the vendor is down: about two minutes of server errors."""
MISSING = "the response does not hold this person"


@dataclass(slots=True)
class FetchResult:
    """What became of the requested people. Each is in one of the three."""

    people: dict[str, bytes] = field(default_factory=dict)
    """Records by GUID."""
    bad: dict[str, str] = field(default_factory=dict)
    """Why, by GUID: refused, or missing also when requested alone, while others are answered."""
    gone: list[str] = field(default_factory=list)
    """Answered 404 twice."""


@dataclass(slots=True)
class ProfileFetcher:
    """Fetches people. `fetch` may be called from several threads."""

    client: Client
    config: TalemetryConfig
    some_people: Callable[[int], list[str]]
    """Lists about this many people, to see whether anybody is answered."""
    set_aside: Collection[str] = ()
    """Who could not be read in earlier runs: they tell nothing of the vendor."""
    first_sent_at: datetime | None = None
    """When the first request that was answered was sent, by the vendor's clock."""
    _answered: str | None = None
    """A person who was answered in this run."""

    def fetch(self, ids: Sequence[str], as_of: str | None) -> FetchResult:
        """Fetch a batch, in one request if the vendor answers all of it.

        `as_of` is for the records; None: the time of the request.

        A person missing from a response is requested once more alone. A batch that is refused, or
        draws a server error three times, is halved until the bad ones are found. Raises
        `TransientError` if no person is answered.
        """
        result, failed = self._bisect(ids, as_of, GROUP_POLICY, _halves)
        server_errors = [guid for guid in failed if isinstance(failed[guid], TransientError)]
        if server_errors:
            # The vendor may have failed while the batch was bisected.
            self._others_answered(server_errors, failed[server_errors[0]])
        for guid in server_errors:
            try:
                people = self._request([guid], as_of, GROUP_POLICY)
            except (RequestRefused, TransientError) as error:
                if _concerns_everybody(error):
                    raise
                if not _is_not_found(error):
                    failed[guid] = error
                continue
            del failed[guid]
            result.people |= people
            result.bad |= {} if people else {guid: MISSING}
        return _with_failures(result, failed)

    def fetch_again(self, ids: Sequence[str], as_of: str) -> FetchResult:
        """Fetch people who are set aside: all together once, then one by one."""
        return _with_failures(*self._bisect(ids, as_of, IMPATIENT_POLICY, _singles))

    def _bisect(
        self,
        ids: Sequence[str],
        as_of: str | None,
        policy: RetryPolicy,
        split: Callable[[list[str], RequestRefused | TransientError], list[list[str]]],
    ) -> tuple[FetchResult, dict[str, RequestRefused | TransientError]]:
        """Fetch people, and split every group that fails. Return also the failures by GUID."""
        result = FetchResult()
        failed: dict[str, RequestRefused | TransientError] = {}
        not_found: set[str] = set()
        failures = 0
        compared = False
        anybody_answered = False
        groups = deque([list(ids)] if ids else [])
        while groups:
            # Both halves come before any quarter: a good half shows early that the vendor is well.
            group = groups.popleft()
            try:
                people = self._request(group, as_of, policy)
            except (RequestRefused, TransientError) as error:
                if _concerns_everybody(error):
                    raise
                failures += 1
                policy = IMPATIENT_POLICY
                last_one = len(group) == 1 and not groups
                if not (compared or anybody_answered) and (
                    isinstance(error, TransientError) or failures > 2 or last_one
                ):
                    compared = True
                    anybody_answered = self._others_answered(ids, error)
                if len(group) > 1:
                    groups += split(group, error)
                elif _is_not_found(error) and group[0] not in not_found:
                    # A 404 may be a gateway's, so it counts when it is repeated.
                    not_found.add(group[0])
                    groups.append(group)
                else:
                    failed[group[0]] = error
                continue
            anybody_answered = True
            result.people |= people
            missing = [guid for guid in group if guid not in people]
            if len(group) > 1:
                groups += [[guid] for guid in missing]
            else:
                result.bad |= dict.fromkeys(missing, MISSING)
        if failed and not anybody_answered:
            result, failed = self._fetch_the_only_people(ids, as_of, failed), {}
        return result, failed

    def _fetch_the_only_people(
        self,
        ids: Sequence[str],
        as_of: str | None,
        failed: Mapping[str, RequestRefused | TransientError],
    ) -> FetchResult:
        """Fetch people who all failed, where there are no others to compare with.

        After server errors they are requested once more with the usual patience. Raises
        `TransientError` unless it was one person who was refused.
        """
        result = FetchResult()
        errors = list(failed.values())
        if any(isinstance(error, TransientError) for error in errors):
            try:
                result.people = self._request(ids, as_of, OUTAGE_POLICY)
            except Stopped:
                raise
            except (RequestRefused, TransientError) as error:
                raise self._nobody_is_answered(error) from None
            missing = [guid for guid in ids if guid not in result.people]
            result.bad = dict.fromkeys(missing, MISSING)
            return result
        # Nobody has listed people who are configured: all of their ids may be wrong.
        if len(errors) > 1 and not (self.config.candidate_ids and all(map(_is_not_found, errors))):
            raise self._nobody_is_answered(errors[0])
        return _with_failures(result, failed)

    def _request(
        self, ids: Sequence[str], as_of: str | None, policy: RetryPolicy
    ) -> dict[str, bytes]:
        """Return the records of these people, by GUID as requested, as far as they are answered."""
        request = requests.profiles(self.config, ids)

        def read(response: Response) -> dict[str, bytes]:
            self.first_sent_at = self.first_sent_at or response.sent_at
            return _records(response, ids, self.config.include, as_of)

        try:
            found = self.client.send(request, read, retry_policy=policy)
        except RetryableError as error:
            if not error.rate_limit:
                raise
            # That is not about these people, so it is waited for with the usual patience.
            found = self.client.send(request, read)
        self._answered = next(iter(found), self._answered)
        return found

    def _others_answered(self, ids: Sequence[str], error: RequestRefused | TransientError) -> bool:
        """Return True if people outside the group are answered; False if there are none.

        Raises `TransientError` if none of them is answered. The vendor documents no errors, so only
        this tells a bad person from a vendor that is down. Short outages are waited for here.
        """
        known = self._answered
        others = [known] if known is not None and known not in ids else self._others(ids, error)
        for guid in others:
            try:
                self._request([guid], "", OUTAGE_POLICY if guid == others[-1] else IMPATIENT_POLICY)
            except Stopped:
                raise
            except (RequestRefused, TransientError):
                continue
            return True
        if others:
            raise self._nobody_is_answered(error)
        return False

    def _others(self, ids: Sequence[str], error: RequestRefused | TransientError) -> list[str]:
        doubtful = {*ids, *self.set_aside}
        try:
            people = self.some_people(len(doubtful) + 2)
        except Stopped:
            raise
        except (RequestRefused, TransientError):
            raise self._nobody_is_answered(error) from None
        return [guid for guid in people if guid not in doubtful][:2]

    def _nobody_is_answered(self, error: RequestRefused | TransientError) -> TransientError:
        if isinstance(error, TransientError):
            return TransientError(error.message, detail=error.detail)
        message = (
            f"Talemetry refuses every request for people. {self.client.advice} If it fails in the "
            "same way, check talemetry.profiles_base_url, talemetry.include and "
            "talemetry.candidate_ids."
        )
        return TransientError(message, detail=error.detail)


def _concerns_everybody(error: RequestRefused | TransientError) -> bool:
    """Return True if the run is to end, access is denied, or the rate limit is exhausted."""
    if isinstance(error, RetryableError):
        return error.rate_limit
    return isinstance(error, TransientError)


def _is_not_found(error: RequestRefused | TransientError) -> bool:
    return isinstance(error, RequestRefused) and error.status == 404


def _with_failures(
    result: FetchResult, failed: Mapping[str, RequestRefused | TransientError]
) -> FetchResult:
    """Return the result with those who failed while others were answered."""
    for guid, error in failed.items():
        if _is_not_found(error):
            result.gone.append(guid)
        else:
            result.bad[guid] = f"{error.message.split('. ')[0]} [{error.detail}]"
    return result


def _singles(group: list[str], error: RequestRefused | TransientError) -> list[list[str]]:
    del error
    return [[guid] for guid in group]


def _halves(group: list[str], error: RequestRefused | TransientError) -> list[list[str]]:
    if isinstance(error, RequestRefused) and error.status == 413:
        log.warning(
            "Talemetry accepts fewer than %d ids in one request. A lower talemetry.ids_per_request "
            "saves requests.",
            len(group),
        )
    middle = (len(group) + 1) // 2
    return [group[:middle], group[middle:]]


def _records(
    response: Response, ids: Sequence[str], include: Sequence[str], as_of: str | None
) -> dict[str, bytes]:
    """Return the records by GUID as requested. People who were not requested are left out."""
    people = responses.people(response)
    as_of = as_of or rfc3339(response.sent_at.replace(microsecond=0))
    return {
        guid: record.encoded(people[guid.lower()], guid, include, as_of)
        for guid in ids
        if guid.lower() in people
    }
