"""The command `source-ats`, as the operating system starts it."""

from __future__ import annotations

import os
import signal

INTERRUPTED = 128 + signal.SIGINT


def end_when_interrupted() -> None:
    """Make Ctrl-C end the process with one line, until the command line receives the signals.

    Python would print a traceback from within the import of a library.
    """

    def end(number: int, frame: object) -> None:
        del number, frame
        os.write(2, b"Interrupted before the start.\n")
        os._exit(INTERRUPTED)

    signal.signal(signal.SIGINT, end)


def source_ats() -> None:
    """Run `source-ats` with the arguments of the process, and end the process."""
    end_when_interrupted()
    from source_ats import cli  # noqa: PLC0415 - the import takes most of the time of a start

    cli.source_ats()
