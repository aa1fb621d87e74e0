"""The two command lines. The only file that knows `argv`, standard output and signals."""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence
from typing import ClassVar

from source_ats import config, inputs, messages, verbs
from source_ats.clock import Clock, SystemClock
from source_ats.errors import AtsError, ConfigError
from source_ats.stream import Incomplete

EXIT_DONE = 0
EXIT_FAILED = 1
EXIT_TERMINATED = 128 + signal.SIGTERM
EXIT_PIPE_CLOSED = 128 + signal.SIGPIPE


def source_ats() -> None:
    """Run `source-ats` with the arguments of the process, and end the process."""
    stop = threading.Event()
    clock = SystemClock(stop)
    output = Output(sys.stdout.fileno())
    signal.signal(signal.SIGTERM, lambda signum, frame: stop.set())
    # Python would print the text of the error, which may hold anybody's data.
    sys.excepthook = lambda kind, error, trace: output.write(messages.bug(error, clock.now()))
    code = main(sys.argv[1:], output, stop, clock)
    if stop.is_set():
        # A call that is still in flight would hold the process up at its exit.
        os._exit(code)
    sys.exit(code)


def destination_comeet() -> None:
    """Say that the destination does not exist yet."""
    sys.exit("destination-comeet cannot write yet: this version holds the source only.")


class Output:
    """Lines on a file descriptor, whole even when several threads write. Nothing is buffered."""

    def __init__(self, descriptor: int) -> None:
        """`descriptor` stays open for as long as this lives."""
        self._descriptor = descriptor
        self._lock = threading.Lock()

    def write(self, lines: bytes) -> None:
        """Write whole lines. Raises `BrokenPipeError` when nobody reads them any more."""
        # Python's own buffered writer loses bytes when a signal comes in the middle of a write.
        with self._lock:
            rest = memoryview(lines)
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]


def main(argv: Sequence[str], output: Output, stop: threading.Event, clock: Clock) -> int:
    """Run one verb and return the exit code; all messages go to `output`.

    0: done (for `check`: answered). 1: failed, and a message tells why. 143: ended by `stop`, in
    order. 141: nobody reads the output any more.
    """
    arguments = _arguments(argv)
    logger = logging.getLogger("airbyte")
    handler = _LogLines(output)
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG if arguments.debug else logging.INFO)
    try:
        match arguments.verb:
            case "spec":
                output.write(messages.line({"type": "SPEC", "spec": config.spec()}))
                return EXIT_DONE
            case "check":
                return _check(arguments, output, clock)
            case "discover":
                catalog = verbs.discover(_configured(arguments), clock)
                output.write(messages.line({"type": "CATALOG", "catalog": catalog}))
                return EXIT_DONE
            case _:
                return _read(arguments, output, stop, clock)
    except AtsError as error:
        output.write(messages.error(error, clock.now()))
        return EXIT_FAILED
    except BrokenPipeError:
        return EXIT_PIPE_CLOSED
    finally:
        logger.removeHandler(handler)


def _check(arguments: argparse.Namespace, output: Output, clock: Clock) -> int:
    """Answer with a status in any case; a file that is no configuration also fails the process."""
    try:
        configuration = _configured(arguments)
    except ConfigError as error:
        output.write(messages.connection_status(succeeded=False, message=error.message))
        return EXIT_FAILED
    try:
        message = verbs.check(configuration, clock)
    except AtsError as error:
        output.write(messages.connection_status(succeeded=False, message=error.message))
    else:
        output.write(messages.connection_status(succeeded=True, message=message))
    return EXIT_DONE


def _read(
    arguments: argparse.Namespace, output: Output, stop: threading.Event, clock: Clock
) -> int:
    configuration = _configured(arguments)
    catalog = inputs.read_json(arguments.catalog, "catalog")
    states = inputs.state_file(arguments.state) if arguments.state else []
    try:
        for lines in verbs.read(configuration, catalog, states, clock, stop):
            output.write(lines)
    except Incomplete:
        # Each stream has said why.
        return EXIT_TERMINATED if stop.is_set() else EXIT_FAILED
    return EXIT_DONE


def _configured(arguments: argparse.Namespace) -> config.SourceConfig:
    return verbs.configured(inputs.config(arguments.config))


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    """Parse the command line as Airbyte's protocol has it; ends the process if it is wrong."""
    parser = argparse.ArgumentParser(
        prog="source-ats", description="Read people data out of applicant tracking systems."
    )
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--debug", action="store_true", help="print debug log lines")
    with_config = argparse.ArgumentParser(add_help=False, parents=[common])
    with_config.add_argument("--config", required=True, metavar="FILE", help="the configuration")
    parsers = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    parsers.add_parser("spec", parents=[common], help="print the form of the configuration")
    parsers.add_parser("check", parents=[with_config], help="try the configuration")
    parsers.add_parser("discover", parents=[with_config], help="print the streams")
    read = parsers.add_parser("read", parents=[with_config], help="print the records")
    read.add_argument("--catalog", required=True, metavar="FILE", help="the streams to read")
    read.add_argument("--state", metavar="FILE", help="where an earlier run stood")
    return parser.parse_args(argv)


class _LogLines(logging.Handler):
    """Log records as Airbyte's LOG lines."""

    _LEVELS: ClassVar = {"WARNING": "WARN", "CRITICAL": "FATAL"}

    def __init__(self, output: Output) -> None:
        super().__init__()
        self._output = output

    def emit(self, record: logging.LogRecord) -> None:
        """Print one record. A closed pipe is noticed by whoever prints the next message."""
        level = self._LEVELS.get(record.levelname, record.levelname)
        with contextlib.suppress(BrokenPipeError):
            self._output.write(messages.log(level, record.getMessage()))
