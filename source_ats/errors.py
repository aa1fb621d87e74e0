"""Every exception that reaches a caller of the packages, by who acts next.

AtsError
├── ConfigError              the user acts: a key, an id, a permission, a file
│   ├── CredentialsRefused   the vendor refuses every request with this key, or from this network
│   ├── AccessDenied         one permission is missing; other requests may be allowed
│   ├── WrongAddress         the host answers, but is not the vendor's API
│   ├── NoConnection         certificate, proxy or CA file: no connection can be made
│   ├── UnknownPartition     the vendor does not know a configured account
│   ├── LedgerMissing        there is no ledger: the first run, or it was lost
│   └── OutputFailed         standard output cannot be written: a full disk
├── TransientError           time heals: the next run resumes from the last state
│   ├── Stopped              the run was asked to end (SIGTERM, SIGINT)
│   ├── RetryableError       no complete answer, or asked to wait; raised after the last attempt
│   ├── AnsweredBefore       denied or not found now, although it was answered in this run
│   ├── IncompleteResponse   the body was cut off or is not JSON
│   │   └── MalformedResponse    it is complete, but not valid JSON
│   ├── OutcomeUnknown       a POST that creates got no answer
│   └── LedgerInUse          another run writes with the same ledger, or its file is open elsewhere
├── ContractError            we act: an answer that we do not understand, or a bug
│   └── RequestRefused       the vendor refused this one request
│       ├── InvalidInput     it does not accept what the request carries
│       ├── NotFound         it does not know what the request names
│       ├── Conflict         what the request creates exists already
│       └── AlreadyMerged    the object was merged into another one
├── FileUnavailable          a file cannot be fetched; its record is written, with the reason
├── PartitionUnavailable     one account cannot be read now, the others can
│   └── NoSuchRows           it has no rows of this kind
└── IncompleteRead           some streams did not finish; each has said why

`failure_type` is Airbyte's name. A message is one or two whole sentences: what happened, and what
to do. Messages and details may hold vendor ids, endpoint names, statuses, error codes and request
ids; never a token, a query value, a body or a name.
"""

from __future__ import annotations

from collections.abc import Mapping
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


class CredentialsRefused(ConfigError):
    """The vendor says by a code of its own that no request with this key will be answered."""


class AccessDenied(ConfigError):
    """The credentials lack the permission for this request; others may be allowed."""


class WrongAddress(ConfigError):
    """The address answers, but is not the vendor's API."""


class NoConnection(ConfigError):
    """No connection can be made: an untrusted certificate, an unusable proxy or CA file."""


class UnknownPartition(ConfigError):
    """The credentials are good, but the vendor does not know a configured account."""


class LedgerMissing(ConfigError):
    """There is no ledger."""

    def __init__(self) -> None:
        """The message says what to do in either case."""
        super().__init__(
            "There is no ledger. Either this is the first run: run the connection check, which "
            "makes it. Or the ledger was lost: restore a backup, or run the connection check, "
            "which makes a new one if the list of existing candidates can be read."
        )


class OutputFailed(ConfigError):
    """Standard output cannot be written, though its reader has not closed it."""


class TransientError(AtsError):
    """It will pass; a later run resumes from the last state."""

    failure_type = "transient_error"


class Stopped(TransientError):
    """The run was asked to end before it was done."""

    def __init__(self, message: str = "The run was stopped on request.") -> None:
        """Nothing was sent, so there is no detail."""
        super().__init__(message)


class RetryableError(TransientError):
    """The vendor gave no complete answer, or asked to wait. Raised after the last attempt."""

    def __init__(
        self,
        what: str,
        advice: str,
        *,
        detail: str,
        rate_limit: bool = False,
        after: float | None = None,
    ) -> None:
        """`what` happened is logged at each attempt; the message adds `advice`."""
        super().__init__(f"{what} {advice}", detail=detail)
        self.what = what
        self.rate_limit = rate_limit
        self.after = after
        """Seconds to wait, as the vendor said; None: back off."""


class AnsweredBefore(TransientError):
    """An endpoint that was answered in this run is denied or not found now, without a reason."""


class IncompleteResponse(TransientError):
    """The body was cut off, or is not JSON: not the vendor's last word."""


class MalformedResponse(IncompleteResponse):
    """The body is complete, but not valid JSON: requested once more, then repaired."""


class OutcomeUnknown(TransientError):
    """A POST that creates got no answer that says whether it did."""


class LedgerInUse(TransientError):
    """Another run writes with this ledger, or another program has its file open."""

    def __init__(self) -> None:
        """Only one run at a time can make sure that nobody is created twice."""
        super().__init__(
            "Another run is writing with this ledger, or another program has its file open, such "
            "as a database shell or a backup. Wait until it has ended: only one run at a time can "
            "make sure that nobody is created twice."
        )


class ContractError(AtsError):
    """The vendor's answer is not what its documentation says, or this package has a bug."""


class RequestRefused(ContractError):
    """The vendor refused this request (a 4xx that is about neither key, permission nor rate)."""

    def __init__(self, message: str, *, status: int, code: str | None, detail: str = "") -> None:
        """`status` is the HTTP status, `code` the vendor's own error code where it gave one."""
        super().__init__(message, detail=detail)
        self.status = status
        self.code = code


class InvalidInput(RequestRefused):
    """The vendor does not accept what the request carries."""

    def __init__(
        self,
        message: str,
        *,
        status: int,
        code: str | None,
        detail: str = "",
        vendor_text: str = "",
    ) -> None:
        """`vendor_text` may quote what was sent: it goes to no log and no message."""
        super().__init__(message, status=status, code=code, detail=detail)
        self.vendor_text = vendor_text


class NotFound(RequestRefused):
    """The vendor does not know what the request names, or does not show it to this key."""


class Conflict(RequestRefused):
    """What the request creates exists already."""

    def __init__(
        self, message: str, *, status: int, code: str | None, detail: str, uid: str | int | None
    ) -> None:
        """`uid` is the existing object as the answer names it; None if it does not."""
        super().__init__(message, status=status, code=code, detail=detail)
        self.uid = uid


class AlreadyMerged(RequestRefused):
    """The object was merged into another one and cannot be changed any more."""


class FileUnavailable(AtsError):
    """A file cannot be fetched. The message is a reason, for a sentence that names the file."""

    def __init__(self, reason: str, *, is_lasting: bool = False) -> None:
        """`is_lasting`: no later attempt will be better. No address is in the reason."""
        super().__init__(reason)
        self.is_lasting = is_lasting


class PartitionUnavailable(AtsError):
    """One account cannot be read now, while the key and the other accounts are fine."""

    def __init__(self, message: str, *, passes: bool, detail: str = "") -> None:
        """`passes`: waiting helps. Otherwise a person has to act."""
        super().__init__(message, detail=detail)
        self.passes = passes


class NoSuchRows(PartitionUnavailable):
    """One account has no rows of this kind; its other rows can be read."""


class IncompleteRead(AtsError):
    """Some streams did not finish; each has said why in messages of its own."""

    def __init__(self, failures: Mapping[str, BaseException]) -> None:
        """`failures` holds what ended each unfinished stream."""
        super().__init__(f"These streams did not finish: {', '.join(sorted(failures))}.")
        self.failures = failures
