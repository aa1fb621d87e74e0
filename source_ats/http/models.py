"""Requests and responses as values, and what the client has to know of a vendor.

Building a `Request` and reading a `Response` are pure functions in each vendor's package.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol, TypeVar

import msgspec

from source_ats.decoding import check_utf_8, describe_mismatch, replace_lone_surrogates
from source_ats.errors import AtsError, ContractError, IncompleteResponse

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Request:
    """One request, not sent yet. `endpoint` is its name in logs: no ids, no values."""

    endpoint: str
    url: str
    method: str = "GET"
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    json: object = None
    creates: bool = False
    """A POST that creates: without an answer, its outcome is unknown."""
    partition: str = ""
    """What of the endpoint is answered, or denied, apart from the rest: an account, an event."""

    @property
    def source(self) -> tuple[str, str]:
        """Return what answers it: the endpoint, of one partition."""
        return self.endpoint, self.partition


@dataclass(frozen=True, slots=True)
class Response:
    """One complete response. Header names are found in any spelling."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    sent_at: datetime
    """When the request was sent, by the vendor's clock where its `Date` is known; never later."""
    where: str
    """For messages: vendor, endpoint, status and request id."""

    def decode(self, decoder: msgspec.json.Decoder[T]) -> T:
        """Return the body as the decoder's type.

        Raises `IncompleteResponse` (to be requested again) when the body is not JSON, and
        `ContractError` when it is JSON of another shape than the code relies on; neither shows a
        value.
        """
        try:
            check_utf_8(self.body)
            return decoder.decode(self.body)
        except msgspec.ValidationError as error:
            message = (
                f"The response does not have the documented shape: {describe_mismatch(error)}."
            )
            raise ContractError(message, detail=self.where) from None
        except RecursionError:
            message = "The response is nested too deeply."
            raise ContractError(message, detail=self.where) from None
        except (msgspec.DecodeError, UnicodeDecodeError):
            repaired = replace_lone_surrogates(self.body)
            if repaired == self.body:
                message = "The response is not JSON."
                raise IncompleteResponse(message, detail=self.where) from None
            return replace(self, body=repaired).decode(decoder)


class FailureKind(enum.Enum):
    """What a vendor's reader may say of a failed response instead of an error of its own."""

    RATE_LIMITED = enum.auto()
    UNAVAILABLE = enum.auto()
    UNAUTHORIZED = enum.auto()
    """A code says that the credentials are not good."""
    DENIED = enum.auto()
    """A 401 or 403 without a code that says why. It may pass."""


@dataclass(frozen=True, slots=True)
class Vendor:
    """What the client has to know of a vendor. Everything here comes from the vendor's package."""

    name: str
    credentials: str
    """The configuration keys that hold the credentials, for messages."""
    classify: Callable[[Response], AtsError | FailureKind | None]
    """What a response outside 200 to 299 means; None leaves it to the client's table."""
    seconds_to_reset: Callable[[Response], float | None]
    """Seconds until the vendor allows the next request, by its own headers; None: unknown."""
    access_denied: str = ""
    """What a lasting 403 means, in whole sentences; empty: a permission is missing."""


class Auth(Protocol):
    """The credentials of one token."""

    def headers(self) -> Mapping[str, str]:
        """Return the headers that carry the token."""
        ...

    def renew(self, refused: Mapping[str, str]) -> bool:
        """Get a new token in place of the refused one; False where there is none to get."""
        ...


@dataclass(frozen=True, slots=True)
class StaticAuth:
    """A token that the user made and that stays as it is."""

    _headers: Mapping[str, str]

    def headers(self) -> Mapping[str, str]:
        """Return the headers that carry the token."""
        return self._headers

    def renew(self, refused: Mapping[str, str]) -> bool:
        """Return False: only the user can make a new one."""
        del refused
        return False
