"""What `destination-comeet` does, command by command. The table of contents of the write side.

Free of the CDK. `cli.py` gives these to the command line, `cdk.py` to Airbyte's own entry point.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from datetime import datetime
from functools import partial
from typing import Any

import orjson

from destination_comeet import check as comeet
from destination_comeet import deciding, ledger
from destination_comeet.config import (
    ComeetMapping,
    CustomMapping,
    DestinationConfig,
    StreamSettings,
    parse,
)
from destination_comeet.delivery import Delivery
from destination_comeet.dry_run import DryRunClient, Plan
from destination_comeet.files import Downloads, FileSource, NoDownloads
from destination_comeet.ledger import KeyStatus, NewLedger, StreamKeys
from destination_comeet.lookup import UNREADABLE, Lookup, Sender, margin
from destination_comeet.mapping import Mapper, PrimaryKey, mapper
from destination_comeet.mapping.model import KEY
from destination_comeet.rejects import Rejected, RejectedFile, RejectedTable, Store
from destination_comeet.replay import KeptRecords, NewFile, Replay
from destination_comeet.stdin import Line
from destination_comeet.writer import Deliver, Writer
from source_ats.clock import Clock, rfc3339
from source_ats.errors import ConfigError, LedgerInUse, LedgerMissing
from source_ats.http.client import Client
from source_ats.http.rate_limiter import RateLimiter
from source_ats.http.retry import CHECK_POLICY, READ_POLICY, RetryPolicy
from source_ats.plural import counted
from source_ats.protocol import input_files
from source_ats.vendors.comeet import requests
from source_ats.vendors.comeet.connection import make_client

log = logging.getLogger("airbyte.source_ats")


def configured(raw_config: Mapping[str, Any]) -> DestinationConfig:
    """Return the configuration, and warn of unknown keys. Raises `ConfigError` if it is wrong."""
    parsed = parse(raw_config)
    for warning in parsed.warnings:
        log.warning(warning)
    return parsed.config


def check(config: DestinationConfig, clock: Clock) -> str:
    """Return what the user should know. Makes the ledger if there is none and that is safe.

    Nothing is written to Comeet. Raises `ConfigError`, `TransientError` or `ContractError` if a
    sync could not work.
    """
    _mappers(config, {})
    client = _client(config, clock, retry_policy=CHECK_POLICY)
    findings = comeet.check(config, client)
    if config.rejected_path is not None:
        RejectedFile(config.rejected_path).close()
    return " ".join([*findings.notes, *_checked_ledger(config, findings, client, clock)])


def write(
    config: DestinationConfig,
    catalog: object,
    batches: Iterable[Sequence[Line]],
    clock: Clock,
) -> Generator[bytes, None, None]:
    """Bring the records of the lines to Comeet, and yield the states that are safe, as lines.

    Raises `ConfigError` before the first record if an input does not hold, `TransientError` if
    another run writes with the same ledger, and `Stopped` when the run was asked to end. Whatever
    ends it, what was passed on is done, and what was done is on disk.
    """
    primary_keys = _primary_keys(catalog, config)
    client = _client(config, clock, retry_policy=READ_POLICY)
    mappers = _mappers(config, primary_keys)
    keys = [_stream_keys(each, primary_keys) for each in config.streams]
    with (
        _with_warnings(ledger.opened(config.ledger, keys, clock)) as opened,
        _rejected(config, opened, client, primary_keys) as rejected,
        _summarized(client),
        closing(Downloads(config.file_hosts, clock)) as files,
        _delivery(config, mappers, client, opened, clock=clock, files=files) as delivery,
    ):
        writer = Writer(
            _deliver_each(primary_keys, mappers, delivery),
            opened.flush,
            rejected,
            clock,
            max_rejected=config.max_rejected,
            rejected_before=opened.rejected,
            count_rejected=opened.add_rejected,
            is_decided=lambda: delivery.is_decided,
            finish=delivery.finish,
            announce=delivery.announce,
        )
        yield from writer.write(batches)
        # The input was read to its end: the next run counts from zero.
        opened.reset_rejected()


def dry_run(
    config: DestinationConfig,
    catalog: object,
    batches: Iterable[Sequence[Line]],
    clock: Clock,
    plan_path: str | None,
) -> Generator[bytes, None, None]:
    """Log what `write` would do with the lines, and add it to the plan if there is a path.

    Comeet is asked what a write would ask, and sent nothing. Nothing is written but the plan,
    nothing is locked, and no state is passed on. Raises what `write` raises.
    """
    primary_keys = _primary_keys(catalog, config)
    client = _client(config, clock, retry_policy=READ_POLICY)
    mappers = _mappers(config, primary_keys)
    keys = [_stream_keys(each, primary_keys) for each in config.streams]
    with (
        closing(Plan(plan_path)) as plan,
        _with_warnings(
            ledger.opened_copy(config.ledger, keys, clock, partial(_missing_ledger, config, client))
        ) as copy,
        _summarized(client),
        _delivery(
            config, mappers, DryRunClient(client), copy, clock=clock, files=NoDownloads()
        ) as delivery,
    ):
        writer = Writer(
            _deliver_each(primary_keys, mappers, delivery),
            copy.commit,
            Rejected([], client),
            clock,
            on_outcomes=plan.add,
            is_dry_run=True,
        )
        yield from writer.write(batches)
        for each in plan.summary():
            log.info(each)


@contextmanager
def _rejected(
    config: DestinationConfig,
    opened: ledger.Ledger,
    client: Client,
    primary_keys: Mapping[str, PrimaryKey],
) -> Iterator[Rejected]:
    """Yield what keeps the rejected records of a write."""
    with ExitStack() as files:
        table = _table(config, opened, client.now())
        stores: list[Store] = [table] if table.exists else []
        if config.rejected_path is not None:
            stores.append(files.enter_context(closing(RejectedFile(config.rejected_path))))
        yield Rejected(stores, client, primary_keys=primary_keys, sent=opened.sent)


def _table(config: DestinationConfig, opened: ledger.Ledger, now: datetime) -> RejectedTable:
    """Return the table of rejected records, without those that were kept for too long."""
    table = RejectedTable(opened, keeps=config.keep_rejected)
    table.remove_older(now, config.keep_rejected_days)
    return table


@contextmanager
def _summarized(client: Client) -> Iterator[None]:
    """Log at the end what the requests took, however it ends."""
    try:
        yield
    finally:
        log.info("%s", client.usage.summary("Comeet"))


@contextmanager
def _delivery(  # noqa: PLR0913 - what a run consists of
    config: DestinationConfig,
    mappers: Mapping[str, Mapper],
    client: Sender,
    opened: ledger.Ledger,
    *,
    clock: Clock,
    files: FileSource,
) -> Iterator[Delivery]:
    """Yield what brings records to Comeet."""
    base_url = requests.base_url(config.base_url)
    with closing(Lookup(client, opened, base_url, config.match_existing)) as lookup:
        yield Delivery(
            client=client,
            ledger=opened,
            lookup=lookup,
            clock=clock,
            base_url=base_url,
            mappers=mappers,
            files=files,
            rejects_bad_fields=config.on_bad_field == "reject",
        )


def _deliver_each(
    names: Iterable[str], mappers: Mapping[str, Mapper], delivery: Delivery
) -> Mapping[str, Deliver | None]:
    """Return how the records of each stream are delivered; None for one that is ignored."""
    return {name: partial(delivery.deliver, name) if name in mappers else None for name in names}


def replay(config: DestinationConfig, clock: Clock) -> Generator[bytes, None, None]:
    """Write the kept rejected records once more, and remove what was written.

    Yields nothing, as there are no states. Raises what `write` raises, and `ConfigError` if no
    records are kept.
    """
    client = _client(config, clock, retry_policy=READ_POLICY)
    with _kept_records(config, clock, to_write=True) as (opened, table, kept), ExitStack() as files:
        known = {each.stream: opened.primary_key(each.stream) for each in config.streams}
        missing = {name for name, primary_key in known.items() if primary_key is None}
        primary_keys = {
            **kept.primary_keys(missing),
            **{name: each for name, each in known.items() if each is not None},
        }
        keys = [_stream_keys(each, primary_keys) for each in config.streams]
        _check_recipes(keys, kept.streams())
        opened.admit(keys, record_positions=True)
        mappers = _mappers(config, primary_keys)
        new = None if config.rejected_path is None else NewFile(config.rejected_path)
        if new is not None:
            files.enter_context(closing(new))
        file = None if new is None else new.file
        replayed = Replay(kept, table, file, opened, mappers)
        files.enter_context(_summarized(client))
        downloads = files.enter_context(closing(Downloads(config.file_hosts, clock)))
        delivery = files.enter_context(
            _delivery(config, mappers, client, opened, clock=clock, files=downloads)
        )
        streams = {
            name: replayed.deliver(partial(delivery.deliver, name), name) for name in mappers
        }
        writer = Writer(
            streams,
            opened.flush,
            Rejected(
                [table, *([] if file is None else [file])],
                client,
                primary_keys=primary_keys,
                sent=opened.sent,
            ),
            clock,
            is_decided=lambda: delivery.is_decided,
            finish=delivery.finish,
            on_outcomes=replayed.take,
        )
        yield from writer.write(replayed.batches())
        if new is not None:
            new.replace()


def _check_recipes(keys: Sequence[StreamKeys], streams: Collection[str]) -> None:
    """Raise `ConfigError` if it is not known how the keys of one of these streams are made."""
    for each in keys:
        if each.key_source is None and each.stream in streams:
            message = (
                f"It is not known yet how the keys of stream {each.stream} are made: the ledger is "
                "one of version 0.1.0. Run a write with its catalog first, which notes that."
            )
            raise ConfigError(message)


def rejected(
    config: DestinationConfig, clock: Clock, *, values: bool
) -> Generator[bytes, None, None]:
    """Yield a line for each reason of each kept rejected record; with its values if asked for."""
    with _kept_records(config, clock, to_write=False) as (_, _, kept):
        for each in kept:
            for refusal in each.refusals:
                line: dict[str, object] = {
                    "type": "REJECTED",
                    "stream": each.stream,
                    "key": refusal.partner_candidate_id,
                    "position": refusal.position_uid,
                    # 0.1.0 wrote "refused".
                    "outcome": "unknown" if refusal.outcome == "unknown" else "rejected",
                    "field": refusal.field or None,
                    "reason": refusal.reason,
                    "rejected_at": each.rejected_at,
                }
                if values:
                    line |= {"said": refusal.said, "record": orjson.Fragment(bytes(each.record))}
                yield orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)


def clear_rejected(config: DestinationConfig, clock: Clock) -> Generator[bytes, None, None]:
    """Remove all kept rejected records. Yields nothing."""
    with _kept_records(config, clock, to_write=False) as (_, _, kept):
        kept.clear()
        removed = counted(len(kept), "rejected record was", "rejected records were")
        log.info("%s removed.", removed)
    yield from ()


def unknown(config: DestinationConfig, clock: Clock) -> Generator[bytes, None, None]:
    """Yield a line for each key of unknown outcome, with the uids of who may be the person."""
    client = _client(config, clock, retry_policy=READ_POLICY)
    base_url = requests.base_url(config.base_url)
    with (
        _opened(config, clock, to_write=False) as opened,
        closing(Lookup(client, opened, base_url, config.match_existing)) as lookup,
    ):
        for each in deciding.unknown(opened, lookup):
            line = {
                "type": "UNKNOWN",
                "stream": each.entry.stream,
                "key": each.entry.key,
                "position": each.entry.position,
                "reason": each.reason,
                "noted_at": rfc3339(each.entry.noted_at),
                "same_person": each.near and each.near.same,
                "perhaps": each.near and each.near.cannot_tell,
            }
            yield orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)


def adopt(
    config: DestinationConfig, clock: Clock, key: str, uid: str
) -> Generator[bytes, None, None]:
    """Decide that the person of a key is this candidate. Yields nothing."""
    client = _client(config, clock, retry_policy=CHECK_POLICY)
    with _opened(config, clock, to_write=True) as opened:
        deciding.adopt(opened, client, requests.base_url(config.base_url), key, uid)
    yield from ()


def create(config: DestinationConfig, clock: Clock, key: str) -> Generator[bytes, None, None]:
    """Decide that the person of a key is nobody in Comeet. Yields nothing."""
    with _opened(config, clock, to_write=True) as opened:
        deciding.create(opened, key)
    yield from ()


def status(config: DestinationConfig, clock: Clock) -> Generator[bytes, None, None]:
    """Yield one line that says what the ledger holds. Takes no lock."""
    with ledger.opened_copy(config.ledger, [], clock) as copy:
        counts = copy.counts()
        line = {
            "type": "STATUS",
            "streams": counts,
            "open_notes": sum(each.get(KeyStatus.SENDING, 0) for each in counts.values()),
            "match_before": copy.match_before and rfc3339(copy.match_before),
            "checked_at": copy.checked_at and rfc3339(copy.checked_at),
            "rejected": copy.rejected,
        }
    yield orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)


def _opened(
    config: DestinationConfig, clock: Clock, *, to_write: bool
) -> AbstractContextManager[ledger.Ledger]:
    """Open the ledger for this run alone, without a catalog."""
    keys = [_stream_keys(each, {}) for each in config.streams]
    return _with_warnings(ledger.opened(config.ledger, keys, clock, to_write=to_write))


@contextmanager
def _with_warnings(opened: AbstractContextManager[ledger.Ledger]) -> Iterator[ledger.Ledger]:
    """Open the ledger, and log at once what it warns of: it is not said a second time."""
    with opened as entered:
        for warning in entered.warnings:
            log.warning(warning)
        yield entered


@contextmanager
def _kept_records(
    config: DestinationConfig, clock: Clock, *, to_write: bool
) -> Iterator[tuple[ledger.Ledger, RejectedTable, KeptRecords]]:
    """Open the ledger for this run alone, and what is kept. Raises `ConfigError` if nothing is."""
    with _opened(config, clock, to_write=to_write) as opened:
        table = _table(config, opened, clock.now())
        if not table.exists and config.rejected_path is None:
            message = (
                "No rejected records are kept. Set keep_rejected or rejected_path: from then on "
                "they are."
            )
            raise ConfigError(message)
        yield opened, table, KeptRecords(table, config.rejected_path)


def _missing_ledger(config: DestinationConfig, client: Client) -> NewLedger:
    """Return the empty ledger that a dry run begins with where there is none yet."""
    shows_candidates = True
    try:
        comeet.has_candidates(requests.base_url(config.base_url), client)
    except UNREADABLE as error:
        shows_candidates = False
        candidates = comeet.unreadable("candidates", error)
        log.warning(
            "There is no ledger yet, and people who are in Comeet already count as new in this "
            "dry run: %s. %s [%s]",
            candidates.why,
            candidates.remedy,
            error.detail,
        )
    else:
        log.info(
            "There is no ledger yet. If Comeet has candidates, new records %s.",
            _comparison(config),
        )
    now = client.now()
    match_before = now + margin(client) if shows_candidates else None
    return NewLedger(now, match_before, shows_candidates)


def _checked_ledger(
    config: DestinationConfig, findings: comeet.Findings, client: Client, clock: Clock
) -> list[str]:
    """Open the ledger, or make it if there is none; return what the user should know of it."""
    try:
        with _opened(config, clock, to_write=False) as opened:
            return opened.warnings
    except LedgerInUse:
        return [
            "A run is writing with the ledger at this moment, or another program has its file open."
        ]
    except LedgerMissing:
        now = client.now()
        new_until = config.ledger.new_until
        unreadable = findings.candidates
        if unreadable is not None and (new_until is None or new_until <= now):
            message = (
                f"There is no ledger, and {unreadable.why}, so everybody who is in Comeet already "
                f"could be created a second time. {unreadable.remedy} If the ledger was lost, "
                "restore it; if this is the first sync, set ledger.new_until to a time later "
                "today, and check again."
            )
            raise ConfigError(message) from None
        match_before = now + margin(client) if findings.has_candidates else None
        ledger.make(config.ledger, clock, NewLedger(now, match_before, unreadable is None))
    note = "A new ledger was made."
    if match_before is not None:
        note += f" Comeet has candidates already: new records {_comparison(config)}."
    return [note]


def _comparison(config: DestinationConfig) -> str:
    """Return what a new ledger does with new records before they are posted."""
    if config.match_existing == "never":
        return "are not compared with them, as match_existing is never"
    return "are compared with them first"


def _client(config: DestinationConfig, clock: Clock, *, retry_policy: RetryPolicy) -> Client:
    """Return the client for all requests with this key, evenly paced, one at a time."""
    rate_limiter = RateLimiter(clock, config.requests_per_minute)
    return make_client(
        config.api_key, config.secret, rate_limiter, clock, retry_policy=retry_policy
    )


def _mappers(
    config: DestinationConfig, primary_keys: Mapping[str, PrimaryKey]
) -> Mapping[str, Mapper]:
    """Return how each stream is mapped. Raises `ConfigError` for a bad field or expression."""
    return {each.stream: mapper(each, primary_keys.get(each.stream, ())) for each in config.streams}


def _primary_keys(
    content: object, config: DestinationConfig
) -> Mapping[str, Sequence[Sequence[str]]]:
    """Return the primary key of each stream of the catalog, and warn of what will not be done.

    Raises `ConfigError` if no configured stream is among them.
    """
    configured_streams = {each.stream for each in config.streams}
    keys: dict[str, Sequence[Sequence[str]]] = {}
    ignored = []
    for each in input_files.parse_catalog(content):
        keys[each.name] = each.primary_key
        if each.name not in configured_streams:
            ignored.append(each.name)
        elif each.destination_sync_mode == "overwrite":
            log.warning(
                "Stream %s: overwrite is treated as append. Nothing is ever deleted in Comeet.",
                each.name,
            )
        elif each.destination_sync_mode not in {"append", "append_dedup"}:
            message = (
                f"Stream {each.name}: the sync mode {each.destination_sync_mode} is not supported. "
                "Choose append, or append and deduplicate."
            )
            raise ConfigError(message)
    missing = sorted(configured_streams - keys.keys())
    if len(missing) == len(configured_streams):
        message = (
            f"The catalog has none of the configured streams ({', '.join(missing)}); it has "
            f"{', '.join(keys) or 'none at all'}. Correct streams[].stream. Airbyte puts the "
            "connection's prefix before the names of its streams."
        )
        raise ConfigError(message)
    if ignored:
        log.warning(
            "Streams that are not configured in streams; their records are ignored: %s.",
            ", ".join(ignored),
        )
    for name in missing:
        log.warning("Stream %s is configured in streams, but the catalog does not have it.", name)
    return keys


def _stream_keys(
    settings: StreamSettings, primary_keys: Mapping[str, Sequence[Sequence[str]]]
) -> StreamKeys:
    """Return how a stream's keys are made. A check has no catalog, so it knows no primary key."""
    primary_key = primary_keys.get(settings.stream)
    source: Mapping[str, object] | None = {}
    expression: str | None = None
    own = settings.mapping.fields if isinstance(settings.mapping, CustomMapping) else []
    for each in (*own, *(settings.extra_fields or ())):
        if each.comeet_field == KEY:
            expression = each.expression
    if expression is not None:
        source = {"expression": expression.strip()}
    elif isinstance(settings.mapping, ComeetMapping | CustomMapping):
        source = None if primary_key is None else {"primary_key": [[*each] for each in primary_key]}
    jobs = {each.job_id: each.position_uid for each in settings.positions or ()}
    default = {"": settings.position_uid} if settings.position_uid else {}
    return StreamKeys(
        stream=settings.stream,
        prefix=settings.prefix,
        mapping_type=settings.mapping.mapping_type,
        key_source=source,
        positions={**default, **jobs},
    )
