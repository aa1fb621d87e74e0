"""The fake ATZ CRM keeps its word: each promise that other tests build on, over HTTP."""

from __future__ import annotations

import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
import requests

from integration_tests.sandbox.running import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

CANDIDATES = 300
Json = dict[str, Any]


@dataclass
class Atz:
    """The fake as its client sees it, and its control API."""

    sandbox: Sandbox
    token: str = "atz-sandbox"  # noqa: S105 - the fake's own
    http: requests.Session = field(default_factory=requests.Session)

    def __post_init__(self) -> None:
        self.http.trust_env = False

    def call(self, path: str, **query: object) -> requests.Response:
        """Read from the API."""
        return self.send("GET", path, query)

    def send(self, method: str, path: str, query: Json | None = None) -> requests.Response:
        """Send anything to the API."""
        headers = {"Authorization": f"Bearer {self.token}"}
        url = f"{self.sandbox.url}/atz_crm/v1/{path}"
        return self.http.request(method, url, headers=headers, params=query, timeout=30)

    def page(self, **query: object) -> list[Json]:
        """Read one page of a bare array."""
        found: list[Json] = self.call("candidate", **query).json()
        return found

    def everybody(self, **query: object) -> list[Json]:
        """Read page after page until an empty one."""
        found: list[Json] = []
        for number in count(1):
            page = self.page(page=number, limit=100, **query)
            if not page:
                break
            found += page
        return found

    def history(self, slug: str, **query: object) -> list[Json]:
        """Read a candidate's history."""
        rows: list[Json] = self.call(f"candidate/{slug}/history", **query).json()
        return rows

    def settings(self, **wanted: object) -> Json:
        """Change settings."""
        settings: Json = self.sandbox.control("/_control/atz_crm/settings", wanted)
        return settings

    def change(self, **wanted: object) -> Json:
        """Make changes."""
        chosen: Json = self.sandbox.control("/_control/atz_crm/change", wanted)
        return chosen

    def mark(self, slug: str, answer: int | None) -> None:
        """Make one candidate's history answer with a status."""
        self.sandbox.control("/_control/atz_crm/mark", {"slug": slug, "answer": answer})

    def truth(self) -> dict[str, list[Json]]:
        """Return the history of everybody, by slug, as it ought to be."""
        lines = self.sandbox.truth("/_control/atz_crm/truth")
        return {line["slug"]: line["history"] for line in lines}

    def spend(self, times: int) -> list[int]:
        """Make this many calls and return their statuses."""
        return [self.call("candidate", limit=1).status_code for _ in range(times)]


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[Sandbox, Json]]:
    with Sandbox.start(candidates=CANDIDATES) as sandbox:
        yield sandbox, sandbox.look("/_control/atz_crm/settings")


@pytest.fixture
def atz(running: tuple[Sandbox, Json]) -> Atz:
    """All settings as at the start, but no rate limit; candidates are as other tests left them."""
    sandbox, defaults = running
    sandbox.reset_log()
    atz = Atz(sandbox)
    atz.settings(**{**defaults, "rate_limit": None})
    return atz


def slugs(candidates: list[Json]) -> list[str]:
    return [candidate["slug"] for candidate in candidates]


# The list


def test_every_candidate_is_listed_once_and_its_slug_tells_nothing_of_its_age(atz: Atz) -> None:
    everybody = atz.everybody()
    found = slugs(everybody)
    assert len(set(found)) == len(found) == len(atz.truth())
    assert all(re.fullmatch(r"candidate_[0-9a-f]{20}", slug) for slug in found)
    assert found != sorted(found)
    ages = [candidate["created_at"][:19] for candidate in everybody]
    assert ages == sorted(ages)
    assert all(
        candidate["created_at"][:19] <= candidate["updated_at"][:19] for candidate in everybody
    )


def test_the_list_is_the_truth(atz: Atz) -> None:
    truth = list(atz.sandbox.truth("/_control/atz_crm/truth", candidates="true"))
    assert atz.everybody() == truth


def test_the_same_seed_gives_the_same_candidates() -> None:
    found = []
    for seed in (5, 5, 6):
        with Sandbox.start(candidates=20, seed=seed) as sandbox:
            found.append([(row["slug"], row["full_name"]) for row in Atz(sandbox).everybody()])
    assert found[0] == found[1]
    assert not set(found[0]) & set(found[2])


