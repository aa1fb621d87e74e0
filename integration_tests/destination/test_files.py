"""CVs and other files on their way into Comeet: fetched, sent once, and kept nowhere."""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from destination_comeet.files import Downloads
from integration_tests.support.file_host import SECRET, FileHost
from integration_tests.support.hostile_comeet import (
    NO_ANSWER,
    Answer,
    HostileComeet,
    envelope,
    html,
)
from integration_tests.support.outcomes import candidate, counts, created
from integration_tests.support.writer import OPEN, Run, Writer, configured, record, state
from source_ats.clock import SystemClock
from source_ats.errors import Stopped

ADD = r"/files$"


@pytest.fixture
def host() -> Iterator[FileHost]:
    """A host of files."""
    with FileHost.running() as running:
        yield running


@pytest.fixture
def kombo(without_ledger: Writer) -> Writer:
    """A writer of Kombo's candidates that may fetch files from this machine."""
    without_ledger.config["streams"] = [
        {
            "stream": "candidates",
            "mapping": {"mapping_type": "kombo_candidates"},
            "position_uid": OPEN,
        }
    ]
    without_ledger.config["file_hosts"] = ["127.0.0.1"]
    without_ledger.catalog = {"streams": [configured("candidates")]}
    assert without_ledger.check().status()["status"] == "SUCCEEDED"
    without_ledger.sandbox.reset_log()
    return without_ledger


def file(number: int, address: str, **more: Any) -> dict[str, Any]:
    """Return a file as `kombo.candidate_files` shows it."""
    return {
        "id": f"file{number}",
        "type": "CV",
        "file_name": f"cv{number}.pdf",
        "content_type": "application/pdf",
        "data_url": address,
        "remote_created_at": f"2026-01-0{number}T00:00:00.000Z",
        "remote_updated_at": None,
        **more,
    }


def row(*files: dict[str, Any], number: int = 1, **more: Any) -> Any:
    person = {"id": f"k{number}", "first_name": "Mira", "last_name": f"Solberg {number}", **more}
    person["email_addresses"] = [{"email_address": f"mira{number}@example.org"}]
    return record({**person, "files": list(files)}, "candidates")


def write(writer: Writer, *rows: Any) -> Run:
    done = writer.write(*rows, state(1, "candidates"))
    assert done.code == 0, done.output
    assert SECRET not in done.output
    return done


def sent(writer: Writer, number: int = 1) -> dict[str, Any]:
    fields: dict[str, Any] = candidate(writer, f"candidates:k{number}")["fields"]
    return fields


def names(writer: Writer, number: int = 1) -> list[str]:
    """Return the names of all files that Comeet holds of somebody, the resume first."""
    fields = sent(writer, number)
    resume = [fields["resume"]["name"]] if "resume" in fields else []
    return [*resume, *(each["name"] for each in fields.get("files", ()))]


