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

import msgspec

from destination_comeet import deliveries as comeet
from destination_comeet import ledger
from destination_comeet.config import DestinationConfig, PostgresLedger, parse
from destination_comeet.rejects import Rejected
from destination_comeet.writer import Writer
from source_ats.clock import Clock
from source_ats.errors import ConfigError
from source_ats.http.retry import CHECK_POLICY, READ_POLICY

log = logging.getLogger("airbyte.source_ats")


class _Stream(msgspec.Struct):
    name: str
    source_defined_primary_key: list[list[str]] | None = None


class _ConfiguredStream(msgspec.Struct):
    stream: _Stream
    destination_sync_mode: str = "append"
    primary_key: list[list[str]] | None = None


class _Catalog(msgspec.Struct):
    streams: list[_ConfiguredStream]


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
    batches: Iterable[Sequence[bytes]],
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
    """Return the primary key of each stream of the catalog, and warn of what will not be done."""
    try:
        streams = msgspec.convert(content, _Catalog).streams
    except msgspec.ValidationError as error:
        raise ConfigError(f"The catalog is not a configured catalog: {error}.") from None
    keys: dict[str, Sequence[Sequence[str]]] = {}
    named = {each.stream for each in config.streams}
    for each in streams:
        name = each.stream.name
        if name in keys:
            message = f"The catalog names the stream {name} twice. Remove or rename one of them."
            raise ConfigError(message)
        if each.destination_sync_mode not in {"append", "append_dedup", "overwrite"}:
            message = (
                f"Stream {name}: the sync mode {each.destination_sync_mode} does not exist here. "
                "Choose append, or append and deduplicate."
            )
            raise ConfigError(message)
        if name not in named:
            log.warning(
                "Stream %s is not named in streams of the configuration: its records are ignored.",
                name,
            )
        elif each.destination_sync_mode == "overwrite":
            log.warning(
                "Stream %s: overwrite is done as append. Nothing is ever deleted in Comeet.", name
            )
        keys[name] = each.primary_key or each.stream.source_defined_primary_key or ()
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
