"""Call, Reply and Client: the one place that talks to the network.

Building a `Call` and reading a `Reply` are pure functions in each vendor's room. `Client.send` does
everything in between: the budget, the credentials, the time limits, the retries and the log lines.

Retries, after the room has had the first word on a reply (`Vendor.classify`):

| situation                          | what reads, or may be repeated        | a POST that creates |
| ---------------------------------- | ------------------------------------- | ------------------- |
| rate limit (429)                   | wait as told, else back off           | same                |
| 408, 5xx, no whole answer          | back off, then `TransientError`       | `OutcomeUnknown`    |
| 401                                | renew the token and repeat, once      | same                |
| 403, a redirect                    | `ConfigError`                         | same                |
| any other 4xx                      | `Refusal`                             | same                |
"""

from __future__ import annotations

import codecs
import contextlib
import enum
import functools
import json
import logging
import re
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from typing import Any, Protocol, TypeVar
from urllib.parse import urlencode, urljoin, urlsplit

import msgspec
import requests
import tenacity

from source_ats.clock import Clock, as_text
from source_ats.errors import AtsError, ConfigError, ContractError, Refusal, TransientError
from source_ats.http.rate_limiter import Budget

T = TypeVar("T")

log = logging.getLogger("airbyte.source_ats.client")
# The HTTP library's own lines show query values.
logging.getLogger("urllib3").setLevel(logging.ERROR)

WHOLE = None
"""An answer is read in one piece, or as its chunks come: twice as fast as in pieces of any size."""
AT_ONCE_SECONDS = 0.01
"""No vendor is so near; a server on the same machine is."""
PIECE = 1 << 14
"""A text is checked in pieces of so many bytes, which stay in the processor's cache."""
USER_AGENT = f"airbyte-source-ats/{version('airbyte-source-ats')}"
_HEADERS = {"User-Agent": USER_AGENT, "Accept": "application/json", "Accept-Encoding": "gzip"}


@dataclass(frozen=True, slots=True)
class Call:
    """One request, not sent yet. `endpoint` is its name in logs: no ids, no values."""

    endpoint: str
    url: str
    method: str = "GET"
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    json: object = None
    creates: bool = False
    """A POST that creates: without an answer nobody knows whether it did."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer, whole. Header names are found in any spelling."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    sent_at: datetime
    """When the call was sent, by the vendor's clock where its `Date` is known; never later."""
    where: str
    """For messages: vendor, endpoint, status and request id."""

    def decode(self, decoder: msgspec.json.Decoder[T]) -> T:
        """Return the body as the decoder's type.

        Raises `NotWhole` (to be asked for again) when the body is not JSON, and `ContractError`
        when it is JSON of another shape than the code leans on; neither shows a value.
        """
        try:
            _check_utf_8(self.body)
            return decoder.decode(self.body)
        except msgspec.ValidationError as error:
            message = f"The answer does not have the documented shape: {misfit(error)}."
            raise ContractError(message, detail=self.where) from None
        except RecursionError:
            message = "The answer is nested too deeply."
            raise ContractError(message, detail=self.where) from None
        except (msgspec.DecodeError, UnicodeDecodeError):
            repaired = without_half_characters(self.body)
            if repaired == self.body:
                raise NotWhole("The answer is not JSON.", detail=self.where) from None
            return Reply(self.status, self.headers, repaired, self.sent_at, self.where).decode(
                decoder
            )


class Situation(enum.Enum):
    """A row of the table above."""

    RATE_LIMITED = enum.auto()
    UNAVAILABLE = enum.auto()
    UNAUTHORIZED = enum.auto()


class NotWhole(TransientError):
    """The answer broke off, or is not JSON: not the vendor's last word."""


class OutcomeUnknown(TransientError):
    """A POST that creates got no answer that tells whether it did."""