def test_the_newest_cv_is_the_resume_and_the_rest_are_files(kombo: Writer, host: FileHost) -> None:
    content = bytes(range(256)) * 800
    letter = {"type": "COVER_LETTER", "file_name": "letter.odt"}
    odd = {"file_name": "cv", "content_type": "application/octet-stream"}
    done = write(
        kombo,
        row(
            file(1, host.address("old")),
            file(
                3, host.address("new", content), file_name="cv3", content_type="application/x-pdf"
            ),
            file(4, host.address("letter"), **letter),
            file(5, host.address("odd"), **odd),
        ),
    )
    assert counts(done) == (1, 0)
    fields = sent(kombo)
    assert fields["resume"] == {
        "name": "cv3.pdf",
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    assert [each["name"] for each in fields["files"]] == ["cv1.pdf", "letter.odt", "cv"]
    assert host.fetched() == ["letter", "new", "odd", "old"]
    for _, headers in host.requests:
        assert not {"Authorization", "Cookie", "X-Integration-Id"} & set(headers)
    # Nothing of a file is on disk: no name, no address, no content.
    for path in kombo.folder.iterdir():
        stored = path.read_bytes()
        assert SECRET.encode() not in stored
        assert b"cv3" not in stored
        assert content[:64] not in stored


def test_debug_lines_hold_no_address(kombo: Writer, host: FileHost) -> None:
    done = kombo.write(row(file(1, host.address("a"))), debug=True)
    assert done.code == 0
    assert SECRET not in done.output


def test_each_file_is_sent_once(kombo: Writer, host: FileHost) -> None:
    write(kombo, row(file(1, host.address("a"))))
    host.requests.clear()
    kombo.sandbox.reset_log()
    # The same files have new addresses in each read.
    assert counts(write(kombo, row(file(1, host.address("a", link=2))))) == (1, 0)
    assert host.requests == []
    assert not kombo.sandbox.log("comeet.*")

    later = [file(1, host.address("a", link=3)), file(2, host.address("b"))]
    done = write(kombo, row(*later))
    assert "1 already there and updated" in done.logs()
    assert host.fetched() == ["b"]
    assert names(kombo) == ["cv1.pdf", "cv2.pdf"]
    assert [each["endpoint"] for each in kombo.sandbox.log("comeet.*")] == ["comeet.add_file"]
    write(kombo, row(*later))
    assert names(kombo) == ["cv1.pdf", "cv2.pdf"]
    # Files that cannot be read now are no files that are gone.
    assert counts(write(kombo, record({"id": "k1", "first_name": "Mira", "last_name": "Solberg 1",
        "email_addresses": [{"email_address": "mira1@example.org"}], "files": None}, "candidates"),
    )) == (1, 0)  # fmt: skip
    assert names(kombo) == ["cv1.pdf", "cv2.pdf"]


def test_a_file_with_a_hashed_id_and_name_is_fetched_once(kombo: Writer, host: FileHost) -> None:
    """As privacy.hash of the source makes them. The address is a new one in every read."""
    hashed = {"id": "ab" * 32, "file_name": "cd" * 32}
    for number in range(3):
        done = write(kombo, row(file(1, host.address(f"a{number}"), **hashed)))
        assert "left out" not in done.logs()
    assert names(kombo) == ["CV-cdcdcdcd.pdf"]
    assert host.fetched() == ["a0"]


def test_a_file_whose_id_counts_from_now_on_is_not_sent_again(
    kombo: Writer, host: FileHost
) -> None:
    """A ledger may know it by its content alone, as where its id was not kept."""
    content = b"the same"
    write(kombo, row(file(1, host.address("a", content), id=None)))
    write(kombo, row(file(1, host.address("b", content))))
    assert names(kombo) == ["cv1.pdf"]


def test_a_file_with_changes_of_fields_is_sent_with_them(kombo: Writer, host: FileHost) -> None:
    write(kombo, row())
    done = write(
        kombo, row(file(1, host.address("a")), phone_numbers=[{"phone_number": "555012345"}])
    )
    assert "1 already there and updated" in done.logs()
    assert names(kombo) == ["cv1.pdf"]
    assert sent(kombo)["mobile_phone"] == "555012345"


def test_many_files_are_fetched_ahead_each_once(kombo: Writer, host: FileHost) -> None:
    rows = [row(file(1, host.address(f"f{n:02}")), number=n) for n in range(40)]
    write(kombo, *rows)
    assert host.fetched() == [f"f{n:02}" for n in range(40)]
    assert all(names(kombo, n) == ["cv1.pdf"] for n in range(40))


def test_cookies_of_a_file_host_are_not_sent_back(kombo: Writer, host: FileHost) -> None:
    host.cookie = "session=made-up; Path=/"
    host.redirects["f00"] = "other"
    host.address("other")
    write(kombo, *(row(file(1, host.address(f"f{n:02}")), number=n) for n in range(20)))
    assert len(host.requests) == 21
    assert not any("Cookie" in headers for _, headers in host.requests)


PROBLEMS = {
    "expired": ("its link has expired (127.0.0.1, 403)", {"status": 403}),
    "gone": ("its link has expired (127.0.0.1, 410)", {"status": 410}),
    "odd": ("127.0.0.1 answered with status 418", {"status": 418}),
    "down": ("127.0.0.1 answered with status 503", {"status": 503}),
    "elsewhere": (
        "is redirected by 127.0.0.1 to evil.example, which file_hosts does not allow",
        {"redirect": "https://evil.example/x"},
    ),
    "nowhere": (
        (
            "is redirected by 127.0.0.1 to an address that is not usable, which file_hosts does "
            "not allow"
        ),
        {"redirect": "https://[evil"},
    ),
    "round": ("is redirected too often by 127.0.0.1", {"redirect": "round"}),
    "empty": ("is empty (127.0.0.1)", {"body": b""}),
    "no content": ("127.0.0.1 answered with status 204", {"status": 204}),
    "a part": ("127.0.0.1 answered with status 206", {"status": 206}),
    "a page": (
        "127.0.0.1 answered with a web page, such as a login",
        {"body": b"\xef\xbb\xbf\n <!DOCTYPE html><p>Log in", "type": "text/HTML; charset=utf-8"},
    ),
    "large": ("is larger than 6000000 bytes (127.0.0.1)", {"content": bytes(6_000_001)}),
}


@pytest.mark.parametrize(("reason", "trouble"), PROBLEMS.values(), ids=PROBLEMS)
def test_a_file_that_cannot_be_had_is_left_out_and_named(
    kombo: Writer, host: FileHost, reason: str, trouble: dict[str, Any]
) -> None:
    address = host.address("bad", trouble.get("content", b""))
    if "status" in trouble:
        host.statuses["bad"] = trouble["status"]
    if "body" in trouble:
        host.contents["bad"] = trouble["body"]
        host.types["bad"] = trouble.get("type", "application/pdf")
    if "redirect" in trouble:
        host.redirects["bad"] = trouble["redirect"]
        host.redirects["round"] = "bad"
    done = write(kombo, row(file(1, address), file(2, host.address("good"), type="OTHER")))
    assert counts(done) == (1, 0)
    assert names(kombo) == ["cv2.pdf"]
    assert f"key candidates:k1: resume {reason}" in done.logs("WARN").replace(
        "cannot be fetched: ", ""
    )
    # Once it can be had, it is added.
    host.statuses.clear()
    host.redirects.clear()
    host.requests.clear()
    host.types.clear()
    if "body" in trouble:
        host.contents["bad"] = b"%PDF"
    write(kombo, row(file(1, host.address("bad", link=2))))
    if "content" in trouble:
        assert host.requests == []
    else:
        assert names(kombo) == ["cv2.pdf", "cv1.pdf"]


@pytest.mark.parametrize(
    ("name", "content_type", "body"),
    [
        ("cv.HTML", "text/html", b"<html>CV</html>"),
        ("cv.htm", "text/html", b"<html>CV</html>"),
        ("cv.pdf", "text/html", b"%PDF served under the wrong type"),
        ("cv.xml", "application/xml", b"<cv/>"),
        ("cv.xml", "text/html", b"<?xml version='1.0'?><cv/>"),
        ("cv.doc", "text/html", b'<html xmlns:w="urn:schemas-microsoft-com:office:word">CV'),
    ],
)
def test_a_page_that_is_meant_to_be_one_is_sent(
    kombo: Writer, host: FileHost, name: str, content_type: str, body: bytes
) -> None:
    host.types["page"] = content_type
    about = {"file_name": name, "content_type": content_type, "type": "OTHER"}
    write(kombo, row(file(1, host.address("page", body), **about)))
    (sent_file,) = sent(kombo)["files"]
    assert (sent_file["name"], sent_file["size"]) == (name, len(body))


def test_a_run_that_was_asked_to_end_waits_for_no_file() -> None:
    stop = threading.Event()
    stop.set()
    # A host that takes connections and says nothing.
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        closing(Downloads(["127.0.0.1"], SystemClock(stop))) as downloads,
        pytest.raises(Stopped),
    ):
        downloads.content(f"http://127.0.0.1:{silent.getsockname()[1]}/{SECRET}", "cv.pdf")


