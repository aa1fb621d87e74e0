"""The client's rules, the same for all vendors: what is sent, repeated, waited for and told."""

from __future__ import annotations

import logging
import re
import ssl
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.client import IncompleteRead
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

import certifi
import msgspec
import pytest
import requests
import urllib3
from hypothesis import given, settings
from hypothesis import strategies as st
from requests_mock import ANY, Mocker

from source_ats.errors import (
    AnsweredBefore,
    AtsError,
    ConfigError,
    ContractError,
    IncompleteResponse,
    NoConnection,
    OutcomeUnknown,
    RequestRefused,
    Stopped,
    TransientError,
    WrongAddress,
)
from source_ats.http import retry
from source_ats.http.client import Client
from source_ats.http.models import Auth, FailureKind, Request, Response, StaticAuth, Vendor
from source_ats.http.rate_limiter import RateLimiter
from source_ats.http.retry import CHECK_POLICY, READ_POLICY, RetryPolicy
from unit_tests.fakes import NOON, FakeClock

HOST = "https://api.example.com"
URL = f"{HOST}/v1/people"
PATIENCE = RetryPolicy(attempts=4, seconds=3600, longest_wait=900)

CALLS = {
    "GET": Request("people", URL),
    "POST that reads": Request("people", URL, method="POST", json={"ids": [1]}),
    "POST that creates": Request("people", URL, method="POST", json={"name": "x"}, creates=True),
}


class Answer(msgspec.Struct):
    ok: bool
    name: str = ""


_answer = msgspec.json.Decoder(Answer)


def read(response: Response) -> Answer:
    return response.decode(_answer)


def read_nothing(response: Response) -> Response:
    return response


def no_word(response: Response) -> None:
    """Leave every reply to the client's own rules."""


def reset_header(response: Response) -> float | None:
    """Read the header of a vendor that counts seconds, as a vendor package does."""
    value = response.headers.get("quota-reset", "")
    return float(value) if value.isdigit() else None


class RenewableAuth:
    """A token that can be had anew: the first is 0, the next 1."""

    def __init__(self, renewals: int) -> None:
        self.number = 0
        self.left = renewals

    def headers(self) -> Mapping[str, str]:
        return {"Authorization": f"Bearer token-{self.number}"}

    def renew(self, refused: Mapping[str, str]) -> bool:
        assert refused == self.headers()
        if not self.left:
            return False
        self.left -= 1
        self.number += 1
        return True


def client(  # noqa: PLR0913 - each test sets one of them
    clock: FakeClock,
    *,
    auth: Auth | None = None,
    classify: Callable[[Response], AtsError | FailureKind | None] = no_word,
    retry_policy: RetryPolicy = PATIENCE,
    on_rate_limit: Callable[[datetime | None], None] = lambda until: None,
    rate_limiter: RateLimiter | None = None,
) -> Client:
    return Client(
        Vendor("Vendor", "vendor.key", classify, reset_header),
        auth or StaticAuth({"Authorization": "Bearer made-up"}),
        rate_limiter or RateLimiter(clock),
        clock,
        retry_policy=retry_policy,
        on_rate_limit=on_rate_limit,
    )


class Body(BytesIO):
    """A body as the standard library reads it: its end closes it, and an early one is an error."""

    def __init__(self, content: bytes, announced: int) -> None:
        super().__init__(content)
        self.content = content
        self._announced = announced

    def read(self, size: int | None = -1) -> bytes:
        content = super().read(size)
        if len(content) < self._announced:
            raise IncompleteRead(content)
        self.close()
        return content


