"""What both command lines share: the process, its exit codes, signals and standard output."""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import logging
import os
import select
import signal
import sys
import textwrap
import threading
from collections.abc import Callable, Sequence
from functools import partial
from types import TracebackType
from typing import ClassVar, Protocol, TypeVar

from source_ats.clock import Clock, SystemClock
from source_ats.errors import AtsError, OutputFailed, Stopped
from source_ats.protocol import messages
from source_ats.version import VERSION

C = TypeVar("C")


class AddVerb(Protocol):
    """Adds a verb to a command line."""

    def __call__(
        self,
        name: str,
        *,
        help: str,  # noqa: A002 - argparse's name
        takes_config: bool = True,
    ) -> argparse.ArgumentParser:
        """Return the parser of the verb, for its own arguments. `help` is a whole sentence."""
        ...


log = logging.getLogger("airbyte.source_ats.cli")

EXIT_DONE = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_TERMINATED = 128 + signal.SIGTERM
EXIT_PIPE_CLOSED = 128 + signal.SIGPIPE

SECONDS_TO_END = 8.0
"""How long a run may take to end in order after a signal. Docker kills after 10; a read gives its
requests in flight 5."""


_M_ARENA_MAX = -8
"""As in glibc's malloc.h."""


class Output:
    """Lines on a file descriptor, whole even when several threads write. Nothing is buffered."""

    def __init__(self, descriptor: int) -> None:
        """`descriptor` stays open for as long as this lives. It may be non-blocking."""
        self._descriptor = descriptor
        self._lock = threading.Lock()

    def write(self, lines: bytes) -> None:
        """Write whole lines.

        Raises `BrokenPipeError` when the reader has closed its end, and `OutputFailed` when the
        lines cannot be written for another reason.
        """
        # Python's own buffered writer loses bytes when a signal comes in the middle of a write.
        with self._lock:
            rest = memoryview(lines)
            while rest:
                try:
                    rest = rest[os.write(self._descriptor, rest) :]
                except BlockingIOError:
                    self._wait_for_room()
                except BrokenPipeError:
                    raise
                except OSError as error:
                    message = (
                        f"Standard output cannot be written: {error.strerror}. Make room there, or "
                        "redirect it, and run again."
                    )
                    raise OutputFailed(message) from None

    def _wait_for_room(self) -> None:
        room = select.poll()
        room.register(self._descriptor, select.POLLOUT)
        room.poll()


class Signals:
    """SIGTERM and SIGINT. The first sets `stop`; a second one, or time, ends the process.

    A thread of its own reads them, so they count while the main thread waits for an answer, a
    database, or a reader of standard output. To end the process is safe at any moment: the next
    run resumes from the last state.
    """

    def __init__(self, stop: threading.Event) -> None:
        """Receive the signals from now on. For the main thread."""
        self._stop = stop
        self._first: int | None = None
        received, sent = os.pipe()
        os.set_blocking(sent, False)
        for number in (signal.SIGTERM, signal.SIGINT):
            # A handler of Python's, so that the number is sent; it has nothing left to do.
            signal.signal(number, lambda number, frame: None)
        signal.set_wakeup_fd(sent, warn_on_full_buffer=False)
        threading.Thread(target=self._receive, args=(received,), daemon=True).start()

    def exit_code(self, code: int) -> int:
        """Return the exit code of a run, with the signal that ended it."""
        return 128 + self._first if code == EXIT_TERMINATED and self._first else code

    def _receive(self, received: int) -> None:
        self._first = os.read(received, 1)[0]
        self._stop.set()
        select.select([received], [], [], SECONDS_TO_END)
        os._exit(self.exit_code(EXIT_TERMINATED))


def run_process(main: Callable[[Output, threading.Event, Clock], int]) -> None:
    """Run a command line with the real output and clock, and end the process with its code."""
    stop = threading.Event()
    clock = SystemClock(stop)
    try:
        output = Output(sys.stdout.fileno())
    except AttributeError:
        # Closed before the start: a file that is opened now could get its number.
        os._exit(EXIT_PIPE_CLOSED)
    signals = Signals(stop)
    _share_one_heap()
    sys.excepthook = partial(_report_bug, output)
    code = main(output, stop, clock)
    # Nothing is buffered, and a thread that still waits would hold the process up at its exit.
    os._exit(signals.exit_code(code))