ELSEWHERE = {
    "another host": ("https://files.example/x", "is on files.example"),
    "no TLS": ("http://files.example/x", "is on files.example"),
    "a user": ("https://127.0.0.1@evil.example/x", "is not at a plain address"),
    "a backslash": ("https://evil.example\\@127.0.0.1/x", "is not at a plain address"),
    "a blank": ("https://127.0.0.1 .evil.example/x", "is not at a plain address"),
    "a longer name": ("https://127.0.0.1.evil.example/x", "is on 127.0.0.1.evil.example"),
}


@pytest.mark.parametrize(("address", "reason"), ELSEWHERE.values(), ids=ELSEWHERE)
def test_a_file_elsewhere_is_left_out(kombo: Writer, address: str, reason: str) -> None:
    kombo.config["file_hosts"] = ["127.0.0.1", "*.kombo.dev"]
    done = write(kombo, row(file(1, address)))
    assert counts(done) == (1, 0)
    assert names(kombo) == []
    assert f"{reason}, which file_hosts does not allow" in done.logs("WARN")


def test_a_redirect_within_the_list_is_followed(kombo: Writer, host: FileHost) -> None:
    with FileHost.running() as other:
        host.redirects["a"] = other.address("b", b"%PDF there")
        host.address("a")
        write(kombo, row(file(1, host.address("a"))))
    assert sent(kombo)["resume"]["sha256"] == hashlib.sha256(b"%PDF there").hexdigest()


