"""The two command lines. The only file that knows `argv`, standard streams and signals."""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import ClassVar, TypeVar

from source_ats import config, messages
from source_ats.clock import Clock, SystemClock
from source_ats.errors import AtsError, ConfigError, Stopped
from source_ats.stream import Incomplete

C = TypeVar("C")

log = logging.getLogger("airbyte.source_ats.run")

EXIT_DONE = 0
EXIT_FAILED = 1
EXIT_TERMINATED = 128 + signal.SIGTERM
EXIT_PIPE_CLOSED = 128 + signal.SIGPIPE


def source_ats() -> None:
    """Run `source-ats` with the arguments of the process, and end the process."""
    _end_process_with(lambda output, stop, clock: main(sys.argv[1:], output, stop, clock))


def destination_comeet() -> None:
    """Run `destination-comeet` with the arguments of the process, and end the process."""
    _end_process_with(
        lambda output, stop, clock: destination_main(
            sys.argv[1:], sys.stdin.fileno(), output, stop, clock
        )
    )


def main(argv: Sequence[str], output: Output, stop: threading.Event, clock: Clock) -> int:
    """Run one verb of `source-ats` and return the exit code; all messages go to `output`.

    0: done (for `check`: answered). 1: failed, and a message tells why. 143: ended by `stop`, in
    order. 141: nobody reads the output any more.
    """
    arguments = _source_arguments(argv)

    def run() -> int:
        if arguments.verb == "spec":
            output.write(messages.line({"type": "SPEC", "spec": config.spec()}))
            return EXIT_DONE
        return _configured_verb(arguments, output, stop, clock)

    return _run(run, arguments, output, clock)


def destination_main(
    argv: Sequence[str], descriptor: int, output: Output, stop: threading.Event, clock: Clock
) -> int:
    """Run one verb of `destination-comeet`; messages are read from `descriptor`.

    Exit codes as for `main`.
    """
    # The source shall not wait for the libraries of the destination.
    from source_ats import (  # noqa: PLC0415
        destination_config,
        destination_verbs,
        inputs,
        standard_input,
    )

    arguments = _destination_arguments(argv)

    def run() -> int:
        match arguments.verb:
            case "spec":
                output.write(messages.line({"type": "SPEC", "spec": destination_config.spec()}))
            case "check":
                return _check(configured, lambda each: destination_verbs.check(each, clock), output)
            case _:
                configuration = configured()
                catalog = inputs.read_json(arguments.catalog, "catalog")
                batches = standard_input.lines_at_hand(descriptor, stop)
                written = destination_verbs.write(configuration, catalog, batches, clock)
                with contextlib.closing(written) as lines:
                    for line in lines:
                        output.write(line)
        return EXIT_DONE

    def configured() -> destination_config.DestinationConfig:
        return destination_verbs.configured(inputs.config(arguments.config))

    return _run(run, arguments, output, clock)


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


def _end_process_with(main: Callable[[Output, threading.Event, Clock], int]) -> None:
    stop = threading.Event()
    clock = SystemClock(stop)
    output = Output(sys.stdout.fileno())
    signal.signal(signal.SIGTERM, lambda signum, frame: stop.set())
    # A thread whose answer is there waits up to so long for one that makes records. Python's own
    # 5 ms, several times for each call, would leave a vendor waiting.
    sys.setswitchinterval(0.0005)
    # Python would print the text of the error, which may hold anybody's data.
    sys.excepthook = lambda kind, error, trace: output.write(messages.bug(error, clock.now()))
    code = main(output, stop, clock)
    # Nothing is buffered, and a thread that still waits would hold the process up at its exit.
    os._exit(code)


def _run(
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
        log.info("The run was asked to end, and ended in order; the next run goes on.")
        return EXIT_TERMINATED
    except AtsError as error:
        output.write(messages.error(error, clock.now()))
        return EXIT_FAILED
    except BrokenPipeError:
        return EXIT_PIPE_CLOSED
    finally:
        logger.removeHandler(handler)


def _check(configured: Callable[[], C], check: Callable[[C], str], output: Output) -> int:
    """Answer with a status in any case; a file that is no configuration also fails the process."""
    try:
        configuration = configured()
    except ConfigError as error:
        output.write(messages.connection_status(succeeded=False, message=error.message))
        return EXIT_FAILED
    try:
        message = check(configuration)
    except AtsError as error:
        output.write(messages.connection_status(succeeded=False, message=error.message))
    else:
        output.write(messages.connection_status(succeeded=True, message=message))
    return EXIT_DONE


def _configured_verb(
    arguments: argparse.Namespace, output: Output, stop: threading.Event, clock: Clock
) -> int:
    """Run a verb of `source-ats` that takes a configuration."""
    # The form shall not wait for the libraries that calls need.
    from source_ats import inputs, verbs  # noqa: PLC0415

    def configured() -> config.SourceConfig:
        return verbs.configured(inputs.config(arguments.config))

    match arguments.verb:
        case "check":
            return _check(configured, lambda each: verbs.check(each, clock), output)
        case "discover":
            catalog = verbs.discover(configured(), clock)
            output.write(messages.line({"type": "CATALOG", "catalog": catalog}))
            return EXIT_DONE
    configuration = configured()
    catalog = inputs.read_json(arguments.catalog, "catalog")
    states = inputs.state_file(arguments.state) if arguments.state else []
    try:
        for lines in verbs.read(configuration, catalog, states, clock, stop):
            output.write(lines)
    except Incomplete:
        # Each stream has said why.
        return EXIT_TERMINATED if stop.is_set() else EXIT_FAILED
    return EXIT_DONE


def _source_arguments(argv: Sequence[str]) -> argparse.Namespace:
    """Parse the command line as Airbyte's protocol has it; ends the process if it is wrong."""
    parser, add_verb = _parser("source-ats", "Read people data, as messages on standard output.")
    add_verb("check", help="try the configuration")
    add_verb("discover", help="print the streams")
    read = add_verb("read", help="print the records")
    read.add_argument("--catalog", required=True, metavar="FILE", help="the streams to read")
    read.add_argument("--state", metavar="FILE", help="where an earlier run stood")
    return parser.parse_args(argv)


def _destination_arguments(argv: Sequence[str]) -> argparse.Namespace:
    """Parse the command line as Airbyte's protocol has it; ends the process if it is wrong."""
    parser, add_verb = _parser("destination-comeet", "Write the records of standard input.")
    add_verb("check", help="try the configuration, make the ledger")
    write = add_verb("write", help="write the records of standard input")
    write.add_argument("--catalog", required=True, metavar="FILE", help="the streams that come")
    return parser.parse_args(argv)


def _parser(
    program: str, description: str
) -> tuple[argparse.ArgumentParser, Callable[..., argparse.ArgumentParser]]:
    """Return a parser that knows `spec`, and what adds a verb that takes a configuration."""
    parser = argparse.ArgumentParser(prog=program, description=description)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--debug", action="store_true", help="print debug log lines")
    with_config = argparse.ArgumentParser(add_help=False, parents=[common])
    with_config.add_argument("--config", required=True, metavar="FILE", help="the configuration")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    verbs.add_parser("spec", parents=[common], help="print the form of the configuration")
    return parser, partial(verbs.add_parser, parents=[with_config])


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
