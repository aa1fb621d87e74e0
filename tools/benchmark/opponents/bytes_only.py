"""The pages of candidates, read with the HTTP library that the connector uses, and dropped.

Nothing is decoded and nothing is printed: no reader that uses this library can be faster.
"""

from __future__ import annotations

import re
import sys

from tools.benchmark.opponents import INTEGRATION, plain

_NEXT = re.compile(rb'"next":"(\d+)"')
_FIRST_BYTES = 200


def main(url: str) -> None:
    """Read the pages of one integration, by the cursor at the beginning of each."""
    http = plain.session()
    headers = {"X-Integration-Id": f"{INTEGRATION}0"}
    params = {"page_size": "250", "include_deleted": "true"}
    while True:
        answer = http.get(f"{url}/kombo/v1/ats/candidates", params=params, headers=headers)
        following = _NEXT.search(answer.content[:_FIRST_BYTES])
        if following is None:
            return
        params["cursor"] = following[1].decode()


if __name__ == "__main__":
    main(*sys.argv[1:])
