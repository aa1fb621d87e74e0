"""Comeet's answers: each saved reply is read as the vendor means it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from requests.structures import CaseInsensitiveDict

from source_ats.client import NotWhole, Reply, Situation
from source_ats.comeet import replies
from source_ats.errors import AtsError

SAVED = Path(__file__).parent / "replies" / "comeet"


def saved(name: str) -> Reply:
    whole: dict[str, Any] = json.loads((SAVED / f"{name}.json").read_text("utf-8"))
    body = whole["body"]
    return Reply(
        status=whole["status"],
        headers=CaseInsensitiveDict(whole["headers"]),
        body=body.encode() if isinstance(body, str) else json.dumps(body).encode(),
        sent_at=datetime(2026, 1, 31, 12, tzinfo=UTC),
        where=f"Comeet create {whole['status']} request-7",
    )


@pytest.mark.parametrize("path", sorted(SAVED.glob("*.json")), ids=lambda path: path.stem)
def test_each_saved_reply_says_where_it_comes_from(path: Path) -> None:
    whole = json.loads(path.read_text("utf-8"))
    assert whole["tier"] in {"documented", "observed", "assumed"}
    assert whole["source"]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("error_merged", replies.Merged),
        ("error_permission", replies.NotAllowed),
        ("error_not_found", replies.NotFound),
        ("error_marketing_site", replies.NoSuchPath),
        ("error_validation", replies.Refused),
        ("error_too_large", replies.Refused),
        ("error_odd_envelope", replies.Refused),
        ("error_conflict", replies.Conflict),
    ],
)
def test_errors_that_have_a_meaning(name: str, kind: type[AtsError]) -> None:
    found = replies.classify(saved(name))
    assert type(found) is kind
    assert "quote what was sent" not in f"{found.message} {found.detail}"


@pytest.mark.parametrize(
    ("name", "situation"),
    [
        ("error_token", None),
        ("error_rate_limit", None),
        ("error_load_balancer", None),
        ("error_splash_page", Situation.UNAVAILABLE),
    ],
)
def test_errors_that_the_client_knows(name: str, situation: Situation | None) -> None:
    assert replies.classify(saved(name)) is situation


@pytest.mark.parametrize(
    ("name", "uid"),
    [
        ("error_conflict", 98765),
        ("error_conflict_uid", "B3.07F"),
        ("error_conflict_digits", 98765),
        ("error_conflict_without_uid", None),
    ],
)
def test_a_conflict_names_the_candidate_that_is_there(name: str, uid: object) -> None:
    found = replies.classify(saved(name))
    assert isinstance(found, replies.Conflict)
    assert found.uid == uid


def test_what_the_vendor_says_is_kept_apart() -> None:
    found = replies.classify(saved("error_validation"))
    assert isinstance(found, replies.Refused)
    assert found.said == "Text that may quote what was sent"
    assert found.code == "validation_error"


def test_created() -> None:
    assert replies.written(saved("created")) == "B3.07F"
    assert replies.written(saved("created_without_body")) is None
    with pytest.raises(NotWhole):
        replies.written(saved("html_under_200"))


def test_a_candidate_shows_its_fields_by_the_names_under_which_they_are_written() -> None:
    candidate = replies.candidate(saved("candidate"))
    assert candidate.shown("national_id") == "N-1"
    assert candidate.shown("email") == "mira.solberg@example.org"
    assert candidate.shown("address") is None
    assert not candidate.deleted
    assert replies.candidate(saved("candidate_deleted")).deleted


def test_lists() -> None:
    page = replies.candidates(saved("candidates"))
    assert [each.uid for each in page.candidates] == ["B3.07F", "B3.080"]
    assert page.next_page == "https://api.comeet.co/candidates?cursor=2"
    assert not replies.candidates(saved("candidates_last_page")).next_page
    positions = replies.positions(saved("positions")).positions
    assert [(each.uid, each.status) for each in positions] == [
        ("4A.1C2", "open"),
        ("5D.9D4", "closed"),
    ]
    assert replies.deleted(saved("deleted_candidates")) == ["B3.07F"]
