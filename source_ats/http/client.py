"""The client: the one place that talks to the network.

`Client.send` does everything between building a request and reading its response: the rate limiter,
the credentials, the time limits, the retries and the log lines.

Retries, after the vendor's reader has classified a failed response (`Vendor.classify`):

| situation                        | reads, and what may be repeated   | a POST that creates |
| -------------------------------- | --------------------------------- | ------------------- |
| rate limit (429)                 | wait as told, else back off       | same                |
| 408, 5xx, no complete response   | back off, then `RetryableError`   | `OutcomeUnknown`    |
| no connection (refused, no name) | back off, then `RetryableError`   | same: nothing sent  |
| certificate, CA file, proxy [1]  | `NoConnection`                    | same: nothing sent  |
| more than 256 MB                 | `ContractError`                   | `OutcomeUnknown`    |
| 401, for a reason that is known  | new token once, then `ConfigError`| same                |
| any other 401 [2]                | new token once, then repeat       | same                |
| any other 403 [2]                | new token once, then repeat       | `OutcomeUnknown`    |
| 302, 303                         | `ConfigError`                     | `OutcomeUnknown`    |
| another redirect off the host    | `ConfigError`                     | same                |
| 404 of another server [3]        | repeat, then `WrongAddress`       | `WrongAddress`      |
| any other 4xx                    | `RequestRefused`                  | same                |

[1] Not trusted, or not usable. A proxy that fails after an answer in this run counts as no
connection.

[2] It may be a gateway's. From an endpoint (of one partition) that answered in this run it is
repeated three times within 30 seconds, then it is transient; else once, then it is a `ConfigError`.

[3] As the vendor's reader says (`WrongAddress`). It is repeated as [2] says.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar

import requests
import tenacity
import urllib3

from source_ats.clock import Clock, rfc3339
from source_ats.decoding import safe_identifier
from source_ats.errors import (
    AccessDenied,
    AnsweredBefore,
    AtsError,
    ConfigError,
    ContractError,
    CredentialsRefused,
    IncompleteResponse,
    MalformedResponse,
    NoConnection,
    OutcomeUnknown,
    RequestRefused,
    RetryableError,
    TransientError,
    WrongAddress,
)
from source_ats.http import retry
from source_ats.http.circuit_breaker import CircuitBreaker
from source_ats.http.connection_errors import ConnectionProblem, explain
from source_ats.http.models import Auth, FailureKind, Request, Response, Vendor
from source_ats.http.rate_limiter import ConcurrencyLimiter, RateLimiter
from source_ats.http.retry import READ_POLICY, RetryPolicy
from source_ats.http.session import LARGEST_BODY, BodyTooLarge, Session
from source_ats.http.time_limit import AnswerTooSlow
from source_ats.http.usage import Usage

T = TypeVar("T")

log = logging.getLogger("airbyte.source_ats.http")
# The HTTP library's own lines show query values.
logging.getLogger("urllib3").setLevel(logging.ERROR)

PAUSES_IF_ANSWERED = (2.0, 6.0, 15.0)
PAUSES_IF_NEVER_ANSWERED = (3.0,)
"""Seconds before each repeat after a 401 or 403 without a code that says why."""


class Client:
    """Sends the requests of one token. Safe to use from several threads."""

    def __init__(  # noqa: PLR0913 - what a client is made of
        self,
        vendor: Vendor,
        auth: Auth,
        rate_limiter: RateLimiter,
        clock: Clock,
        *,
        retry_policy: RetryPolicy = READ_POLICY,
        on_rate_limit: Callable[[datetime | None], None] = lambda until: None,
        connections: int = 1,
    ) -> None:
        """`on_rate_limit` gets the time until which a rate limit blocks, and None when it is over.

        At most `connections` requests are in flight, from all threads together.
        """
        self._vendor = vendor
        self._auth = auth
        self._rate_limiter = rate_limiter
        self._clock = clock
        self._retry_policy = retry_policy
        self._on_rate_limit = on_rate_limit
        self.usage = Usage(clock)
        """What the requests took, for the summary of the run."""
        self._session = Session(connections)
        self._circuit_breaker = CircuitBreaker(clock)
        self._answered: set[tuple[str, str]] = set()
        self._in_flight = ConcurrencyLimiter(connections)
        self._first_request = threading.Lock()
        self._has_sent = False
        self._refusal: CredentialsRefused | None = None
        self._vendor_time: tuple[datetime, float] | None = None
        self.has_vendor_time = False
        """Whether the last response told the vendor's time."""

    def now(self) -> datetime:
        """Return the time by the vendor's clock; by the machine's until it was told.

        A machine's clock that is set meanwhile changes nothing.
        """
        if self._vendor_time is None:
            return self._clock.now()
        told, at = self._vendor_time
        return told + timedelta(seconds=self._clock.monotonic() - at)

    @property
    def advice(self) -> str:
        """What a message tells the user to do after a failure that passes."""
        return self._retry_policy.advice

    def pause(self, seconds: float) -> None:
        """Wait between two requests. Raises `Stopped` when the run was asked to end."""
        with self.usage.waiting():
            self._clock.sleep(seconds)

    def send(
        self,
        request: Request,
        read: Callable[[Response], T],
        *,
        retry_policy: RetryPolicy | None = None,
        before_send: Callable[[], None] = lambda: None,
    ) -> T:
        """Send the request until it is answered, and return what `read` makes of the response.

        `retry_policy` replaces the client's for this request, as to how often and how long it is
        tried. `before_send` is called before each attempt, when nothing is left to wait for.

        Raises `ConfigError`, `TransientError`, `ContractError` (`RequestRefused`: this request was
        refused), `OutcomeUnknown` for a request that creates, and `Stopped`; also what `read`
        raises.
        """
        policy = self._retry_policy.limited_to(retry_policy)
        if self._circuit_breaker.is_open():
            minutes = self._circuit_breaker.silent_for() / 60
            what = f"{self._vendor.name} has answered no request for {minutes:.0f} minutes."
            detail = f"{self._vendor.name} {request.endpoint}, not sent"
            raise RetryableError(what, policy.advice, detail=detail)
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(RetryableError),
            wait=retry.wait,
            stop=retry.stop_condition(
                policy,
                self._clock,
                self._circuit_breaker,
                rate_limit_attempts=self._retry_policy.attempts,
            ),
            sleep=self.pause,
            before_sleep=self._before_sleep,
            reraise=True,
        )
        try:
            answer: T = retrying(self._attempt_if_accepted, request, read, policy, before_send)
        except RetryableError:
            self._circuit_breaker.gave_up(request.endpoint_key)
            raise
        return answer

    def _attempt_if_accepted(
        self,
        request: Request,
        read: Callable[[Response], T],
        policy: RetryPolicy,
        before_send: Callable[[], None],
    ) -> T:
        """Send unless the credentials were refused already. The first request of all goes alone.

        So a wrong key costs one request, however many lists are read side by side.
        """
        with self._first_request if not self._has_sent else contextlib.nullcontext():
            if self._refusal is not None:
                raise self._refusal
            try:
                return self._attempt(request, read, policy, before_send)
            except CredentialsRefused as refusal:
                self._refusal = refusal
                raise
            finally:
                self._has_sent = True

    def _attempt(
        self,
        request: Request,
        read: Callable[[Response], T],
        policy: RetryPolicy,
        before_send: Callable[[], None],
        *,
        is_repeat: bool = False,
    ) -> T:
        """Send and read the response.

        A read that is answered with a complete body that is not valid JSON is repeated at once.
        """
        response = self._accepted(request, policy, before_send)
        try:
            answer = read(replace(response, is_repeat=is_repeat or request.creates))
        except MalformedResponse as error:
            log.log(
                self._level(f"{self._vendor.name} sent invalid JSON."),
                "%s sent invalid JSON. It is requested once more, and what is still invalid then "
                "is repaired or left out. [%s]",
                self._vendor.name,
                error.detail,
            )
            return self._attempt(request, read, policy, before_send, is_repeat=True)
        except IncompleteResponse as error:
            what = f"{self._vendor.name} sent an incomplete response."
            raise self._no_answer(request, what, error.detail, policy) from None
        self._circuit_breaker.answered()
        self._answered.add(request.endpoint_key)
        return answer

    def _accepted(
        self, request: Request, policy: RetryPolicy, before_send: Callable[[], None]
    ) -> Response:
        """Send, again where access may be denied by mistake, and return a response of success.

        Raises what any other response means.
        """
        response, failure = self._authorized(request, policy, before_send)
        repeats = 0
        while True:
            # Looked up each time: another thread may have been answered meanwhile.
            has_answered = request.endpoint_key in self._answered
            pauses = PAUSES_IF_ANSWERED if has_answered else PAUSES_IF_NEVER_ANSWERED
            if repeats == len(pauses) or not _may_be_a_gateway(request, failure):
                break
            pause = pauses[repeats]
            repeats += 1
            denial = self._denial(response)
            log.log(
                self._level(denial),
                "%s Trying again in %.1f s. [%s]",
                denial,
                pause,
                response.where,
            )
            self.pause(pause)
            response = self._exchange(request, self._auth.headers(), policy, before_send)
            failure = self._classify(request, response)
        match failure:
            case FailureKind.DENIED | WrongAddress() if has_answered and _may_be_a_gateway(
                request, failure
            ):
                message = f"{self._denial(response)} {policy.advice}"
                raise AnsweredBefore(message, detail=response.where)
            case FailureKind.DENIED | FailureKind.UNAUTHORIZED:
                raise self._not_authorized(response)
            case FailureKind.RATE_LIMITED:
                raise self._rate_limited(response, policy)
            case FailureKind.UNAVAILABLE:
                what = f"{self._vendor.name} answered with status {response.status}."
                raise self._no_answer(request, what, response.where, policy)
            case AtsError() as error:
                self._circuit_breaker.answered()
                raise error
        return response

    def _authorized(
        self, request: Request, policy: RetryPolicy, before_send: Callable[[], None]
    ) -> tuple[Response, AtsError | FailureKind | None]:
        """Send once, and once more if the credentials are refused and can be renewed."""
        sent_with = self._auth.headers()
        response = self._exchange(request, sent_with, policy, before_send)
        failure = self._classify(request, response)
        refused = failure in {FailureKind.UNAUTHORIZED, FailureKind.DENIED}
        if refused and self._auth.renew(sent_with):
            response = self._exchange(request, self._auth.headers(), policy, before_send)
            failure = self._classify(request, response)
        return response, failure

    def _classify(self, request: Request, response: Response) -> AtsError | FailureKind | None:
        """Return what kind of failure this is; None: a response to read."""
        if 200 <= response.status <= 299:
            return None
        said = self._vendor.classify(response)
        if said is not None:
            return said
        if response.status == 429:
            return FailureKind.RATE_LIMITED
        if response.status >= 500 or response.status == 408:
            return FailureKind.UNAVAILABLE
        if request.creates and response.status in {302, 303, 403}:
            # It may be said after the work was done.
            return FailureKind.UNAVAILABLE
        if response.status in {401, 403}:
            return FailureKind.DENIED
        if 300 <= response.status <= 399:
            return self._redirected(response.where)
        message = f"{self._vendor.name} refused a request with status {response.status}."
        return RequestRefused(message, status=response.status, code=None, detail=response.where)

    def _denial(self, response: Response) -> str:
        did = "found nothing" if response.status == 404 else "denied access"
        return f"{self._vendor.name} {did} (status {response.status}), without a reason."

    def _not_authorized(self, response: Response) -> ConfigError:
        check = f"Check {self._vendor.credentials}."
        if response.status == 403 and self._vendor.access_denied:
            return AccessDenied(self._vendor.access_denied, detail=response.where)
        if response.status == 403:
            message = (
                f"{self._vendor.name} denies access: the credentials lack a permission. {check}"
            )
        else:
            message = f"{self._vendor.name} does not accept the credentials. {check}"
        return ConfigError(message, detail=response.where)

    def _exchange(
        self,
        request: Request,
        credentials: Mapping[str, str],
        policy: RetryPolicy,
        before_send: Callable[[], None],
    ) -> Response:
        """Wait until a request is allowed, send once, and return the complete response."""
        with self._in_flight.slot():
            self._wait_for_rate_limit(request, policy)
            before_send()
            self.usage.sent()
            response = self._send_once(request, credentials, policy)
            # Before the slot is free: the next request must know.
            reset = self._vendor.seconds_to_reset(response)
            if reset is not None:
                self._rate_limiter.block(reset)
            # Those in flight may not be counted yet in what is left.
            self._in_flight.limit_to(self._vendor.requests_left(response))
        return response

    def _wait_for_rate_limit(self, request: Request, policy: RetryPolicy) -> None:
        def on_block(seconds: float) -> None:
            if seconds > policy.longest_wait:
                raise self._exhausted(seconds, self._where(request), policy)
            self._on_rate_limit(self.now() + timedelta(seconds=seconds))

        with self.usage.waiting():
            self._rate_limiter.acquire(on_block)
        self._on_rate_limit(None)

    def _where(self, request: Request) -> str:
        return f"{self._vendor.name} {request.endpoint}"

    def _send_once(
        self, request: Request, credentials: Mapping[str, str], policy: RetryPolicy
    ) -> Response:
        where = self._where(request)
        began = self._clock.monotonic()
        try:
            received, body = self._session.exchange(
                request,
                credentials,
                timeout=(policy.connect_timeout, policy.read_timeout),
                is_late=lambda: self._clock.monotonic() - began > policy.total_timeout,
            )
        except requests.TooManyRedirects:
            raise self._redirected(where) from None
        except BodyTooLarge:
            raise self._too_large(request, where, policy) from None
        except (
            requests.RequestException,
            urllib3.exceptions.HTTPError,
            AnswerTooSlow,
            MemoryError,
            OverflowError,
        ) as error:
            # An answer that announces more bytes than any machine has is incomplete as well.
            raise self._broken(request, error, where, policy) from None
        seconds = self._clock.monotonic() - began
        date = retry.http_date(received.headers.get("Date"))
        self.has_vendor_time = date is not None
        if date is not None:
            self._vendor_time = date, self._clock.monotonic()
        request_id = safe_identifier(received.headers.get("X-Request-Id")) or ""
        response = Response(
            status=received.status_code,
            headers=received.headers,
            body=body,
            sent_at=(date or self.now()) - timedelta(seconds=seconds),
            where=f"{where} {received.status_code} {request_id}".rstrip(),
            endpoint=request.endpoint,
        )
        log.debug("%s: %d bytes, %.3f s", response.where, len(response.body), seconds)
        return response

    def _redirected(self, where: str) -> ConfigError:
        message = (
            f"{self._vendor.name} redirects to another address, which is not followed. "
            "Check the base URL in the configuration."
        )
        return ConfigError(message, detail=where)

    def _broken(
        self, request: Request, error: Exception, where: str, policy: RetryPolicy
    ) -> AtsError:
        """Return what an exception of the HTTP library means."""
        proxies = self._session.environment(request.url)["proxies"]
        failure = explain(error, self._vendor.name, request.url, proxies)
        detail = f"{where} {type(error).__name__}"
        if failure.kind is ConnectionProblem.UNTRUSTED or (
            failure.kind is ConnectionProblem.UNUSABLE and not self._answered
        ):
            return NoConnection(failure.what, detail=detail)
        if failure.kind is ConnectionProblem.BROKEN:
            return self._no_answer(request, failure.what, detail, policy)
        return RetryableError(failure.what, policy.advice, detail=detail)

    def _too_large(self, request: Request, where: str, policy: RetryPolicy) -> AtsError:
        what = f"{self._vendor.name} sent more than {LARGEST_BODY >> 20} MB for one request."
        if request.creates:
            return self._no_answer(request, what, where, policy)
        return ContractError(f"{what} Ask for smaller pages in the configuration.", detail=where)

    def _no_answer(
        self, request: Request, what: str, detail: str, policy: RetryPolicy
    ) -> TransientError:
        if request.creates:
            return OutcomeUnknown(f"{what} {policy.advice}", detail=detail)
        return RetryableError(what, policy.advice, detail=detail)

    def _rate_limited(self, response: Response, policy: RetryPolicy) -> RetryableError:
        """Return how long to wait: by `Retry-After`, else by the vendor's reset, else unknown.

        A vendor that refuses and names no time in the future has named none.
        """
        seconds = (
            retry.retry_after(response.headers, self.now())
            or self._vendor.seconds_to_reset(response)
            or None
        )
        if seconds is not None:
            self._rate_limiter.block(seconds)
        return self._exhausted(seconds, response.where, policy)

    def _exhausted(self, seconds: float | None, where: str, policy: RetryPolicy) -> RetryableError:
        what = f"{self._vendor.name}'s rate limit is exhausted."
        if seconds is not None:
            until = rfc3339(self.now() + timedelta(seconds=seconds))
            what = f"{self._vendor.name}'s rate limit is exhausted until {until}."
        return RetryableError(what, policy.advice, detail=where, rate_limit=True, after=seconds)

    def _level(self, reason: str) -> int:
        """Return how a repeated request is logged: a warning, until there are many like it."""
        happened = reason.partition(". ")[0].rstrip(".")
        return logging.DEBUG if self.usage.is_one_of_many(happened) else logging.WARNING

    def _before_sleep(self, state: tenacity.RetryCallState) -> None:
        error = retry.failure_of(state)
        if error is not None:
            # The text of a rate limit names a time.
            reason = f"{self._vendor.name}'s rate limit is exhausted."
            log.log(
                self._level(reason if error.rate_limit else error.what),
                "%s Trying again in %.1f s. [%s]",
                error.what,
                state.upcoming_sleep,
                error.detail,
            )
            if error.rate_limit:
                self._on_rate_limit(self.now() + timedelta(seconds=state.upcoming_sleep))


def _may_be_a_gateway(request: Request, failure: AtsError | FailureKind | None) -> bool:
    """Return True if a request failed without a reason of the vendor, and may be repeated."""
    return failure is FailureKind.DENIED or (
        isinstance(failure, WrongAddress) and not request.creates
    )
