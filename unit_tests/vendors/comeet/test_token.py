"""The tokens that requests to Comeet carry."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import jwt
import pytest

from source_ats.vendors.comeet.token import SignedTokens
from unit_tests.fakes import NOON

SECRET = "a-secret-of-the-app-of-32-letters"  # noqa: S105 - made up


class Times:
    """The vendor's clock."""

    def __init__(self) -> None:
        self.now = NOON + timedelta(milliseconds=300)


@pytest.fixture
def times() -> Times:
    return Times()


@pytest.fixture
def tokens(times: Times) -> SignedTokens:
    return SignedTokens("key-1", SECRET, lambda: times.now)


def claims(tokens: SignedTokens) -> dict[str, object]:
    kind, token = tokens.headers()["Authorization"].split(" ")
    assert kind == "Bearer"
    assert jwt.get_unverified_header(token)["alg"] == "HS256"
    found: dict[str, object] = jwt.decode(
        token, SECRET, algorithms=["HS256"], options={"verify_exp": False}
    )
    return found


def test_a_token_names_the_key_and_expires_in_ten_minutes(
    tokens: SignedTokens,
) -> None:
    assert claims(tokens) == {"iss": "key-1", "exp": int(NOON.timestamp()) + 600}


def test_a_token_is_used_until_a_minute_before_it_expires(
    tokens: SignedTokens, times: Times
) -> None:
    first = tokens.headers()
    times.now += timedelta(seconds=539)
    assert tokens.headers() == first
    times.now += timedelta(seconds=1)
    assert tokens.headers() != first


def test_a_refused_token_is_replaced_by_one_dated_by_the_vendors_clock(
    tokens: SignedTokens, times: Times
) -> None:
    refused = tokens.headers()
    times.now -= timedelta(days=1)
    assert tokens.renew(refused)
    assert claims(tokens)["exp"] == int(NOON.timestamp()) + 600 - 86_400


def test_a_short_secret_causes_no_warning() -> None:
    # A warning of the library would be an error in this test.
    assert SignedTokens("key-1", "short", lambda: NOON).headers()


def test_threads_never_get_a_header_without_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    signing, others_are_there = threading.Event(), threading.Event()
    encode = jwt.encode

    def slow(*args: Any, **options: Any) -> str:
        signing.set()
        # In vain if the other one waits for this token, as it should.
        others_are_there.wait(0.05)
        return encode(*args, **options)

    monkeypatch.setattr(jwt, "encode", slow)
    tokens = SignedTokens("key", SECRET, lambda: NOON)
    headers: list[Mapping[str, str]] = []

    def first() -> None:
        headers.append(tokens.headers())

    def second() -> None:
        assert signing.wait(5)
        headers.append(tokens.headers())
        others_are_there.set()

    threads = [threading.Thread(target=each) for each in (first, second)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(5)
    assert len(headers) == 2
    assert all(each["Authorization"].startswith("Bearer ") for each in headers)
