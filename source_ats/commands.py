"""What `source-ats` does: check, discover, read. The table of contents; begin here.

Free of the CDK, whose import takes longer than a small read. `cli.py` gives these to the command
line, `cdk.py` to Airbyte's own entry point.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Any

from source_ats.clock import Clock, SystemClock
from source_ats.config import (
    SECTIONS,
    PrivacyConfig,
    SourceConfig,
    parse,
    reject_future_start_date,
)
from source_ats.errors import AtsError, ConfigError, NoConnection, Stopped
from source_ats.http.retry import CHECK_POLICY, READ_POLICY, RetryPolicy
from source_ats.http.usage import Usage
from source_ats.protocol import input_files
from source_ats.sync.emitter import RateLimitStatus, ReadTask
from source_ats.sync.privacy import Privacy
from source_ats.sync.reader import VendorTasks
from source_ats.sync.reader import read as read_streams
from source_ats.sync.stream import Page, ReadOptions, State, Stream, catalog_entry
from source_ats.vendors.atz_crm import streams as atz_crm
from source_ats.vendors.atz_crm.check import check as check_atz_crm
from source_ats.vendors.comeet import streams as comeet
from source_ats.vendors.comeet.check import check as check_comeet
from source_ats.vendors.kombo import streams as kombo
from source_ats.vendors.kombo.check import check as check_kombo
from source_ats.vendors.talemetry import streams as talemetry
from source_ats.vendors.talemetry.check import check as check_talemetry

log = logging.getLogger("airbyte.source_ats")


def configured(raw_config: Mapping[str, Any]) -> SourceConfig:
    """Return the configuration and warn of unknown keys. Raises `ConfigError` if it is wrong."""
    parsed = parse(raw_config)
    for warning in parsed.warnings:
        log.warning(warning)
    return parsed.config


def discover(config: SourceConfig, clock: Clock) -> dict[str, Any]:
    """Return the catalog: the streams of the systems that are configured. Sends no request."""
    streams = [
        stream for vendor in _vendors(config, clock, READ_POLICY) for stream in vendor.streams
    ]
    return {"streams": [catalog_entry(stream) for stream in streams]}


def check(config: SourceConfig, clock: Clock) -> str:
    """Return what the user should know, empty if all is well: what cannot be read, and why.

    The systems are checked side by side. Raises `ConfigError` if a credential or an id is wrong, or
    if no system can be read.
    """
    vendors = _vendors(config, clock, CHECK_POLICY)
    with ThreadPoolExecutor(max_workers=len(vendors)) as pool:
        answers = [pool.submit(vendor.check) for vendor in vendors]
    notes: list[str] = []
    failures: list[AtsError] = []
    for vendor, answer in zip(vendors, answers, strict=True):
        try:
            notes += answer.result()
        except Stopped:
            raise
        except AtsError as error:
            failures.append(error)
            notes.append(f"{vendor.name} cannot be read now: {error.message}")
    wrong: list[AtsError] = [
        each
        for each in failures
        if isinstance(each, ConfigError) and not isinstance(each, NoConnection)
    ]
    if len(failures) == len(vendors):
        wrong = failures
    if wrong:
        raise ConfigError(" ".join(each.message for each in wrong))
    return " ".join(notes)


def read(
    config: SourceConfig,
    catalog: object,
    states: Sequence[object],
    clock: Clock,
    stop: threading.Event,
) -> Iterator[bytes]:
    """Yield Airbyte messages, each item one or more whole lines.

    A stream that the configuration does not offer fails alone. Raises `ConfigError` before the
    first message if an input is wrong, and `IncompleteRead` after the last one if a stream did not
    finish. Setting `stop` ends the run cleanly.
    """
    vendors = _vendors(config, clock, READ_POLICY)
    wanted = {each.name: each for each in input_files.parse_catalog(catalog)}
    for each in wanted.values():
        if each.sync_mode is None:
            message = (
                f"The catalog says no sync_mode for the stream {each.name}. Choose full_refresh or "
                "incremental."
            )
            raise ConfigError(message)
    stored = input_files.parse_states(states)
    tasks = [
        VendorTasks(
            [
                ReadTask(
                    stream=stream,
                    full_refresh=wanted[stream.name].sync_mode == "full_refresh",
                    generation=wanted[stream.name].generation_id,
                    stored_state=stored.get(stream.name),
                )
                for stream in vendor.streams
                if stream.name in wanted
            ],
            vendor.rate_limit,
            vendor.streams_at_once,
        )
        for vendor in vendors
    ]
    offered = {stream.name for vendor in vendors for stream in vendor.streams}
    tasks.append(VendorTasks([_task_that_fails(name) for name in wanted if name not in offered]))
    try:
        yield from read_streams([each for each in tasks if each.tasks], clock, stop)
    finally:
        for vendor, read_of_it in zip(vendors, tasks, strict=False):
            if read_of_it.tasks:
                log.info("%s", vendor.usage.summary(vendor.name))


def _task_that_fails(name: str) -> ReadTask:
    """Return the task for a stream of the catalog that the configuration does not offer."""
    fail = partial(_fail_as_not_offered, name)
    stream = Stream(name, {}, primary_key="", cursor_field="", selection={}, pages=fail)
    return ReadTask(stream, full_refresh=False, generation=None, stored_state=None)


def _fail_as_not_offered(name: str, state: State, full_refresh: bool) -> Iterator[Page]:  # noqa: FBT001 - the signature of Stream.pages
    del state, full_refresh
    message = (
        f"The configuration does not offer the stream {name}. Fill in the section that it "
        "belongs to, or remove the stream from the connection."
    )
    raise ConfigError(message)


def only_for(config: SourceConfig, stream: str) -> SourceConfig:
    """Return the configuration of the one system that has this stream.

    Raises `ConfigError` if none has it.
    """
    offered = _streams(config, SystemClock())
    if stream not in offered:
        message = (
            f"The configuration does not offer the stream {stream}. It offers: "
            f"{', '.join(offered)}."
        )
        raise ConfigError(message)
    alone = next(each for each in _one_by_one(config) if stream in _streams(each, SystemClock()))
    if config.privacy is None:
        return alone
    mine = _privacy(config.privacy).only_for(_streams(alone, SystemClock())[stream])
    privacy = config.privacy.model_copy(update={"drop": mine.drop, "hash": mine.hash})
    return alone.model_copy(update={"privacy": privacy})


def _one_by_one(config: SourceConfig) -> Iterator[SourceConfig]:
    """Yield the configuration with each section alone, without privacy settings."""
    for name in SECTIONS:
        others = {other: None for other in SECTIONS if other != name}
        yield config.model_copy(update={**others, "privacy": None})


def stream(config: SourceConfig, name: str, clock: Clock) -> Stream:
    """Return one stream, for callers who read it in their own way."""
    return _streams(config, clock)[name]


def _streams(config: SourceConfig, clock: Clock) -> dict[str, Stream]:
    return {
        each.name: each
        for vendor in _vendors(config, clock, READ_POLICY)
        for each in vendor.streams
    }


@dataclass(frozen=True, slots=True)
class _Vendor:
    """One vendor as configured: its streams, its check, and what its requests report to."""

    name: str
    streams: list[Stream]
    check: Callable[[], list[str]]
    rate_limit: RateLimitStatus
    usage: Usage
    streams_at_once: int = 1


def _vendors(config: SourceConfig, clock: Clock, retry_policy: RetryPolicy) -> list[_Vendor]:
    """Return the vendors that are configured, with the privacy settings applied to their streams.

    Raises `ConfigError` for a start date to come, and for privacy settings that match no field.
    """
    reject_future_start_date(config, clock.now())
    options = ReadOptions(config.start_date, timedelta(minutes=config.lookback_minutes))
    vendors = []
    if config.kombo is not None:
        rate_limit = RateLimitStatus()
        client = kombo.client(
            config.kombo, clock, on_rate_limit=rate_limit.report, retry_policy=retry_policy
        )
        streams = kombo.streams(config.kombo, options, client)
        check = partial(check_kombo, config.kombo, client)
        at_once = config.kombo.concurrent_requests
        vendors.append(_Vendor("Kombo", streams, check, rate_limit, client.usage, at_once))
    if config.atz_crm is not None:
        rate_limit = RateLimitStatus()
        client = atz_crm.client(
            config.atz_crm, clock, on_rate_limit=rate_limit.report, retry_policy=retry_policy
        )
        streams = atz_crm.streams(config.atz_crm, options, client)
        check = partial(check_atz_crm, config.atz_crm, client)
        vendors.append(_Vendor("ATZ CRM", streams, check, rate_limit, client.usage))
    if config.talemetry is not None:
        rate_limit = RateLimitStatus()
        client = talemetry.client(
            config.talemetry, clock, on_rate_limit=rate_limit.report, retry_policy=retry_policy
        )
        streams = talemetry.streams(config.talemetry, options, client)
        check = partial(check_talemetry, config.talemetry, client)
        vendors.append(_Vendor("Talemetry", streams, check, rate_limit, client.usage))
    if config.comeet is not None:
        rate_limit = RateLimitStatus()
        client = comeet.client(
            config.comeet, clock, on_rate_limit=rate_limit.report, retry_policy=retry_policy
        )
        streams = comeet.streams(config.comeet, options, client)
        check = partial(check_comeet, config.comeet, client)
        vendors.append(_Vendor("Comeet", streams, check, rate_limit, client.usage, len(streams)))
    if config.privacy is None:
        return vendors
    streams = [stream for vendor in vendors for stream in vendor.streams]
    protected = {each.name: each for each in _privacy(config.privacy).applied(streams)}
    return [
        replace(vendor, streams=[protected[each.name] for each in vendor.streams])
        for vendor in vendors
    ]


def _privacy(settings: PrivacyConfig) -> Privacy:
    return Privacy(settings.drop, settings.hash, settings.hash_key or "")
