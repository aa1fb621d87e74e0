"""The plain loop of profiles with our own parsing: the same calls, the same records, no client."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime

from source_ats.clock import rfc3339
from source_ats.http.models import Response
from source_ats.protocol import messages
from source_ats.vendors.talemetry import record, responses
from tools.benchmark.opponents import INCLUDE, plain


def main(url: str) -> None:
    """Print all people as records."""
    as_of = rfc3339(datetime.now(UTC))
    for answer in plain.people(plain.session(), url):
        now = datetime.fromtimestamp(time.time(), UTC)
        found = responses.people(Response(200, {}, answer, now, ""))
        rows = [record.encoded(each, guid, INCLUDE, as_of) for guid, each in found.items()]
        sys.stdout.buffer.write(messages.records("profiles", rows, now))


if __name__ == "__main__":
    main(*sys.argv[1:])
