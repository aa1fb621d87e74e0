"""The write path: people piped into the fake Comeet, and what became of them read back."""

from __future__ import annotations

import json
import subprocess
import time
from collections import Counter
from pathlib import Path

from integration_tests.sandbox.running import Sandbox
from integration_tests.support.connector import Connector, catalog
from integration_tests.support.every_stream import configuration
from source_ats.plural import counted
from tools import sandbox as fake
from tools.demo.screen import Screen

SHOWN_REASONS = 3
PLAN = "plan.jsonl"
WRITES = {"first write": "First write", "second write": "The same people again"}
"""The names of the files with the messages of each, and what the screen calls it."""
READ, WRITTEN = "read.jsonl", "written.jsonl"
PIPE = (
    f"{fake.PROGRAMS}/source-ats read --config {fake.SOURCE} --catalog {fake.CATALOG}"
    f" | tee {READ} | {fake.PROGRAMS}/destination-comeet write --config {fake.DESTINATION}"
    f" --catalog {fake.CATALOG}"
)
NAMES = {"candidates": ("first_name", "last_name"), "profiles": ("given_name", "family_name")}
"""Of each stream: what its records call the two names that Comeet requires."""


def write_to_comeet(screen: Screen, sandbox: Sandbox, folder: Path) -> None:
    """Send candidates and profiles to Comeet through a pipe: a dry run, two writes, a replay."""
    screen.title("source-ats | destination-comeet")
    source = configuration(sandbox)
    source["kombo"]["candidate_files"] = True
    fake.write_json(folder / fake.SOURCE, {name: source[name] for name in ("kombo", "talemetry")})
    fake.write_json(folder / fake.DESTINATION, fake.destination_configuration(sandbox, folder))
    fake.write_json(folder / fake.CATALOG, catalog("candidates", "profiles"))
    _run(folder, f"{fake.PROGRAMS}/destination-comeet check --config {fake.DESTINATION}")
    screen.say("check: Comeet can be written to, and the ledger is made.")
    _dry_run(screen, folder)
    for name, run in WRITES.items():
        (folder / fake.REJECTED).unlink()
        before = sandbox.look("/_control/comeet/summary")["created"]
        began = time.monotonic()
        with screen.working(f"{run}: reading and writing"):
            _run(folder, f"{PIPE} > {WRITTEN}")
        seconds = time.monotonic() - began
        messages = b"".join((folder / part).read_bytes() for part in (READ, WRITTEN))
        (folder / f"{name}.jsonl").write_bytes(messages)
        created = sandbox.look("/_control/comeet/summary")["created"] - before
        screen.say(f"{run}: {created:,} candidates were created in {seconds:.1f} s.")
    _say_rejected(screen, folder / fake.REJECTED)
    _say_files(screen, sandbox)
    _replay(screen, sandbox, folder)
    duplicates = sandbox.look("/_control/comeet/summary")["duplicates"]
    screen.say(f"{duplicates} candidates were created twice.")


def read_outcomes(screen: Screen, sandbox: Sandbox, folder: Path) -> None:
    """Make recruiters decide on some of the people in Comeet, and read that from there."""
    fake.decide_in_comeet(sandbox, Rejected=0.3, Hired=0.05)
    with screen.working("Reading from Comeet"):
        reader = Connector(folder, {"comeet": configuration(sandbox)["comeet"]})
        rows = reader.read("comeet_candidates").records("comeet_candidates")
    outcomes = Counter(row["status"] for row in rows).most_common()
    counts = ", ".join(f"{count:,} {status.lower()}" for status, count in outcomes)
    screen.say(f"Recruiters decide. source-ats reads from Comeet: {counts}.")


def _dry_run(screen: Screen, folder: Path) -> None:
    """Say what the write would do."""
    with screen.working("Making a dry run"):
        _run(folder, f"{PIPE} --dry-run --plan {PLAN}")
    lines = map(json.loads, (folder / PLAN).read_text("utf-8").splitlines())
    outcomes = Counter(line["outcome"] for line in lines).most_common()
    counts = ", ".join(f"{count:,} {outcome}" for outcome, count in outcomes)
    screen.say(f"write --dry-run: {counts}. Nothing was written.")


def _replay(screen: Screen, sandbox: Sandbox, folder: Path) -> None:
    """Map missing names to a word, and write the rejected records once more."""
    corrected = fake.destination_configuration(sandbox, folder)
    for stream in corrected["streams"]:
        stream["extra_fields"] = [
            {"comeet_field": field, "expression": f"{name} || 'unknown'"}
            for field, name in zip(
                ("first_name", "last_name"), NAMES[stream["stream"]], strict=True
            )
        ]
    fake.write_json(folder / fake.DESTINATION, corrected)
    before = sandbox.look("/_control/comeet/summary")["created"]
    with screen.working("Replaying the rejected records"):
        _run(folder, f"{fake.PROGRAMS}/destination-comeet replay --config {fake.DESTINATION}")
    created = sandbox.look("/_control/comeet/summary")["created"] - before
    left = len((folder / fake.REJECTED).read_bytes().splitlines())
    screen.say(
        f"With a mapping for missing names, replay: {created:,} candidates were created, "
        f"{counted(left, 'record is', 'records are')} left."
    )


def _run(folder: Path, command: str) -> None:
    """Run a line of shell; its messages are not shown."""
    subprocess.run(
        ["/usr/bin/env", "bash", "-euo", "pipefail", "-c", command],
        cwd=folder,
        check=True,
        stdout=subprocess.DEVNULL,
    )


def _say_files(screen: Screen, sandbox: Sandbox) -> None:
    """Say with how many files the people arrived. The fakes forget the content."""
    people = [each["fields"] or {} for each in sandbox.truth("/_control/comeet/truth")]
    resumes = sum("resume" in each for each in people)
    files = sum(len(each.get("files", ())) for each in people)
    screen.say(f"{resumes:,} of them came with a CV, and {files:,} other files with them.")


def _say_rejected(screen: Screen, path: Path) -> None:
    # One JSON object on each line; a text in it may hold other characters that break lines.
    records = [json.loads(line) for line in path.read_text("utf-8").split("\n")[:-1]]
    if not records:
        return
    screen.say(f"{len(records):,} records were not written. The most frequent reasons:")
    # A record for several positions repeats its reason for each of them.
    reasons = Counter(
        reason
        for record in records
        for reason in {f"{each['field']} {each['reason']}" for each in record["refusals"]}
    )
    for reason, count in reasons.most_common(SHOWN_REASONS):
        screen.say(f"  {count:,} because {reason.removesuffix('.')}.")
