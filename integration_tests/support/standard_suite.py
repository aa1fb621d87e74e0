"""How strictly Airbyte's standard tests run."""

from __future__ import annotations

STRICTLY = (
    "-Werror",
    "-Wignore:This class is experimental",
    "-Wignore:Unknown pytest.mark.requires_creds",
)