def test_files_of_somebody_who_is_there_count_as_sent_by_name(
    kombo: Writer, host: FileHost
) -> None:
    write(kombo, row(file(1, host.address("a"), type="OTHER")))
    (kombo.folder / "ledger.db").unlink()
    kombo.check()
    host.requests.clear()
    files = [file(1, host.address("a"), type="OTHER"), file(2, host.address("b"), type="OTHER")]
    done = write(kombo, row(*files))
    assert created(kombo) == {"candidates:k1": 1}
    assert "1 already there and updated" in done.logs()
    assert names(kombo) == ["cv1.pdf", "cv2.pdf"]


def test_a_ledger_without_files_asks_comeet_for_their_names(kombo: Writer, host: FileHost) -> None:
    write(kombo, row(file(1, host.address("a"), type="OTHER")))
    with closing(sqlite3.connect(kombo.folder / "ledger.db")) as ledger, ledger:
        ledger.execute("UPDATE ats_ledger_entries SET files = NULL")
    host.requests.clear()
    write(kombo, row(file(1, host.address("a"), type="OTHER")))
    assert host.requests == []
    assert names(kombo) == ["cv1.pdf"]


def test_a_post_that_is_refused_with_its_files_is_sent_without_them(
    kombo: Writer, comeet: HostileComeet, host: FileHost
) -> None:
    refusal = envelope(400, "invalid_file")
    bad = base64.b64encode(b"%PDF bad").decode()
    comeet.answer("POST", ".", refusal, containing=bad, after_comeet=False)
    files = [file(1, host.address("bad")), file(2, host.address("good"), type="OTHER")]
    done = write(kombo, row(*files))
    assert counts(done) == (1, 0)
    assert "1 created" in done.logs()
    assert names(kombo) == ["cv2.pdf"]
    assert "resume was refused by Comeet with 400 invalid_file" in done.logs("WARN")
    assert "A new candidate was refused; sending it without its files." in done.logs("INFO")
    # What Comeet refused is not sent again.
    comeet.reset()
    write(kombo, row(*files))
    assert names(kombo) == ["cv2.pdf"]
    assert created(kombo) == {"candidates:k1": 1}


