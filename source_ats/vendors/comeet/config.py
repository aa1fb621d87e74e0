"""Comeet's section of the configuration, and the settings that the destination takes too."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from source_ats.protocol.spec import BaseUrl, Secret, Section

ApiKey = Annotated[
    Secret,
    Field(
        title="API key",
        description=(
            "Key of the customer's account, shown when an admin of Comeet activates the "
            "integration."
        ),
    ),
]
AppSecret = Annotated[
    Secret,
    Field(
        title="Secret",
        description="Secret of your app, given by Comeet when it approves the integration.",
    ),
]
ComeetUrl = Annotated[
    BaseUrl | None,
    Field(
        title="Base URL",
        description="Replaces the vendor's own address, for tests and proxies. Usually empty.",
    ),
]


class ComeetConfig(Section):
    """Comeet."""

    api_key: ApiKey
    secret: AppSecret
    base_url: ComeetUrl = None