def cut(headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """Return an answer whose body ends before its announced length, or does not unpack."""
    return {
        "raw": urllib3.HTTPResponse(
            body=Body(body, int(headers.get("Content-Length", len(body)))),
            headers={"Content-Type": "application/json", **headers},
            status=200,
            preload_content=False,
            request_method="GET",
        )
    }


def last(vendor: Mocker) -> Any:
    """Return the last request that the vendor got."""
    return vendor.last_request


def http_date(moment: datetime) -> str:
    return format_datetime(moment, usegmt=True)


OK: dict[str, Any] = {"json": {"ok": True}}
DATE = {"Date": http_date(NOON)}


@dataclass(frozen=True)
class Outcome:
    """What the caller gets, after how many requests, having waited how."""

    error: type[AtsError] | None
    requests: int
    waits: list[float] | Literal["backed off"] = field(default_factory=list)


GOOD = Outcome(None, 1)
AT_ONCE_UNKNOWN = Outcome(OutcomeUnknown, 1)
BACKED_OFF_ONCE = Outcome(None, 2, "backed off")
GIVEN_UP = Outcome(TransientError, PATIENCE.attempts, "backed off")


@dataclass(frozen=True)
class Row:
    """One situation: what the vendor answers (the last one for ever), and what comes of it."""

    name: str
    answers: list[dict[str, Any]]
    reads: Outcome
    creates: Outcome


def same(name: str, answers: list[dict[str, Any]], outcome: Outcome) -> Row:
    return Row(name, answers, outcome, outcome)


def limited(**headers: str) -> dict[str, Any]:
    return {"status_code": 429, "headers": {k.replace("_", "-"): v for k, v in headers.items()}}


BROKEN: dict[str, dict[str, Any]] = {
    "500": {"status_code": 500},
    "502": {"status_code": 502, "text": "<html>Bad gateway</html>"},
    "503": {"status_code": 503},
    "504": {"status_code": 504},
    "no answer in time": {"exc": requests.exceptions.ReadTimeout},
    "reset": {"exc": requests.exceptions.ConnectionError},
    "HTML under 200": {"text": "<html>Maintenance</html>"},
    "nothing under 200": {"text": ""},
    "half of the JSON": {"text": '{"ok": tr'},
    "half of the body": cut({"Content-Length": "100"}, b'{"ok": true'),
    "gzip that does not unpack": cut({"Content-Encoding": "gzip"}, b"not gzip at all"),
}

NOT_CONNECTED: dict[str, Any] = {
    "exc": requests.exceptions.ConnectionError(urllib3.exceptions.ConnectTimeoutError())
}
"""Nothing was sent, so a POST that creates may be repeated."""

TLS_ERROR: dict[str, Any] = {
    "exc": requests.exceptions.SSLError(
        ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version")
    )
}

ROWS = [
    same("answered", [OK], GOOD),
    same("429, seconds", [limited(Retry_After="17"), OK], Outcome(None, 2, [17])),
    same(
        "429, HTTP date",
        [limited(Retry_After=http_date(NOON + timedelta(seconds=40)), **DATE), OK],
        Outcome(None, 2, [40]),
    ),
    same(
        "429, HTTP date, by the vendor's clock",
        [
            limited(
                Retry_After=http_date(NOON + timedelta(hours=5, seconds=40)),
                Date=http_date(NOON + timedelta(hours=5)),
            ),
            OK,
        ],
        Outcome(None, 2, [40]),
    ),
    same(
        "429, HTTP date, no Date to compare with",
        [limited(Retry_After=http_date(NOON + timedelta(seconds=40))), OK],
        Outcome(None, 2, [40]),
    ),
    same("429, vendor's reset", [limited(quota_reset="23"), OK], Outcome(None, 2, [23])),
    same(
        "429, Retry-After comes before the vendor's reset",
        [limited(Retry_After="5", quota_reset="5"), OK],
        Outcome(None, 2, [5]),
    ),
    *[
        same(
            f"429, Retry-After: {value}",
            [limited(Retry_After=value), OK],
            Outcome(None, 2, [seconds]),
        )
        for value, seconds in {
            "8.0": 8.0,
            "7.6": 7.6,
            "8, 8": 8.0,
            "3, 8": 8.0,
            "8,3": 8.0,
            " 8 ": 8.0,
            ".5": 1.0,
            "8, soon": 8.0,
            "soon, 8": 8.0,
            "0.001": 1.0,
            f"5, {http_date(NOON + timedelta(seconds=40))}": 40.0,
            f"{http_date(NOON + timedelta(seconds=40))}, 50": 50.0,
            ", ".join([http_date(NOON + timedelta(seconds=40))] * 2): 40.0,
        }.items()
    ],
    *[
        same(f"429, Retry-After: {value}", [limited(Retry_After=value), OK], BACKED_OFF_ONCE)
        for value in ("0.0", "1e3", "-1.5", "inf", "nan", "٣", ",", "8 s", "0x8", "Mon, 8")
    ],
    same("429, nothing", [limited(), OK], BACKED_OFF_ONCE),
    same("429, nonsense", [limited(Retry_After="soon"), OK], BACKED_OFF_ONCE),
    same("429, a negative number", [limited(Retry_After="-5"), OK], BACKED_OFF_ONCE),
    same(
        "429, a date past",
        [limited(Retry_After=http_date(NOON - timedelta(days=1)), **DATE), OK],
        BACKED_OFF_ONCE,
    ),
    same(
        "429, nonsense, then the vendor's reset",
        [limited(Retry_After="soon", quota_reset="23"), OK],
        Outcome(None, 2, [23]),
    ),
    same("429, nothing, for ever", [limited()], GIVEN_UP),
    same("429, 15 minutes", [limited(Retry_After="900"), OK], Outcome(None, 2, [900])),
    same("429, more than 15 minutes", [limited(Retry_After="901")], Outcome(TransientError, 1)),
    same("429, more, as vendor's reset", [limited(quota_reset="901")], Outcome(TransientError, 1)),
    same("429, 9 digits and more", [limited(Retry_After="9" * 40)], Outcome(TransientError, 1)),
    same(
        "429, more, as a date",
        [limited(Retry_After=http_date(NOON + timedelta(hours=2)), **DATE)],
        Outcome(TransientError, 1),
    ),
    same(
        "429, again and again, for an hour",
        [limited(Retry_After="600")],
        Outcome(TransientError, 7, [600.0] * 6),
    ),
    *[
        Row(f"{name}, then well", [answer, OK], BACKED_OFF_ONCE, AT_ONCE_UNKNOWN)
        for name, answer in BROKEN.items()
        if "raw" not in answer
    ],
    *[
        Row(f"{name}, for ever", [answer], GIVEN_UP, AT_ONCE_UNKNOWN)
        for name, answer in BROKEN.items()
        if "raw" not in answer
    ],
    *[
        Row(f"{name}, then well", [BROKEN[name], OK], BACKED_OFF_ONCE, AT_ONCE_UNKNOWN)
        for name in ("half of the body", "gzip that does not unpack")
    ],
    same("401", [{"status_code": 401}], Outcome(ConfigError, 2, [3.0])),
    same("401, once", [{"status_code": 401}, OK], Outcome(None, 2, [3.0])),
    Row("403", [{"status_code": 403}], Outcome(ConfigError, 2, [3.0]), AT_ONCE_UNKNOWN),
    Row("403, once", [{"status_code": 403}, OK], Outcome(None, 2, [3.0]), AT_ONCE_UNKNOWN),
    *[
        same(str(status), [{"status_code": status}], Outcome(RequestRefused, 1))
        for status in (400, 404, 405, 409, 410, 413, 415, 422)
    ],
    same("no connection, then well", [NOT_CONNECTED, OK], BACKED_OFF_ONCE),
    same("no connection, for ever", [NOT_CONNECTED], GIVEN_UP),
    Row("TLS error in an answer", [TLS_ERROR, OK], BACKED_OFF_ONCE, AT_ONCE_UNKNOWN),
    same("JSON of another shape", [{"json": {"fine": True}}], Outcome(ContractError, 1)),
    same("JSON of another type", [{"json": [1]}], Outcome(ContractError, 1)),
]


@pytest.mark.parametrize("kind", CALLS)
@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_the_table_of_retries(requests_mock: Mocker, row: Row, kind: str) -> None:
    call = CALLS[kind]
    expected = row.creates if call.creates else row.reads
    answers = [_fresh(answer) for answer in row.answers]
    requests_mock.register_uri(call.method, URL, answers)
    clock = FakeClock()
    if expected.error is None:
        assert client(clock).send(call, read).ok
    else:
        with pytest.raises(expected.error) as caught:
            client(clock).send(call, read)
        assert isinstance(caught.value, OutcomeUnknown) == (expected.error is OutcomeUnknown)
    assert requests_mock.call_count == expected.requests
    if expected.waits == "backed off":
        assert len(clock.waits) == expected.requests - 1
        assert all(0 < wait <= 60 for wait in clock.waits)
        assert clock.waits[0] <= 2
    else:
        assert clock.waits == pytest.approx(expected.waits)


def _fresh(answer: dict[str, Any]) -> dict[str, Any]:
    """Return the answer to be read again: a raw body can be read but once."""
    if "raw" in answer:
        raw = answer["raw"]
        return cut(raw.headers, raw._fp.content)  # noqa: SLF001
    return dict(answer)


class TestPatience:
    def test_backoff_grows_with_jitter(self, requests_mock: Mocker) -> None:
        requests_mock.get(URL, status_code=503)
        retry_policy = RetryPolicy(attempts=9, seconds=3600, longest_wait=900)
        seen = set()
        for _ in range(3):
            clock = FakeClock()
            with pytest.raises(TransientError):
                client(clock, retry_policy=retry_policy).send(CALLS["GET"], read)
            assert clock.waits == sorted(clock.waits)
            assert clock.waits[-1] > 20
            seen.add(clock.waits[0])
        assert len(seen) > 1, "several runs that fail at once would come back at once"

    def test_request_is_given_up_after_the_time_limit(self, requests_mock: Mocker) -> None:
        clock = FakeClock()

        def slow(request: Any, context: Any) -> str:
            clock.advance(50)
            context.status_code = 503
            return ""

        requests_mock.get(URL, text=slow)
        began = clock.monotonic()
        retry_policy = RetryPolicy(attempts=1000, seconds=300, longest_wait=900)
        with pytest.raises(TransientError):
            client(clock, retry_policy=retry_policy).send(CALLS["GET"], read)
        assert clock.monotonic() - began <= 360

    def test_check_gives_up_early(self, requests_mock: Mocker) -> None:
        for answer in (limited(Retry_After="7"), limited(), {"status_code": 503}):
            clock = FakeClock()
            requests_mock.get(URL, [answer])
            with pytest.raises(TransientError):
                client(clock, retry_policy=CHECK_POLICY).send(CALLS["GET"], read)
            assert sum(clock.waits) <= 12

    @pytest.mark.parametrize("headers", [{"Retry_After": "0"}, {"quota_reset": "0"}])
    def test_retry_after_zero_backs_off(
        self, requests_mock: Mocker, headers: dict[str, str]
    ) -> None:
        clock = FakeClock()

        def refuse(request: Any, context: Any) -> str:
            clock.advance(0.05)
            assert requests_mock.call_count < 1000
            context.status_code = 429
            context.headers.update({k.replace("_", "-"): v for k, v in headers.items()})
            return ""

        requests_mock.get(URL, text=refuse)
        with pytest.raises(TransientError):
            client(clock).send(CALLS["GET"], read)

    def test_stop_interrupts_a_wait(self, requests_mock: Mocker) -> None:
        class StoppedInTheWait(FakeClock):
            def sleep(self, seconds: float) -> None:
                if seconds > 0:
                    raise Stopped("The run was asked to end.")

        requests_mock.get(URL, [limited(Retry_After="600"), OK])
        with pytest.raises(Stopped):
            client(StoppedInTheWait()).send(CALLS["GET"], read)
        assert requests_mock.call_count == 1


def test_a_request_may_have_a_retry_policy_of_its_own() -> None:
    clock = FakeClock()
    two = RetryPolicy(attempts=2, seconds=3600, longest_wait=900)
    with Mocker() as vendor:
        vendor.get(ANY, status_code=500)
        patient = client(clock)
        with pytest.raises(TransientError):
            patient.send(CALLS["GET"], read, retry_policy=two)
        assert vendor.call_count == 2
        with pytest.raises(TransientError):
            patient.send(CALLS["GET"], read)
        assert vendor.call_count == 2 + PATIENCE.attempts


class TestRateLimit:
    def test_message_names_when_to_retry(self, requests_mock: Mocker) -> None:
        requests_mock.get(URL, [limited(Retry_After="7200", **DATE)])
        with pytest.raises(TransientError, match="2026-01-31T14:00:00Z"):
            client(FakeClock()).send(CALLS["GET"], read)

    @pytest.mark.parametrize("header", ["Retry-After", "quota-reset"])
    def test_hanging_requests_of_later_items_are_not_waited_for(
        self, requests_mock: Mocker, header: str
    ) -> None:
        # Another account of the same vendor asks next.
        clock = FakeClock()
        requests_mock.get(URL, status_code=429, headers={header: "7200"})
        same_client = client(clock)
        for _ in range(3):
            with pytest.raises(TransientError, match="T14:"):
                same_client.send(CALLS["GET"], read)
        assert sum(clock.waits) <= 900

    def test_exhausted_quota_delays_the_next_request(self, requests_mock: Mocker) -> None:
        clock = FakeClock()
        requests_mock.get(URL, [{**OK, "headers": {"quota-reset": "30"}}, OK])
        patient = client(clock)
        patient.send(CALLS["GET"], read)
        assert clock.waits == []
        patient.send(CALLS["GET"], read)
        assert sum(clock.waits) == pytest.approx(30)

    def test_long_rate_limit_ends_the_stream_and_names_the_time(
        self, requests_mock: Mocker
    ) -> None:
        clock = FakeClock()
        requests_mock.get(URL, [{**OK, "headers": {"quota-reset": "7200"}}, OK])
        patient = client(clock)
        patient.send(CALLS["GET"], read)
        with pytest.raises(TransientError, match="2026-01-31T14:00:00Z"):
            patient.send(CALLS["GET"], read)
        assert sum(clock.waits) <= 900

    def test_429_blocks_all_threads(self, requests_mock: Mocker) -> None:
        clock = FakeClock()
        rate_limiter = RateLimiter(clock)
        requests_mock.get(URL, [limited(Retry_After="100", quota_reset="100"), OK])
        held: list[float] = []

        def another_thread(until: datetime | None) -> None:
            if until is not None:
                rate_limiter.acquire(held.append)

        client(clock, rate_limiter=rate_limiter, on_rate_limit=another_thread).send(
            CALLS["GET"], read
        )
        assert max(held) == pytest.approx(100)

    def test_rate_limit_callback_gets_end_and_none(self, requests_mock: Mocker) -> None:
        told: list[datetime | None] = []
        ahead = {"Date": http_date(NOON + timedelta(hours=1))}
        requests_mock.get(URL, [limited(Retry_After="100", **ahead), OK])
        client(FakeClock(), on_rate_limit=told.append).send(CALLS["GET"], read)
        moments = [each for each in told if each is not None]
        assert moments[0] == NOON + timedelta(hours=1, seconds=100)
        assert told[-1] is None

    def test_without_a_limit_no_wait_is_reported(self, requests_mock: Mocker) -> None:
        requests_mock.get(URL, **OK)
        told: list[datetime | None] = []
        client(FakeClock(), on_rate_limit=told.append).send(CALLS["GET"], read)
        assert told == [None]

    def test_each_attempt_counts_against_the_rate_limit(self, requests_mock: Mocker) -> None:
        clock = FakeClock()
        requests_mock.get(URL, [{"status_code": 503}, {"status_code": 503}, OK])
        client(clock, rate_limiter=RateLimiter(clock, per_minute=1)).send(CALLS["GET"], read)
        assert clock.monotonic() - 5000 >= 120


class TestCredentials:
    @pytest.mark.parametrize("kind", CALLS)
    def test_401_renews_the_token_once(self, requests_mock: Mocker, kind: str) -> None:
        call = CALLS[kind]
        requests_mock.register_uri(call.method, URL, [{"status_code": 401}, OK])
        clock = FakeClock()
        assert client(clock, auth=RenewableAuth(1)).send(call, read).ok
        tokens = [each.headers["Authorization"] for each in requests_mock.request_history]
        assert tokens == ["Bearer token-0", "Bearer token-1"]
        assert clock.waits == []

    @pytest.mark.parametrize("kind", CALLS)
    def test_second_401_after_renewal_is_a_config_error(
        self, requests_mock: Mocker, kind: str
    ) -> None:
        call = CALLS[kind]
        requests_mock.register_uri(call.method, URL, status_code=401)
        with pytest.raises(ConfigError, match=r"vendor\.key"):
            client(FakeClock(), auth=RenewableAuth(5)).send(call, read)
        tokens = [each.headers["Authorization"] for each in requests_mock.request_history]
        assert tokens == ["Bearer token-0", "Bearer token-1", "Bearer token-1"]

    def test_netrc_is_not_used(
        self,
        requests_mock: Mocker,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        _with_netrc(tmp_path, monkeypatch)
        requests_mock.get(URL, **OK)
        client(FakeClock()).send(CALLS["GET"], read)
        assert last(requests_mock).headers["Authorization"] == "Bearer made-up"

    def test_netrc_is_not_used_after_a_redirect(
        self,
        requests_mock: Mocker,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        _with_netrc(tmp_path, monkeypatch)
        requests_mock.get(URL, status_code=307, headers={"Location": f"{HOST}/v2/people"})
        requests_mock.get(f"{HOST}/v2/people", **OK)
        client(FakeClock()).send(CALLS["GET"], read)
        assert last(requests_mock).headers["Authorization"] == "Bearer made-up"


class TestDeniedWithoutAReason:
    """A 401 or 403 without a code that the vendor's package knows: it may be a gateway's."""

    @pytest.mark.parametrize("status", [401, 403])
    @pytest.mark.parametrize("times", [1, 2, 3])
    def test_it_is_repeated_after_a_good_answer(
        self, requests_mock: Mocker, status: int, times: int
    ) -> None:
        denied = {"status_code": status, "text": "<html>No.</html>"}
        requests_mock.get(URL, [OK, *[denied] * times, OK])
        clock = FakeClock()
        sender = client(clock)
        for _ in range(2):
            assert sender.send(CALLS["GET"], read).ok
        assert len(clock.waits) == times
        assert sum(clock.waits) <= 30

    @pytest.mark.parametrize("status", [401, 403])
    def test_after_a_good_answer_it_is_transient(self, requests_mock: Mocker, status: int) -> None:
        requests_mock.get(URL, [OK, {"status_code": status}])
        clock = FakeClock()
        sender = client(clock)
        sender.send(CALLS["GET"], read)
        with pytest.raises(TransientError, match=f"status {status}"):
            sender.send(CALLS["GET"], read)
        assert requests_mock.call_count == 5
        assert sum(clock.waits) <= 30

    def test_the_repeat_and_the_failure_say_that_no_reason_was_given(
        self, requests_mock: Mocker, caplog: pytest.LogCaptureFixture
    ) -> None:
        requests_mock.get(URL, [OK, {"status_code": 403, "headers": {"X-Request-Id": "r-1"}}])
        sender = client(FakeClock())
        sender.send(CALLS["GET"], read)
        with pytest.raises(TransientError) as caught:
            sender.send(CALLS["GET"], read)
        what = "Vendor denied access (status 403), without a reason."
        assert caught.value.message == f"{what} {PATIENCE.advice}"
        assert caught.value.detail == "Vendor people 403 r-1"
        assert {re.sub(r"[\d.]+ s\.", "N s.", each) for each in caplog.messages} == {
            f"{what} Trying again in N s. [Vendor people 403 r-1]"
        }

    def test_a_page_that_is_not_found_is_named_so(
        self, requests_mock: Mocker, caplog: pytest.LogCaptureFixture
    ) -> None:
        requests_mock.get(URL, [OK, {"status_code": 404}, OK])

        def classify(response: Response) -> AtsError:
            return WrongAddress("No API.", detail=response.where)

        sender = client(FakeClock(), classify=classify)
        for _ in range(2):
            assert sender.send(CALLS["GET"], read).ok
        (said,) = caplog.messages
        assert said.startswith("Vendor found nothing (status 404), without a reason. Trying ")

    @pytest.mark.parametrize(
        "other",
        [Request("jobs", f"{HOST}/v1/jobs"), Request("people", f"{HOST}/v1/jobs", partition="b")],
        ids=["another endpoint", "another account"],
    )
    def test_a_good_answer_of_another_source_does_not_count(
        self, requests_mock: Mocker, other: Request
    ) -> None:
        requests_mock.get(other.url, **OK)
        requests_mock.get(URL, status_code=403)
        sender = client(FakeClock())
        sender.send(other, read)
        with pytest.raises(ConfigError):
            sender.send(Request("people", URL, partition="a"), read)
        assert requests_mock.call_count == 3

    def test_an_answer_to_another_thread_during_the_pause_counts(
        self, requests_mock: Mocker
    ) -> None:
        requests_mock.get(f"{HOST}/v1/jobs", **OK)
        requests_mock.get(f"{HOST}/v1/others", **OK)
        requests_mock.get(URL, status_code=403)

        class Meanwhile(FakeClock):
            def sleep(self, seconds: float) -> None:
                super().sleep(seconds)
                if seconds > 1:  # not the steps of the rate limiter
                    sender.send(Request("people", f"{HOST}/v1/others"), read)

        sender = client(Meanwhile())
        sender.send(Request("jobs", f"{HOST}/v1/jobs"), read)
        with pytest.raises(AnsweredBefore):
            sender.send(Request("people", URL), read)
        # Repeated as often as if it had been answered from the beginning.
        assert [each.url for each in requests_mock.request_history].count(URL) == 4

    def test_a_known_reason_is_believed_at_once(self, requests_mock: Mocker) -> None:
        requests_mock.get(URL, [OK, {"status_code": 400}])
        clock = FakeClock()
        sender = client(clock, classify=lambda response: FailureKind.UNAUTHORIZED)
        sender.send(CALLS["GET"], read)
        with pytest.raises(ConfigError, match=r"vendor\.key"):
            sender.send(CALLS["GET"], read)
        assert clock.waits == []
        assert requests_mock.call_count == 2

    def test_the_token_is_renewed_once(self, requests_mock: Mocker) -> None:
        requests_mock.get(URL, [OK, {"status_code": 403}])
        auth = RenewableAuth(9)
        sender = client(FakeClock(), auth=auth)
        sender.send(CALLS["GET"], read)
        with pytest.raises(TransientError):
            sender.send(CALLS["GET"], read)
        assert auth.number == 1


class TestVendorThatIsDown:
    """The circuit breaker: one budget for all requests of a vendor."""

    MANY = tuple(Request("people", URL, partition=str(number)) for number in range(270))

    def test_all_requests_together_wait_ten_minutes(self, requests_mock: Mocker) -> None:
        requests_mock.get(URL, status_code=503)
        clock = FakeClock()
        sender = client(clock, retry_policy=READ_POLICY)
        for request in self.MANY:
            with pytest.raises(TransientError):
                sender.send(request, read)
        assert 9 * 60 < sum(clock.waits) < 12 * 60
        assert requests_mock.call_count < 60

    def test_a_vendor_that_says_nothing_costs_less_than_15_minutes(
        self, requests_mock: Mocker
    ) -> None:
        clock = FakeClock()

        def silence(*_: object) -> str:
            clock.advance(READ_POLICY.read_timeout)
            raise requests.exceptions.ReadTimeout

        requests_mock.get(URL, text=silence)
        sender = client(clock, retry_policy=READ_POLICY)
        began = clock.monotonic()
        for request in self.MANY:
            with pytest.raises(TransientError):
                sender.send(request, read)
        assert clock.monotonic() - began < 15 * 60

    def test_after_it_recovers_requests_have_their_usual_retries(
        self, requests_mock: Mocker
    ) -> None:
        clock = FakeClock()
        requests_mock.get(URL, status_code=503)
        sender = client(clock, retry_policy=READ_POLICY)
        for request in self.MANY:
            with pytest.raises(TransientError):
                sender.send(request, read)
        clock.advance(60)
        requests_mock.get(URL, [OK, *[{"status_code": 503}] * 8, OK])
        assert sender.send(self.MANY[0], read).ok
        assert sender.send(self.MANY[1], read).ok

    def test_a_request_that_waits_while_another_is_answered_is_not_cut_short(
        self, requests_mock: Mocker
    ) -> None:
        # One account fails for good, each time for as long as it is tried; the others answer.
        requests_mock.get(URL, status_code=503)
        requests_mock.get(f"{URL}/good", **OK)
        clock = FakeClock()
        sender = client(clock, retry_policy=READ_POLICY)
        for number in range(20):
            before = requests_mock.call_count
            with pytest.raises(TransientError):
                sender.send(Request("people", URL, partition=str(number)), read)
            assert requests_mock.call_count == before + READ_POLICY.attempts
            assert sender.send(Request("people", f"{URL}/good", partition="good"), read).ok

    @pytest.mark.parametrize("status", [400, 404])
    def test_a_refusal_is_an_answer(self, requests_mock: Mocker, status: int) -> None:
        requests_mock.get(URL, status_code=503)
        requests_mock.get(f"{URL}/refused", status_code=status)
        sender = client(FakeClock(), retry_policy=READ_POLICY)
        for number in range(10):
            before = requests_mock.call_count
            with pytest.raises(TransientError):
                sender.send(Request("people", URL, partition=str(number)), read)
            assert requests_mock.call_count == before + READ_POLICY.attempts
            with pytest.raises(RequestRefused):
                sender.send(Request("people", f"{URL}/refused"), read)

    def test_a_policy_can_be_chosen_for_one_request(self, requests_mock: Mocker) -> None:
        requests_mock.get(URL, status_code=503)
        impatient = replace(PATIENCE, attempts=2)
        with pytest.raises(TransientError):
            client(FakeClock()).send(CALLS["GET"], read, retry_policy=impatient)
        assert requests_mock.call_count == 2


def _with_netrc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine api.example.com login mira password solberg\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert requests.utils.get_netrc_auth(URL) == ("mira", "solberg")


class TestRedirects:
    @pytest.mark.parametrize("kind", CALLS)
    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    @pytest.mark.parametrize(
        "target",
        [
            "https://other.example.com/v1/people",
            "https://api.example.com.evil.example/v1/people",
            "https://api.example.com:8443/v1/people",
            "http://api.example.com/v1/people",
            "//other.example.com/v1/people",
            "https://[not-an-address/v1/people",
        ],
    )
    def test_redirect_off_the_host_is_not_followed(
        self, requests_mock: Mocker, kind: str, status: int, target: str
    ) -> None:
        call = CALLS[kind]
        requests_mock.register_uri(ANY, ANY, **OK)
        requests_mock.register_uri(
            call.method, URL, status_code=status, headers={"Location": target}
        )
        unknown = call.creates and status in {302, 303}
        with pytest.raises(OutcomeUnknown if unknown else ConfigError):
            client(FakeClock()).send(call, read)
        assert [each.url for each in requests_mock.request_history] == [URL]

    @pytest.mark.parametrize("target", [f"{HOST}/v2/people", "/v2/people"])
    def test_redirect_on_the_host_keeps_the_credentials(
        self, requests_mock: Mocker, target: str
    ) -> None:
        requests_mock.get(URL, status_code=307, headers={"Location": target})
        requests_mock.get(f"{HOST}/v2/people", **OK)
        assert client(FakeClock()).send(CALLS["GET"], read).ok
        assert last(requests_mock).headers["Authorization"] == "Bearer made-up"

    @pytest.mark.parametrize("kind", ["POST that reads", "POST that creates"])
    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_redirected_post_is_not_repeated_or_turned_into_get(
        self, requests_mock: Mocker, kind: str, status: int
    ) -> None:
        requests_mock.post(URL, status_code=status, headers={"Location": "/v2/people"})
        unknown = CALLS[kind].creates and status in {302, 303}
        with pytest.raises(OutcomeUnknown if unknown else ConfigError):
            client(FakeClock()).send(CALLS[kind], read)
        assert requests_mock.call_count == 1

    def test_redirect_loop_is_a_config_error_after_few_requests(
        self, requests_mock: Mocker
    ) -> None:
        requests_mock.get(URL, status_code=307, headers={"Location": URL})
        with pytest.raises(ConfigError, match="base URL"):
            client(FakeClock()).send(CALLS["GET"], read)
        assert requests_mock.call_count < 10


class TestTheRoomsWord:
    def test_vendor_classification_wins_over_the_table(self, requests_mock: Mocker) -> None:
        # A vendor whose 401 means a duplicate, not a bad key.
        requests_mock.get(URL, status_code=401)

        def duplicate(response: Response) -> AtsError:
            return RequestRefused("duplicate", status=response.status, code="duplicate")

        with pytest.raises(RequestRefused, match="duplicate"):
            client(FakeClock(), auth=RenewableAuth(1), classify=duplicate).send(CALLS["GET"], read)
        assert requests_mock.call_count == 1

    def test_classification_can_name_a_rate_limit(self, requests_mock: Mocker) -> None:
        requests_mock.get(URL, [{"status_code": 400, "headers": {"Retry-After": "17"}}, OK])
        clock = FakeClock()
        limited = client(clock, classify=lambda response: FailureKind.RATE_LIMITED)
        assert limited.send(CALLS["GET"], read).ok
        assert clock.waits == [17]

    def test_classification_can_name_unavailable(self, requests_mock: Mocker) -> None:
        requests_mock.post(URL, [{"status_code": 409}, OK])
        down = client(FakeClock(), classify=lambda response: FailureKind.UNAVAILABLE)
        with pytest.raises(OutcomeUnknown):
            down.send(CALLS["POST that creates"], read)
        assert down.send(CALLS["POST that reads"], read).ok

    def test_success_is_not_classified(self, requests_mock: Mocker) -> None:
        requests_mock.get(URL, json={"ok": True}, status_code=201)
        asking = client(FakeClock(), classify=lambda response: ConfigError("no"))
        assert asking.send(CALLS["GET"], read).ok


class TestTheRequest:
    def test_request_is_sent_as_described(self, requests_mock: Mocker) -> None:
        requests_mock.post(URL, **OK)
        call = Request(
            "people",
            URL,
            method="POST",
            params={"cursor": "a b&c=ü", "empty": ""},
            headers={"X-Made-Up": "1"},
            json={"name": "Zoë"},
        )
        client(FakeClock()).send(call, read)
        sent = last(requests_mock)
        query = parse_qs(urlsplit(sent.url).query, keep_blank_values=True)
        assert query == {"cursor": ["a b&c=ü"], "empty": [""]}
        assert sent.headers["X-Made-Up"] == "1"
        assert sent.headers["Authorization"] == "Bearer made-up"
        assert sent.headers["Content-Type"] == "application/json"
        assert sent.json() == {"name": "Zoë"}

    def test_user_agent_and_accept_headers(self, requests_mock: Mocker) -> None:
        requests_mock.get(URL, **OK)
        client(FakeClock()).send(CALLS["GET"], read)
        sent = last(requests_mock).headers
        assert sent["User-Agent"] == f"airbyte-source-ats/{version('airbyte-source-ats')}"
        assert "gzip" in sent["Accept-Encoding"]
        assert sent["Accept"] == "application/json"

    def test_request_has_connect_and_read_timeouts(self, requests_mock: Mocker) -> None:
        requests_mock.get(URL, **OK)
        client(FakeClock()).send(CALLS["GET"], read)
        connect, answer = last(requests_mock).timeout
        assert 0 < connect <= 30
        assert 0 < answer <= 120

    def test_proxies_and_certificate_authorities_are_obeyed(
        self, requests_mock: Mocker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        authority = tmp_path / "authority.pem"
        authority.write_bytes(Path(certifi.where()).read_bytes())
        monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example.com:3128")
        monkeypatch.setenv("https_proxy", "http://proxy.example.com:3128")
        monkeypatch.setenv("NO_PROXY", "")
        monkeypatch.setenv("no_proxy", "")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority))
        requests_mock.get(URL, **OK)
        client(FakeClock()).send(CALLS["GET"], read)
        assert last(requests_mock).proxies["https"] == "http://proxy.example.com:3128"
        assert last(requests_mock).verify == str(authority)

    def test_a_file_without_certificate_authorities_is_named_with_the_remedy(
        self, requests_mock: Mocker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        path = tmp_path / "authority.pem"
        path.write_text("no certificate")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(path))
        with pytest.raises(NoConnection) as caught:
            client(FakeClock()).send(CALLS["GET"], read)
        assert caught.value.message == (
            f"The file of certificate authorities {path} is not a list of certificates in PEM "
            "format. Correct REQUESTS_CA_BUNDLE (or CURL_CA_BUNDLE) in the environment of the "
            "connector, or remove it."
        )
        assert requests_mock.call_count == 0

    def test_certificate_authorities_are_not_read_without_tls(
        self, requests_mock: Mocker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "missing.pem"))
        requests_mock.get("http://127.0.0.1/people", **OK)
        client(FakeClock()).send(Request("people", "http://127.0.0.1/people"), read)
        assert requests_mock.call_count == 1

    def test_each_host_has_its_own_proxy(
        self, requests_mock: Mocker, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("https_proxy", "http://proxy.example.com:3128")
        monkeypatch.setenv("no_proxy", "inside.example.com")
        requests_mock.get(ANY, **OK)
        sender = client(FakeClock())
        for host, proxies in (
            ("https://api.example.com", {"https": "http://proxy.example.com:3128"}),
            ("https://inside.example.com", {}),
            ("https://api.example.com", {"https": "http://proxy.example.com:3128"}),
        ):
            sender.send(Request("people", host), read)
            assert {k: v for k, v in last(requests_mock).proxies.items() if k == "https"} == proxies

    @pytest.mark.parametrize("kind", CALLS)
    def test_untrusted_certificate_is_a_config_error(
        self, requests_mock: Mocker, kind: str
    ) -> None:
        cause = ssl.SSLCertVerificationError("certificate verify failed")
        cause.verify_message = "certificate has expired"
        requests_mock.register_uri(ANY, URL, exc=requests.exceptions.SSLError(cause))
        with pytest.raises(NoConnection, match=r"api\.example\.com.*REQUESTS_CA_BUNDLE"):
            client(FakeClock()).send(CALLS[kind], read)
        assert requests_mock.call_count == 1


SECONDS = st.floats(0, 30, allow_nan=False)


class TestClock:
    @given(
        vendor_ahead=st.floats(-1e6, 1e6),
        there=SECONDS,
        thinking=SECONDS,
        back=SECONDS,
        second_call=st.booleans(),
    )
    @settings(max_examples=80)
    def test_sent_at_is_vendor_time_and_never_too_late(
        self, vendor_ahead: float, there: float, thinking: float, back: float, second_call: bool
    ) -> None:
        clock = FakeClock()
        offset = timedelta(seconds=vendor_ahead)
        sent: list[datetime] = []

        def answer(request: Any, context: Any) -> str:
            sent.append(clock.now() + offset)
            clock.advance(there + thinking)
            context.headers["Date"] = http_date((clock.now() + offset).replace(microsecond=0))
            clock.advance(back)
            return "{}"

        with Mocker() as vendor:
            vendor.get(URL, text=answer)
            asking = client(clock)
            if second_call:
                asking.send(CALLS["GET"], read_nothing)
            response = asking.send(CALLS["GET"], read_nothing)
        assert response.sent_at <= sent[-1]
        assert sent[-1] - response.sent_at <= timedelta(seconds=there + thinking + back + 1.001)
        true_now = clock.now() + offset
        assert asking.now() <= true_now
        assert true_now - asking.now() <= timedelta(seconds=back + 1.001)

    @pytest.mark.parametrize(
        "date",
        [
            None,
            "",
            "yesterday",
            "Sat, 31 Jan 2026 12:00:00",
            "Sat, 99 Jan 2026 12:00:00 GMT",
            "Mon, 01 Jan 2024 00:00:00 +99999999999999999999",
            "Fri, 31 Dec 9999 23:59:59 -1200",
        ],
    )
    def test_without_date_the_machine_clock_counts(
        self, requests_mock: Mocker, date: str | None
    ) -> None:
        clock = FakeClock()

        def answer(request: Any, context: Any) -> str:
            clock.advance(3)
            if date is not None:
                context.headers["Date"] = date
            return "{}"

        requests_mock.get(URL, text=answer)
        asking = client(clock)
        assert asking.now() == NOON
        assert asking.send(CALLS["GET"], read_nothing).sent_at == NOON
        assert asking.now() == NOON + timedelta(seconds=3)

    def test_response_without_date_keeps_the_known_vendor_time(self, requests_mock: Mocker) -> None:
        ahead = NOON + timedelta(hours=3)
        requests_mock.get(URL, [{**OK, "headers": {"Date": http_date(ahead)}}, OK])
        asking = client(FakeClock())
        asking.send(CALLS["GET"], read)
        assert asking.send(CALLS["GET"], read_nothing).sent_at == ahead

    def test_vendor_time_is_taken_from_refused_responses_too(self, requests_mock: Mocker) -> None:
        ahead = NOON + timedelta(hours=3)
        requests_mock.get(
            URL, [{"status_code": 503, "headers": {"Date": http_date(ahead)}}, {"status_code": 404}]
        )
        asking = client(FakeClock())
        with pytest.raises(RequestRefused):
            asking.send(CALLS["GET"], read)
        assert asking.now() >= ahead

    def test_sent_at_is_when_the_answered_attempt_was_sent(self, requests_mock: Mocker) -> None:
        clock = FakeClock()
        requests_mock.get(URL, [limited(Retry_After="100"), OK])
        response = client(clock).send(CALLS["GET"], read_nothing)
        assert response.sent_at == NOON + timedelta(seconds=100)
        assert response.sent_at.tzinfo == UTC


class TestBody:
    @pytest.mark.parametrize(
        ("body", "name"),
        [
            (rb'{"ok": true, "name": "cut \ud83d"}', "cut ?"),
            (
                rb'{"ok": true, "name": "cut \ud83d here, in the middle"}',
                "cut ? here, in the middle",
            ),
            (rb'{"ok": true, "name": "\udc00 and more text after it"}', "? and more text after it"),
            (rb'{"ok": true, "name": "\ud83d\ude00"}', "\U0001f600"),
            ('{"ok": true, "name": "Zoë 😀"}'.encode(), "Zoë 😀"),
            (rb'{"ok": true, "name": "\ud83d", "other": "Zo\u00eb"}', "?"),
        ],
    )
    def test_lone_surrogates_are_replaced_and_pairs_kept(
        self, requests_mock: Mocker, body: bytes, name: str
    ) -> None:
        requests_mock.get(URL, content=body)
        assert client(FakeClock()).send(CALLS["GET"], read).name == name
        assert requests_mock.call_count == 1

    def test_lone_surrogate_in_a_raw_part_is_replaced(self, requests_mock: Mocker) -> None:
        class Rows(msgspec.Struct):
            rows: list[msgspec.Raw]

        requests_mock.get(URL, content=rb'{"rows": [{"name": "cut \ud83d here, in the middle"}]}')
        decoder = msgspec.json.Decoder(Rows)
        got = client(FakeClock()).send(CALLS["GET"], lambda response: response.decode(decoder))
        assert msgspec.json.decode(got.rows[0]) == {"name": "cut ? here, in the middle"}

    def test_header_names_are_found_in_any_spelling(self, requests_mock: Mocker) -> None:
        requests_mock.get(URL, **OK, headers={"x-MADE-up": "1"})
        response = client(FakeClock()).send(CALLS["GET"], read_nothing)
        assert response.headers["X-Made-Up"] == "1"

    def test_a_body_that_is_not_json_is_said_to_be_none(self) -> None:
        with pytest.raises(IncompleteResponse) as caught:
            read(Response(200, {}, b"<html>", NOON, "Vendor people 200"))
        assert caught.value.message == "The response is not JSON."
        assert caught.value.detail == "Vendor people 200"


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (401, "Vendor does not accept the credentials. Check vendor.key."),
        (403, "No permission."),
    ],
)
def test_a_missing_permission_is_told_in_the_words_of_the_vendors_package(
    requests_mock: Mocker, status: int, message: str
) -> None:
    requests_mock.get(URL, status_code=status)
    clock = FakeClock()
    sender = Client(
        Vendor("Vendor", "vendor.key", no_word, reset_header, access_denied="No permission."),
        StaticAuth({}),
        RateLimiter(clock),
        clock,
        retry_policy=PATIENCE,
        on_rate_limit=lambda until: None,
    )
    with pytest.raises(ConfigError) as caught:
        sender.send(CALLS["GET"], read)
    assert caught.value.message == message


