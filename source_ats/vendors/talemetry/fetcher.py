"""Fetches people by GUID in batches, and finds the person who breaks a batch."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from source_ats.errors import RequestRefused, RetryableError, Stopped, TransientError
from source_ats.http.client import Client
from source_ats.http.models import Response
from source_ats.vendors.talemetry import record, requests, responses
from source_ats.vendors.talemetry.config import TalemetryConfig

log = logging.getLogger("airbyte.source_ats.talemetry")


@dataclass(slots=True)
class FetchResult:
    """What became of the requested people. Each is in one of the three."""

    people: dict[str, bytes] = field(default_factory=dict)
    """Records by GUID."""
    bad: dict[str, str] = field(default_factory=dict)
    """Why, by GUID: refused, or missing also when requested alone, while others are answered."""
    gone: list[str] = field(default_factory=list)
    """Answered 404."""


@dataclass(slots=True)
class ProfileFetcher:
    """Fetches people. `fetch` may be called from several threads."""

    client: Client
    config: TalemetryConfig
    some_people: Callable[[], list[str]]
    """Lists a few people, to see whether anybody is answered."""
    _answered: str | None = None
    """A person who was answered in this run."""

    def fetch(self, ids: Sequence[str], as_of: str) -> FetchResult:
        """Fetch a batch, in one request if the vendor answers all of it.

        A person missing from a response is requested once more alone. A refused batch is halved
        until the bad ones are found. Raises `TransientError` if nobody at all is answered.
        """
        result = FetchResult()
        refused: dict[str, RequestRefused | TransientError] = {}
        refusals = 0
        compared = False
        anybody_answered = False
        groups = deque([list(ids)] if ids else [])
        while groups:
            # Both halves come before any quarter: a good half shows early that the vendor is well.
            group = groups.popleft()
            try:
                people = self._request(group, as_of)
            except (RequestRefused, TransientError) as error:
                if _concerns_everybody(error):
                    raise
                refusals += 1
                last_one = len(group) == 1 and not groups
                if not (compared or anybody_answered) and (
                    isinstance(error, TransientError) or refusals > 2 or last_one
                ):
                    compared = True
                    anybody_answered = self._others_answered(ids, error)
                if len(group) == 1:
                    refused[group[0]] = error
                else:
                    groups += _halves(group, error)
                continue
            anybody_answered = True
            result.people |= people
            missing = [guid for guid in group if guid not in people]
            if len(group) > 1:
                groups += [[guid] for guid in missing]
            else:
                result.bad |= dict.fromkeys(missing, "the response does not hold this person")
        if not anybody_answered:
            _raise_if_nobody_is_answered(refused)
        for guid, refusal in refused.items():
            if isinstance(refusal, RequestRefused) and refusal.status == 404:
                result.gone.append(guid)
            else:
                result.bad[guid] = f"{refusal.message.split('. ')[0]} [{refusal.detail}]"
        return result

    def _request(self, ids: Sequence[str], as_of: str) -> dict[str, bytes]:
        """Return the records of these people, by GUID as requested, as far as they are answered."""
        request = requests.profiles(self.config, ids)
        read = partial(_records, ids=ids, include=self.config.include, as_of=as_of)
        found = self.client.send(request, read)
        self._answered = next(iter(found), self._answered)
        return found

    def _others_answered(self, ids: Sequence[str], error: RequestRefused | TransientError) -> bool:
        """Return True if people outside the group are answered; False if there are none.

        Raises `TransientError` if none of them is answered. The vendor documents no errors, so only
        this tells a bad person from a vendor that is down.
        """
        known = self._answered
        others = [known] if known is not None and known not in ids else self._others(ids, error)
        for guid in others:
            try:
                self._request([guid], "")
            except Stopped:
                raise
            except (RequestRefused, TransientError):
                continue
            return True
        if others:
            raise _nobody_is_answered(error)
        return False

    def _others(self, ids: Sequence[str], error: RequestRefused | TransientError) -> list[str]:
        try:
            return [guid for guid in self.some_people() if guid not in ids][:2]
        except Stopped:
            raise
        except (RequestRefused, TransientError):
            raise _nobody_is_answered(error) from None


def _concerns_everybody(error: RequestRefused | TransientError) -> bool:
    """Return True if the run is to end, or if the rate limit is exhausted."""
    return isinstance(error, Stopped) or (isinstance(error, RetryableError) and error.rate_limit)


def _raise_if_nobody_is_answered(
    refused: Mapping[str, RequestRefused | TransientError],
) -> None:
    """Raise `TransientError` unless it was one person who was refused, and there are no others."""
    for refusal in refused.values():
        if len(refused) > 1 or isinstance(refusal, TransientError):
            raise _nobody_is_answered(refusal)


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
    response: Response, ids: Sequence[str], include: Sequence[str], as_of: str
) -> dict[str, bytes]:
    """Return the records by GUID as requested. People who were not requested are left out."""
    people = responses.people(response)
    return {
        guid: record.encoded(people[guid.lower()], guid, include, as_of)
        for guid in ids
        if guid.lower() in people
    }


def _nobody_is_answered(error: RequestRefused | TransientError) -> TransientError:
    if isinstance(error, TransientError):
        return TransientError(error.message, detail=error.detail)
    message = (
        "Talemetry refuses every request for people. The next run resumes from the last state. If "
        "it fails in the same way, check talemetry.profiles_base_url and talemetry.include."
    )
    return TransientError(message, detail=error.detail)
