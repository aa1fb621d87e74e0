"""The lean server: `python -m tools.benchmark.server FILE CANDIDATES PEOPLE HISTORIES LATENCY`.

Answers with ready-made pages as fast as one process can, so that whoever asks is what is measured.
It looks at nothing but the path, the cursor and the ids, and answers LATENCY milliseconds later.
Prints its address, serves until its standard input is closed. `/_used` tells what it has spent and
answered so far.
"""

from __future__ import annotations

import asyncio
import re
import sys
import time
from collections.abc import Callable, Sequence
from email.utils import formatdate
from itertools import chain
from pathlib import Path
from typing import cast

import msgspec
import orjson
import uvloop

from tools.benchmark.opponents import POSITION
from tools.benchmark.pages import Pages

PAGE = 250
"""Rows on a page of candidates, whatever is asked for."""
LISTED_ON_A_PAGE = 100
COMEET_ON_A_PAGE = 1000

_INTEGRATION = (
    b'{"status":"success","data":{"id":"greenhouse:bench","category":"ATS","status":"ACTIVE",'
    b'"setup_status":"COMPLETED","tool":{"id":"greenhouse"}}}'
)

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CURSOR = re.compile(rb"[?&]cursor=(\d+)")
_FIRST = re.compile(rb"[?&]first=(\d+)")
_PAGE_NUMBER = re.compile(rb"[?&]page=(\d+)")


class _Range(msgspec.Struct):
    event: str = msgspec.field(default="created", name="Event")


class _Ids(msgspec.Struct):
    """A body: of a request for people, or for the GUIDs after a cursor."""

    ids: Sequence[str] = ()
    cursor: str | None = msgspec.field(default=None, name="Cursor")
    page_size: int = msgspec.field(default=100, name="PageSize")
    range: _Range = msgspec.field(default_factory=_Range, name="DateTimeRange")


_ids = msgspec.json.Decoder(_Ids)