def _share_one_heap() -> None:
    """Make all threads allocate from one heap, where the C library is glibc.

    Its default is a heap for each thread, which keeps what was freed: a quarter of the memory when
    all streams are read side by side.
    """
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


def _report_bug(
    output: Output,
    _: type[BaseException],
    error: BaseException,
    __: TracebackType | None,
) -> None:
    """Print a bug without its text, which may hold personal data, and end the process."""
    with contextlib.suppress(BrokenPipeError, OutputFailed):
        output.write(messages.bug(error, SystemClock().now()))
    os._exit(EXIT_FAILED)


def run_command(
    verb: Callable[[], int], arguments: argparse.Namespace, output: Output, clock: Clock
) -> int:
    """Run a verb with its log lines on the output; what it raises becomes a message and a code."""
    logger = logging.getLogger("airbyte")
    handler = _LogLines(output)
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG if arguments.debug else logging.INFO)
    try:
        return _explained(verb, output, clock)
    except OutputFailed as error:
        sys.stderr.write(f"{error.message}\n")
        return EXIT_FAILED
    except BrokenPipeError:
        return EXIT_PIPE_CLOSED
    finally:
        logger.removeHandler(handler)


def _explained(verb: Callable[[], int], output: Output, clock: Clock) -> int:
    """Run a verb, and print why it failed. Raises only what keeps the output from being written."""
    try:
        return verb()
    except Stopped:
        log.info("Stopped cleanly on request. The next run resumes from the last state.")
        return EXIT_TERMINATED
    except OutputFailed:
        raise
    except AtsError as error:
        output.write(messages.error(error, clock.now()))
        return EXIT_FAILED


def run_check(configured: Callable[[], C], check: Callable[[C], str], output: Output) -> int:
    """Always print a connection status, and return 0: the status is the answer.

    Returns `EXIT_TERMINATED` when the run was asked to end.
    """
    code = EXIT_DONE
    succeeded = False
    message = "Something went wrong inside the connector. Please report it with the error below."
    try:
        message = check(configured())
        succeeded = True
    except AtsError as error:
        message = error.message
        if isinstance(error, Stopped):
            code = EXIT_TERMINATED
    finally:
        # An exception that is not ours is printed as an error after this.
        output.write(messages.connection_status(succeeded=succeeded, message=message))
    return code


def argument_parser(
    program: str, description: str, examples: str
) -> tuple[argparse.ArgumentParser, AddVerb]:
    """Return a parser that knows `--version` and `spec`, and what adds a verb."""
    parser = argparse.ArgumentParser(
        prog=program,
        description=description,
        epilog=f"Examples:\n{textwrap.indent(examples, '  ')}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--version",
        action="version",
        version=f"{program} {VERSION}",
        help="Print the version and exit.",
    )
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--debug", action="store_true", help="Log each request, without its data.")
    with_config = argparse.ArgumentParser(add_help=False, parents=[common])
    with_config.add_argument(
        "--config", required=True, metavar="FILE", help="The configuration, as JSON."
    )
    commands = parser.add_subparsers(
        dest="verb", required=True, title="commands", metavar="COMMAND"
    )

    def add_verb(
        name: str,
        *,
        help: str,  # noqa: A002 - argparse's name
        takes_config: bool = True,
    ) -> argparse.ArgumentParser:
        parents = [with_config if takes_config else common]
        added: argparse.ArgumentParser = commands.add_parser(
            name, help=help, description=help, parents=parents
        )
        return added

    add_verb(
        "spec", help="Print the form of the configuration, as JSON Schema.", takes_config=False
    )
    return parser, add_verb


def parsed_arguments(parser: argparse.ArgumentParser, argv: Sequence[str]) -> argparse.Namespace:
    """Return the arguments. Ends the process if they are wrong; without any, prints the help."""
    if not argv:
        parser.print_help(sys.stderr)
        parser.exit(EXIT_USAGE)
    return parser.parse_args(argv)


class _LogLines(logging.Handler):
    """Log records as Airbyte's LOG lines."""

    _LEVELS: ClassVar = {"WARNING": "WARN", "CRITICAL": "FATAL"}

    def __init__(self, output: Output) -> None:
        super().__init__()
        self._output = output

    def emit(self, record: logging.LogRecord) -> None:
        """Print one record. A closed pipe is noticed when the next message is printed."""
        level = self._LEVELS.get(record.levelname, record.levelname)
        with contextlib.suppress(BrokenPipeError, OutputFailed):
            self._output.write(messages.log(level, record.getMessage()))
