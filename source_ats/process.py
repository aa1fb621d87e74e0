"""What both command lines share: the process, its exit codes, signals and standard output."""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from functools import partial
from typing import ClassVar, TypeVar

from source_ats.clock import Clock, SystemClock
from source_ats.errors import AtsError, ConfigError, Stopped
from source_ats.protocol import messages

C = TypeVar("C")

log = logging.getLogger("airbyte.source_ats.cli")

EXIT_DONE = 0
EXIT_FAILED = 1
EXIT_TERMINATED = 128 + signal.SIGTERM
EXIT_PIPE_CLOSED = 128 + signal.SIGPIPE


class Output:
    """Lines on a file descriptor, whole even when several threads write. Nothing is buffered."""

    def __init__(self, descriptor: int) -> None:
        """`descriptor` stays open for as long as this lives."""
        self._descriptor = descriptor
        self._lock = threading.Lock()

    def write(self, lines: bytes) -> None:
        """Write whole lines. Raises `BrokenPipeError` when the reader is gone."""
        # Python's own buffered writer loses bytes when a signal comes in the middle of a write.
        with self._lock:
            rest = memoryview(lines)
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]


def run_process(main: Callable[[Output, threading.Event, Clock], int]) -> None:
    """Run a command line with the real output and clock, and end the process with its code."""
    stop = threading.Event()
    clock = SystemClock(stop)
    output = Output(sys.stdout.fileno())
    signal.signal(signal.SIGTERM, lambda signum, frame: stop.set())
    # A thread with a response waits up to this long for one that makes records. Python's default
    # of 5 ms, several times per request, would leave a vendor waiting.
    sys.setswitchinterval(0.0005)
    # Python would print the text of the error, which may hold anybody's data.
    sys.excepthook = lambda kind, error, trace: output.write(messages.bug(error, clock.now()))
    code = main(output, stop, clock)
    # Nothing is buffered, and a thread that still waits would hold the process up at its exit.
    os._exit(code)


def run_command(
    verb: Callable[[], int], arguments: argparse.Namespace, output: Output, clock: Clock
) -> int:
    """Run a verb with its log lines on the output; what it raises becomes a message and a code."""
    logger = logging.getLogger("airbyte")
    handler = _LogLines(output)
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG if arguments.debug else logging.INFO)
    try:
        return verb()
    except Stopped:
        log.info("Stopped cleanly on request. The next run resumes from the last state.")
        return EXIT_TERMINATED
    except AtsError as error:
        output.write(messages.error(error, clock.now()))
        return EXIT_FAILED
    except BrokenPipeError:
        return EXIT_PIPE_CLOSED
    finally:
        logger.removeHandler(handler)


def run_check(configured: Callable[[], C], check: Callable[[C], str], output: Output) -> int:
    """Print a connection status, whatever fails; a file that is no configuration exits with 1."""
    try:
        configuration = configured()
    except ConfigError as error:
        output.write(messages.connection_status(succeeded=False, message=error.message))
        return EXIT_FAILED
    succeeded = False
    message = "Something went wrong inside the connector. Please report it with the error below."
    try:
        message = check(configuration)
        succeeded = True
    except AtsError as error:
        message = error.message
    finally:
        # An exception that is not ours is printed as an error after this.
        output.write(messages.connection_status(succeeded=succeeded, message=message))
    return EXIT_DONE


def argument_parser(
    program: str, description: str
) -> tuple[argparse.ArgumentParser, Callable[..., argparse.ArgumentParser]]:
    """Return a parser that knows `spec`, and what adds a verb that takes a configuration."""
    parser = argparse.ArgumentParser(prog=program, description=description)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--debug", action="store_true", help="print debug log lines")
    with_config = argparse.ArgumentParser(add_help=False, parents=[common])
    with_config.add_argument("--config", required=True, metavar="FILE", help="the configuration")
    commands = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    commands.add_parser("spec", parents=[common], help="print the form of the configuration")
    return parser, partial(commands.add_parser, parents=[with_config])


class _LogLines(logging.Handler):
    """Log records as Airbyte's LOG lines."""

    _LEVELS: ClassVar = {"WARNING": "WARN", "CRITICAL": "FATAL"}

    def __init__(self, output: Output) -> None:
        super().__init__()
        self._output = output

    def emit(self, record: logging.LogRecord) -> None:
        """Print one record. A closed pipe is noticed when the next message is printed."""
        level = self._LEVELS.get(record.levelname, record.levelname)
        with contextlib.suppress(BrokenPipeError):
            self._output.write(messages.log(level, record.getMessage()))
