"""Row filters of `candidates`, split into requests that Kombo takes.

A filter is a parameter of the list: several parameters all have to match, of the values of one any
may. The vendor states no maximum for the values of a list, so each request carries few of them.

An older page says that one unknown id fails the whole request with 404. Kombo ids belong to one
integration, so each integration is asked which of the ids it knows, by halving the list.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import product
from typing import TypeVar

from source_ats.errors import ConfigError, InvalidInput, RequestRefused
from source_ats.vendors.kombo import responses
from source_ats.vendors.kombo.config import KomboConfig

T = TypeVar("T")
Batch = Mapping[str, tuple[str, ...]]
"""The filters of one request: the values of each parameter."""

VALUES_PER_REQUEST = 25
CHARACTERS_PER_REQUEST = 1000
"""Of one parameter. With all parameters a URL stays well below 8 KB, which servers take."""
IDS_NAMED = 10
SETTINGS = {
    "ids": "kombo.candidate_ids",
    "remote_ids": "kombo.remote_ids",
    "email": "kombo.email",
    "job_ids": "kombo.job_ids",
}
"""The setting of each parameter."""
KOMBO_IDS = ("ids", "job_ids")
"""Parameters with Kombo's ids. That an unknown job fails a request as well is assumed."""


class RowFilters:
    """The row filters of one stream in one run, and which of their ids each integration knows."""

    def __init__(self, config: KomboConfig | None = None) -> None:
        """Without a configuration: no filters."""
        given = {} if config is None else _given(config)
        self._given = given
        parts = [[(name, part) for part in _parts(values)] for name, values in given.items()]
        self.batches: Sequence[Batch] = [dict(chosen) for chosen in product(*parts)]
        """One for each list that has to be read; one without filters if there are none."""
        self._current: dict[tuple[str, int], Batch | None] = {}
        """Each batch as an integration is asked for it: the same on every page."""
        self._bisected: set[tuple[str, int]] = set()
        self._answered: dict[int, str] = {}
        """Which integration accepted a whole batch."""
        self._known: dict[tuple[str, str], str] = {}
        """Which integration knows an id. No other one does."""
        self._unknown: dict[str, set[tuple[str, str]]] = {}
        self._returned: set[str] = set()

    def __bool__(self) -> bool:
        """True if there are filters."""
        return bool(self._given)

    def selection(self) -> dict[str, list[str]]:
        """Return what the filters are, for the hash that a state keeps. Empty without filters."""
        return {SETTINGS[name]: sorted(values) for name, values in self._given.items()}

    def request(
        self,
        integration_id: str,
        number: int,
        send: Callable[[Batch], T],
        probe: Callable[[Batch], object],
    ) -> T | None:
        """Request the list of a batch, without the ids that this integration does not know.

        None: it knows none of them. `probe` requests the list with one filter. Raises what `send`
        raises, unless unknown ids are the cause.
        """
        key = integration_id, number
        if key not in self._current:
            self._current[key] = self._without_ids_of_others(integration_id, self.batches[number])
        batch = self._current[key]
        if batch is None:
            return None
        try:
            page = send(batch)
        except RequestRefused as refusal:
            if refusal.status != 404 or not self._narrow(integration_id, number, batch, probe):
                raise
            return self.request(integration_id, number, send, probe)
        if batch == self.batches[number]:
            self._answered.setdefault(number, integration_id)
        return page

    def _narrow(
        self,
        integration_id: str,
        number: int,
        batch: Batch,
        probe: Callable[[Batch], object],
    ) -> bool:
        """Leave the unknown ids out of a batch; False if there are none."""
        key = integration_id, number
        if key in self._bisected:
            return False
        refused = [
            name for name in KOMBO_IDS if name in batch and _is_refused(name, batch[name], probe)
        ]
        if not refused:
            return False
        # Unknown ids of these filters fail the request, so an integration that has answered the
        # whole batch knows all of them.
        owner = self._answered.get(number, integration_id)
        if owner != integration_id:
            ids = _ids_in(self.batches[number])
            self._known |= {id_: owner for id_ in ids if id_[0] in refused}
            self._current[key] = self._without_ids_of_others(integration_id, batch)
            return True
        self._bisected.add(key)
        unknown = {
            (name, value) for name in refused for value in _unknown(name, batch[name], probe)
        }
        self._unknown.setdefault(integration_id, set()).update(unknown)
        self._known |= {
            id_: integration_id
            for id_ in _ids_in(batch)
            if id_[0] in refused and id_ not in unknown
        }
        self._current[key] = _without(batch, unknown)
        return True

    def _without_ids_of_others(self, integration_id: str, batch: Batch) -> Batch | None:
        others = {
            id_ for id_ in _ids_in(batch) if self._known.get(id_, integration_id) != integration_id
        }
        return _without(batch, others)

    def refused(self, refusal: InvalidInput) -> ConfigError:
        """Return what it means that Kombo does not accept the first page of a batch."""
        message = (
            "Kombo does not accept the row filters. Correct or remove them: "
            f"{', '.join(self.selection())}."
        )
        return ConfigError(message, detail=refusal.detail)

    def _unknown_to_all(self, integration_ids: Sequence[str]) -> dict[str, set[str]]:
        common = set.intersection(*(self._unknown.get(each, set()) for each in integration_ids))
        return {name: {value for each, value in common if each == name} for name in KOMBO_IDS}

    def note(self, rows: Sequence[bytes]) -> None:
        """Note which of the chosen candidates were returned."""
        if "ids" in self._given:
            self._returned.update(map(responses.id_of, rows))

    def describe_missing(self, integration_ids: Sequence[str]) -> list[str]:
        """Return a sentence on the chosen candidates whom a read of everything did not return.

        Kombo may pass over an unknown id instead of refusing the request. Nothing is said where
        another filter may be the reason.
        """
        if self._given.keys() != {"ids"}:
            return []
        unknown = self._unknown_to_all(integration_ids)["ids"]
        return _sentences("returned", "ids", {*self._given["ids"]} - unknown - self._returned)

    def describe_unknown(self, integration_ids: Sequence[str]) -> list[str]:
        """Return a sentence for each setting with ids that none of these integrations knows."""
        unknown = self._unknown_to_all(integration_ids)
        return [each for name in KOMBO_IDS for each in _sentences("knows", name, unknown[name])]


