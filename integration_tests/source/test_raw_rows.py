"""Rows are passed on as they came: any spelling gives the same by both entry points."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from airbyte_cdk.models import ConfiguredAirbyteCatalogSerializer, Type

from integration_tests.sandbox.running import Sandbox
from integration_tests.support.connector import Connector, catalog
from integration_tests.support.kombo import integrations, kombo_connector
from source_ats import SourceAts

ROWS = {
    "escapes": r'{"id":"\u0061\/b","name":"\"O\u2019Neill\"\t\\n\n\u00e9\ud83d\ude00","last":"\\"}',
    "line breaks that are none in JSON": '{"id":"a","name":"one\u2028two\u2029three\u0085four"}',
    "a line break between": '{\n  "id": "a",\n  "tags": [\n    {"name": "x"}\n  ]\n}',
    "a carriage return between": '{\r\n"id":"a"\r\n,\r"tags":[]}',
    "spaces": '  {  "id"  :  "a"  ,  "name"  :  null  }  ',
    "keys twice": '{"id":"first","id":"second","location":{"city":"Bergen","city":"Porto"}}',
    "keys twice, one of them escaped": r'{"id":"first","\u0069d":"second"}',
    "an integration_id of its own": '{"integration_id":"theirs","id":"a"}',
    "an integration_id of its own, escaped": r'{"integration\u005fid":"theirs","id":"a"}',
    "an integration_id further down": '{"id":"a","custom_fields":{"integration_id":"theirs"}}',
    "integration_id as a value": '{"id":"a","name":"integration_id"}',
    "what looks like the end": '{"id":"a","name":"}]}}","tags":["{","}"]}',
    "numbers in a row with an integration_id of its own": (
        '{"integration_id":"theirs","id":"a","n":[1234567890123456789,-0.0,0.10,1E-7]}'
    ),
    "a row that spans lines, with an integration_id of its own": (
        '{\n  "integration_id": "theirs",\n  "id": "a",\n  "n": [1234567890123456789,\n 1.10]\n}'
    ),
    "numbers": '{"id":"a","n":[0,-0.0,1.0,1e5,1E-7,12345678901234567,0.1]}',
}


@pytest.fixture(scope="module")
def sandbox() -> Any:
    """One whose answers are set by the tests."""
    with Sandbox.start(candidates=1, accounts=1) as running:
        yield running


@pytest.mark.parametrize("name", ROWS)
def test_each_spelling_gives_the_same_message(sandbox: Sandbox, tmp_path: Path, name: str) -> None:
    connector = kombo_connector(sandbox, tmp_path)
    (integration_id,) = integrations(sandbox)
    page = f'{{"status":"success","data":{{"next":null,"results":[{ROWS[name]},{ROWS[name]}]}}}}'
    sandbox.clear_faults()
    sandbox.fault("kombo.candidates", "body", body=page, times=2)
    row = {**json.loads(ROWS[name]), "integration_id": integration_id}
    run = connector.read_quickly()
    assert run.code == 0
    assert run.records() == [row, row]
    assert sum(state["sourceStats"]["recordCount"] for state in run.of("STATE")) == 2
    assert through_source_ats(connector) == [row, row]


def through_source_ats(connector: Connector) -> list[dict[str, Any]]:
    """Return the records that `SourceAts.read` yields."""
    configured = ConfiguredAirbyteCatalogSerializer.load(catalog())
    messages = SourceAts().read(logging.getLogger(), connector.config, configured)
    records = [message.record for message in messages if message.type is Type.RECORD]
    return [record.data for record in records if record is not None]
