"""Reads the version from metadata.yaml, where Airbyte expects it; pyproject.toml has the rest."""

import re
from pathlib import Path

from setuptools import setup

METADATA = (Path(__file__).parent / "metadata.yaml").read_text("utf-8")
(VERSION,) = re.findall(r"^  dockerImageTag: (\S+)$", METADATA, re.MULTILINE)

setup(version=VERSION)