class Unanswered(TransientError):
    """The vendor did not answer, or asked to wait. Repeated; raised when that is in vain."""

    def __init__(
        self,
        what: str,
        advice: str,
        *,
        detail: str,
        rate_limit: bool = False,
        after: float | None = None,
    ) -> None:
        """`what` happened goes into each log line; the last time, `advice` goes with it."""
        super().__init__(f"{what} {advice}", detail=detail)
        self.what = what
        self.rate_limit = rate_limit
        self.after = after
        """Seconds to wait, as the vendor told; None: back off."""


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


@dataclass(frozen=True, slots=True)
class Vendor:
    """What a client needs to know of its vendor. Everything here is the room's."""

    name: str
    credentials: str
    """The configuration keys that hold the credentials, for messages."""
    classify: Callable[[Reply], AtsError | Situation | None]
    """The room's word on a reply outside 200..299; None leaves it to the table above."""
    seconds_to_reset: Callable[[Reply], float | None]
    """Seconds until the vendor allows a next call, by its own headers; None: now, or unknown."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a call is tried. A person waits for `check`, nobody for `read`."""

    attempts: int
    """Failures in a row (rate limits do not count)."""
    seconds: float
    """From the first attempt to the last, waits for a rate limit included."""
    longest_wait: float
    """A wait longer than this ends the stream instead, and the message names the time."""
    connect_timeout: float = 10.0
    read_timeout: float = 60.0


READ = Patience(attempts=9, seconds=3600.0, longest_wait=900.0)
CHECK = Patience(attempts=3, seconds=12.0, longest_wait=6.0, connect_timeout=5.0, read_timeout=10.0)