class Answers:
    """All that the server can say."""

    def __init__(self, pages: Pages, candidates: int, people: int, histories: int) -> None:
        """So many of each there are."""
        self._candidates, self._people, self._histories = candidates, people, histories
        self._rows_of_a_model = max(candidates // 5 // PAGE, 1) * PAGE
        self._pages = pages
        # A page is made by putting keys between the pieces of rows that stay as they are.
        self._pieces: list[list[bytes]] = []
        rows = pages.candidates
        for first in range(0, len(rows) - PAGE + 1, PAGE):
            pieces = [b"".join([b'"results":[', rows[first].before])]
            for row, following in zip(rows[first:], rows[first + 1 : first + PAGE], strict=False):
                pieces.append(b"".join([row.after, b",", following.before]))
            pieces.append(rows[first + PAGE - 1].after + b"]}}")
            self._pieces.append(pieces)
        self.requests = 0
        self.bytes = 0

    def answer(self, path: bytes, body: bytes) -> bytes:
        """Return the answer's body."""
        if path.startswith(b"/kombo/"):
            return self._kombo(path)
        if path.startswith(b"/talemetry/match/"):
            return self._guids(_ids.decode(body))
        if path.startswith(b"/talemetry/"):
            return self._answered_people(_ids.decode(body).ids)
        if path.startswith(b"/atz_crm/") and path.endswith(b"/history"):
            return self._history(path)
        if path.startswith(b"/atz_crm/"):
            found = _PAGE_NUMBER.search(path)
            return self._listed(int(found[1]) - 1 if found else 0)
        if path.startswith(b"/comeet/"):
            return self._comeet(path)
        used = {
            "cpu": time.process_time(),
            "requests": self.requests,
            "bytes": self.bytes,
        }
        return orjson.dumps(used)

    def _kombo(self, path: bytes) -> bytes:
        if path.startswith(b"/kombo/v1/ats/"):
            found = _CURSOR.search(path)
            is_candidates = path.startswith(b"/kombo/v1/ats/candidates")
            rows = self._candidates if is_candidates else self._rows_of_a_model
            return self._page(int(found[1]) if found else 0, rows)
        if path.startswith(b"/kombo/v1/integrations/"):
            return _INTEGRATION
        return b'{"status":"success","data":{"environment_id":"bench"}}'

    def _comeet(self, path: bytes) -> bytes:
        if path.startswith(b"/comeet/positions/"):
            return b'{"uid":"%b","status":"open"}' % path.rpartition(b"/")[2]
        if path.startswith(b"/comeet/positions"):
            return b'{"positions":[{"uid":"%b","status":"open"}]}' % POSITION.encode()
        if path.startswith(b"/comeet/deleted-candidates"):
            return b"[]"
        if path.startswith(b"/comeet/candidates?time_created"):
            # What the destination asks for: nobody is there yet.
            return b'{"candidates":[]}'
        if path.startswith(b"/comeet/candidates?"):
            found = _FIRST.search(path)
            return self._comeet_candidates(int(found[1]) if found else 0)
        return b'{"uid":"%06X.%03X"}' % (self.requests, self.requests % 4096)

    def _page(self, number: int, rows_of_all: int) -> bytes:
        first = number * PAGE
        keys = [b"%024d" % key for key in range(first, first + PAGE)]
        following = b'"%d"' % (number + 1) if first + PAGE < rows_of_all else b"null"
        pieces = self._pieces[number % len(self._pieces)]
        rows = chain.from_iterable(zip(pieces, keys, strict=False))
        head = b'{"status":"success","data":{"next":%b,' % following
        return b"".join([head, *rows, pieces[-1]])

    def _guids(self, asked: _Ids) -> bytes:
        first = int(asked.cursor or 0)
        # In any window everybody was created, and nobody was changed or deleted.
        people = self._people if asked.range.event == "created" else 0
        after = min(first + asked.page_size, people)
        ids = [f"{key:08x}-0000-11ef-8cdc-e2b1c45a8ad7" for key in range(first, after)]
        cursor = str(after) if after < people else None
        return orjson.dumps({"result": {"Ids": ids, "Cursor": cursor}})

    def _answered_people(self, ids: Sequence[str]) -> bytes:
        people = self._pages.people
        found = []
        for guid in ids:
            row = people[int(guid[:8], 16) % len(people)]
            found += [row.before, guid.encode(), row.after, b","]
        return b"".join([b'{"result":{"Candidates":[', *found[:-1], b"]}}"])

    def _listed(self, number: int) -> bytes:
        first = number * LISTED_ON_A_PAGE
        after = min(first + LISTED_ON_A_PAGE, self._histories)
        found = []
        for key in range(first, after):
            row = self._pages.listed[key % len(self._pages.listed)]
            found += [row.before, b"candidate_%020d" % key, row.after, b","]
        return b"".join([b"[", *found[:-1], b"]"])

    def _comeet_candidates(self, first: int) -> bytes:
        after = min(first + COMEET_ON_A_PAGE, self._people)
        rows = [
            {"uid": f"{key:06X}.000", "first_name": "Mira", "last_name": f"Solberg {key}"}
            for key in range(first, after)
        ]
        following = f"/comeet/candidates?first={after}" if after < self._people else None
        return orjson.dumps({"candidates": rows, "next_page": following})

    def _history(self, path: bytes) -> bytes:
        key = int(path.rpartition(b"_")[2].partition(b"/")[0])
        return self._pages.histories[key % len(self._pages.histories)]


class Connection(asyncio.Protocol):
    """One connection, kept open; requests are not pipelined."""

    def __init__(self, answers: Answers, date: Callable[[], bytes], latency: float) -> None:
        """`date` gives the header's value; `latency` is in seconds."""
        self._latency = latency
        self._answers = answers
        self._date = date
        self._come = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note where answers go."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer when a request is whole."""
        self._come += data
        head, end, body = self._come.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not end or (length and len(body) < int(length[1])):
            return
        self._come = b""
        path = head.split(b" ", 2)[1].partition(b"?")
        target = path[0] if path[0].endswith(b"/history") else b"".join(path)
        answer = self._answers.answer(target, body)
        self._answers.requests += 1
        self._answers.bytes += len(answer)
        if self._latency and not target.startswith(b"/_used"):
            asyncio.get_running_loop().call_later(self._latency, self._send, answer)
        else:
            self._send(answer)

    def _send(self, answer: bytes) -> None:
        self._transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: %b\r\n"
            b"Content-Length: %d\r\n\r\n" % (self._date(), len(answer))
        )
        self._transport.write(answer)


def main() -> None:
    """Serve."""
    file, *counts, latency = sys.argv[1:]
    pages = Pages.unpacked(Path(file).read_bytes())
    answers = Answers(pages, *(int(each) for each in counts))
    uvloop.run(_serve(answers, int(latency) / 1000))


async def _serve(answers: Answers, latency: float) -> None:
    loop = asyncio.get_running_loop()
    date = formatdate(usegmt=True).encode()

    def tick() -> None:
        nonlocal date
        date = formatdate(usegmt=True).encode()
        loop.call_later(1, tick)

    tick()
    server = await loop.create_server(
        lambda: Connection(answers, lambda: date, latency), host="127.0.0.1", port=0
    )
    host, port = server.sockets[0].getsockname()
    sys.stdout.write(f"http://{host}:{port}\n")
    sys.stdout.flush()
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    main()