@pytest.mark.parametrize("status", [300, 304, 399])
def test_a_redirect_that_leads_nowhere_is_a_config_error(
    requests_mock: Mocker, status: int
) -> None:
    requests_mock.get(URL, status_code=status)
    with pytest.raises(ConfigError, match="redirects to another address"):
        client(FakeClock()).send(CALLS["GET"], read)


@pytest.mark.parametrize(
    ("text", "year"),
    [
        ("Sat, 01 Jan 2000 00:00:00 GMT", 2000),
        ("Fri, 31 Dec 2100 00:00:00 GMT", 2100),
        ("Fri, 31 Dec 1999 00:00:00 GMT", None),
        ("Sat, 01 Jan 2101 00:00:00 GMT", None),
        ("yesterday", None),
        (None, None),
    ],
)
def test_only_dates_that_a_clock_may_show_count(text: str | None, year: int | None) -> None:
    found = retry.http_date(text)
    assert (found.year if found else None) == year


class TestWhatIsTold:
    def test_error_detail_has_vendor_endpoint_status_and_request_id(
        self, requests_mock: Mocker
    ) -> None:
        requests_mock.get(URL, status_code=400, headers={"X-Request-Id": "request-7"})
        with pytest.raises(RequestRefused) as caught:
            client(FakeClock()).send(CALLS["GET"], read)
        for word in ("Vendor", "people", "400", "request-7"):
            assert word in caught.value.detail
        assert caught.value.status == 400

    @pytest.mark.parametrize("kind", CALLS)
    def test_error_detail_of_a_call_without_an_answer_names_the_kind_of_error(
        self, requests_mock: Mocker, kind: str
    ) -> None:
        requests_mock.register_uri(ANY, URL, exc=requests.exceptions.ReadTimeout)
        with pytest.raises(TransientError) as caught:
            client(FakeClock()).send(CALLS[kind], read)
        assert caught.value.detail == "Vendor people ReadTimeout"

    def test_each_answer_is_logged_for_debugging_with_its_size(
        self, requests_mock: Mocker, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG, "airbyte")
        requests_mock.get(URL, text='{"ok":true}', headers={"X-Request-Id": "r-1"})
        client(FakeClock()).send(CALLS["GET"], read)
        assert "Vendor people 200 r-1: 11 bytes, 0.000 s" in caplog.messages

    @pytest.mark.parametrize("said", ["a sentence", "mira@example.org", "x" * 65, '"', ""])
    def test_unsafe_request_id_is_dropped(self, requests_mock: Mocker, said: str) -> None:
        requests_mock.get(URL, status_code=403, headers={"X-Request-Id": said})
        with pytest.raises(ConfigError) as caught:
            client(FakeClock()).send(CALLS["GET"], read)
        assert caught.value.detail == "Vendor people 403"

    def test_a_wait_is_logged_with_its_length(
        self, requests_mock: Mocker, caplog: pytest.LogCaptureFixture
    ) -> None:
        requests_mock.get(URL, [limited(Retry_After="17"), OK])
        client(FakeClock()).send(CALLS["GET"], read)
        (line,) = [record.getMessage() for record in caplog.records]
        assert "17" in line
        assert "Vendor" in line

    def test_backoff_is_logged_in_whole_sentences(
        self, requests_mock: Mocker, caplog: pytest.LogCaptureFixture
    ) -> None:
        requests_mock.get(URL, [limited(), OK])
        client(FakeClock()).send(CALLS["GET"], read)
        (line,) = [record.getMessage() for record in caplog.records]
        assert ".." not in line

    def test_a_body_of_any_depth_is_decoded(self, requests_mock: Mocker) -> None:
        decoder = msgspec.json.Decoder()
        requests_mock.get(URL, text="[" * 100_000 + '"\\ud800"' + "]" * 100_000)
        found = client(FakeClock()).send(CALLS["GET"], lambda response: response.decode(decoder))
        assert isinstance(found, list)

    def test_a_body_that_is_cut_off_is_requested_again(self, requests_mock: Mocker) -> None:
        decoder = msgspec.json.Decoder()
        requests_mock.get(URL, text="[" * 100_000)
        with pytest.raises(TransientError):
            client(FakeClock()).send(CALLS["GET"], lambda response: response.decode(decoder))

    @pytest.mark.parametrize("bad", [b'"\xff"', b'"a\nb"', b"NaN"])
    @pytest.mark.parametrize("kind", CALLS)
    def test_a_complete_body_with_a_bad_value_is_requested_once_more_at_once_then_repaired(
        self, requests_mock: Mocker, kind: str, bad: bytes
    ) -> None:
        call, clock = CALLS[kind], FakeClock()
        requests_mock.register_uri(call.method, URL, content=b'{"ok": true, "x": ' + bad + b"}")
        assert client(clock).send(call, read).ok
        # A request that creates is never repeated.
        assert requests_mock.call_count == (1 if call.creates else 2)
        assert clock.waits == []

    def test_a_body_that_is_good_when_it_is_requested_once_more_is_not_repaired(
        self, requests_mock: Mocker
    ) -> None:
        decoder = msgspec.json.Decoder()
        requests_mock.get(URL, [{"content": b'["\xff"]'}, {"content": '["é"]'.encode()}])
        found = client(FakeClock()).send(CALLS["GET"], lambda response: response.decode(decoder))
        assert found == ["é"]

    def test_a_byte_order_mark_and_lone_surrogates_cost_no_request(
        self, requests_mock: Mocker
    ) -> None:
        decoder = msgspec.json.Decoder()
        for body in (b'\xef\xbb\xbf{"a": 1}', rb'{"a": 1, "b": "\ud83d"}'):
            requests_mock.get(URL, content=body)
            before = requests_mock.call_count
            found = client(FakeClock()).send(CALLS["GET"], lambda each: each.decode(decoder))
            assert found["a"] == 1
            assert requests_mock.call_count == before + 1

    def test_rows_that_stay_invalid_are_left_out_by_their_keys(self, requests_mock: Mocker) -> None:
        decoder = msgspec.json.Decoder(list[dict[str, str]])
        requests_mock.get(URL, text='[{"id":"a"},{"id":"b","x":oops},{"x":oops},{"id":"d"}]')
        rows, left_out = client(FakeClock()).send(
            CALLS["GET"], lambda response: response.decode_rows(decoder, "id")
        )
        assert (rows, left_out) == ([{"id": "a"}, {"id": "d"}], ["b", None])
        assert requests_mock.call_count == 2

    def test_mismatch_names_the_place_without_the_value(self, requests_mock: Mocker) -> None:
        class Strict(msgspec.Struct, forbid_unknown_fields=True):
            kind: Literal["person"]
            at: datetime | None = None
            number: int = 0

        decoder = msgspec.json.Decoder(Strict)
        for content in (
            {"kind": "canary"},
            {"kind": 7},
            {"kind": "person", "canary": 1},
            {"kind": "person", "at": "canary"},
            {"kind": "person", "number": "canary"},
        ):
            requests_mock.get(URL, json=content)
            with pytest.raises(ContractError) as caught:
                client(FakeClock()).send(CALLS["GET"], lambda response: response.decode(decoder))
            assert "canary" not in f"{caught.value} {caught.value.detail}"

    @pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
    def test_no_secret_in_log_or_error(
        self,
        requests_mock: Mocker,
        caplog: pytest.LogCaptureFixture,
        row: Row,
    ) -> None:
        caplog.set_level(logging.DEBUG)
        answers = [_fresh(answer) for answer in row.answers]
        for answer in answers:
            if not {"exc", "raw", "text", "content", "json"} & set(answer):
                answer["text"] = "canary-answer"
            if isinstance(answer.get("exc"), type):
                answer["exc"] = answer["exc"](f"canary-library {URL}?q=canary-query")
        requests_mock.register_uri(ANY, URL, answers)
        auth = StaticAuth({"Authorization": "Bearer canary-token"})
        call = Request(
            "people",
            URL,
            method="POST",
            params={"q": "canary-query"},
            json={"name": "canary-body"},
        )
        told = ""
        try:
            client(FakeClock(), auth=auth).send(call, read)
        except AtsError as error:
            told = f"{error!s} {error!r} {error.message} {error.detail} {error.__cause__}"
        lines = [
            record.getMessage()
            for record in caplog.records
            # The mock's own lines show the request.
            if not record.name.startswith("requests_mock")
        ]
        assert "canary" not in "\n".join([*lines, told])

    def test_ten_warnings_of_each_reason_and_the_rest_counted(
        self, requests_mock: Mocker, caplog: pytest.LogCaptureFixture
    ) -> None:
        clock = FakeClock()
        sender = client(clock)
        failures = [{"status_code": 500}] * 12 + [limited(Retry_After="30")] * 11 + [NOT_CONNECTED]
        requests_mock.get(URL, [answer for failure in failures for answer in (failure, OK)])
        for _ in failures:
            sender.send(CALLS["GET"], read)
        warnings = [each.getMessage() for each in caplog.records if each.levelname == "WARNING"]
        reasons = Counter(re.split("[.] | until ", warning)[0] for warning in warnings)
        assert reasons == {
            "Vendor answered with status 500": 10,
            "Vendor's rate limit is exhausted": 10,
            "Vendor at api.example.com did not accept a connection in time": 1,
        }
        summary = str(sender.usage.summary("Kombo"))
        assert summary.startswith(f"Kombo: 48 requests in {sum(clock.waits):.1f} s, ")
        assert summary.endswith(
            " Sent again because: Vendor answered with status 500 (12), Vendor's rate limit is "
            "exhausted (11), Vendor at api.example.com did not accept a connection in time (1)."
        )

    def test_urllib3_log_lines_are_off(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        # They show whole URLs. Also with --debug, which sets the level of our own logger.
        assert not logging.getLogger("urllib3.connectionpool").isEnabledFor(logging.DEBUG)
