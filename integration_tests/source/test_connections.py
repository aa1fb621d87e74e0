"""Connections that cannot be made: each has its message, for reads and for both checks."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests

from destination_comeet.cli import main as destination_main
from integration_tests.support.configured import failure_types, section, source
from integration_tests.support.connector import Connector, QuickClock, parsed
from integration_tests.support.scripted_vendor import (
    Answer,
    ScriptedVendor,
    make_certificate,
    scripted_vendor,
)
from source_ats.process import Output

STREAMS = {
    "kombo": "candidates",
    "talemetry": "profiles",
    "atz_crm": "candidate_history",
    "comeet": "comeet_candidates",
}


@dataclass(frozen=True)
class Situation:
    """What is wrong, how a read fails, and what the message names."""

    name: str
    failure: str
    says: tuple[str, ...]
    url: str = "http://127.0.0.1:{closed}"
    variables: dict[str, str] = field(default_factory=dict)


SITUATIONS = [
    Situation("refused", "transient_error", ("127.0.0.1", "refused", "base URL")),
    Situation(
        "unknown host",
        "transient_error",
        ("nowhere.invalid", "not known", "base URL"),
        url="https://nowhere.invalid",
    ),
    Situation(
        "proxy that does not answer",
        "config_error",
        ("127.0.0.1", "proxy", "HTTPS_PROXY"),
        url="https://api.example.com",
        variables={"https_proxy": "http://mira:solberg@127.0.0.1:{closed}"},
    ),
    Situation(
        "proxy that does not answer, http",
        "config_error",
        ("127.0.0.1", "proxy", "HTTPS_PROXY"),
        variables={"http_proxy": "http://mira:solberg@127.0.0.1:{closed}"},
    ),
    *[
        Situation(
            f"proxy {proxy}",
            "config_error",
            ("api.example.com", "proxy", "HTTPS_PROXY"),
            url="https://api.example.com",
            variables={"https_proxy": proxy},
        )
        for proxy in (
            "http://", "http://:3128", "proxy.example.com:port", "http://proxy.example.com:99999",
            "ftp://proxy.example.com", "http://[::1", "http:// proxy",
        )
    ],
    Situation(
        "SOCKS proxy without its library",
        "config_error",
        ("api.example.com", "PySocks"),
        url="https://api.example.com",
        variables={"https_proxy": "socks5://127.0.0.1:1080"},
    ),
    Situation(
        "no CA file",
        "config_error",
        ("{folder}/none.pem", "REQUESTS_CA_BUNDLE", "No such file"),
        url="https://127.0.0.1:{closed}",
        variables={"REQUESTS_CA_BUNDLE": "{folder}/none.pem"},
    ),
    Situation(
        "CA file with a name that is too long",
        "config_error",
        ("REQUESTS_CA_BUNDLE", "File name too long"),
        url="https://127.0.0.1:{closed}",
        variables={"REQUESTS_CA_BUNDLE": f"{{folder}}/{'a' * 300}"},
    ),
    Situation(
        "CA file that is not one",
        "config_error",
        ("{folder}/text.pem", "REQUESTS_CA_BUNDLE", "PEM"),
        url="https://127.0.0.1:{closed}",
        variables={"REQUESTS_CA_BUNDLE": "{folder}/text.pem"},
    ),
    Situation(
        "untrusted certificate",
        "config_error",
        ("127.0.0.1", "not trusted", "REQUESTS_CA_BUNDLE"),
        url="{tls}",
    ),
]  # fmt: skip


@pytest.fixture(scope="module")
def closed_port() -> int:
    """A port that nothing listens on."""
    with contextlib.closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScriptedVendor]:
    """A vendor with a certificate of its own."""
    certificate = make_certificate(tmp_path_factory.mktemp("tls"))
    with scripted_vendor(lambda _: Answer({}), certificate=certificate) as vendor:
        yield vendor


@pytest.fixture(params=SITUATIONS, ids=lambda each: each.name)
def situation(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    closed_port: int,
    tls: ScriptedVendor,
) -> Situation:
    """One of them, brought about."""
    place = {"folder": tmp_path, "closed": closed_port, "tls": tls.url}
    wrong: Situation = request.param
    (tmp_path / "text.pem").write_text("No certificate.")
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "requests_ca_bundle"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in wrong.variables.items():
        monkeypatch.setenv(name, value.format(**place))
    if "PySocks" in wrong.says:
        monkeypatch.setattr(requests.adapters, "SOCKSProxyManager", socks_without_library())
    return Situation(
        wrong.name,
        wrong.failure,
        tuple(text.format(**place) for text in wrong.says),
        wrong.url.format(**place),
    )


def socks_without_library() -> Callable[..., None]:
    """Return what the HTTP library calls where PySocks is not installed."""

    def refuse(*_: object, **__: object) -> None:
        raise requests.exceptions.InvalidSchema("Missing dependencies for SOCKS support.")

    return refuse


def names_all(message: str, situation: Situation) -> None:
    """Assert that a message is whole, names host or file and remedy, and shows no password."""
    for text in situation.says:
        assert text.lower() in message.lower()
    assert message.endswith(".")
    assert "solberg" not in message
    assert "report" not in message


def configured(folder: Path, url: str, *vendors: str) -> Connector:
    """Return the source for these vendors, all at one address."""
    return source(folder, **{name: section(name, url) for name in vendors})


@pytest.mark.parametrize("vendor", STREAMS)
def test_a_read_names_what_is_wrong(situation: Situation, tmp_path: Path, vendor: str) -> None:
    run = configured(tmp_path, situation.url, vendor).read_quickly(STREAMS[vendor])
    assert failure_types(run, STREAMS[vendor]) == [situation.failure]
    names_all(run.errors()[0]["message"], situation)


@pytest.mark.parametrize("vendor", STREAMS)
def test_a_check_names_what_is_wrong(situation: Situation, tmp_path: Path, vendor: str) -> None:
    run = configured(tmp_path, situation.url, vendor).run_quickly("check")
    (answer,) = run.of("CONNECTION_STATUS")
    assert (run.code, answer["status"]) == (0, "FAILED")
    names_all(answer["message"], situation)
    assert "next run" not in answer["message"]


def test_the_destinations_check_names_what_is_wrong(situation: Situation, tmp_path: Path) -> None:
    config = {
        "api_key": "comeet-key",
        "secret": "comeet-secret",
        "streams": [
            {"stream": "people", "mapping": {"mapping_type": "comeet"}, "position_uid": "4A.1C2"}
        ],
        "ledger": {"ledger_type": "sqlite", "path": str(tmp_path / "ledger.db")},
        "base_url": situation.url,
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    output = tmp_path / "out.jsonl"
    clock = QuickClock(threading.Event())
    descriptor = os.open(output, os.O_CREAT | os.O_WRONLY)
    arguments = ["check", "--config", str(tmp_path / "config.json")]
    code = destination_main(arguments, 0, Output(descriptor), clock.stop, clock)
    os.close(descriptor)
    (answer,) = (
        each["connectionStatus"]
        for each in parsed(output.read_bytes())
        if each["type"] == "CONNECTION_STATUS"
    )
    assert (code, answer["status"]) == (0, "FAILED"), answer
    names_all(answer["message"], situation)
    assert "next run" not in answer["message"]


def test_one_system_without_a_connection_leaves_the_others_readable(
    tmp_path: Path, closed_port: int
) -> None:
    def kombo(request: Any) -> Answer:
        data: dict[str, Any] = {"next": None, "results": []}
        if request.path.endswith("check-api-key"):
            data = {"environment_id": "e"}
        elif "/integrations/" in request.path:
            data = {
                "id": "greenhouse:one",
                "category": "ATS",
                "status": "ACTIVE",
                "setup_status": "COMPLETED",
                "tool": {"id": "greenhouse"},
            }
        return Answer({"status": "success", "data": data})

    with scripted_vendor(kombo) as vendor:
        connector = source(
            tmp_path,
            kombo=section("kombo", vendor.url),
            atz_crm=section("atz_crm", f"http://127.0.0.1:{closed_port}"),
        )
        run = connector.run_quickly("check")
    (answer,) = run.of("CONNECTION_STATUS")
    assert answer["status"] == "SUCCEEDED", answer
    assert "ATZ CRM" in answer["message"]


def test_the_systems_are_checked_side_by_side(tmp_path: Path) -> None:
    asked = {name: threading.Event() for name in ("kombo", "atz_crm")}
    met: list[bool] = []

    def script(request: Any) -> Answer:
        here, there = ("kombo", "atz_crm") if "/kombo/" in request.path else ("atz_crm", "kombo")
        asked[here].set()
        met.append(asked[there].wait(timeout=10))
        return Answer(b"", 404)

    with scripted_vendor(script) as vendor:
        configured(tmp_path, vendor.url, "kombo", "atz_crm").run_quickly("check")
    assert all(met), "the second system was not asked before the first had answered"
