"""The files of a run: every form of state that a user may hold is taken, no damaged one is."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from source_ats.errors import ConfigError
from source_ats.protocol import input_files


def state(name: str, content: object) -> dict[str, Any]:
    """Return a state as the platform passes it."""
    return {
        "type": "STREAM",
        "stream": {"stream_descriptor": {"name": name}, "stream_state": content},
    }


def printed(name: str, content: object) -> dict[str, Any]:
    """Return a state as a run prints it."""
    return {"type": "STATE", "state": {**state(name, content), "sourceStats": {"recordCount": 1.0}}}


RECORD = {
    "type": "RECORD",
    "record": {"stream": "candidates", "data": {"id": "1"}, "emitted_at": 1},
}
LOG = {"type": "LOG", "log": {"level": "INFO", "message": "made up"}}
CURRENT = {"selection": "h", "integrations": {"a:1": {}}}
EARLIER = {"selection": "h", "integrations": {}}


def lines(*messages: object) -> str:
    return "".join(json.dumps(each) + "\n" for each in messages)


def states_in(path: Path) -> dict[str, Any]:
    """Return what a run given this file goes on from."""
    return dict(input_files.parse_states(input_files.read_state_file(str(path))))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "given.json"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(json.dumps([state("candidates", CURRENT)]), id="list, as the platform"),
        pytest.param(json.dumps([state("candidates", CURRENT)], indent=2), id="list, over lines"),
        pytest.param(json.dumps(state("candidates", CURRENT)), id="one state alone"),
        pytest.param(json.dumps(printed("candidates", CURRENT)), id="one message alone"),
        pytest.param(json.dumps(printed("candidates", CURRENT), indent=2), id="one, over lines"),
        pytest.param(json.dumps([printed("candidates", CURRENT)]), id="list of messages"),
        pytest.param(lines(printed("candidates", CURRENT)), id="one printed line"),
        pytest.param(
            lines(printed("candidates", EARLIER), printed("candidates", CURRENT)),
            id="printed lines, the last one counts",
        ),
        pytest.param(
            json.dumps([state("candidates", EARLIER), state("candidates", CURRENT)]),
            id="list, the last one counts",
        ),
        pytest.param(
            lines(LOG, RECORD, printed("candidates", CURRENT), RECORD, LOG), id="a whole run"
        ),
        pytest.param(
            lines(RECORD, printed("candidates", CURRENT)).replace("\n", "\r\n"),
            id="a whole run, with the line ends of Windows",
        ),
        pytest.param(
            "\n\n" + lines(RECORD) + "\n" + lines(printed("candidates", CURRENT)).rstrip("\n"),
            id="printed lines, blank ones between, no line end",
        ),
        pytest.param(
            json.dumps([{"type": "LEGACY", "data": {}}, state("candidates", CURRENT)]),
            id="beside an empty LEGACY",
        ),
        pytest.param(json.dumps([None, {}, state("candidates", CURRENT)]), id="beside nothing"),
        pytest.param(
            json.dumps(
                [
                    {
                        "type": "STREAM",
                        "stream": {
                            "stream_descriptor": {"name": "candidates", "namespace": None},
                            "stream_state": CURRENT,
                        },
                        "sourceStats": None,
                        "anything": 1,
                    }
                ]
            ),
            id="with keys that are not ours",
        ),
    ],
)
def test_forms_of_state(file: Path, text: str) -> None:
    file.write_text(text)
    assert states_in(file) == {"candidates": CURRENT}


def test_each_stream_has_its_own_state(file: Path) -> None:
    file.write_text(lines(printed("candidates", CURRENT), printed("profiles", EARLIER)))
    assert states_in(file) == {"candidates": CURRENT, "profiles": EARLIER}


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n",
        "null",
        "{}",
        "[]",
        "[null]",
        "[{}]",
        '{"type": "LEGACY", "data": {}}',
        '[{"type": "LEGACY", "data": {}}]',
        '{"type": "STATE", "state": {"type": "LEGACY", "data": {}}}',
    ],
)
def test_forms_of_no_state(file: Path, text: str) -> None:
    file.write_text(text)
    assert states_in(file) == {}


def test_state_without_content_counts_as_none(file: Path) -> None:
    file.write_text(json.dumps([state("candidates", None), state("profiles", {})]))
    assert not any(states_in(file).values())


WHOLE = json.dumps(printed("candidates", CURRENT))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(WHOLE[: len(WHOLE) // 2], id="cut"),
        pytest.param(lines(RECORD) + WHOLE[:-1], id="last line cut"),
        pytest.param(lines(printed("candidates", EARLIER)) + "Killed\n", id="other text between"),
        pytest.param("made up", id="text"),
        pytest.param('"made up"', id="a string"),
        pytest.param("7", id="a number"),
        pytest.param("false", id="false"),
        pytest.param("0", id="zero"),
        pytest.param('""', id="an empty string"),
        pytest.param("[0]", id="a list of zero"),
        pytest.param('[[{"type": "STREAM"}]]', id="a list in a list"),
        pytest.param("[[]]", id="an empty list in a list"),
        pytest.param('{"candidates": {"selection": "h"}}', id="one object for all streams"),
        pytest.param('{"type": "LEGACY", "data": {"candidates": {}}}', id="LEGACY with content"),
        pytest.param(
            '{"type": "GLOBAL", "global": {"shared_state": {}, "stream_states": []}}', id="GLOBAL"
        ),
        pytest.param('{"type": "STREAM"}', id="no stream"),
        pytest.param('{"type": "STATE"}', id="a STATE without state"),
        pytest.param('[{"type": "STATE"}]', id="a list of a STATE without state"),
        pytest.param(lines(RECORD, {"type": "STATE"}), id="a printed STATE without state"),
        pytest.param('{"type": "STREAM", "stream": {"stream_state": {}}}', id="no name"),
        pytest.param(json.dumps([state("candidates", "2025-01-01")]), id="a string for a state"),
        pytest.param(json.dumps([state("candidates", [])]), id="a list for a state"),
        pytest.param(
            json.dumps([state("profiles", CURRENT), {"type": "STREAM", "stream": None}]),
            id="one good, one not",
        ),
        pytest.param("[" * 100_000, id="nested without end"),
    ],
)
def test_damaged_state_is_an_error(file: Path, text: str) -> None:
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        states_in(file)
    assert "state" in caught.value.message


def test_damaged_line_is_named(file: Path) -> None:
    file.write_text(lines(RECORD, printed("candidates", CURRENT)) + '{"type": "STA')
    with pytest.raises(ConfigError, match=r"Line 3 .*given\.json"):
        states_in(file)


def test_damaged_entry_is_named(file: Path) -> None:
    file.write_text(json.dumps([state("candidates", CURRENT), state("profiles", 7)]))
    with pytest.raises(ConfigError, match=r"entry 1.*stream_state"):
        states_in(file)


@pytest.mark.parametrize(
    ("what", "read"),
    [
        ("config", input_files.read_config),
        ("catalog", lambda path: input_files.read_json(path, "catalog")),
        ("state", input_files.read_state_file),
    ],
)
class TestFiles:
    def test_missing_file(self, tmp_path: Path, what: str, read: Any) -> None:
        path = str(tmp_path / "missing.json")
        with pytest.raises(ConfigError) as caught:
            read(path)
        assert what in caught.value.message
        assert path in caught.value.message

    def test_a_folder(self, tmp_path: Path, what: str, read: Any) -> None:
        with pytest.raises(ConfigError) as caught:
            read(str(tmp_path))
        assert what in caught.value.message

    def test_file_that_is_not_utf_8(self, file: Path, what: str, read: Any) -> None:
        file.write_bytes(b'{"key": "\xff"}')
        with pytest.raises(ConfigError) as caught:
            read(str(file))
        assert what in caught.value.message
        assert "UTF-8" in caught.value.message

    def test_invalid_json_file_shows_nothing_of_its_content(
        self, file: Path, what: str, read: Any
    ) -> None:
        file.write_text('{"api_key": canary')
        with pytest.raises(ConfigError) as caught:
            read(str(file))
        assert what in caught.value.message
        assert "canary" not in caught.value.message


@pytest.mark.parametrize("content", ["[]", "null", '"made up"', "7"])
def test_config_file_must_hold_an_object(file: Path, content: str) -> None:
    file.write_text(content)
    with pytest.raises(ConfigError, match=r"config file .* object"):
        input_files.read_config(str(file))


def configured(name: str, sync_mode: str = "incremental", **rest: object) -> dict[str, Any]:
    """Return a stream as a configured catalog holds it."""
    return {
        "stream": {"name": name, "json_schema": {}, "supported_sync_modes": [sync_mode]},
        "sync_mode": sync_mode,
        "destination_sync_mode": "append_dedup",
        "primary_key": [["id"]],
        **rest,
    }


def test_catalog_gives_sync_mode_and_generation() -> None:
    content = {
        "streams": [
            configured("candidates"),
            configured("profiles", "full_refresh", generation_id=3, minimum_generation_id=3),
            configured("candidate_history", "full_refresh", generation_id=0),
        ]
    }
    assert [
        (each.name, each.sync_mode, each.generation_id)
        for each in input_files.parse_catalog(content)
    ] == [
        ("candidates", "incremental", None),
        ("profiles", "full_refresh", 3),
        ("candidate_history", "full_refresh", 0),
    ]


def test_empty_catalog_is_accepted() -> None:
    assert input_files.parse_catalog({"streams": []}) == []


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (None, ""),
        ([], ""),
        ({}, "streams"),
        ({"streams": {}}, "streams"),
        ({"streams": [{"sync_mode": "incremental"}]}, "stream"),
        ({"streams": [{**configured("candidates"), "stream": {}}]}, "name"),
        ({"streams": [configured("candidates", "made_up")]}, "sync_mode"),
        ({"streams": [configured("candidates", generation_id="3")]}, "generation_id"),
        # What discover prints, not configured yet.
        ({"streams": [{"name": "candidates", "json_schema": {}}]}, "stream"),
        ({"streams": [configured("candidates"), configured("candidates")]}, "candidates"),
    ],
)
def test_wrong_catalog_names_the_place_and_the_remedy(content: object, named: str) -> None:
    with pytest.raises(ConfigError) as caught:
        input_files.parse_catalog(content)
    assert "catalog" in caught.value.message
    assert named in caught.value.message


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text(max_size=3)
            | st.sampled_from(
                ["type", "state", "stream", "stream_descriptor", "stream_state", "name", "streams"]
            ),
            inner | st.sampled_from(["STATE", "STREAM", "LEGACY", "incremental"]),
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(content=ANY_JSON)
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_json_is_accepted_or_rejected_as_state(file: Path, content: object) -> None:
    file.write_text(json.dumps(content))
    # Any other exception is a bug.
    with contextlib.suppress(ConfigError):
        assert all(isinstance(each, dict) for each in states_in(file).values())


@given(content=ANY_JSON)
@settings(max_examples=100)
def test_any_json_is_accepted_or_rejected_as_catalog(content: object) -> None:
    with contextlib.suppress(ConfigError):
        assert all(each.sync_mode for each in input_files.parse_catalog(content))


@given(text=st.text(max_size=40))
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_is_accepted_or_rejected_as_state(file: Path, text: str) -> None:
    file.write_text(text)
    with contextlib.suppress(ConfigError):
        states_in(file)
