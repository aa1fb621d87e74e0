"""People by GUID: asked for in batches, and if one of them breaks its batch, found and named."""

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

log = logging.getLogger("airbyte.source_ats.talemetry")


@dataclass(slots=True)
class Answer:
    """What became of the people asked for. Each is in one of the three."""

    people: dict[str, bytes] = field(default_factory=dict)
    """Records by GUID."""
    bad: dict[str, str] = field(default_factory=dict)
    """Why, by GUID: refused, or missing, also when asked for alone, while others are answered."""
    gone: list[str] = field(default_factory=list)
    """Answered 404."""


@dataclass(slots=True)
class Details:
    """Asks for people. `of` may be called from several threads."""

    client: Client
    base_url: str
    include: Sequence[str]
    others: Callable[[], list[str]]
    """Lists some people, to see whether anybody is answered."""
    _good: str | None = None
    """Somebody who was answered in this run."""

    def of(self, ids: Sequence[str], as_of: str) -> Answer:
        """Ask for a batch, in one request if the vendor answers it whole.

        Who is missing from an answer is asked for once more alone. A refused batch is halved until
        the bad ones are found. Raises `TransientError` when nobody at all is answered.
        """
        answer = Answer()
        refused: dict[str, RequestRefused | TransientError] = {}
        refusals = 0
        compared = False
        somebody_is_answered = False
        groups = deque([list(ids)] if ids else [])
        while groups:
            # Both halves before any quarter: so a good half tells early that the vendor is well.
            group = groups.popleft()
            try:
                people = self._ask(group, as_of)
            except (RequestRefused, TransientError) as error:
                if _is_no_matter_of_anybody(error):
                    raise
                refusals += 1
                last_one = len(group) == 1 and not groups
                if not (compared or somebody_is_answered) and (
                    isinstance(error, TransientError) or refusals > 2 or last_one
                ):
                    compared = True
                    somebody_is_answered = self._others_are_answered(ids, error)
                if len(group) == 1:
                    refused[group[0]] = error
                else:
                    groups += _halves(group, error)
                continue
            somebody_is_answered = True
            answer.people |= people
            missing = [guid for guid in group if guid not in people]
            if len(group) > 1:
                groups += [[guid] for guid in missing]
            else:
                answer.bad |= dict.fromkeys(missing, "the answer does not hold this person")
        if not somebody_is_answered:
            _make_sure_that_it_is_their_matter(refused)
        for guid, refusal in refused.items():
            if isinstance(refusal, RequestRefused) and refusal.status == 404:
                answer.gone.append(guid)
            else:
                answer.bad[guid] = f"{refusal.message.split('. ')[0]} [{refusal.detail}]"
        return answer

    def _ask(self, ids: Sequence[str], as_of: str) -> dict[str, bytes]:
        """Return the records of those asked for whom the answer holds, by GUID as asked."""
        request = requests.profiles(self.base_url, ids, self.include)
        read = partial(_records, ids=ids, include=self.include, as_of=as_of)
        found = self.client.send(request, read)
        self._good = next(iter(found), self._good)
        return found

    def _others_are_answered(
        self, ids: Sequence[str], error: RequestRefused | TransientError
    ) -> bool:
        """Tell whether somebody else is answered; False: there is nobody else.

        Raises `TransientError` when no other is. The vendor documents no errors, so only this tells
        a bad person from a vendor that is down.
        """
        good = self._good
        others = [good] if good is not None and good not in ids else self._others_than(ids, error)
        for guid in others:
            try:
                self._ask([guid], "")
            except Stopped:
                raise
            except (RequestRefused, TransientError):
                continue
            return True
        if others:
            raise _nobody_is_answered(error)
        return False

    def _others_than(self, ids: Sequence[str], error: RequestRefused | TransientError) -> list[str]:
        try:
            return [guid for guid in self.others() if guid not in ids][:2]
        except Stopped:
            raise
        except (RequestRefused, TransientError):
            raise _nobody_is_answered(error) from None


def _is_no_matter_of_anybody(error: RequestRefused | TransientError) -> bool:
    """Tell whether the run is to end, or the rate limit, which is everybody's, is used up."""
    return isinstance(error, Stopped) or (isinstance(error, RetryableError) and error.rate_limit)


def _make_sure_that_it_is_their_matter(
    refused: Mapping[str, RequestRefused | TransientError],
) -> None:
    """Raise `TransientError` unless a single person was refused, where there is nobody else."""
    for refusal in refused.values():
        if len(refused) > 1 or isinstance(refusal, TransientError):
            raise _nobody_is_answered(refusal)


def _halves(group: list[str], error: RequestRefused | TransientError) -> list[list[str]]:
    if isinstance(error, RequestRefused) and error.status == 413:
        log.warning(
            "Talemetry takes fewer than %d ids in a request. Set talemetry.ids_per_request lower, "
            "for fewer requests.",
            len(group),
        )
    middle = (len(group) + 1) // 2
    return [group[:middle], group[middle:]]


def _records(
    response: Response, ids: Sequence[str], include: Sequence[str], as_of: str
) -> dict[str, bytes]:
    """Return the records by GUID as asked. Who was not asked for is passed over."""
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
        "Talemetry refuses to answer for any person. The next run resumes from the last state. If "
        "it stays so, check talemetry.profiles_base_url and talemetry.include."
    )
    return TransientError(message, detail=error.detail)
