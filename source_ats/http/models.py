"""Requests and responses as values, and what the client has to know of a vendor.

Building a `Request` and reading a `Response` are pure functions in each vendor's package.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, TypeVar

import msgspec

from source_ats import decoding
from source_ats.errors import AtsError, ContractError, IncompleteResponse, MalformedResponse

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Decoder(Protocol[T_co]):
    """Turns a body into values: a decoder of `msgspec`, or `decoding.EXACT`."""

    def decode(self, body: bytes, /) -> T_co:
        """Return the values."""
        ...


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
    """The part of the endpoint that is granted or denied separately: an account, an event."""

    @property
    def endpoint_key(self) -> tuple[str, str]:
        """Return the endpoint with its partition: what answers, or denies access."""
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

    endpoint: str = ""
    """The request's."""
    is_repeat: bool = False
    """The request was sent a second time because the body was not valid JSON: now it is repaired,
    and rows that stay invalid are left out."""

    def decode(self, decoder: Decoder[T]) -> T:
        """Return the body as the decoder's type.

        Raises `MalformedResponse` or `IncompleteResponse` (to be requested again) when the body is
        not JSON, and `ContractError` when it is JSON of another shape than the code relies on; none
        of them shows a value.
        """
        return self._decode(decoder, key=None)[0]

    def decode_rows(self, decoder: Decoder[T], key: str) -> tuple[T, Sequence[str | None]]:
        """Return the body like `decode`, and the keys of rows that were left out of it.

        Left out are rows that are not valid JSON, also when they are requested again, so that they
        do not block their neighbours; `key` is the name of their key. None: it cannot be read.
        """
        return self._decode(decoder, key)

    def _decode(self, decoder: Decoder[T], key: str | None) -> tuple[T, Sequence[str | None]]:
        left_out: Sequence[str | None] = ()
        try:
            if decoding.is_utf_8(self.body):
                return decoder.decode(self.body), left_out
        except msgspec.ValidationError as error:
            raise self._mismatch(error) from None
        except (msgspec.DecodeError, decoding.InvalidJson, UnicodeDecodeError, RecursionError):
            pass
        body, left_out = self._readable(key)
        try:
            return decoder.decode(body), left_out
        except msgspec.ValidationError as error:
            raise self._mismatch(error) from None

    def _readable(self, key: str | None) -> tuple[bytes, Sequence[str | None]]:
        """Return the body as any decoder takes it, and the keys of rows that were left out."""
        if decoding.is_valid(self.body):
            return decoding.limit_depth(decoding.repair(self.body)), ()
        if not decoding.is_complete(self.body):
            raise IncompleteResponse("The response is not JSON.", detail=self.where)
        if not self.is_repeat:
            raise MalformedResponse("The response is not valid JSON.", detail=self.where)
        repaired = decoding.repair(self.body)
        if decoding.is_valid(repaired):
            return decoding.limit_depth(repaired), ()
        try:
            if key is not None:
                body, left_out = decoding.without_bad_rows(self.body, key)
                return decoding.limit_depth(body), left_out
        except decoding.InvalidJson:
            pass
        raise IncompleteResponse("The response is not JSON.", detail=self.where)

    def _mismatch(self, error: msgspec.ValidationError) -> ContractError:
        message = (
            f"The response does not have the documented shape: {decoding.describe_mismatch(error)}."
        )
        return ContractError(message, detail=self.where)


def reports_error(envelope: Mapping[str, msgspec.Raw]) -> bool:
    """True if the envelope of a success says that it is an error, so that an empty list means none.

    Assumed: no vendor documents it. The marks are a `status` of `error`, `fail` or `failed`, or of
    400 and more, `success: false`, and an `error` or `errors` that is not empty.
    """
    marks = {
        name: bytes(envelope.get(name, b"")).translate(None, b" \t\r\n").lower()
        for name in ("status", "success", "error", "errors")
    }
    status = marks["status"]
    return (
        status in {b'"error"', b'"fail"', b'"failed"'}
        or (status.isdigit() and len(status) == 3 and status >= b"400")
        or marks["success"] == b"false"
        or not {marks["error"], marks["errors"]} <= _NO_ERROR
    )


_NO_ERROR = frozenset({b"", b"null", b"false", b"0", b'""', b"[]", b"{}"})


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
    requests_left: Callable[[Response], int | None] = lambda response: None
    """Requests that the vendor allows until the reset, by its own headers; None: unknown."""
    access_denied: str = ""
    """For `AccessDenied`: what a lasting 403 means. Empty: it is a `ConfigError`."""


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