@pytest.mark.parametrize("after_comeet", [True, False])
@pytest.mark.parametrize("answer", [NO_ANSWER, html(404)], ids=["none", "404 page"])
def test_an_added_file_without_an_answer_is_looked_for(
    kombo: Writer, comeet: HostileComeet, host: FileHost, after_comeet: bool, answer: Answer
) -> None:
    write(kombo, row())
    comeet.answer("POST", ADD, answer, after_comeet=after_comeet)
    done = write(kombo, row(file(1, host.address("a"))))
    assert "resume" in done.logs("WARN")
    comeet.reset()
    for _ in range(2):
        write(kombo, row(file(1, host.address("a"))))
        assert names(kombo) == ["cv1.pdf"]


@pytest.mark.parametrize("step", ["call not sent", "call sent", "call answered"])
def test_killed_while_a_file_is_added_it_is_there_once(
    kombo: Writer, host: FileHost, step: str
) -> None:
    write(kombo, row())
    added = row(file(1, host.address("a")))
    kombo.write_killed(step, 1, added, state(1, "candidates"))
    for _ in range(2):
        assert counts(write(kombo, added)) == (1, 0)
        assert names(kombo) == ["cv1.pdf"]


@pytest.mark.parametrize("step", ["note committed", "call sent", "call answered", "entry saved"])
def test_killed_while_somebody_is_created_with_files_they_are_there_once(
    kombo: Writer, host: FileHost, step: str
) -> None:
    files = [file(1, host.address("a")), file(2, host.address("b"), type="OTHER")]
    kombo.write_killed(step, 1, row(*files), state(1, "candidates"))
    for _ in range(2):
        assert counts(write(kombo, row(*files))) == (1, 0)
        assert names(kombo) == ["cv1.pdf", "cv2.pdf"]
    assert created(kombo) == {"candidates:k1": 1}


def test_a_create_without_an_answer_has_sent_its_files(
    kombo: Writer, comeet: HostileComeet, host: FileHost
) -> None:
    comeet.answer("POST", r"/candidates$", NO_ANSWER, times=1)
    files = [file(1, host.address("a")), file(2, host.address("b"), type="OTHER")]
    for _ in range(2):
        assert counts(write(kombo, row(*files))) == (1, 0)
        assert names(kombo) == ["cv1.pdf", "cv2.pdf"]
    assert created(kombo) == {"candidates:k1": 1}


def test_without_the_permission_files_are_named_and_tried_later(
    kombo: Writer, host: FileHost
) -> None:
    write(kombo, row())
    kombo.control("settings", add_files=False)
    done = write(kombo, row(file(1, host.address("a"))))
    assert counts(done) == (1, 0)
    assert "Comeet does not let the integration add files" in done.logs("WARN")
    kombo.control("settings", add_files=True)
    write(kombo, row(file(1, host.address("a"))))
    assert names(kombo) == ["cv1.pdf"]


def test_a_file_of_a_candidate_without_a_uid_is_left_out_and_named(
    kombo: Writer, comeet: HostileComeet, host: FileHost
) -> None:
    kombo.control("settings", empty_answers=True, create_status=204)
    write(kombo, row())
    comeet.answer("GET", r"/candidates\?", envelope(403, "no_permission"), after_comeet=False)
    done = write(kombo, row(file(1, host.address("a"))))
    assert counts(done) == (1, 0)
    assert (
        "key candidates:k1: files cannot be added: Comeet did not tell the candidate's uid; it is "
        "left out." in done.logs("WARN")
    )
    comeet.reset()
    write(kombo, row(file(1, host.address("a"))))
    assert names(kombo) == ["cv1.pdf"]


def test_what_has_no_room_in_the_post_is_added_after_it(kombo: Writer, host: FileHost) -> None:
    content = bytes(5_500_000)
    files = [file(n, host.address(f"f{n}", content), type="OTHER") for n in range(1, 5)]
    done = write(kombo, row(*files))
    assert "1 created" in done.logs()
    assert names(kombo) == [f"cv{n}.pdf" for n in range(1, 5)]
    assert kombo.calls("add_file") == 2