@pytest.mark.parametrize("candidates", [1, 2, 7])
def test_a_world_can_be_small(candidates: int) -> None:
    with Sandbox.start(candidates=candidates) as sandbox:
        atz = Atz(sandbox)
        by_created = slugs(atz.everybody())
        by_updated = slugs(atz.everybody(sortOrder="updated_at"))
        assert sorted(by_created) == sorted(by_updated) == sorted(atz.truth())
        assert len(by_created) == candidates
        for slug in by_created:
            assert atz.call(f"candidate/{slug}/history").status_code == 200
        assert atz.change(deleted=candidates)["deleted"]
        assert atz.everybody() == []
        atz.change(new=3)
        assert len(atz.everybody()) == 3


def test_a_world_can_be_large() -> None:
    with Sandbox.start(candidates=1_000_000) as sandbox:
        atz = Atz(sandbox)
        last = atz.page(page=10_000, limit=100)
        assert len(last) == 100
        assert atz.page(page=10_001, limit=100) == []
        assert atz.call(f"candidate/{last[50]['slug']}/history").status_code == 200
        assert len(set(slugs(last) + slugs(atz.page(page=5_000, limit=100)))) == 200


def test_limit_has_a_default_and_a_maximum(atz: Atz) -> None:
    assert len(atz.page()) == 50
    assert len(atz.page(limit=7)) == 7
    assert len(atz.page(limit=250)) == 100
    atz.settings(default_limit=20, max_limit=25)
    assert len(atz.page()) == 20
    assert len(atz.page(limit=100)) == 25
    for status in (400, 422):
        atz.settings(over_max_limit=status)
        assert atz.call("candidate", limit=26).status_code == status
        assert atz.call("candidate", limit=25).status_code == 200


@pytest.mark.parametrize("query", [{"page": 0}, {"page": "x"}, {"limit": 0}, {"limit": -1}])
def test_page_and_limit_are_positive_numbers(atz: Atz, query: Json) -> None:
    assert atz.call("candidate", **query).status_code == 400


def test_after_the_last_page_comes_an_empty_one(atz: Atz) -> None:
    assert atz.call("candidate", page=1000).json() == []


def test_a_server_can_ignore_the_page(atz: Atz) -> None:
    atz.settings(ignore_page=True)
    assert atz.page(page=3) == atz.page(page=1)


def test_envelopes(atz: Atz) -> None:
    bare = atz.page(limit=3)
    atz.settings(envelope="data")
    assert atz.call("candidate", limit=3).json() == {"data": bare}
    atz.settings(envelope="data_data")
    total = len(atz.truth())
    assert atz.call("candidate", limit=3).json() == {"data": {"data": bare, "total": total}}


def test_either_parameter_can_be_the_sort_field(atz: Atz) -> None:
    upwards = slugs(atz.everybody())
    assert slugs(atz.everybody(sortOrder="created_at", sortByColumn="desc")) == upwards[::-1]
    assert slugs(atz.everybody(sortOrder="desc", sortByColumn="created_at")) == upwards
    atz.settings(sort_field_parameter="sortByColumn")
    assert slugs(atz.everybody(sortOrder="desc", sortByColumn="created_at")) == upwards[::-1]
    assert slugs(atz.everybody(sortOrder="created_at", sortByColumn="desc")) == upwards
    atz.settings(unknown_sort=422)
    assert atz.call("candidate", sortOrder="created_at", sortByColumn="desc").status_code == 422
    atz.settings(sort_field_parameter="neither", list_direction="desc")
    assert slugs(atz.everybody(sortOrder="created_at", sortByColumn="asc")) == upwards[::-1]


def test_a_list_by_updated_at_is_another_order(atz: Atz) -> None:
    upwards = slugs(atz.everybody())
    atz.settings(list_order="updated_at")
    found = atz.everybody()
    times = [candidate["updated_at"][:19] for candidate in found]
    assert times == sorted(times)
    assert slugs(found) != upwards
    assert sorted(slugs(found)) == sorted(upwards)


