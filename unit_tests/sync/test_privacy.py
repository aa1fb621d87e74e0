"""What privacy settings do to single records and schemas."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator

import pytest

from source_ats.errors import ConfigError
from source_ats.protocol.schemas import (
    anything,
    fields,
    integer,
    list_of,
    open_object,
    string,
    table,
    timestamp,
)
from source_ats.sync.privacy import Privacy
from source_ats.sync.stream import Page, State, Stream

KEY = "made-up-key"
SCHEMA = table(
    id=string("The key of the row."),
    changed_at=timestamp("When the row changed."),
    deleted_at=timestamp("When the row was deleted."),
    name=string("Name of somebody."),
    number=integer("A number of somebody."),
    open=open_object("Whatever there is."),
    any=anything("A value of any type."),
    parts=list_of("Parts of it.", fields(a=string("First part."), b=string("Second part."))),
)


def stream(*records: bytes) -> Stream:
    def pages(state: State, full_refresh: bool) -> Iterator[Page]:
        del state, full_refresh
        yield Page(records, {})

    return Stream(
        name="people",
        schema=SCHEMA,
        primary_key="id",
        cursor_field="changed_at",
        selection={"start_date": None},
        pages=pages,
        needed=("deleted_at",),
    )


def protected(record: bytes, *, drop: str = "", hash: str = "") -> bytes:  # noqa: A002 - its name
    settings = Privacy([drop] if drop else [], [hash] if hash else [], KEY)
    (applied,) = settings.applied([stream(record)])
    (page,) = applied.read({}, full_refresh=False)
    (found,) = page.records
    return bytes(found)


def hashed(text: str) -> bytes:
    return b'"%b"' % hmac.new(KEY.encode(), text.encode(), hashlib.sha256).hexdigest().encode()


@pytest.mark.parametrize(
    ("path", "record", "expected"),
    [
        ("people.name", b'{"id":"1","name":"A"}', b'{"id":"1"}'),
        ("*.name", b'{"id":"1","name":null,"n":1.10}', b'{"id":"1","n":1.10}'),
        ("people.name", rb'{"id":"1","n\u0061me":"A"}', b'{"id":"1"}'),
        ("people.name", b'{"id":"1","name":"A","name":"B"}', b'{"id":"1"}'),
        ("people.name", b'{"id":"1","Name":"A"}', b'{"id":"1","Name":"A"}'),
        ("people.parts.a", b'{"parts":[{"a":"A","b":"B"},{"a":"C"}]}', b'{"parts":[{"b":"B"},{}]}'),
        ("people.parts.a", b'{"parts":[[{"a":"A"}],"x",null]}', b'{"parts":[[{}],"x",null]}'),
        ("people.parts.a", b'{"parts":{"a":"A","b":1E5}}', b'{"parts":{"b":1E5}}'),
        ("people.parts.a", b'{"parts":"a"}', b'{"parts":"a"}'),
        (r"people.open.a\.b.c", b'{"open":{"a.b":{"c":1,"d":2}}}', b'{"open":{"a.b":{"d":2}}}'),
        ("people.any.x", b'{"any":[{"x":1},2]}', b'{"any":[{},2]}'),
    ],
)
def test_a_field_is_removed(path: str, record: bytes, expected: bytes) -> None:
    assert protected(record, drop=path) == expected


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("people.any", b'"Ann"', hashed("Ann")),
        ("people.any", rb'"\u0041nn"', hashed("Ann")),
        ("people.any", '"Zoë 🎈"'.encode(), hashed("Zoë 🎈")),
        ("people.any", b"null", b"null"),
        ("people.any", b"true", hashed("true")),
        ("people.any", b"12", hashed("12")),
        ("people.any", b"1.10", hashed("1.1")),
        # What warehouses do not accept is text by then.
        ("people.any", b"123456789012345678901234567890", hashed("123456789012345678901234567890")),
        ("people.any", b'{"b": 1, "a": "\xc3\xab"}', hashed('{"a":"ë","b":1}')),
        ("people.any", b'["a",["b"],null]', b"[%b,[%b],null]" % (hashed("a"), hashed("b"))),
    ],
)
def test_a_value_is_hashed(path: str, value: bytes, expected: bytes) -> None:
    assert protected(b'{"any":%b}' % value, hash=path) == b'{"any":%b}' % expected


def test_a_rule_for_the_whole_wins_and_removing_wins_over_hashing() -> None:
    record = b'{"name":"A","parts":[{"a":"A","b":"B"}],"open":{"a":1,"b":2}}'
    settings = Privacy(
        drop=["people.name", "people.parts.a", "people.open"],
        hash=["people.name", "people.parts", "people.open.a"],
        hash_key=KEY,
    )
    (applied,) = settings.applied([stream(record)])
    (page,) = applied.read({}, full_refresh=False)
    assert page.records == [b'{"parts":[%b]}' % hashed('{"a":"A","b":"B"}')]
    columns = applied.schema["properties"]
    assert list(columns) == ["id", "changed_at", "deleted_at", "number", "any", "parts"]
    assert columns["parts"]["items"]["type"] == ["null", "string"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (
            "people.name",
            {"type": ["null", "string"], "description": "HMAC-SHA-256 of: Name of somebody."},
        ),
        (
            "people.any",
            {
                "type": ["null", "string", "array"],
                "items": {"type": ["null", "string"]},
                "description": "HMAC-SHA-256 of: A value of any type.",
            },
        ),
    ],
)
def test_the_schema_says_that_a_value_is_hashed(path: str, expected: object) -> None:
    (applied,) = Privacy(hash=[path], hash_key=KEY).applied([stream()])
    assert applied.schema["properties"][path.partition(".")[2]] == expected


@pytest.mark.parametrize("path", ["people.parts.c", "people.name.a", "people.nobody"])
def test_a_field_that_no_stream_has_is_rejected(path: str) -> None:
    with pytest.raises(ConfigError, match="no stream has the field"):
        Privacy(drop=[path]).applied([stream()])


def test_what_is_removed_and_hashed_is_part_of_the_selection() -> None:
    settings = Privacy(drop=["people.number"], hash=["people.name"], hash_key=KEY)
    (applied,) = settings.applied([stream()])
    assert applied.selection != stream().selection
    (other,) = Privacy(drop=["people.number"], hash=["people.any"], hash_key=KEY).applied(
        [stream()]
    )
    assert other.selection != applied.selection


def test_settings_for_one_stream_are_those_that_name_it() -> None:
    settings = Privacy(
        drop=["people.number", "other.number"], hash=["people.name", "*.any"], hash_key=KEY
    )
    mine = settings.only_for(stream())
    assert (mine.drop, mine.hash) == (["people.number"], ["people.name", "*.any"])


def test_a_missing_key_is_named_with_the_remedy() -> None:
    with pytest.raises(ConfigError) as caught:
        Privacy(hash=["people.name"]).applied([stream()])
    assert caught.value.message.startswith(
        "privacy.hash_key is missing. Set it to a long random text and keep it: with "
    )


def test_a_removed_value_is_not_among_the_changes_of_a_record() -> None:
    large = b"9" * 30
    record = b'{"number":%b,"parts":[{"a":%b,"b":%b}]}' % (large, large, large)
    settings = Privacy(drop=["people.number", "people.parts.a"])
    (applied,) = settings.applied([stream(record)])
    (page,) = applied.read({}, full_refresh=False)
    assert {n: [each.field for each in changes] for n, changes in page.changes.items()} == {
        0: ["parts.0.b"]
    }


def test_without_settings_a_stream_stays_as_it_is() -> None:
    plain = stream(b"{}")
    assert Privacy().applied([plain]) == [plain]
    assert Privacy(drop=["people.name", "other.name"]).only_for(plain).drop == ["people.name"]


@pytest.mark.parametrize("path", ["people.id", "*.changed_at", "people.deleted_at"])
def test_what_rows_are_merged_by_is_rejected(path: str) -> None:
    with pytest.raises(ConfigError, match="can be neither dropped nor hashed"):
        Privacy(drop=[path]).applied([stream()])


def test_near_paths_are_written_as_they_have_to_be_typed() -> None:
    dotted = json.loads(json.dumps(SCHEMA))
    dotted["properties"]["a.name"] = dotted["properties"].pop("name")
    other = Stream("people", dotted, "id", "changed_at", {}, stream().pages)
    with pytest.raises(ConfigError, match=r"Near paths: people\.a\\\.name"):
        Privacy(drop=["people.a.name"]).applied([other])
