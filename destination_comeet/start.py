"""The command `destination-comeet`, as the operating system starts it."""

from __future__ import annotations

from source_ats.start import end_when_interrupted


def destination_comeet() -> None:
    """Run `destination-comeet` with the arguments of the process, and end the process."""
    end_when_interrupted()
    from destination_comeet import cli  # noqa: PLC0415 - as in source_ats.start

    cli.destination_comeet()
