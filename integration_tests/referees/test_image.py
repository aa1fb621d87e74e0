"""The images: built from the Dockerfile, and run as Airbyte and as people run them."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from operator import itemgetter
from pathlib import Path

import pytest
import yaml

from integration_tests.sandbox.running import PROJECT, Sandbox
from integration_tests.support.connector import SOURCE, Connector, catalog, parsed, table
from integration_tests.support.every_stream import configuration
from integration_tests.support.image import Engine, NoEngine, built
from integration_tests.support.writer import COMMAND, OPEN, Writer, configured, lines_of

PROGRAMS: dict[str, str | Path] = {"source-ats": SOURCE, "destination-comeet": COMMAND[0]}
STREAMS = ["candidate_history", "candidates", "profiles"]
USER = 1000
VERSION = yaml.safe_load((PROJECT / "metadata.yaml").read_text())["data"]["dockerImageTag"]

# The first is what people type, the second what Airbyte runs.
STARTS = {
    "entry point": ([], []),
    "variable": (["--entrypoint=sh"], ["-c", 'eval "$AIRBYTE_ENTRYPOINT $*"', "sh"]),
}

pytestmark = [pytest.mark.image, pytest.mark.timeout(3600)]


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """Both images, built once."""
    try:
        with built(list(PROGRAMS), VERSION) as made:
            yield made
    except NoEngine as error:
        pytest.skip(str(error))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder in which the container's user may write, as the ledger is there."""
    made = tmp_path / "shared"
    made.mkdir()
    os.chown(made, USER, USER)
    return made


def started(engine: Engine, image: str, folder: Path, start: str = "entry point") -> list[str]:
    """Return how to start an image; arguments of the connector may follow."""
    options, arguments = STARTS[start]
    return [*engine.container(image, folder=folder, options=options), *arguments]


@pytest.mark.parametrize("image", PROGRAMS)
def test_spec_is_that_of_the_package(
    engine: Engine, image: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = subprocess.run([PROGRAMS[image], "spec"], capture_output=True, check=True)
    seconds = []
    for _ in range(3):
        began = time.monotonic()
        command = [*started(engine, image, folder), "spec"]
        done = subprocess.run(command, capture_output=True, check=True, timeout=1100)
        seconds.append(time.monotonic() - began)
        assert parsed(done.stdout) == parsed(expected.stdout)

    facts = engine.inspect(image)
    assert facts["Config"]["Labels"]["io.airbyte.name"] == f"airbyte/{image}"
    assert facts["Config"]["Labels"]["io.airbyte.version"] == VERSION
    with capsys.disabled():
        size = facts["Size"] / 1e6
        print(f"\n{image}: {size:.0f} MB, container to spec in {min(seconds):.2f} s")  # noqa: T201


@pytest.mark.parametrize("image", PROGRAMS)
def test_it_runs_without_root_and_cannot_write_into_itself(
    engine: Engine, image: str, folder: Path
) -> None:
    shell = engine.container(image, folder=folder, options=["--entrypoint=sh"])
    script = "id -u; touch /airbyte/x /opt/connector/x 2>/dev/null || echo refused; mktemp -u"
    done = subprocess.run([*shell, "-c", script], capture_output=True, check=True, timeout=1100)
    user, refused, temporary = done.stdout.decode().split()
    assert (user, refused) == (str(USER), "refused")
    assert temporary.startswith("/tmp/")  # noqa: S108 - the name of it, in the container


@pytest.mark.parametrize("start", STARTS)
def test_the_source_checks_discovers_and_reads(
    engine: Engine, sandbox: Sandbox, folder: Path, start: str
) -> None:
    sandbox.control("/_control/atz_crm/settings", {"rate_limit": None})
    config = configuration(sandbox)
    image = Connector(folder, config, started(engine, "source-ats", folder, start))
    package = Connector(folder, config)

    (status,) = image.run("check").of("CONNECTION_STATUS")
    assert status["status"] == "SUCCEEDED", status
    (discovered,) = image.run("discover").of("CATALOG")
    assert set(STREAMS) <= {each["name"] for each in discovered["streams"]}

    first = image.read(*STREAMS)
    assert (first.code, first.errors()) == (0, [])
    expected = package.read(*STREAMS)
    # The accounts are read side by side, so the order of their rows differs from run to run.
    by_id = itemgetter("id")
    assert sorted(first.records("candidates"), key=by_id) == sorted(
        expected.records("candidates"), key=by_id
    )
    for stream in STREAMS:
        assert table(first, stream=stream).keys() == table(expected, stream=stream).keys() != set()

    second = image.read("candidates", state=first.of("STATE"))
    assert second.code == 0
    assert len(second.records("candidates")) < len(first.records("candidates"))


def test_a_stop_of_the_container_is_orderly(engine: Engine, sandbox: Sandbox, folder: Path) -> None:
    kombo = {"kombo": configuration(sandbox)["kombo"]}
    kombo["kombo"]["page_size"] = 10
    source = Connector(folder, kombo, started(engine, "source-ats", folder))
    sandbox.fault("kombo.candidates", "delay", delay_seconds=0.2)
    run = source.start(catalog=catalog("candidates"))
    assert run.wait_until(lambda: b'"STATE"' in run.printed())
    stopped = run.end(signal.SIGTERM)
    assert stopped.code == 143
    assert stopped.statuses()[-1] == "INCOMPLETE"
    sandbox.clear_faults()
    rest = source.read("candidates", state=stopped.of("STATE"))
    assert table(stopped, rest) == table(source.read("candidates"))


@pytest.mark.parametrize("start", STARTS)
def test_the_destination_checks_and_writes(
    engine: Engine, sandbox: Sandbox, folder: Path, start: str
) -> None:
    rows = Connector(folder, {"kombo": configuration(sandbox)["kombo"]}).read("candidates")
    writer = Writer(sandbox, folder)
    writer.config["streams"] = [
        {
            "stream": "candidates",
            "mapping": {"mapping_type": "kombo_candidates"},
            "position_uid": OPEN,
        }
    ]
    writer.catalog = {"streams": [configured("candidates")]}
    image = started(engine, "destination-comeet", folder, start)

    assert writer.run_by(image, "check").status()["status"] == "SUCCEEDED"
    written = writer.run_by(image, "write", lines_of(rows.messages))
    assert written.code == 0
    assert len(written.states()) == len(rows.of("STATE"))
    people = writer.truth()
    assert people
    again = writer.run_by(image, "write", lines_of(rows.messages))
    assert again.code == 0
    assert writer.truth() == people