def test_maximize_makes_linked_objects_whole(atz: Atz) -> None:
    names = ("owner", "currency", "created_by", "updated_by", "qualification", "industry")
    plain, one, whole = (atz.page(limit=50, maximize=asked) for asked in ("", "owner", "all"))
    for name in names:
        assert all(row[name] is None or set(row[name]) == {"id"} for row in plain)
        assert all(row[name] is None or len(row[name]) > 1 for row in whole)
    assert all(len(row["owner"]) > 1 and len(row["updated_by"]) == 1 for row in one)
    assert {row["currency"] is None for row in plain} == {True, False}


def test_candidates_vary_as_the_facts_allow(atz: Atz) -> None:
    everybody = atz.everybody()
    assert {type(row["id"]) for row in everybody} == {int}
    assert {type(row["experience"]) for row in everybody} == {int, str}
    assert {type(row["tags"]) for row in everybody} == {str, list, type(None)}
    assert {type(row["custom_fields"]) for row in everybody} == {list, dict, type(None)}
    for name in ("created_at", "updated_at"):
        assert {len(row[name]) for row in everybody} == {20, 24}


def test_updated_at_can_be_missing(atz: Atz) -> None:
    atz.settings(with_updated_at=False)
    assert all("updated_at" not in candidate for candidate in atz.everybody())


# Pages that move while they are read


def test_a_deleted_candidate_moves_the_others_to_an_earlier_page(atz: Atz) -> None:
    before = slugs(atz.page(page=1, limit=10)), slugs(atz.page(page=2, limit=10))
    atz.change(deleted=[before[0][4]])
    assert slugs(atz.page(page=2, limit=10))[:9] == before[1][1:]
    assert before[1][0] in slugs(atz.page(page=1, limit=10))


def test_a_new_candidate_moves_the_others_to_a_later_page_when_the_newest_come_first(
    atz: Atz,
) -> None:
    query = {"limit": 10, "sortOrder": "created_at", "sortByColumn": "desc"}
    before = slugs(atz.page(page=1, **query))
    added = atz.change(new=2)["new"]
    assert set(slugs(atz.page(page=1, **query))[:2]) == set(added)
    assert slugs(atz.page(page=2, **query))[:2] == before[-2:]


def test_a_touched_candidate_moves_to_the_end_of_a_list_by_updated_at(atz: Atz) -> None:
    atz.settings(list_order="updated_at")
    before = slugs(atz.page(page=1, limit=10)), slugs(atz.page(page=2, limit=10))
    atz.change(touched=[before[0][3]])
    assert slugs(atz.page(page=2, limit=10))[:9] == before[1][1:]
    assert slugs(atz.everybody())[-1] == before[0][3]


# Histories


def test_every_history_is_the_truth(atz: Atz) -> None:
    for slug, rows in atz.truth().items():
        assert atz.history(slug) == rows


def test_histories_have_the_documented_form_and_its_corners(atz: Atz) -> None:
    histories = list(atz.truth().values())
    assert {len(rows) for rows in histories} >= set(range(7))
    for rows in histories:
        times = [row["updated_at"][:19] for row in rows]
        assert times == sorted(times, reverse=True)
    rows = [row for rows in histories for row in rows]
    documented = {
        "job_slug", "job_name", "organization", "job_status", "talent_stage", "stage_date",
        "visibility", "comment", "updated_by", "updated_at",
    }  # fmt: skip
    assert {frozenset(row) for row in rows} == {
        frozenset(documented),
        frozenset(documented - {"organization"}),
    }
    assert all(re.fullmatch(r"job_[0-9a-f]{20}", row["job_slug"]) for row in rows)
    assert all(set(row["talent_stage"]) == set(row["job_status"]) == {"id", "name"} for row in rows)
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d", row["stage_date"]) for row in rows)
    assert {len(row["updated_at"]) for row in rows} == {20, 24}
    assert {type(row["talent_stage"]["id"]) for row in rows} == {int, str}
    assert {type(row["visibility"]) for row in rows} == {int, str}
    for name in ("organization", "comment", "updated_by"):
        assert {row.get(name) is None for row in rows} == {True, False}