class Client:
    """Sends the calls of one token. Safe to use from several threads at once."""

    def __init__(  # noqa: PLR0913 - what a client is made of
        self,
        vendor: Vendor,
        auth: Auth,
        budget: Budget,
        clock: Clock,
        *,
        patience: Patience = READ,
        waiting: Callable[[datetime | None], None] = lambda until: None,
        connections: int = 1,
    ) -> None:
        """`waiting` is told until when a rate limit holds the calls up, and None when it is over.

        `connections` is the number of calls that are in flight at the most, whoever sends them.
        """
        self._vendor = vendor
        self._auth = auth
        self._budget = budget
        self._clock = clock
        self._patience = patience
        self._waiting = waiting
        self._session = _session(connections)
        self._slots = threading.Semaphore(connections)
        self._turn = threading.Lock()
        self._vendor_ahead = timedelta(0)
        self._last_took: deque[float] = deque(maxlen=9)

    def answers_at_once(self) -> bool:
        """Tell whether most of the last answers were there at once. Before the first one: no.

        Threads that have nothing to wait for only get in each other's way, so then one call at a
        time is the fastest.
        """
        took = sorted(self._last_took.copy())
        return bool(took) and took[len(took) // 2] < AT_ONCE_SECONDS

    def now(self) -> datetime:
        """Return the time by the vendor's clock; by the machine's until the first reply."""
        return self._clock.now() + self._vendor_ahead

    def send(self, call: Call, read: Callable[[Reply], T]) -> T:
        """Send the call until it is answered, and return what `read` makes of the answer.

        Raises `ConfigError`, `TransientError`, `ContractError` (`Refusal`: the call as such was
        refused), `OutcomeUnknown` for a call that creates, and `Stopped`; also what `read` raises.
        """
        began = self._clock.monotonic()
        try:
            return self._attempt(call, read)
        except Unanswered as error:
            # Only now is the library asked: with it, a call that is answered takes a tenth longer.
            seen = [error]

        def again() -> T:
            if seen:
                raise seen.pop()
            return self._attempt(call, read)

        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(Unanswered),
            wait=_wait,
            stop=self._stop(began),
            sleep=self._clock.sleep,
            before_sleep=self._before_sleep,
            reraise=True,
        )
        answer: T = retrying(again)
        return answer

    def _attempt(self, call: Call, read: Callable[[Reply], T]) -> T:
        sent_with = self._auth.headers()
        reply = self._exchange(call, sent_with)
        situation = self._situation(reply)
        if situation is Situation.UNAUTHORIZED and self._auth.renew(sent_with):
            reply = self._exchange(call, self._auth.headers())
            situation = self._situation(reply)
        match situation:
            case Situation.UNAUTHORIZED:
                message = (
                    f"{self._vendor.name} does not accept the credentials. "
                    f"Check {self._vendor.credentials}."
                )
                raise ConfigError(message, detail=reply.where)
            case Situation.RATE_LIMITED:
                raise self._rate_limited(reply)
            case Situation.UNAVAILABLE:
                raise self._no_answer(call, "answered with a server error", reply.where)
            case AtsError() as error:
                raise error
            case None:
                try:
                    return read(reply)
                except NotWhole as error:
                    raise self._no_answer(call, "gave no whole answer", error.detail) from None

    def _situation(self, reply: Reply) -> AtsError | Situation | None:
        """Return what kind of answer this is; None: one to read."""
        if 200 <= reply.status <= 299:
            return None
        said = self._vendor.classify(reply)
        if said is not None:
            return said
        if reply.status == 429:
            return Situation.RATE_LIMITED
        if reply.status >= 500 or reply.status == 408:
            return Situation.UNAVAILABLE
        if reply.status == 401:
            return Situation.UNAUTHORIZED
        if reply.status == 403:
            message = f"{self._vendor.name} denies access: the credentials lack a permission."
            return ConfigError(message, detail=reply.where)
        if 300 <= reply.status <= 399:
            return self._redirected(reply.where)
        message = f"{self._vendor.name} refused a call with status {reply.status}."
        return Refusal(message, status=reply.status, code=None, detail=reply.where)

    def _exchange(self, call: Call, credentials: Mapping[str, str]) -> Reply:
        """Spend budget, send once, and return the whole answer. The only network I/O there is."""
        where = f"{self._vendor.name} {call.endpoint}"
        held_up = self._budget.paused_for()
        if held_up > self._patience.longest_wait:
            raise self._used_up(held_up, where)
        if held_up > 0:
            self._waiting(self.now() + timedelta(seconds=held_up))
        self._budget.take()
        self._waiting(None)
        began = self._clock.monotonic()
        try:
            with self._slot():
                response = self._session.send(
                    self._session.prepared(call, credentials),
                    timeout=(self._patience.connect_timeout, self._patience.read_timeout),
                    **self._session.environment(call.url),
                )
                body = b"".join(response.iter_content(WHOLE))
        except requests.exceptions.SSLError:
            message = (
                f"The certificate of {self._vendor.name} at {urlsplit(call.url).hostname} is not "
                "trusted. Check the base URL, or name the certificate authority of your proxy in "
                "REQUESTS_CA_BUNDLE."
            )
            raise ConfigError(message, detail=where) from None
        except requests.TooManyRedirects:
            raise self._redirected(where) from None
        except (requests.RequestException, MemoryError, OverflowError) as error:
            # An answer that announces more bytes than any machine has is not whole either.
            # The library's text shows the query; the type of the error says enough.
            cause = type(error).__name__
            raise self._no_answer(call, "gave no whole answer", f"{where} {cause}") from None
        seconds = self._clock.monotonic() - began
        self._last_took.append(seconds)
        date = _date(response.headers.get("Date"))
        if date is not None:
            self._vendor_ahead = date - self._clock.now()
        request_id = named(response.headers.get("X-Request-Id")) or ""
        reply = Reply(
            status=response.status_code,
            headers=response.headers,
            body=body,
            sent_at=(date or self.now()) - timedelta(seconds=seconds),
            where=f"{where} {response.status_code} {request_id}".rstrip(),
        )
        log.debug("%s: %d bytes, %.3f s", reply.where, len(reply.body), seconds)
        reset = self._vendor.seconds_to_reset(reply)
        if reset is not None:
            self._budget.pause(reset)
        return reply

    @contextlib.contextmanager
    def _slot(self) -> Iterator[None]:
        """Wait until fewer calls are in flight than may be.

        Who waits holds the turn, so that a thread that comes back at once for its next call does
        not get in before it: without that, a listing starves behind the details it feeds.
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

    def _no_answer(self, call: Call, what: str, detail: str) -> TransientError:
        what = f"{self._vendor.name} {what}."
        advice = "The next run goes on from the last state."
        if call.creates:
            return OutcomeUnknown(f"{what} {advice}", detail=detail)
        return Unanswered(what, advice, detail=detail)

    def _rate_limited(self, reply: Reply) -> Unanswered:
        """Say how long to wait: as `Retry-After` tells, else the vendor's reset, else unknown.

        A vendor that refuses and says "now" has told nothing.
        """
        seconds = _retry_after(reply, self.now()) or self._vendor.seconds_to_reset(reply) or None
        if seconds is not None:
            self._budget.pause(seconds)
        return self._used_up(seconds, reply.where)

    def _used_up(self, seconds: float | None, where: str) -> Unanswered:
        what = f"The rate limit of {self._vendor.name} is used up."
        advice = "The next run goes on from the last state."
        if seconds is not None:
            until = as_text(self.now() + timedelta(seconds=seconds))
            advice = f"It allows the next call at {until}; start the next run after that."
        return Unanswered(what, advice, detail=where, rate_limit=True, after=seconds)

    def _stop(self, began: float) -> Callable[[tenacity.RetryCallState], bool]:
        """Return the judge of one call, which began at that moment: when to give it up."""
        failures = 0

        def stop(state: tenacity.RetryCallState) -> bool:
            nonlocal failures
            error = state.outcome.exception() if state.outcome else None
            if isinstance(error, Unanswered) and error.after is None:
                failures += 1
            spent = self._clock.monotonic() - began
            return (
                failures >= self._patience.attempts
                or state.upcoming_sleep > self._patience.longest_wait
                or spent + state.upcoming_sleep > self._patience.seconds
            )

        return stop

    def _before_sleep(self, state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, Unanswered):
            log.warning(
                "%s Trying again in %.1f s. [%s]",
                error.what,
                state.upcoming_sleep,
                error.detail,
            )
            if error.rate_limit:
                self._waiting(self.now() + timedelta(seconds=state.upcoming_sleep))


_back_off = tenacity.wait_exponential(multiplier=0.5, max=60) + tenacity.wait_random(0, 0.5)


def _wait(state: tenacity.RetryCallState) -> float:
    """Return what the vendor told, else a wait that doubles up to a minute, with jitter."""
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, Unanswered) and error.after is not None:
        return error.after
    return _back_off(state)


class _Session(requests.Session):
    """Follows redirects only within the host, and only for reads: credentials stay where they are.

    Proxy variables and `REQUESTS_CA_BUNDLE` are obeyed. `~/.netrc` is not: the library would put
    its entry in place of our `Authorization` header.

    The library's `request` merges each call with settings of a session, of which only cookies are
    used here, and reads the environment anew; that takes a third of a small call's time.
    """

    def __init__(self) -> None:
        """Begin with nothing known of the environment."""
        super().__init__()
        self._environment: dict[tuple[str, str], Mapping[str, Any]] = {}

    def prepared(self, call: Call, credentials: Mapping[str, str]) -> requests.PreparedRequest:
        """Return the call as `send` takes it."""
        request = requests.PreparedRequest()
        request.prepare(
            method=call.method,
            url=call.url,
            headers={**_HEADERS, **call.headers, **credentials},
            # As a text: what else the library may get here, it finds out slowly.
            params=urlencode(call.params),
            json=call.json,
            cookies=self.cookies,
            # Nothing that an address holds shall take the place of our credentials.
            auth=lambda unchanged: unchanged,
        )
        return request

    def environment(self, url: str) -> Mapping[str, Any]:
        """Return proxies and certificates as the variables tell; they are read once for a host."""
        parts = urlsplit(url)
        origin = (parts.scheme, parts.netloc)
        if origin not in self._environment:
            self._environment[origin] = self.merge_environment_settings(
                url, proxies={}, stream=True, verify=None, cert=None
            )
        return self._environment[origin]

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Return where to go on, or None to hand the redirect to the caller."""
        target = super().get_redirect_target(resp)
        if target is None or resp.request.method != "GET":
            return None
        here, there = urlsplit(resp.url), urlsplit(urljoin(resp.url, target))
        return target if (here.scheme, here.netloc) == (there.scheme, there.netloc) else None

    def rebuild_auth(
        self, prepared_request: requests.PreparedRequest, response: requests.Response
    ) -> None:
        """Keep the credentials as they are: within the host, and not from `~/.netrc`."""


