"""The floor: a plain loop, `requests` and `orjson`, one RECORD line for each record."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import requests

from tools.benchmark.opponents import IDS_PER_REQUEST, INCLUDE, INTEGRATION

Json = dict[str, Any]


def session() -> requests.Session:
    """Return what all loops call with."""
    http = requests.Session()
    http.headers["Authorization"] = "Bearer bench"
    return http


def candidates(url: str, integrations: str = "1") -> Iterator[Json]:
    """Page by page, by the cursor of the answer, one integration after the other."""
    http = session()
    for number in range(int(integrations)):
        yield from _of_one_integration(http, url, f"{INTEGRATION}{number}")


def _of_one_integration(http: requests.Session, url: str, integration_id: str) -> Iterator[Json]:
    params = {"page_size": "250", "include_deleted": "true"}
    headers = {"X-Integration-Id": integration_id}
    while True:
        answer = http.get(f"{url}/kombo/v1/ats/candidates", params=params, headers=headers)
        data = orjson.loads(answer.content)["data"]
        for row in data["results"]:
            row["integration_id"] = integration_id
            yield row
        if not data["next"]:
            return
        params["cursor"] = data["next"]


def candidate_history(url: str) -> Iterator[Json]:
    """Page by page of the list, then a call for each candidate."""
    http = session()
    page = 0
    while True:
        page += 1
        params = {"page": str(page), "limit": "100"}
        listed = orjson.loads(http.get(f"{url}/atz_crm/v1/candidate", params=params).content)
        for candidate in listed:
            path = f"{url}/atz_crm/v1/candidate/{candidate['slug']}/history"
            for row in orjson.loads(http.get(path).content):
                row["candidate_slug"] = candidate["slug"]
                yield row
        if len(listed) < 100:
            return


def people(http: requests.Session, url: str) -> Iterator[bytes]:
    """Page by page of GUIDs, then 25 people in a call; the answers as they are."""
    body: Json = {"PageSize": 100}
    while True:
        answer = http.post(f"{url}/talemetry/match/v1/people/ids", json=body)
        result = orjson.loads(answer.content)["result"]
        ids = result["Ids"]
        for first in range(0, len(ids), IDS_PER_REQUEST):
            batch = {"ids": ids[first : first + IDS_PER_REQUEST], "include": INCLUDE}
            yield http.post(f"{url}/talemetry/soap/profiles/v1", json=batch).content
        if not result["Cursor"]:
            return
        body["Cursor"] = result["Cursor"]


def profiles(url: str) -> Iterator[Json]:
    """Return people as they are sent."""
    for answer in people(session(), url):
        for each in orjson.loads(answer)["result"]["Candidates"]:
            yield each["Candidate"]


STREAMS: dict[str, Callable[..., Iterator[Json]]] = {
    "candidates": candidates,
    "candidate_history": candidate_history,
    "profiles": profiles,
}


def main(url: str, stream: str, *integrations: str) -> None:
    """Print the stream; of candidates, those of this many integrations."""
    write = sys.stdout.buffer.write
    for row in STREAMS[stream](url, *integrations):
        record = {"stream": stream, "data": row, "emitted_at": int(time.time() * 1000)}
        write(orjson.dumps({"type": "RECORD", "record": record}, option=orjson.OPT_APPEND_NEWLINE))


if __name__ == "__main__":
    main(*sys.argv[1:])