def _ids_in(batch: Batch) -> Iterator[tuple[str, str]]:
    """Yield Kombo's ids in a batch, each with its parameter."""
    return ((name, value) for name in KOMBO_IDS for value in batch.get(name, ()))


def _without(batch: Batch, ids: Collection[tuple[str, str]]) -> Batch | None:
    """Return a batch without some ids; None if a parameter has none left."""
    left = {
        name: tuple(value for value in values if (name, value) not in ids)
        for name, values in batch.items()
    }
    return left if all(left.values()) else None


def _sentences(verb: str, name: str, ids: Collection[str]) -> list[str]:
    """Return a sentence that names ids of a filter; none if there are no ids."""
    if not ids:
        return []
    named = ", ".join(sorted(ids)[:IDS_NAMED])
    more = f" and {len(ids) - IDS_NAMED} more" if len(ids) > IDS_NAMED else ""
    correct = f"Correct or remove them in {SETTINGS[name]}; the others are read."
    return [f"No integration {verb} {named}{more}. {correct}"]


def _given(config: KomboConfig) -> dict[str, list[str]]:
    """Return the filters that are set, by parameter, in an order that does not depend on typing."""
    filters = {
        "ids": config.candidate_ids,
        "remote_ids": config.remote_ids,
        "email": [config.email] if config.email else [],
        "job_ids": config.job_ids,
    }
    return {name: sorted(values) for name, values in filters.items() if values}


def _parts(values: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yield the values in groups that fit into a request."""
    part: list[str] = []
    for value in values:
        characters = sum(map(len, part)) + len(value)
        if part and (len(part) >= VALUES_PER_REQUEST or characters > CHARACTERS_PER_REQUEST):
            yield tuple(part)
            part = []
        part.append(value)
    yield tuple(part)


def _is_refused(name: str, values: tuple[str, ...], probe: Callable[[Batch], object]) -> bool:
    """True if a filter alone is answered with 404."""
    try:
        probe({name: values})
    except RequestRefused as refusal:
        if refusal.status == 404:
            return True
        raise
    return False


def _unknown(name: str, values: tuple[str, ...], probe: Callable[[Batch], object]) -> Iterator[str]:
    """Yield the unknown ones of values that were refused together."""
    if len(values) == 1:
        yield values[0]
        return
    middle = len(values) // 2
    for half in (values[:middle], values[middle:]):
        if _is_refused(name, half, probe):
            yield from _unknown(name, half, probe)
