"""What the lean server answers: the sandbox's rows, cut at their keys so that each gets its own.

`python -m tools.benchmark.pages FILE` asks a sandbox for them and keeps them.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import msgspec
import orjson

from integration_tests.sandbox.running import Sandbox
from tools.benchmark.opponents import INCLUDE

ROWS = 1000
"""So many different rows of each kind there are; after them they come again, with other keys."""


class Row(msgspec.Struct, frozen=True):
    """An encoded object, cut where its key stands."""

    before: bytes
    after: bytes

    @classmethod
    def cut(cls, row: bytes, key: str) -> Self:
        """Cut it at the first place where the key stands."""
        before, _, after = row.partition(key.encode())
        return cls(before, after)


@dataclass(frozen=True)
class Pages:
    """Rows of each kind."""

    candidates: Sequence[Row]
    listed: Sequence[Row]
    histories: Sequence[bytes]
    people: Sequence[Row]

    def packed(self) -> bytes:
        """Return all of it as bytes, for a file."""
        return msgspec.msgpack.encode(self)

    @classmethod
    def unpacked(cls, content: bytes) -> Self:
        """Return what `packed` made bytes of."""
        return msgspec.msgpack.decode(content, type=cls)


def from_sandbox() -> Pages:
    """Ask a sandbox for rows of each kind."""
    with Sandbox.start(candidates=ROWS, accounts=1) as sandbox:
        return Pages(
            candidates=_candidates(sandbox),
            listed=_listed(sandbox),
            histories=_histories(sandbox),
            people=_people(sandbox),
        )


def _candidates(sandbox: Sandbox) -> list[Row]:
    (account,) = sandbox.look("/_control/kombo/integrations")
    headers = {"Authorization": "Bearer ks_dev_sandbox", "X-Integration-Id": account["id"]}
    rows: list[Row] = []
    params = {"page_size": "250"}
    while True:
        data = _got(sandbox, "GET", "/kombo/v1/ats/candidates", headers, params=params)["data"]
        rows += [Row.cut(orjson.dumps(each), each["id"]) for each in data["results"]]
        if not data["next"]:
            return rows
        params["cursor"] = data["next"]


def _listed(sandbox: Sandbox) -> list[Row]:
    return [Row.cut(orjson.dumps(each), each["slug"]) for each in _atz_crm(sandbox)]


def _histories(sandbox: Sandbox) -> list[bytes]:
    headers = {"Authorization": "Bearer atz-sandbox"}
    paths = [f"/atz_crm/v1/candidate/{each['slug']}/history" for each in _atz_crm(sandbox)]
    return [orjson.dumps(_got(sandbox, "GET", path, headers)) for path in paths]


def _atz_crm(sandbox: Sandbox) -> list[dict[str, Any]]:
    sandbox.control("/_control/atz_crm/settings", {"rate_limit": None})
    headers = {"Authorization": "Bearer atz-sandbox"}
    candidates: list[dict[str, Any]] = []
    for page in range(1, ROWS // 100 + 1):
        params = {"page": str(page), "limit": "100"}
        candidates += _got(sandbox, "GET", "/atz_crm/v1/candidate", headers, params=params)
    return candidates


def _people(sandbox: Sandbox) -> list[Row]:
    headers = {"Authorization": "OAUTH TGC-sandbox"}
    path = "/talemetry/match/v1/people/ids"
    listed = _got(sandbox, "POST", path, headers, json={"PageSize": ROWS})
    guids = listed["result"]["Ids"]
    rows = []
    for first in range(0, len(guids), 100):
        body = {"ids": guids[first : first + 100], "include": INCLUDE}
        answer = _got(sandbox, "POST", "/talemetry/soap/profiles/v1", headers, json=body)
        for each in answer["result"]["Candidates"]:
            key = each["Candidate"]["CandidateRecordInfo"]["Id"]["IdValue"]
            rows.append(Row.cut(orjson.dumps(each), key))
    return rows


def _got(sandbox: Sandbox, method: str, path: str, headers: dict[str, str], **rest: Any) -> Any:
    headers = {"Accept": "application/json", "Content-Type": "application/json", **headers}
    answer = sandbox.http.request(method, sandbox.url + path, headers=headers, timeout=60, **rest)
    answer.raise_for_status()
    return answer.json()


if __name__ == "__main__":
    Path(sys.argv[1]).write_bytes(from_sandbox().packed())
