"""The command line `destination-comeet`."""

from __future__ import annotations

import argparse
import contextlib
import sys
import threading
from collections.abc import Sequence
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
        match arguments.verb:
            case "spec":
                output.write(messages.line({"type": "SPEC", "spec": config.spec()}))
            case "check":
                return process.run_check(
                    configured, lambda each: commands.check(each, clock), output
                )
            case _:
                configuration = configured()
                catalog = input_files.read_json(arguments.catalog, "catalog")
                if descriptor is None:
                    message = "Standard input is closed. Pipe the messages of a source into it."
                    raise ConfigError(message)
                batches = stdin.lines_at_hand(descriptor, stop)
                if arguments.dry_run:
                    written = commands.rehearse(
                        configuration, catalog, batches, clock, arguments.plan
                    )
                else:
                    written = commands.write(configuration, catalog, batches, clock)
                with contextlib.closing(written) as lines:
                    for line in lines:
                        output.write(line)
        return process.EXIT_DONE

    def configured() -> config.DestinationConfig:
        return commands.configured(input_files.read_config(arguments.config))

    return process.run_command(run, arguments, output, clock)


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
    arguments = process.parsed_arguments(parser, argv)
    if arguments.verb == "write" and arguments.plan and not arguments.dry_run:
        write.error("--plan needs --dry-run")
    return arguments
