"""The client: the one place that talks to the network.

`Client.send` does everything between building a request and reading its response: the rate limiter,
the credentials, the time limits, the retries and the log lines.

Retries, after the vendor's reader has classified a failed response (`Vendor.classify`):

| situation                          | reads, and what may be repeated       | a POST that creates |
| ---------------------------------- | ------------------------------------- | ------------------- |
| rate limit (429)                   | wait as told, else back off           | same                |
| 408, 5xx, no complete response     | back off, then `RetryableError`       | `OutcomeUnknown`    |
| 401                                | renew the token and repeat, once      | same                |
| 403, a redirect                    | `ConfigError`                         | same                |
| any other 4xx                      | `RequestRefused`                      | same                |
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar
from urllib.parse import urlsplit

import requests
import tenacity

from source_ats.clock import Clock, rfc3339
from source_ats.decoding import safe_identifier
from source_ats.errors import (
    AtsError,
    ConfigError,
    IncompleteResponse,
    MalformedResponse,
    OutcomeUnknown,
    RequestRefused,
    RetryableError,
    TransientError,
)
from source_ats.http import retry
from source_ats.http.models import Auth, FailureKind, Request, Response, Vendor
from source_ats.http.rate_limiter import RateLimiter
from source_ats.http.retry import READ_POLICY, RetryPolicy
from source_ats.http.session import make_session

T = TypeVar("T")

log = logging.getLogger("airbyte.source_ats.http")
# The HTTP library's own lines show query values.
logging.getLogger("urllib3").setLevel(logging.ERROR)

WHOLE = None
"""A body is read in one piece, or as its chunks arrive: twice as fast as in pieces of any size."""
AT_ONCE_SECONDS = 0.01
"""No vendor is this near; a server on the same machine is."""
RESUME_ADVICE = "The next run resumes from the last state."


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
        self._session = make_session(connections)
        self._slots = threading.Semaphore(connections)
        self._turn = threading.Lock()
        self._vendor_ahead = timedelta(0)
        self._last_took: deque[float] = deque(maxlen=9)

    def answers_at_once(self) -> bool:
        """Return True if most of the last responses came at once; False before the first one.

        Threads that have nothing to wait for only get in each other's way: then one request at a
        time is the fastest.
        """
        took = sorted(self._last_took.copy())
        return bool(took) and took[len(took) // 2] < AT_ONCE_SECONDS

    def now(self) -> datetime:
        """Return the time by the vendor's clock; by the machine's until the first response."""
        return self._clock.now() + self._vendor_ahead

    def pause(self, seconds: float) -> None:
        """Wait between two requests. Raises `Stopped` when the run was asked to end."""
        self._clock.sleep(seconds)

    def send(
        self,
        request: Request,
        read: Callable[[Response], T],
        *,
        retry_policy: RetryPolicy | None = None,
    ) -> T:
        """Send the request until it is answered, and return what `read` makes of the response.

        `retry_policy` replaces the client's for this request, as to how often and how long it is
        tried.

        Raises `ConfigError`, `TransientError`, `ContractError` (`RequestRefused`: this request was
        refused), `OutcomeUnknown` for a request that creates, and `Stopped`; also what `read`
        raises.
        """
        began = self._clock.monotonic()
        try:
            return self._attempt(request, read)
        except RetryableError as error:
            # Only now is the library used: with it, an answered request takes a tenth longer.
            seen = [error]

        def again() -> T:
            if seen:
                raise seen.pop()
            return self._attempt(request, read)

        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(RetryableError),
            wait=retry.wait,
            stop=retry.stop_condition(
                retry_policy or self._retry_policy,
                self._clock,
                began,
                rate_limit_attempts=self._retry_policy.attempts,
            ),
            sleep=self._clock.sleep,
            before_sleep=self._before_sleep,
            reraise=True,
        )
        answer: T = retrying(again)
        return answer

    def _attempt(
        self, request: Request, read: Callable[[Response], T], *, is_repeat: bool = False
    ) -> T:
        """Send once (twice where a new token is needed), and read the response.

        A read that is answered with a complete body that is not valid JSON is repeated at once.
        """
        sent_with = self._auth.headers()
        response = self._exchange(request, sent_with)
        failure = self._classify(response)
        if failure is FailureKind.UNAUTHORIZED and self._auth.renew(sent_with):
            response = self._exchange(request, self._auth.headers())
            failure = self._classify(response)
        match failure:
            case FailureKind.UNAUTHORIZED:
                message = (
                    f"{self._vendor.name} does not accept the credentials. "
                    f"Check {self._vendor.credentials}."
                )
                raise ConfigError(message, detail=response.where)
            case FailureKind.RATE_LIMITED:
                raise self._rate_limited(response)
            case FailureKind.UNAVAILABLE:
                raise self._no_answer(request, "answered with a server error", response.where)
            case AtsError() as error:
                raise error
            case None:
                try:
                    return read(replace(response, is_repeat=is_repeat or request.creates))
                except MalformedResponse as error:
                    log.warning(
                        "%s sent invalid JSON. It is requested once more, and what is still "
                        "invalid then is repaired or left out. [%s]",
                        self._vendor.name,
                        error.detail,
                    )
                    return self._attempt(request, read, is_repeat=True)
                except IncompleteResponse as error:
                    raise self._no_answer(
                        request, "sent an incomplete response", error.detail
                    ) from None

    def _classify(self, response: Response) -> AtsError | FailureKind | None:
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
        if response.status == 401:
            return FailureKind.UNAUTHORIZED
        if response.status == 403:
            message = (
                f"{self._vendor.name} denies access: the credentials lack a permission. "
                f"Check {self._vendor.credentials}."
            )
            return ConfigError(message, detail=response.where)
        if 300 <= response.status <= 399:
            return self._redirected(response.where)
        message = f"{self._vendor.name} refused a request with status {response.status}."
        return RequestRefused(message, status=response.status, code=None, detail=response.where)

    def _exchange(self, request: Request, credentials: Mapping[str, str]) -> Response:
        """Wait for the rate limiter, send once, and return the complete response."""
        where = f"{self._vendor.name} {request.endpoint}"
        blocked_for = self._rate_limiter.blocked_for()
        if blocked_for > self._retry_policy.longest_wait:
            raise self._exhausted(blocked_for, where)
        if blocked_for > 0:
            self._on_rate_limit(self.now() + timedelta(seconds=blocked_for))
        self._rate_limiter.acquire()
        self._on_rate_limit(None)
        began = self._clock.monotonic()
        try:
            with self._slot():
                received = self._session.send(
                    self._session.prepared(request, credentials),
                    timeout=(self._retry_policy.connect_timeout, self._retry_policy.read_timeout),
                    **self._session.environment(request.url),
                )
                body = b"".join(received.iter_content(WHOLE))
        except requests.exceptions.SSLError:
            message = (
                f"The certificate of {self._vendor.name} at {urlsplit(request.url).hostname} is "
                "not trusted. Check the base URL, or name the certificate authority of your proxy "
                "in REQUESTS_CA_BUNDLE."
            )
            raise ConfigError(message, detail=where) from None
        except requests.TooManyRedirects:
            raise self._redirected(where) from None
        except (requests.RequestException, MemoryError, OverflowError) as error:
            # A response that announces more bytes than any machine has is incomplete as well.
            # The library's text shows the query; the type of the error says enough.
            cause = f"{where} {type(error).__name__}"
            raise self._no_answer(request, "sent no complete response", cause) from None
        seconds = self._clock.monotonic() - began
        self._last_took.append(seconds)
        date = retry.http_date(received.headers.get("Date"))
        if date is not None:
            self._vendor_ahead = date - self._clock.now()
        request_id = safe_identifier(received.headers.get("X-Request-Id")) or ""
        response = Response(
            status=received.status_code,
            headers=received.headers,
            body=body,
            sent_at=(date or self.now()) - timedelta(seconds=seconds),
            where=f"{where} {received.status_code} {request_id}".rstrip(),
        )
        log.debug("%s: %d bytes, %.3f s", response.where, len(response.body), seconds)
        reset = self._vendor.seconds_to_reset(response)
        if reset is not None:
            self._rate_limiter.block(reset)
        return response

    @contextlib.contextmanager
    def _slot(self) -> Iterator[None]:
        """Wait until fewer requests are in flight than allowed.

        A waiting thread holds the turn, so that a thread that returns at once for its next request
        does not overtake it: without that, a listing starves behind the details that it feeds.
        """
        with self._turn:
            self._slots.acquire()
        try:
            yield
        finally:
            self._slots.release()

    def _redirected(self, where: str) -> ConfigError:
        message = (
            f"{self._vendor.name} redirects to another address, which is not followed. "
            "Check the base URL in the configuration."
        )
        return ConfigError(message, detail=where)

    def _no_answer(self, request: Request, what: str, detail: str) -> TransientError:
        what = f"{self._vendor.name} {what}."
        if request.creates:
            return OutcomeUnknown(f"{what} {RESUME_ADVICE}", detail=detail)
        return RetryableError(what, RESUME_ADVICE, detail=detail)

    def _rate_limited(self, response: Response) -> RetryableError:
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
        return self._exhausted(seconds, response.where)

    def _exhausted(self, seconds: float | None, where: str) -> RetryableError:
        what = f"{self._vendor.name}'s rate limit is exhausted."
        advice = RESUME_ADVICE
        if seconds is not None:
            until = rfc3339(self.now() + timedelta(seconds=seconds))
            advice = f"It allows the next request at {until}; start the next run after that."
        return RetryableError(what, advice, detail=where, rate_limit=True, after=seconds)

    def _before_sleep(self, state: tenacity.RetryCallState) -> None:
        error = retry.failure_of(state)
        if error is not None:
            log.warning(
                "%s Trying again in %.1f s. [%s]", error.what, state.upcoming_sleep, error.detail
            )
            if error.rate_limit:
                self._on_rate_limit(self.now() + timedelta(seconds=state.upcoming_sleep))
