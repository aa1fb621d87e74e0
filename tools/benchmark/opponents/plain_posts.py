"""The plain loop of posts: each record of a file, mapped by hand and posted, one after another."""

from __future__ import annotations

import sys
from pathlib import Path

import orjson

from tools.benchmark.opponents import POSITION, plain


def main(url: str, file: str) -> None:
    """Post all records of a file of messages; pass its states on."""
    http = plain.session()
    with Path(file).open("rb") as lines:
        for line in lines:
            message = orjson.loads(line)
            if message["type"] == "STATE":
                sys.stdout.buffer.write(line)
                continue
            data = message["record"]["data"]
            key = f"people:{data.pop('id')}"
            body = {"position_uid": POSITION, "partner_candidate_id": key, **data}
            answer = http.post(f"{url}/comeet/candidates", json=body)
            answer.raise_for_status()
            orjson.loads(answer.content)


if __name__ == "__main__":
    main(*sys.argv[1:])
