"""The sample records on the pages are rows that the connector emits, with the fake vendors."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from integration_tests.support import doc_blocks
from integration_tests.support.connector import Connector, Run
from integration_tests.support.every_stream import configuration
from tools import sandbox

SAMPLE = re.compile(r"<!-- sample record of (\w+) -->\n```json\n(.+?)```", re.DOTALL)
PEOPLE = 60
SAMPLES = [
    pytest.param(stream, json.loads(text), id=f"{page.name}-{stream}")
    for page in doc_blocks.pages()
    for stream, text in SAMPLE.findall(page.read_text("utf-8"))
]
MOMENT = re.compile(r"\d{4}-\d\d-\d\d(T[\d:.]+(Z|[+-]\d\d:\d\d))?")
DERIVED_ID = re.compile("[0-9a-f]{32}")
"""The id of a row of `candidate_history`: it is made from a day, among others."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """One read of every stream that has a sample."""
    folder = tmp_path_factory.mktemp("samples")
    with sandbox.started(PEOPLE) as vendors:
        streams = {stream for stream, _ in (sample.values for sample in SAMPLES)}
        yield Connector(folder, configuration(vendors)).read(*map(str, streams))


@pytest.mark.parametrize(("stream", "sample"), SAMPLES)
def test_the_sample_is_a_shortened_record(run: Run, stream: str, sample: Any) -> None:
    assert [row for row in run.records(stream) if is_shortened(sample, row)] != []


def is_shortened(sample: Any, full: Any) -> bool:
    """True if the full value has all that the sample has.

    Moments, and ids that are made from one, are compared by their form.
    """
    if isinstance(sample, dict) and isinstance(full, dict):
        return all(name in full and is_shortened(each, full[name]) for name, each in sample.items())
    if isinstance(sample, list) and isinstance(full, list):
        return len(sample) == len(full) and all(map(is_shortened, sample, full))
    if isinstance(sample, str) and isinstance(full, str):
        for form in (MOMENT, DERIVED_ID):
            if form.fullmatch(sample):
                return form.fullmatch(full) is not None
    return bool(sample == full and type(sample) is type(full))
