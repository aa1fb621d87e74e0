"""SourceAts: the same source behind the CDK's own entry point, for tools that import connectors."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any, cast

import orjson
from airbyte_cdk.models import (
    AirbyteCatalog,
    AirbyteConnectionStatus,
    AirbyteMessage,
    AirbyteMessageSerializer,
    AirbyteStateMessage,
    AirbyteStateMessageSerializer,
    ConfiguredAirbyteCatalog,
    ConfiguredAirbyteCatalogSerializer,
    ConnectorSpecification,
    ConnectorSpecificationSerializer,
    Status,
)
from airbyte_cdk.sources import Source

from source_ats import commands, config
from source_ats.clock import SystemClock
from source_ats.errors import AtsError
from source_ats.protocol import input_files
from source_ats.protocol.cdk import plain_catalog, traced


class _UnreadableConfig(dict[str, Any]):
    """What stands for a configuration that cannot be read, and why.

    The CDK reads the configuration outside of the command, so an error would leave `check` without
    a connection status.
    """

    def __init__(self, error: AtsError) -> None:
        super().__init__()
        self.error = error


def _configured(given: Mapping[str, Any]) -> config.SourceConfig:
    """Return the configuration. Raises `AtsError` if it is wrong or cannot be read."""
    if isinstance(given, _UnreadableConfig):
        raise given.error
    return commands.configured(given)


class SourceAts(Source):
    """Reads people data out of applicant tracking systems. Made with no arguments."""

    # Our own parsing names the field and the remedy, and shows no value.
    check_config_against_spec = False

    def spec(self, logger: logging.Logger) -> ConnectorSpecification:
        """Return the form that Airbyte shows."""
        del logger
        return ConnectorSpecificationSerializer.load(config.spec())

    @staticmethod
    def read_config(config_path: str) -> MutableMapping[str, Any]:
        """Return what the user filled in. A bad file is reported by the command."""
        try:
            return config.filled_in(input_files.read_config(config_path))
        except AtsError as error:
            return _UnreadableConfig(error)

    @classmethod
    def read_catalog(cls, catalog_path: str) -> ConfiguredAirbyteCatalog:
        """Return the configured catalog. Raises `AirbyteTracedException` for a bad file."""
        try:
            content = input_files.read_json(catalog_path, "catalog")
            input_files.parse_catalog(content)
        except AtsError as error:
            raise traced(error) from None
        return ConfiguredAirbyteCatalogSerializer.load(content)

    @classmethod
    def read_state(cls, state_path: str) -> list[AirbyteStateMessage]:
        """Return the states. Raises `AirbyteTracedException` for a bad file."""
        try:
            content = input_files.read_state_file(state_path) if state_path else []
            input_files.parse_states(content)
        except AtsError as error:
            raise traced(error) from None
        return [AirbyteStateMessageSerializer.load(each) for each in content if each]

    def check(self, logger: logging.Logger, config: Mapping[str, Any]) -> AirbyteConnectionStatus:
        """Return whether the configured systems can be read, and what the user should know."""
        del logger
        try:
            message = commands.check(_configured(config), SystemClock())
        except AtsError as error:
            return AirbyteConnectionStatus(status=Status.FAILED, message=error.message)
        return AirbyteConnectionStatus(status=Status.SUCCEEDED, message=message or None)

    def discover(self, logger: logging.Logger, config: Mapping[str, Any]) -> AirbyteCatalog:
        """Return the streams of the systems that are configured."""
        del logger
        try:
            catalog = commands.discover(_configured(config), SystemClock())
        except AtsError as error:
            raise traced(error) from None
        catalog_message = AirbyteMessageSerializer.load({"type": "CATALOG", "catalog": catalog})
        return cast("AirbyteCatalog", catalog_message.catalog)

    def read(
        self,
        logger: logging.Logger,
        config: Mapping[str, Any],
        catalog: ConfiguredAirbyteCatalog,
        state: list[AirbyteStateMessage] | None = None,
    ) -> Iterator[AirbyteMessage]:
        """Yield the very messages that the command line prints.

        Raises `AirbyteTracedException` when a stream did not finish, after all messages.
        """
        del logger
        states = [AirbyteStateMessageSerializer.dump(each) for each in state or []]
        stop = threading.Event()
        clock = SystemClock(stop)
        try:
            for lines in commands.read(
                _configured(config), plain_catalog(catalog), states, clock, stop
            ):
                for line in lines.split(b"\n")[:-1]:
                    yield AirbyteMessageSerializer.load(orjson.loads(line))
        except AtsError as error:
            raise traced(error) from None
        finally:
            # Calls that are still tried for a stream that has ended are given up.
            stop.set()