def test_content_in_the_record_is_known_again_by_its_content(writer: Writer) -> None:
    def person(*contents: bytes) -> Any:
        files = [
            {"name": f"{content.decode()}.txt", "file": base64.b64encode(content).decode()}
            for content in contents
        ]
        return record({"id": 1, "first_name": "Mira", "last_name": "Solberg", "files": files})

    for _ in range(2):
        writer.write(person(b"a"), person(b"a", b"b"), person(b"b"), state(1))
        fields = candidate(writer, "people:1")["fields"]
        assert [each["name"] for each in fields["files"]] == ["a.txt", "b.txt"]


def test_an_address_in_a_record_of_comeets_own_names(writer: Writer, host: FileHost) -> None:
    writer.config["file_hosts"] = ["127.0.0.1"]

    def person(link: int) -> Any:
        resume = {"name": "cv.pdf", "file": host.address("a", link=link)}
        return record({"id": 1, "first_name": "Mira", "last_name": "Solberg", "resume": resume})

    for link in (1, 1, 2, 2):
        writer.write(person(link), state(1))
        fields = candidate(writer, "people:1")["fields"]
        assert fields["resume"]["name"] == "cv.pdf"
        assert "files" not in fields
    # Another address may be another file: it is fetched once, and known by its content.
    assert host.fetched() == ["a", "a"]


def test_a_dry_run_fetches_no_file(kombo: Writer, host: FileHost) -> None:
    plan = kombo.folder / "plan.jsonl"
    done = kombo.dry_run(row(file(1, host.address("a"))), plan=plan)
    assert done.code == 0, done.output
    assert host.requests == []
    assert '"resume"' in plan.read_text()
    assert SECRET not in plan.read_text()


# Without a source ---------------------------------------------------------------------------------


def test_a_dry_run_fetches_no_file_and_names_what_would_be_sent(
    kombo: Writer, host: FileHost, tmp_path: Path
) -> None:
    plan = tmp_path / "plan.jsonl"
    write(kombo, row())
    kombo.sandbox.reset_log()
    files = [file(1, host.address("old")), file(2, host.address("new"))]
    done = kombo.dry_run(row(*files), row(*files, number=2), plan=plan)
    assert done.code == 0, done.output
    lines = [json.loads(line) for line in plan.read_text().splitlines()]
    assert [(each["outcome"], each["fields"]) for each in lines] == [
        ("updated", ["resume", "files"]),
        ("created", ["first_name", "last_name", "email", "resume", "files"]),
    ]
    assert host.fetched() == []
    assert (kombo.calls("create"), kombo.calls("add_file")) == (0, 0)


def test_a_replay_sends_the_files(kombo: Writer, comeet: HostileComeet, host: FileHost) -> None:
    kombo.config["base_url"] = f"{comeet.url}/comeet"
    kombo.config["keep_rejected"] = True
    comeet.answer("POST", r"/candidates$", envelope(400, "validation_error"), after_comeet=False)
    write(kombo, row(file(1, host.address("cv"))))
    comeet.reset()
    assert kombo.run("replay").code == 0
    assert names(kombo) == ["cv1.pdf"]
    assert kombo.run("rejected").of("REJECTED") == []


def test_an_adopted_candidate_gets_the_files_that_are_not_there(
    kombo: Writer, comeet: HostileComeet, host: FileHost
) -> None:
    kombo.config["base_url"] = f"{comeet.url}/comeet"
    uid = comeet.create(OPEN, first_name="Mira", last_name="Solberg 1")
    for path in kombo.folder.glob("ledger.db*"):
        path.unlink()
    kombo.check()
    row_without_contact = row(file(1, host.address("cv")))
    row_without_contact["record"]["data"]["email_addresses"] = []
    done = write(kombo, row_without_contact)
    assert counts(done) == (1, 1), done.output
    assert kombo.run("unknown", "--adopt", "candidates:k1", uid).code == 0
    assert counts(write(kombo, row_without_contact)) == (1, 0)
    (held,) = (each["fields"] for each in kombo.truth() if each["uid"] == uid)
    assert [each["name"] for each in held["files"]] == ["cv1.pdf"]