def test_some_rows_of_a_history_are_alike_in_job_stage_and_day(atz: Atz) -> None:
    alike = Counter(
        (slug, row["job_slug"], row["talent_stage"]["name"], row["stage_date"])
        for slug, rows in atz.truth().items()
        for row in rows
    )
    assert max(alike.values()) > 1


def test_a_history_can_be_asked_for_one_job(atz: Atz) -> None:
    slug, rows = next(
        (slug, rows)
        for slug, rows in atz.truth().items()
        if len({row["job_slug"] for row in rows}) > 1
    )
    job = rows[0]["job_slug"]
    assert atz.history(slug, job_slug=job) == [row for row in rows if row["job_slug"] == job]
    assert atz.history(slug, job_slug="job_00000000000000000000") == []


@pytest.mark.parametrize(
    "slug",
    ["candidate_00000000000000000000", "candidate_x", "7", "candidate_0000000000000000000G"],
)
def test_an_unknown_slug_is_not_found(atz: Atz, slug: str) -> None:
    assert atz.call(f"candidate/{slug}/history").status_code == 404


def test_an_empty_history_can_be_answered_in_other_ways(atz: Atz) -> None:
    truth = atz.truth()
    empty = next(slug for slug, rows in truth.items() if not rows)
    full = next(slug for slug, rows in truth.items() if rows)
    assert atz.history(empty) == []
    atz.settings(empty_history="null")
    assert atz.call(f"candidate/{empty}/history").json() is None
    atz.settings(empty_history=404)
    assert atz.call(f"candidate/{empty}/history").status_code == 404
    assert atz.call(f"candidate/{full}/history").status_code == 200


@pytest.mark.parametrize("answer", [400, 404, 422, 500])
def test_a_mark_changes_one_answer_until_it_is_taken_back(atz: Atz, answer: int) -> None:
    marked, other = slugs(atz.page(limit=2))
    atz.mark(marked, answer)
    assert atz.call(f"candidate/{marked}/history").status_code == answer
    assert atz.call(f"candidate/{other}/history").status_code == 200
    assert marked in slugs(atz.everybody())
    atz.mark(marked, None)
    assert atz.call(f"candidate/{marked}/history").status_code == 200


def test_histories_do_not_wait_for_each_other(atz: Atz) -> None:
    found = slugs(atz.page(limit=8))
    atz.settings(latency_seconds={"history": 0.1})
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda slug: Atz(atz.sandbox).history(slug), found))
    assert max(entry["in_flight"] for entry in atz.sandbox.log("atz_crm.history")) > 1


# Changes


def test_a_stage_change_adds_a_row_and_does_not_move_the_candidate(atz: Atz) -> None:
    listed, before = atz.everybody(), atz.truth()
    atz.sandbox.advance(3600)
    [slug] = atz.change(moved_stage=1)["moved_stage"]
    new, *old = atz.history(slug)
    assert old == before[slug]
    assert new["updated_at"][:13] == atz.sandbox.now().isoformat()[:13]
    assert new["stage_date"] == new["updated_at"][:10]
    assert atz.everybody() == listed


def test_a_stage_change_can_move_the_candidate(atz: Atz) -> None:
    atz.settings(history_bumps_candidate=True)
    atz.sandbox.advance(3600)
    chosen = atz.change(moved_stage=1, edited_comment=1)
    for slug in chosen["moved_stage"] + chosen["edited_comment"]:
        candidate = next(one for one in atz.everybody() if one["slug"] == slug)
        assert candidate["updated_at"][:19] == atz.history(slug)[0]["updated_at"][:19]


def test_an_edited_comment_keeps_the_rest_of_the_row(atz: Atz) -> None:
    before = atz.truth()
    atz.sandbox.advance(3600)
    [slug] = atz.change(edited_comment=1)["edited_comment"]
    edited, *rest = atz.history(slug)
    was = before[slug][-1]
    assert rest == before[slug][:-1]
    assert {name for name in edited if edited[name] != was[name]} == {"comment", "updated_at"}
    assert edited["updated_at"] > was["updated_at"]


