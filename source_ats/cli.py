"""The command line `source-ats`."""

from __future__ import annotations

import argparse
import sys
import threading
from collections.abc import Sequence

from source_ats import config, process
from source_ats.clock import Clock
from source_ats.errors import IncompleteRead
from source_ats.protocol import messages

DESCRIPTION = """\
Reads people data from applicant tracking systems. Prints the messages of
Airbyte's protocol on standard output, one JSON object per line."""
EXAMPLES = """\
source-ats check --config source.json
source-ats discover --config source.json
source-ats read --config source.json --catalog catalog.json > messages.jsonl"""


def source_ats() -> None:
    """Run `source-ats` with the arguments of the process, and end the process."""
    process.run_process(lambda output, stop, clock: main(sys.argv[1:], output, stop, clock))


def main(argv: Sequence[str], output: process.Output, stop: threading.Event, clock: Clock) -> int:
    """Run one command of `source-ats` and return its exit code; all messages go to `output`.

    0: done (`check`: answered). 1: failed, and a message says why. 143: stopped cleanly by `stop`;
    the process makes 130 of it after SIGINT. 141: standard output is closed. Wrong arguments end
    the process with 2.
    """
    arguments = _source_arguments(argv)

    def run() -> int:
        if arguments.verb == "spec":
            output.write(messages.line({"type": "SPEC", "spec": config.spec()}))
            return process.EXIT_DONE
        return _configured_verb(arguments, output, stop, clock)

    return process.run_command(run, arguments, output, clock)


def _configured_verb(
    arguments: argparse.Namespace, output: process.Output, stop: threading.Event, clock: Clock
) -> int:
    """Run a verb of `source-ats` that takes a configuration."""
    # `spec` must not wait for the libraries that requests need.
    from source_ats import commands  # noqa: PLC0415
    from source_ats.protocol import input_files  # noqa: PLC0415

    def configured() -> config.SourceConfig:
        return commands.configured(input_files.read_config(arguments.config))

    match arguments.verb:
        case "check":
            return process.run_check(configured, lambda each: commands.check(each, clock), output)
        case "discover":
            catalog = commands.discover(configured(), clock)
            output.write(messages.line({"type": "CATALOG", "catalog": catalog}))
            return process.EXIT_DONE
    configuration = configured()
    catalog = input_files.read_json(arguments.catalog, "catalog")
    states = input_files.read_state_file(arguments.state) if arguments.state else []
    try:
        for lines in commands.read(configuration, catalog, states, clock, stop):
            output.write(lines)
    except IncompleteRead:
        # Each stream has said why.
        return process.EXIT_TERMINATED if stop.is_set() else process.EXIT_FAILED
    return process.EXIT_DONE


def _source_arguments(argv: Sequence[str]) -> argparse.Namespace:
    """Parse the command line as Airbyte's protocol has it; ends the process if it is wrong."""
    parser, add_verb = process.argument_parser("source-ats", DESCRIPTION, EXAMPLES)
    add_verb("check", help="Check whether the configured systems can be read.")
    add_verb("discover", help="Print the streams of the configured systems, with their columns.")
    read = add_verb("read", help="Read the streams of a catalog and print records and states.")
    read.add_argument(
        "--catalog",
        required=True,
        metavar="FILE",
        help="The configured catalog: which streams to read, and in which sync mode.",
    )
    read.add_argument(
        "--state",
        metavar="FILE",
        help="The states that the last run printed. Without it everything is read.",
    )
    return process.parsed_arguments(parser, argv)
