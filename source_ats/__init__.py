"""Airbyte connectors for people data in applicant tracking systems.

`SourceAts` is the source for tools that import connectors. The CDK that it stands on is imported
only when it is needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from source_ats.cdk import SourceAts

__all__ = ["SourceAts"]


def __getattr__(name: str) -> object:
    if name != "SourceAts":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from source_ats.cdk import SourceAts  # noqa: PLC0415 - the CDK's import takes over a second

    return SourceAts


def __dir__() -> list[str]:
    return __all__