class _Adapter(requests.adapters.HTTPAdapter):
    """Looks the connections to a host up once: a host's proxy and certificates stay the same."""

    def __init__(self, connections: int) -> None:
        """`connections`: how many are kept open to a host."""
        super().__init__(pool_maxsize=connections)
        self._pools: dict[tuple[str, str], Any] = {}

    def get_connection_with_tls_context(
        self, request: requests.PreparedRequest, *args: Any, **kwargs: Any
    ) -> Any:
        """Return the connections to the host of the request."""
        parts = urlsplit(request.url or "")
        origin = (parts.scheme, parts.netloc)
        if origin not in self._pools:
            self._pools[origin] = super().get_connection_with_tls_context(request, *args, **kwargs)
        return self._pools[origin]


def _session(connections: int) -> _Session:
    session = _Session()
    session.max_redirects = 3
    adapter = _Adapter(connections)
    session.mount("https://", adapter)
    session.mount("http://", adapter)  # ignore-https-check - of loopback addresses only
    return session


def _check_utf_8(body: bytes) -> None:
    """Raise `UnicodeDecodeError` if it is not UTF-8, which the decoder does not see in raw parts.

    Made a text as a whole, a page with one rare character would take four bytes for each.
    """
    check = codecs.getincrementaldecoder("utf-8")().decode
    whole = memoryview(body)
    for first in range(0, len(body), PIECE):
        check(whole[first : first + PIECE])
    check(b"", final=True)


