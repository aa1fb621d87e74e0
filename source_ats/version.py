"""The version of both connectors, as it was installed."""

from __future__ import annotations

from importlib.metadata import version

VERSION = version("airbyte-source-ats")
