"""What both connectors need behind the CDK's entry point: our errors and catalogs in its types."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from airbyte_cdk.models import ConfiguredAirbyteCatalog, FailureType
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from source_ats.errors import AtsError, IncompleteRead


def traced(error: AtsError) -> AirbyteTracedException:
    """Return the exception that the CDK turns into a trace message."""
    failure_type = error.failure_type
    if isinstance(error, IncompleteRead):
        # Streams that failed have said why; what is left to say is whether trying again helps.
        kinds = {getattr(each, "failure_type", "system_error") for each in error.failures.values()}
        failure_type = max(kinds, key=["transient_error", "config_error", "system_error"].index)
    return AirbyteTracedException(
        message=error.message,
        internal_message=error.detail or error.message,
        failure_type=FailureType(failure_type),
    )


def plain_catalog(catalog: ConfiguredAirbyteCatalog) -> dict[str, Any]:
    """Return a configured catalog as the JSON that it was made from."""
    streams = [
        {
            **asdict(each),
            "sync_mode": getattr(each.sync_mode, "value", each.sync_mode),
            "destination_sync_mode": getattr(
                each.destination_sync_mode, "value", each.destination_sync_mode
            ),
        }
        for each in catalog.streams
    ]
    return {"streams": streams}
