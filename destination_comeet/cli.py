"""The command line `destination-comeet`."""

from __future__ import annotations

import argparse
import contextlib
import sys
import threading
from collections.abc import Sequence

from destination_comeet import commands, config, stdin
from source_ats import process
from source_ats.clock import Clock
from source_ats.protocol import input_files, messages


def destination_comeet() -> None:
    """Run `destination-comeet` with the arguments of the process, and end the process."""
    process.run_process(
        lambda output, stop, clock: main(sys.argv[1:], sys.stdin.fileno(), output, stop, clock)
    )


def main(
    argv: Sequence[str],
    descriptor: int,
    output: process.Output,
    stop: threading.Event,
    clock: Clock,
) -> int:
    """Run one verb of `destination-comeet`; messages are read from `descriptor`.

    Exit codes as for `source-ats`.
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
                batches = stdin.lines_at_hand(descriptor, stop)
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
    parser, add_verb = process.argument_parser(
        "destination-comeet", "Write the records of standard input."
    )
    add_verb("check", help="try the configuration, make the ledger")
    write = add_verb("write", help="write the records of standard input")
    write.add_argument("--catalog", required=True, metavar="FILE", help="the streams that come")
    return parser.parse_args(argv)
