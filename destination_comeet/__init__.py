"""The Airbyte destination for Comeet. `DestinationComeet` is imported only when it is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from destination_comeet.cdk import DestinationComeet

__all__ = ["DestinationComeet"]


def __getattr__(name: str) -> object:
    if name != "DestinationComeet":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from destination_comeet.cdk import (  # noqa: PLC0415 - the CDK's import takes over a second
        DestinationComeet,
    )

    return DestinationComeet


def __dir__() -> list[str]:
    return __all__
