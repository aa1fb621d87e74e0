"""The plain loop with files: a CV is fetched, then its candidate posted, one after another."""

from __future__ import annotations

import base64
import sys
from pathlib import Path

import orjson
import requests

from tools.benchmark.opponents import POSITION


def main(url: str, file: str) -> None:
    """Post all candidates of a file of messages, each with its CV; pass its states on."""
    http = requests.Session()
    with Path(file).open("rb") as lines:
        for line in lines:
            message = orjson.loads(line)
            if message["type"] == "STATE":
                sys.stdout.buffer.write(line)
                continue
            data = message["record"]["data"]
            (cv,) = data["files"]
            content = http.get(cv["data_url"])
            content.raise_for_status()
            body = {
                "position_uid": POSITION,
                "partner_candidate_id": f"candidates:{data['id']}",
                "first_name": data["first_name"],
                "last_name": data["last_name"],
                "resume": {
                    "name": cv["file_name"],
                    "file": base64.b64encode(content.content).decode(),
                },
            }
            answer = http.post(f"{url}/comeet/candidates", json=body)
            answer.raise_for_status()
            orjson.loads(answer.content)


if __name__ == "__main__":
    main(*sys.argv[1:])
