"""How Airbyte's standard tests are started, and how strictly they run."""

from __future__ import annotations

import sys
from pathlib import Path

AIRBYTE_CDK = Path(sys.executable).with_name("airbyte-cdk")

STRICTLY = (
    "-Werror",
    "-Wignore:This class is experimental",
    "-Wignore:Unknown pytest.mark.requires_creds",
)
"""Every warning fails, above all the suite's own of what is odd in a catalog. Allowed is what the
CDK does itself: it uses a class that it calls experimental, and a mark that it does not register.
"""
