"""The destination's configuration: the form that users see, and what they are told of mistakes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from airbyte_cdk.models import ConnectorSpecificationSerializer
from airbyte_cdk.test.standard_tests._spec_lint import assert_spec_is_valid
from hypothesis import given
from hypothesis import strategies as st

from destination_comeet import config
from destination_comeet.config import DestinationConfig, PostgresLedger
from source_ats.errors import ConfigError
from source_ats.protocol import spec

CANARY = "canary"
LEAST: dict[str, Any] = {
    "api_key": "key-1",
    "secret": "made-up",
    "streams": [{"stream": "people", "mapping": {"mapping_type": "comeet"}}],
    "ledger": {"ledger_type": "sqlite", "path": "/ledger/comeet.db"},
}


def stream(**more: Any) -> dict[str, Any]:
    return {"stream": "people", "mapping": {"mapping_type": "comeet"}, **more}


def form() -> dict[str, Any]:
    schema: dict[str, Any] = config.spec()["connectionSpecification"]
    return schema


def parts(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        yield schema
        for each in schema.values():
            yield from parts(each)
    if isinstance(schema, list):
        for each in schema:
            yield from parts(each)


def parsed(**changes: Any) -> DestinationConfig:
    return config.parse({**LEAST, **changes}).config


def told(**changes: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        parsed(**changes)
    return caught.value.message


def test_the_form_is_one_that_airbyte_can_show() -> None:
    spec = config.spec()
    assert_spec_is_valid(ConnectorSpecificationSerializer.load(spec), connector_name="destination")
    keys = {key for part in parts(form()) for key in part}
    assert not keys & {"anyOf", "allOf", "$ref", "$defs", "discriminator"}
    jsonschema.Draft7Validator.check_schema(form())
    jsonschema.validate(LEAST, form())


def test_secrets_are_marked() -> None:
    secrets = {
        name
        for part in parts(form())
        for name, field in part.get("properties", {}).items()
        if isinstance(field, dict) and field.get("airbyte_secret")
    }
    assert secrets == {"api_key", "secret", "url"}


def test_the_names_that_users_type() -> None:
    assert set(form()["properties"]) == {
        "api_key", "secret", "streams", "ledger", "match_existing", "on_bad_field",
        "keep_rejected", "keep_rejected_days", "rejected_path", "max_rejected", "file_hosts",
        "requests_per_minute", "base_url",
    }  # fmt: skip
    item = form()["properties"]["streams"]["items"]["properties"]
    assert set(item) == {
        "stream", "mapping", "extra_fields", "skip_when", "position_uid", "positions",
        "partner_id_prefix", "verbatim_partner_id",
    }  # fmt: skip
    kinds = [each["properties"]["mapping_type"]["const"] for each in item["mapping"]["oneOf"]]
    assert kinds == [
        "comeet", "kombo_candidates", "talemetry_profiles", "atz_candidates", "custom",
    ]  # fmt: skip
    ledgers = form()["properties"]["ledger"]["oneOf"]
    assert [set(each["properties"]) for each in ledgers] == [
        {"ledger_type", "url", "new_until"},
        {"ledger_type", "path", "new_until"},
    ]


def test_defaults() -> None:
    config = parsed()
    assert config.requests_per_minute == 60
    assert config.streams[0].prefix == "people:"
    assert config.max_rejected is None
    assert (config.keep_rejected, config.keep_rejected_days) == (False, 30)


def test_emptied_fields_of_the_form_are_not_set() -> None:
    raw = {
        "rejected_path": None,
        "max_rejected": None,
        "base_url": None,
        "requests_per_minute": None,
        "streams": [stream(position_uid=None, positions=None, partner_id_prefix=None)],
    }
    assert parsed(**raw) == parsed()
    jsonschema.validate(spec.without_nulls({**LEAST, **raw}), form())


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"api_key": ""}, "api_key"),
        ({"secret": "a b"}, "secret"),
        ({"streams": []}, "streams"),
        ({"streams": [{"stream": "people"}]}, "streams[0].mapping"),
        (
            {"streams": [stream(mapping={"mapping_type": CANARY})]},
            "streams[0].mapping.mapping_type",
        ),
        ({"streams": [stream(mapping={"mapping_type": "custom"})]}, "streams[0].mapping.fields"),
        (
            {"streams": [stream(positions=[{"job_id": "x"}])]},
            "streams[0].positions[0].position_uid",
        ),
        ({"streams": [stream(), stream()]}, "streams[1].stream"),
        ({"streams": [stream(partner_id_prefix="a@b")]}, "streams[0].partner_id_prefix"),
        (
            {"streams": [stream(), {**stream(), "stream": "b", "partner_id_prefix": "people:"}]},
            "streams[1].partner_id_prefix",
        ),
        (
            {"streams": [stream(positions=[{"job_id": "x", "position_uid": "1"}] * 2)]},
            "streams[0].positions",
        ),
        (
            {
                "streams": [
                    stream(verbatim_partner_id=True),
                    {**stream(verbatim_partner_id=True), "stream": "b"},
                ]
            },
            "streams[1].verbatim_partner_id",
        ),
        (
            {"streams": [stream(verbatim_partner_id=True, partner_id_prefix="a")]},
            "streams[0]",
        ),
        ({"on_bad_field": CANARY}, "on_bad_field"),
        ({"file_hosts": ["https://files.example"]}, "file_hosts[0]"),
        ({"file_hosts": ["a.example", "files.example:443"]}, "file_hosts[1]"),
        ({"file_hosts": ["*"]}, "file_hosts[0]"),
        ({"ledger": {"ledger_type": CANARY}}, "ledger.ledger_type"),
        ({"ledger": {}}, "ledger.ledger_type"),
        (
            {"ledger": {"ledger_type": "postgres", "url": f"mysql://{CANARY}"}},
            "ledger.url",
        ),
        ({"max_rejected": -1}, "max_rejected"),
        ({"requests_per_minute": 0}, "requests_per_minute"),
        ({"base_url": "http://api.comeet.co"}, "base_url"),
    ],
)
def test_mistakes_are_named_without_their_values(changes: dict[str, Any], name: str) -> None:
    message = told(**changes)
    assert message.startswith((f"The configuration is not usable. {name}: ", f"{name}: "))
    assert CANARY not in message


@given(st.dictionaries(st.sampled_from([*LEAST]), st.integers() | st.just(""), min_size=1))
def test_a_wrong_value_is_explained(changes: dict[str, Any]) -> None:
    explained = "|".join(LEAST)
    with pytest.raises(ConfigError, match=explained):
        parsed(**changes)


def test_unknown_keys_are_warned_of_at_every_depth() -> None:
    custom = {
        "mapping_type": "custom",
        "fields": [{"comeet_field": "first_name", "expression": "name", "expresion": CANARY}],
    }
    raw = {
        **LEAST,
        "streams": [stream(), {**stream(mapping=custom), "stream": "b", "postion_uid": CANARY}],
        "ledger": {"ledger_type": "sqlite", "path": "x", "url": CANARY},
        "__injected": {"more": 1},
    }
    expected = {
        "streams[1].mapping.fields[0].expresion": " Did you mean expression?",
        "streams[1].postion_uid": " Did you mean position_uid?",
        "ledger.url": "",
    }
    assert config.parse(raw).warnings == [
        f"The configuration key {path} is unknown and ignored.{advice}"
        for path, advice in expected.items()
    ]


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"secret": "YOUR_SECRET"}, "secret"),
        (
            {"streams": [stream(positions=[{"job_id": "x", "position_uid": "<position uid>"}])]},
            "streams[0].positions[0].position_uid",
        ),
        ({"ledger": {"ledger_type": "postgres", "url": "changeme"}}, "ledger.url"),
    ],
)
def test_a_placeholder_is_named(changes: dict[str, Any], name: str) -> None:
    assert f" {name}: still holds a placeholder. " in told(**changes)


def test_an_expression_in_braces_is_not_a_placeholder() -> None:
    fields = [{"comeet_field": "address", "expression": "{city: town}"}]
    mapping = {"mapping_type": "custom", "fields": fields}
    assert parsed(streams=[stream(mapping=mapping)]).streams[0].mapping.mapping_type == "custom"


def test_a_postgres_ledger() -> None:
    url = "postgresql://user:pass@host:5432/db?sslmode=require"
    ledger = parsed(ledger={"ledger_type": "postgres", "url": url}).ledger
    assert isinstance(ledger, PostgresLedger)
    assert ledger.url == url
