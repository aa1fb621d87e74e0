"""Children set aside: those that the vendor refuses while it answers for their neighbours.

One bad child must neither block its stream nor cause the others to be read again. So it is kept in
the state and requested first in every run, until it is answered or gone.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime

from source_ats.clock import rfc3339
from source_ats.errors import TransientError

log = logging.getLogger("airbyte.source_ats.set_aside")

AT_MOST = 100
"""More than this is no matter of single children, and would make the state grow."""


class SetAside:
    """Which children of a stream are set aside, and since when. For one thread."""

    def __init__(self, what: str, since: Mapping[str, datetime]) -> None:
        """`what` names one such child in messages; `since` is what the state says."""
        self._what = what
        self._since = {key: rfc3339(moment) for key, moment in since.items()}

    def __contains__(self, key: str) -> bool:
        """True if this child is set aside."""
        return key in self._since

    def keys(self) -> list[str]:
        """Return the children, those set aside first at the front."""
        return list(self._since)

    def has_room_for(self, key: str) -> bool:
        """True if this child can be set aside, or is already."""
        return key in self._since or len(self._since) < AT_MOST

    def add(self, key: str, now: datetime, why: str) -> None:
        """Set a child aside, or leave it there, and warn. `why` holds no value but vendor ids.

        Raises `TransientError` when there would be too many.
        """
        self.keep(key, now, why)
        log.warning(
            "%s %s is left out, since %s: %s. It is requested again at the beginning of every run.",
            self._what,
            key,
            self._since[key],
            why,
        )

    def keep(self, key: str, now: datetime, why: str) -> None:
        """Keep a child in the state without a warning: it is requested again in this run.

        Raises `TransientError` when there would be too many.
        """
        if not self.has_room_for(key):
            message = (
                f"More than {AT_MOST} could not be read ({self._what}), so no single one is the "
                "cause. Run again later; the next run resumes from the last state."
            )
            raise TransientError(message, detail=why)
        self._since.setdefault(key, rfc3339(now))

    def release(self, key: str) -> None:
        """Forget a child that succeeded or is gone; one that is not set aside stays so."""
        if self.forget(key):
            log.info("%s %s is no longer set aside.", self._what, key)

    def forget(self, key: str) -> bool:
        """Forget a child without a log line, and return True if it was set aside."""
        return self._since.pop(key, None) is not None

    def as_state(self) -> dict[str, dict[str, str]]:
        """Return the part of the state that holds them; empty when there are none."""
        return {"set_aside": dict(self._since)} if self._since else {}
