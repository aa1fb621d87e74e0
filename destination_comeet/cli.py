"""The command line `destination-comeet`."""

from __future__ import annotations

import argparse
import contextlib
import sys
import threading
from collections.abc import Generator, Sequence
from typing import TextIO

from destination_comeet import commands, config, stdin
from source_ats import process
from source_ats.clock import Clock
from source_ats.errors import ConfigError
from source_ats.protocol import input_files, messages

DESCRIPTION = """\
Creates and updates candidates in Comeet (Spark Hire Recruit). `write` takes the
messages of Airbyte's protocol on standard input, one JSON object per line, and
prints the states of what is done."""
EXAMPLES = """\
destination-comeet check --config destination.json
source-ats read --config source.json --catalog catalog.json \\
  | destination-comeet write --config destination.json --catalog catalog.json"""


def destination_comeet() -> None:
    """Run `destination-comeet` with the arguments of the process, and end the process."""
    # A standard input that is closed from the start has no object.
    given: TextIO | None = sys.stdin
    descriptor = None if given is None else given.fileno()
    process.run_process(
        lambda output, stop, clock: main(sys.argv[1:], descriptor, output, stop, clock)
    )


def main(
    argv: Sequence[str],
    descriptor: int | None,
    output: process.Output,
    stop: threading.Event,
    clock: Clock,
) -> int:
    """Run one command of `destination-comeet` and return its exit code, as `source-ats` does.

    Messages are read from `descriptor`; None: standard input is closed.
    """
    arguments = _arguments(argv)

    def run() -> int:
        def configured() -> config.DestinationConfig:
            return commands.configured(input_files.read_config(arguments.config))

        if arguments.verb == "check":
            return process.run_check(configured, lambda each: commands.check(each, clock), output)
        if arguments.verb == "spec":
            output.write(messages.line({"type": "SPEC", "spec": config.spec()}))
            return process.EXIT_DONE
        with contextlib.closing(_lines(arguments, configured(), descriptor, stop, clock)) as lines:
            for line in lines:
                output.write(line)
        return process.EXIT_DONE

    return process.run_command(run, arguments, output, clock)


def _lines(
    arguments: argparse.Namespace,
    configuration: config.DestinationConfig,
    descriptor: int | None,
    stop: threading.Event,
    clock: Clock,
) -> Generator[bytes, None, None]:
    """Run a command, and yield what it prints besides its log."""
    match arguments.verb:
        case "replay":
            return commands.replay(configuration, clock)
        case "rejected" if arguments.clear:
            return commands.clear_rejected(configuration, clock)
        case "rejected":
            return commands.rejected(configuration, clock, values=arguments.values)
        case "unknown" if arguments.adopt:
            return commands.adopt(configuration, clock, *arguments.adopt)
        case "unknown" if arguments.create:
            return commands.create(configuration, clock, arguments.create)
        case "unknown":
            return commands.unknown(configuration, clock)
        case "status":
            return commands.status(configuration, clock)
    catalog = input_files.read_json(arguments.catalog, "catalog")
    if descriptor is None:
        message = "Standard input is closed. Pipe the messages of a source into it."
        raise ConfigError(message)
    batches = stdin.lines_at_hand(descriptor, stop)
    if arguments.dry_run:
        return commands.dry_run(configuration, catalog, batches, clock, arguments.plan)
    return commands.write(configuration, catalog, batches, clock)


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    """Parse the command line as Airbyte's protocol has it; ends the process if it is wrong."""
    parser, add_verb = process.argument_parser("destination-comeet", DESCRIPTION, EXAMPLES)
    add_verb(
        "check",
        help="Check whether Comeet can be written to, and make the ledger if there is none.",
    )
    write = add_verb("write", help="Write the records of standard input to Comeet.")
    write.add_argument(
        "--catalog",
        required=True,
        metavar="FILE",
        help="The configured catalog: which streams to write, with their primary keys.",
    )
    write.add_argument(
        "--dry-run",
        action="store_true",
        help="Report what would become of each record. Nothing is written.",
    )
    write.add_argument(
        "--plan",
        metavar="FILE",
        help="With --dry-run: a file for the outcome of each record, without its values.",
    )
    add_verb("replay", help="Write the kept rejected records once more.")
    rejected = add_verb("rejected", help="List the kept rejected records, without their values.")
    what = rejected.add_mutually_exclusive_group()
    what.add_argument(
        "--values", action="store_true", help="Show the records too: they hold personal data."
    )
    what.add_argument("--clear", action="store_true", help="Remove the records instead.")
    unknown = add_verb(
        "unknown", help="List the keys of unknown outcome, with the candidates that may match."
    )
    decision = unknown.add_mutually_exclusive_group()
    decision.add_argument(
        "--adopt",
        nargs=2,
        metavar=("KEY", "UID"),
        help="Decide that the person of KEY is the candidate UID.",
    )
    decision.add_argument(
        "--create",
        metavar="KEY",
        help="Decide that no candidate is the person of KEY. One is created with the next record.",
    )
    add_verb("status", help="Print what the ledger holds: counts, open notes and match_before.")
    arguments = process.parsed_arguments(parser, argv)
    if arguments.verb == "write" and arguments.plan and not arguments.dry_run:
        write.error("--plan needs --dry-run")
    return arguments