def test_touching_moves_the_candidate_and_leaves_its_history(atz: Atz) -> None:
    before, truth = {row["slug"]: row for row in atz.everybody()}, atz.truth()
    atz.sandbox.advance(3600)
    [slug] = atz.change(touched=1)["touched"]
    after = {row["slug"]: row for row in atz.everybody()}
    assert [name for name in before if before[name] != after[name]] == [slug]
    assert after[slug] == {**before[slug], "updated_at": after[slug]["updated_at"]}
    assert after[slug]["updated_at"] > before[slug]["updated_at"]
    assert atz.truth() == truth


def test_deleted_candidates_are_gone_everywhere(atz: Atz) -> None:
    before = set(slugs(atz.everybody()))
    gone = set(atz.change(deleted=3)["deleted"])
    assert len(gone) == 3
    assert set(slugs(atz.everybody())) == set(atz.truth()) == before - gone
    for slug in gone:
        assert atz.call(f"candidate/{slug}/history").status_code == 404


def test_new_candidates_are_there_with_a_history(atz: Atz) -> None:
    before = set(slugs(atz.everybody()))
    added = atz.change(new=20)["new"]
    assert set(slugs(atz.everybody())) == set(atz.truth()) == before | set(added)
    assert {len(atz.history(slug)) for slug in added} == {0, 1}
    stages = {row["talent_stage"]["name"] for slug in added for row in atz.history(slug)}
    assert stages == {"Assigned"}


def test_changes_can_be_seen_later_than_their_time(atz: Atz) -> None:
    listed, truth, now = atz.everybody(), atz.truth(), atz.sandbox.now()
    chosen = atz.change(new=1, moved_stage=1, deleted=1, visible_after_seconds=600)
    assert atz.everybody() == listed
    assert atz.truth() == truth
    assert atz.call(f"candidate/{chosen['new'][0]}/history").status_code == 404
    atz.sandbox.advance(590)
    assert atz.everybody() == listed
    atz.sandbox.advance(20)
    after = {row["slug"]: row for row in atz.everybody()}
    assert set(after) == (set(slugs(listed)) - set(chosen["deleted"])) | set(chosen["new"])
    assert after[chosen["new"][0]]["created_at"][:16] == now.isoformat()[:16]
    [moved] = chosen["moved_stage"]
    assert atz.history(moved)[0]["updated_at"][:16] == now.isoformat()[:16]


def test_one_change_takes_no_candidate_twice(atz: Atz) -> None:
    chosen = atz.change(moved_stage=40, edited_comment=40, touched=40, deleted=40)
    taken = [slug for kind in chosen.values() if isinstance(kind, list) for slug in kind]
    assert len(taken) == len(set(taken)) == 160


@pytest.mark.parametrize(
    "wanted",
    [
        {"deleted": 100_000},
        {"touched": ["candidate_00000000000000000000"]},
        {"moved": 1},
    ],
)
def test_a_change_that_is_not_possible_changes_nothing(atz: Atz, wanted: Json) -> None:
    before = atz.everybody()
    with pytest.raises(RuntimeError, match="400"):
        atz.change(**wanted)
    assert atz.everybody() == before


@pytest.mark.parametrize("kind", ["candidate", "job"])
def test_delete_destroys_data_and_is_counted(atz: Atz, kind: str) -> None:
    truth = atz.truth()
    slug = next(
        {"candidate": slug, "job": row["job_slug"]}[kind]
        for slug, rows in truth.items()
        for row in rows
    )
    assert "atz_crm.delete" not in atz.sandbox.counts()
    answer = atz.send("DELETE", f"{kind}/{slug}")
    assert answer.status_code == 200
    assert answer.json()["slug"] == slug
    assert atz.send("DELETE", f"{kind}/{slug}").status_code == 404
    assert slug not in str(atz.truth())
    assert atz.sandbox.counts()["atz_crm.delete"] == {"total": 2, "200": 1, "404": 1}


# Token, budget, settings


@pytest.mark.parametrize("token", ["", "wrong", "atz-sandbox2"])
def test_a_wrong_token_is_unauthorized(atz: Atz, token: str) -> None:
    atz.token = token
    slug = next(iter(atz.truth()))
    for method, path in (
        ("GET", "candidate"),
        ("GET", f"candidate/{slug}/history"),
        ("DELETE", f"candidate/{slug}"),
    ):
        answer = atz.send(method, path)
        assert answer.status_code == 401
        assert answer.json() == {"message": "Unauthorized"}
    assert slug in atz.truth()


