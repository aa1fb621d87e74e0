"""The plain loop of profiles with our own parsing: the same calls, the same records, no client."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime

from integration_tests.benchmark.opponents import INCLUDE, plain
from source_ats import messages
from source_ats.client import Reply
from source_ats.clock import as_text
from source_ats.talemetry import record, replies


def main(url: str) -> None:
    """Print all people as records."""
    as_of = as_text(datetime.now(UTC))
    for answer in plain.people(plain.session(), url):
        now = datetime.fromtimestamp(time.time(), UTC)
        found = replies.people(Reply(200, {}, answer, now, ""))
        rows = [record.encoded(each, guid, INCLUDE, as_of) for guid, each in found.items()]
        sys.stdout.buffer.write(messages.records("profiles", rows, now))


if __name__ == "__main__":
    main(*sys.argv[1:])
