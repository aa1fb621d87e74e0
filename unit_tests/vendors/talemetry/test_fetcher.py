"""Fetching people in batches: how many requests it takes, and who is set aside."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from source_ats.errors import AtsError, RequestRefused, RetryableError, Stopped, TransientError
from source_ats.http.client import Client
from source_ats.http.models import Request, Response
from source_ats.vendors.talemetry.config import TalemetryConfig, TokenCredentials
from source_ats.vendors.talemetry.fetcher import FetchResult, ProfileFetcher
from source_ats.vendors.talemetry.seen import SeenIds
from source_ats.vendors.talemetry.token import ExchangedToken
from unit_tests.fakes import NOON

CONFIG = TalemetryConfig(credentials=TokenCredentials(auth_type="token", token="token"))
IDS = [f"id-{number:02d}" for number in range(25)]


def refusal(status: int) -> RequestRefused:
    return RequestRefused("Refused.", status=status, code=None, detail=f"Vendor {status}")


def down() -> TransientError:
    return RetryableError("Does not answer.", "Later.", detail="Vendor 500")


@dataclass
class Vendor:
    """Answers requests for people: who breaks a batch and how, who is missing, and when."""

    bad: dict[str, Callable[[], AtsError]] = field(default_factory=dict)
    missing: set[str] = field(default_factory=set)
    missing_in_batch: set[str] = field(default_factory=set)
    everything_fails: Callable[[], AtsError] | None = None
    asked: list[list[str]] = field(default_factory=list)
    largest: int = 100
    advice: str = "Later."

    def send(self, request: Request, read: Callable[[Response], Any], **_: object) -> Any:
        ids: list[str] = cast("dict[str, Any]", request.json)["ids"]
        self.asked.append(ids)
        if self.everything_fails:
            failure = self.everything_fails()
            raise failure
        if len(ids) > self.largest:
            raise refusal(413)
        for each in ids:
            if each in self.bad:
                error = self.bad[each]()
                raise error
        left_out = self.missing | (self.missing_in_batch if len(ids) > 1 else set())
        people = [
            {"Candidate": {"CandidateRecordInfo": {"Id": {"IdValue": each}}}}
            for each in reversed(ids)
            if each not in left_out
        ]
        body = json.dumps({"result": {"Candidates": people}}).encode()
        return read(Response(200, {}, body, NOON, "Vendor 200"))

    def fetch(self, ids: Iterable[str], others: Iterable[str] = ()) -> FetchResult:
        fetcher = ProfileFetcher(cast("Client", self), CONFIG, lambda count: list(others))
        return fetcher.fetch(list(ids), "2026-01-31T12:00:00Z")


def test_a_whole_batch_is_one_request() -> None:
    vendor = Vendor()
    result = vendor.fetch(IDS)
    assert list(result.people) == IDS
    assert (result.bad, result.gone, len(vendor.asked)) == ({}, [], 1)


def test_a_batch_that_is_too_large_is_halved_and_the_setting_named(
    caplog: pytest.LogCaptureFixture,
) -> None:
    vendor = Vendor()
    vendor.largest = 13
    assert set(vendor.fetch(IDS).people) == set(IDS)
    assert [len(each) for each in vendor.asked] == [25, 13, 12]
    assert caplog.messages == [
        (
            "Talemetry accepts fewer than 25 ids in one request. A lower talemetry.ids_per_request "
            "saves requests."
        )
    ]


def test_empty_batch_sends_no_request() -> None:
    vendor = Vendor()
    assert vendor.fetch([]) == FetchResult()
    assert vendor.asked == []


def test_a_missing_person_is_requested_once_more_alone() -> None:
    vendor = Vendor(missing={"id-03"}, missing_in_batch={"id-04"})
    result = vendor.fetch(IDS)
    assert set(result.people) == set(IDS) - {"id-03"}
    assert list(result.bad) == ["id-03"]
    assert vendor.asked[1:] == [["id-03"], ["id-04"]]


def test_a_person_missing_from_a_request_of_one_is_not_requested_again() -> None:
    vendor = Vendor(missing={"id-03"})
    assert list(vendor.fetch(["id-03"]).bad) == ["id-03"]
    assert len(vendor.asked) == 1


@pytest.mark.parametrize("bad", IDS)
def test_one_bad_id_is_found_by_halving(bad: str) -> None:
    vendor = Vendor(bad={bad: lambda: refusal(422)})
    result = vendor.fetch(IDS)
    assert set(result.people) == set(IDS) - {bad}
    assert list(result.bad) == [bad]
    assert len(vendor.asked) <= 1 + 2 * 5


@pytest.mark.parametrize("error", [lambda: refusal(400), down])
def test_several_bad_ones_in_one_batch(error: Callable[[], AtsError]) -> None:
    bad = {"id-00": error, "id-12": error, "id-13": error, "id-24": error}
    vendor = Vendor(bad=bad)
    result = vendor.fetch(IDS, others=["somebody"])
    assert set(result.people) == set(IDS) - set(bad)
    assert set(result.bad) == set(bad)


def test_a_person_who_is_answered_404_is_gone() -> None:
    vendor = Vendor(bad={"id-07": lambda: refusal(404)})
    result = vendor.fetch(IDS)
    assert (result.gone, result.bad) == (["id-07"], {})


def test_a_refusal_of_everybody_names_the_settings() -> None:
    vendor = Vendor(everything_fails=lambda: refusal(400))
    with pytest.raises(TransientError) as caught:
        vendor.fetch(IDS, others=["somebody"])
    assert caught.value.message == (
        "Talemetry refuses every request for people. Later. If "
        "it fails in the same way, check talemetry.profiles_base_url, talemetry.include and "
        "talemetry.candidate_ids."
    )
    assert caught.value.detail == "Vendor 400"


@pytest.mark.parametrize("error", [lambda: refusal(400), lambda: refusal(404), down])
@pytest.mark.parametrize("count", [1, 2, 25])
def test_nobody_is_set_aside_if_people_outside_the_batch_fail_too(
    error: Callable[[], AtsError], count: int
) -> None:
    vendor = Vendor(everything_fails=error)
    with pytest.raises(TransientError) as raised:
        vendor.fetch(IDS[:count], others=["somebody", "somebody else"])
    assert type(raised.value) is TransientError
    assert len(vendor.asked) <= 5


@pytest.mark.parametrize("error", [lambda: refusal(400), lambda: refusal(404), down])
def test_nobody_is_set_aside_or_gone_if_everybody_fails(
    error: Callable[[], AtsError],
) -> None:
    with pytest.raises(TransientError):
        Vendor(everything_fails=error).fetch(IDS)


def test_an_exhausted_rate_limit_ends_the_fetch() -> None:
    def used_up() -> RetryableError:
        return RetryableError("Used up.", "Later.", detail="Vendor 429", rate_limit=True)

    vendor = Vendor(bad={"id-00": used_up})
    with pytest.raises(TransientError):
        vendor.fetch(IDS, others=["somebody"])
    # Once with short patience, once with the usual one.
    assert len(vendor.asked) == 2


def test_the_only_person_is_set_aside_for_a_refusal_but_not_for_a_server_error() -> None:
    assert list(Vendor(bad={"id-00": lambda: refusal(400)}).fetch(IDS[:1]).bad) == ["id-00"]
    with pytest.raises(TransientError):
        Vendor(bad={"id-00": down}).fetch(IDS[:1])


@pytest.mark.parametrize(("error", "count"), [(lambda: refusal(400), 1), (down, 2)])
def test_the_only_person_of_a_batch_is_set_aside_if_others_are_answered(
    error: Callable[[], AtsError], count: int
) -> None:
    vendor = Vendor(bad={"id-00": error})
    assert list(vendor.fetch(IDS[:1], others=["id-00", "somebody"]).bad) == ["id-00"]
    assert [each for each in vendor.asked if each != ["somebody"]] == [["id-00"]] * count


def test_people_set_aside_are_requested_together_and_then_one_by_one() -> None:
    vendor = Vendor(bad=dict.fromkeys(IDS[:5], down))
    fetcher = ProfileFetcher(cast("Client", vendor), CONFIG, lambda count: ["somebody"])
    result = fetcher.fetch_again(IDS, "2026-01-31T12:00:00Z")
    assert set(result.bad) == set(IDS[:5])
    assert set(result.people) == set(IDS[5:])
    assert vendor.asked == [IDS, ["somebody"], *([each] for each in IDS)]


def test_an_outage_while_a_batch_is_bisected_sets_nobody_aside() -> None:
    def some_people(count: int) -> list[str]:
        del count
        return ["somebody"]

    class Failing(Vendor):
        """Answers nothing any more from the seventh request on."""

        def send(self, request: Request, read: Callable[[Response], Any], **_: object) -> Any:
            if len(self.asked) >= 6:
                self.everything_fails = down
            return super().send(request, read)

    vendor = Failing(bad={"id-24": down})
    with pytest.raises(TransientError):
        ProfileFetcher(cast("Client", vendor), CONFIG, some_people).fetch(IDS, "")


def test_a_stopped_run_ends() -> None:
    with pytest.raises(Stopped):
        Vendor(everything_fails=lambda: Stopped("now")).fetch(IDS)


def test_seen_ids_are_new_once_in_all_and_once_in_each_pass() -> None:
    with SeenIds() as seen:
        seen.begin_pass()
        assert seen.add(["a", "b", "a"]) == (["a", "b"], ["a", "b"])
        assert seen.add(["a"]) == ([], [])
        seen.begin_pass()
        assert seen.add(["a", "c"]) == (["c"], ["a", "c"])
        assert "c" in seen
        assert "d" not in seen


class TestToken:
    def test_it_is_requested_when_first_needed_and_renewed_once_for_all_threads(self) -> None:
        got: list[str] = []

        def exchange() -> str:
            got.append(f"token-{len(got)}")
            return got[-1]

        auth = ExchangedToken(exchange)
        assert got == []
        first = auth.headers()
        assert first == {"Authorization": "OAUTH token-0"}
        threads = [threading.Thread(target=auth.renew, args=(first,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert got == ["token-0", "token-1"]
        assert auth.headers() == {"Authorization": "OAUTH token-1"}

    def test_a_failed_exchange_is_not_repeated_by_the_request_that_needs_it(self) -> None:
        class Again(TransientError):
            """What a client repeats."""

        def exchange() -> str:
            raise Again("Busy.", detail="Vendor 503")

        with pytest.raises(TransientError) as raised:
            ExchangedToken(exchange).headers()
        assert type(raised.value) is TransientError
        assert raised.value.detail == "Vendor 503"