def test_a_token_has_60_requests_a_minute_over_all_calls(atz: Atz) -> None:
    slug = atz.page(limit=1)[0]["slug"]
    atz.settings(rate_limit={}, tokens=["atz-sandbox", "second"])
    for _ in range(30):
        assert atz.call("candidate", limit=1).status_code == 200
        assert atz.call(f"candidate/{slug}/history").status_code == 200
    refused = atz.call("candidate", limit=1)
    assert refused.status_code == 429
    assert refused.json() == {"message": "Too Many Requests"}
    assert "Retry-After" not in refused.headers
    assert Atz(atz.sandbox, "second").spend(1) == [200]
    atz.sandbox.advance(61)
    assert atz.spend(1) == [200]


WINDOW = {"limit": 4, "window_seconds": 6000}


def test_a_fixed_window_begins_with_its_first_call(atz: Atz) -> None:
    atz.settings(rate_limit=WINDOW)
    assert atz.spend(2) == [200, 200]
    atz.sandbox.advance(5000)
    assert atz.spend(3) == [200, 200, 429]
    atz.sandbox.advance(900)
    assert atz.spend(1) == [429]
    atz.sandbox.advance(200)
    assert atz.spend(5) == [200, 200, 200, 200, 429]


def test_a_fixed_window_can_begin_on_the_clock(atz: Atz) -> None:
    atz.settings(rate_limit={**WINDOW, "aligned_to": "clock"})
    into = atz.sandbox.now().timestamp() % 6000
    atz.sandbox.advance(12000 - into - 100)
    assert atz.spend(5) == [200, 200, 200, 200, 429]
    atz.sandbox.advance(200)
    assert atz.spend(5) == [200, 200, 200, 200, 429]


def test_a_sliding_window_lets_in_as_calls_grow_old(atz: Atz) -> None:
    atz.settings(rate_limit={**WINDOW, "mode": "sliding"})
    assert atz.spend(2) == [200, 200]
    atz.sandbox.advance(5000)
    assert atz.spend(3) == [200, 200, 429]
    atz.sandbox.advance(1100)
    assert atz.spend(3) == [200, 200, 429]


def test_refused_calls_can_use_up_a_sliding_window(atz: Atz) -> None:
    atz.settings(rate_limit={**WINDOW, "mode": "sliding", "count_refused": True})
    assert atz.spend(5) == [200, 200, 200, 200, 429]
    atz.sandbox.advance(5900)
    assert atz.spend(4) == [429, 429, 429, 429]
    atz.sandbox.advance(200)
    assert atz.spend(1) == [429]


@pytest.mark.parametrize("mode", ["fixed", "sliding"])
@pytest.mark.parametrize("retry_after", ["seconds", "date"])
def test_after_the_time_it_names_a_429_lets_in(atz: Atz, mode: str, retry_after: str) -> None:
    atz.settings(rate_limit={**WINDOW, "mode": mode, "retry_after": retry_after})
    atz.spend(4)
    refused = atz.call("candidate")
    assert refused.status_code == 429
    named = refused.headers["Retry-After"]
    if retry_after == "date":
        then, now = (parsedate_to_datetime(text) for text in (named, refused.headers["Date"]))
        wait = (then - now).total_seconds()
    else:
        wait = int(named)
    assert 5990 < wait <= 6002
    atz.sandbox.advance(wait)
    assert atz.spend(1) == [200]


@pytest.mark.parametrize(
    "wanted",
    [
        {"envelope": "list"},
        {"max_limit": "100"},
        {"max_limit": 0},
        {"ignore_page": 1},
        {"tokens": "atz-sandbox"},
        {"no_such": 1},
        {"rate_limit": {"mode": "leaky"}},
        {"latency_seconds": {"history": -1}},
        {"latency_seconds": None},
        {"unknown_sort": 404},
    ],
)
def test_a_setting_that_is_not_possible_is_refused(atz: Atz, wanted: Json) -> None:
    before = atz.settings()
    with pytest.raises(RuntimeError, match=r"400 .*(possible|needed)"):
        atz.settings(default_limit=9, **wanted)
    assert atz.settings() == before
