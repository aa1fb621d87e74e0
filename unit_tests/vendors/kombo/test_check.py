"""What `check` asks Kombo, and what it says about an integration."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import requests_mock

from source_ats.errors import ConfigError, PartitionUnavailable
from source_ats.http.retry import CHECK_POLICY
from source_ats.vendors.kombo import models, streams
from source_ats.vendors.kombo.check import check
from source_ats.vendors.kombo.config import KomboConfig
from unit_tests.fakes import FakeClock

BASE = "https://kombo.example.com/v1"
SAVED = Path(__file__).parent / "saved_responses"
MODELS = [model.read_model for model in models.MODELS]
EXPIRED = "2026-01-30T08:00:00.000Z"

Json = dict[str, Any]


def saved(name: str) -> Json:
    whole: Json = json.loads((SAVED / f"{name}.json").read_text("utf-8"))
    body: Json = whole["body"]
    return body


class Kombo:
    """Answers as documented. `integration` is what it says of the integration `one`."""

    def __init__(self, mocker: requests_mock.Mocker) -> None:
        self.mocker = mocker
        self.integration = copy.deepcopy(saved("integration"))
        self.offers(*MODELS)
        mocker.get(f"{BASE}/check-api-key", json=saved("check_api_key"))
        mocker.get(f"{BASE}/integrations/one", json=lambda request, context: self.integration)
        mocker.get(f"{BASE}/ats/candidates", json=saved("candidates_none"))

    def offers(self, *models: str) -> None:
        """Say which models can be read."""
        (first, *_) = self.integration["data"]["read_models"]
        self.integration["data"]["read_models"] = [
            {**first, "id": model, "is_available": model in models} for model in MODELS
        ]

    def check(self, **settings: Any) -> list[str]:
        """Check the integration `one`."""
        config = KomboConfig(api_key="key", integration_ids=["one"], base_url=BASE, **settings)
        client = streams.client(
            config, FakeClock(), on_rate_limit=lambda until: None, retry_policy=CHECK_POLICY
        )
        return check(config, client)

    def asked(self) -> Sequence[str]:
        """Return the paths of the requests."""
        return [each.path for each in self.mocker.request_history]


@pytest.fixture
def kombo() -> Iterator[Kombo]:
    with requests_mock.Mocker() as mocker:
        yield Kombo(mocker)


def test_a_good_integration_needs_three_requests_and_no_note(kombo: Kombo) -> None:
    assert kombo.check() == []
    assert kombo.asked() == ["/v1/check-api-key", "/v1/integrations/one", "/v1/ats/candidates"]
    probe = kombo.mocker.request_history[-1]
    assert probe.qs == {"page_size": ["1"], "include_deleted": ["false"]}
    assert probe.headers["X-Integration-Id"] == "one"


def test_models_that_cannot_be_read_are_named(kombo: Kombo) -> None:
    kombo.offers(*MODELS[:-2])
    names = ", ".join(model.stream for model in models.MODELS[-2:])
    assert kombo.check() == [
        (
            f"Integration one has nothing for {names}: its applicant tracking system does not "
            "offer them, or they are switched off in Kombo."
        )
    ]


def test_a_copy_that_is_out_of_date_is_reported(kombo: Kombo) -> None:
    kombo.integration["data"]["data_expired_at"] = EXPIRED
    assert kombo.check() == [
        (
            "Integration one: filters or scopes were changed, so Kombo's copy is out of date until "
            "its next sync."
        )
    ]


def test_an_integration_of_comeet_is_not_to_be_written_back(kombo: Kombo) -> None:
    kombo.integration["data"]["tool"]["id"] = "comeet"
    assert kombo.check() == [
        "Integration one is itself Comeet: do not write its candidates back to Comeet."
    ]


def test_files_cannot_be_tried_without_a_candidate(kombo: Kombo) -> None:
    assert kombo.check(candidate_files=True) == [
        (
            "Integration one has no candidates yet, so it cannot be tested whether their files can "
            "be read."
        )
    ]


def test_an_integration_without_any_model_cannot_be_read(kombo: Kombo) -> None:
    kombo.offers()
    with pytest.raises(PartitionUnavailable) as caught:
        kombo.check()
    assert (
        "None of this integration's data can be read: its applicant tracking system does not "
        "offer it, or it is switched off in its scope configuration in Kombo."
    ) in caught.value.message
    assert "/v1/ats/candidates" not in kombo.asked()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("status", "INVALID"),
        ("status", "INACTIVE"),
        ("setup_status", "INCOMPLETE"),
        ("setup_status", "FINAL_SYNC_PENDING"),
        ("category", "HRIS"),
    ],
)
def test_an_integration_that_is_not_ready_is_not_read(kombo: Kombo, field: str, value: str) -> None:
    kombo.integration["data"][field] = value
    with pytest.raises(PartitionUnavailable):
        kombo.check()
    assert "/v1/ats/candidates" not in kombo.asked()


def test_row_filters_that_kombo_refuses_are_named(kombo: Kombo) -> None:
    refused = {"status_code": 400, "json": saved("error_input_invalid")}
    kombo.mocker.get(f"{BASE}/ats/candidates", [{"json": saved("candidates_none")}, refused])
    with pytest.raises(ConfigError) as caught:
        kombo.check(email="mira@example.org")
    assert caught.value.message == (
        "Integration one: Kombo does not accept the row filters. Correct or remove them: "
        "kombo.email."
    )
