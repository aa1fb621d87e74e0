"""What `destination-comeet` does: check, write. The table of contents of the write side.

Free of the CDK. `run.py` gives these to the command line, `destination.py` to Airbyte's
own entry point.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from destination_comeet import deliveries as comeet
from destination_comeet import ledger
from destination_comeet.config import DestinationConfig, PostgresLedger, parse
from destination_comeet.rejects import Rejected
from destination_comeet.stdin import Line
from destination_comeet.writer import Writer
from source_ats.clock import Clock
from source_ats.errors import ConfigError
from source_ats.http.retry import CHECK_POLICY, READ_POLICY
from source_ats.protocol import input_files

log = logging.getLogger("airbyte.source_ats")


def configured(raw_config: Mapping[str, Any]) -> DestinationConfig:
    """Return the configuration, and warn of unknown keys. Raises `ConfigError` if it is wrong."""
    parsed = parse(raw_config)
    for warning in parsed.warnings:
        log.warning(warning)
    return parsed.config


def check(config: DestinationConfig, clock: Clock) -> str:
    """Return what the user should know, and make the ledger if there is none.

    Nothing is written to Comeet. Raises `ConfigError`, `TransientError` or `ContractError` if a
    sync could not work.
    """
    comeet.mappers(config, {})
    notes = comeet.check(config, comeet.client(config, clock, retry_policy=CHECK_POLICY))
    Rejected(config.rejected_path, clock).close()
    note = ledger.make(_where(config), _senders(config), clock)
    return " ".join(filter(None, [*notes, note]))


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
    with (
        closing(Rejected(config.rejected_path, clock)) as rejected,
        ledger.opened(_where(config), _senders(config), clock) as opened,
    ):
        client = comeet.client(config, clock, retry_policy=READ_POLICY)
        deliveries = comeet.deliveries(config, primary_keys, client, opened, clock)
        streams = {name: deliveries.get(name) for name in primary_keys}
        writer = Writer(streams, opened.settle, rejected, clock, max_rejected=config.max_rejected)
        yield from writer.write(batches)


def _primary_keys(
    content: object, config: DestinationConfig
) -> Mapping[str, Sequence[Sequence[str]]]:
    """Return the primary key of each stream of the catalog, and warn of what will not be done.

    Raises `ConfigError` if no configured stream is among them.
    """
    configured_streams = {each.stream for each in config.streams}
    keys: dict[str, Sequence[Sequence[str]]] = {}
    for each in input_files.parse_catalog(content):
        keys[each.name] = each.primary_key
        if each.name not in configured_streams:
            log.warning(
                "Stream %s is not configured in streams: its records are ignored.", each.name
            )
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
    for name in missing:
        log.warning("Stream %s is configured in streams, but the catalog does not have it.", name)
    return keys


def _senders(config: DestinationConfig) -> list[ledger.Sender]:
    return [
        ledger.Sender(each.stream, each.prefix, each.mapping.mapping_type)
        for each in config.streams
    ]


def _where(config: DestinationConfig) -> ledger.Where:
    if isinstance(config.ledger, PostgresLedger):
        return ledger.Where(path=None, url=config.ledger.url)
    return ledger.Where(path=Path(config.ledger.path), url=None)
