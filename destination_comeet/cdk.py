"""DestinationComeet: the same destination behind the CDK's own entry point."""

from __future__ import annotations

import argparse
import io
import json
import logging
import threading
from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from functools import partial
from typing import Any, cast

import orjson
from airbyte_cdk.destinations import Destination
from airbyte_cdk.models import (
    AirbyteConnectionStatus,
    AirbyteMessage,
    AirbyteMessageSerializer,
    ConfiguredAirbyteCatalog,
    ConnectorSpecification,
    ConnectorSpecificationSerializer,
    Status,
)
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from destination_comeet import commands, config, stdin
from source_ats.clock import SystemClock
from source_ats.errors import AtsError
from source_ats.protocol import input_files, spec
from source_ats.protocol.cdk import plain_catalog, traced


class DestinationComeet(Destination):
    """Creates and updates candidates in Comeet. Made with no arguments."""

    # Our own parsing names the field and the remedy, and shows no value.
    check_config_against_spec = False

    def spec(self, logger: logging.Logger) -> ConnectorSpecification:
        """Return the form that Airbyte shows."""
        del logger
        return ConnectorSpecificationSerializer.load(config.spec())

    def run_cmd(self, parsed_args: argparse.Namespace) -> Iterator[AirbyteMessage]:
        """Run a command. `check` always answers with a connection status."""
        try:
            yield from super().run_cmd(parsed_args)
        except AirbyteTracedException as error:
            status = error.as_connection_status_message()
            if parsed_args.command != "check" or status is None:
                raise
            yield status

    @staticmethod
    def read_config(config_path: str) -> MutableMapping[str, Any]:
        """Return what the user filled in. Raises `AirbyteTracedException` for a bad file."""
        try:
            filled_in: dict[str, Any] = spec.without_nulls(input_files.read_config(config_path))
        except AtsError as error:
            raise traced(error) from None
        return filled_in

    def check(self, logger: logging.Logger, config: Mapping[str, Any]) -> AirbyteConnectionStatus:
        """Return whether Comeet can be written to, and make the ledger. Creates nobody."""
        del logger
        try:
            parsed = commands.configured(config)
            message = commands.check(parsed, SystemClock())
        except AtsError as error:
            return AirbyteConnectionStatus(status=Status.FAILED, message=error.message)
        return AirbyteConnectionStatus(status=Status.SUCCEEDED, message=message)

    def write(
        self,
        config: Mapping[str, Any],
        configured_catalog: ConfiguredAirbyteCatalog,
        input_messages: Iterable[AirbyteMessage],
    ) -> Iterator[AirbyteMessage]:
        """Write the messages. A model drops what it does not know: the command line does not."""
        # The standard library writes what JSON does not have as it is, so that it is rejected.
        lines = (json.dumps(AirbyteMessageSerializer.dump(each)) for each in input_messages)
        batches = ([line.encode()] for line in lines)
        return self._written(config, plain_catalog(configured_catalog), batches)

    def _run_write(
        self,
        config: Mapping[str, Any],
        configured_catalog_path: str,
        input_stream: io.TextIOWrapper,
    ) -> Iterator[AirbyteMessage]:
        # Instead of the CDK's loop over standard input, which prints a bad record whole.
        try:
            catalog = input_files.read_json(configured_catalog_path, "catalog")
        except AtsError as error:
            raise traced(error) from None
        buffer = cast("io.BufferedReader", input_stream.buffer)
        chunks = iter(partial(buffer.read1, stdin.CHUNK), b"")
        return self._written(config, catalog, stdin.split_lines(chunks))

    def _written(
        self, config: Mapping[str, Any], catalog: object, batches: Iterable[Sequence[stdin.Line]]
    ) -> Iterator[AirbyteMessage]:
        clock = SystemClock(threading.Event())
        try:
            parsed = commands.configured(config)
            for line in commands.write(parsed, catalog, batches, clock):
                yield AirbyteMessageSerializer.load(orjson.loads(line))
        except AtsError as error:
            raise traced(error) from None