def misfit(error: msgspec.ValidationError) -> str:
    """Return what does not fit and where, as the decoder says it, but never a value."""
    text = str(error)
    if text.startswith(("Expected", "Object missing")):
        return text
    _, _, place = text.partition(" - at ")
    return f"Unexpected value - at {place}" if place else "Unexpected value"


def _retry_after(reply: Reply, now: datetime) -> float | None:
    """Return the seconds that `Retry-After` tells, as seconds or as a date; None if it tells none.

    `now` is the vendor's. A value that is neither, or not in the future, counts as none given.
    """
    value = reply.headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return float(value) if len(value) < 10 else float(10**9)
    date = _date(value)
    return None if date is None or date < now else (date - now).total_seconds()


@functools.lru_cache(maxsize=8)
def _date(value: str | None) -> datetime | None:
    """Return an HTTP date, or None if it is not one, or one that no clock shows.

    It comes with each answer, and is the same for a second.
    """
    if not value:
        return None
    try:
        date = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return date if date.tzinfo is not None and 2000 <= date.year <= 2100 else None


def named(text: object) -> str | None:
    """Return a code or an id as the vendor names it; None for anything that may quote what we sent.

    So that no text of a vendor's gets into a message.
    """
    return text if isinstance(text, str) and _NAME.fullmatch(text) else None


_NAME = re.compile(r"[A-Za-z0-9][\w.:/=+-]{0,63}", re.ASCII)


def without_half_characters(body: bytes) -> bytes:
    r"""Return the body with escaped halves of a character (`\ud83d` alone) as `?`.

    A vendor that cuts texts by length leaves such halves. They are legal JSON that most readers,
    ours and the warehouse's, refuse. Anything that is not JSON is returned as it is.
    """
    if b"\\u" not in body:
        return body
    try:
        return json.dumps(json.loads(body), ensure_ascii=False).encode("utf-8", "replace")
    except (ValueError, RecursionError):
        return body
