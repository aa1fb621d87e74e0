"""The errors, by who acts next.

AtsError
├── ConfigError        the user acts: a key, an id, a permission, a file
├── TransientError     time heals: the next run goes on from the last state
│   └── Stopped        the run was asked to end (SIGTERM)
└── ContractError      we act: the vendor answered something we do not understand, or we have a bug
    └── Refusal        the vendor refused this one call; a room may set the child aside

`failure_type` is Airbyte's name for each. Messages tell the user what to do. They may hold vendor
ids, endpoint names, statuses, error codes and request ids; never a token, a query value, a body or
a name.
"""

from __future__ import annotations

from typing import ClassVar


class AtsError(Exception):
    """Any failure that this package understands. `str()` is the message for the user."""

    failure_type: ClassVar[str] = "system_error"

    def __init__(self, message: str, *, detail: str = "") -> None:
        """`detail` says where it happened: vendor, endpoint, status, error code, request id."""
        super().__init__(message)
        self.message = message
        self.detail = detail


class ConfigError(AtsError):
    """The user has to change something; trying again does not help."""

    failure_type = "config_error"


class TransientError(AtsError):
    """It will pass; a later run goes on from the last state."""

    failure_type = "transient_error"


class Stopped(TransientError):
    """The run was asked to end before it was done."""


class ContractError(AtsError):
    """The vendor's answer is not what its documentation says, or this package has a bug."""

    failure_type = "system_error"


class Refusal(ContractError):
    """The vendor refused this call (a 4xx that is no matter of key, permission or rate)."""

    def __init__(self, message: str, *, status: int, code: str | None, detail: str = "") -> None:
        """`status` is the HTTP status, `code` the vendor's own error code where it gave one."""
        super().__init__(message, detail=detail)
        self.status = status
        self.code = code
