"""Bytes become values that warehouses accept, for every JSON value there is."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from source_ats.decoding import (
    MAX_DEPTH,
    Change,
    InvalidJson,
    clean_rows,
    decode,
    describe_mismatch,
    encode,
    is_complete,
    limit_depth,
    repair,
    safe_identifier,
    without_bad_rows,
)
from unit_tests.json_values import accept, all_texts, nested, spelled, texts, values

ALL_TYPES = ["null", "string", "number", "integer", "boolean", "object", "array"]
SCHEMA: dict[str, Any] = {
    "type": ["null", "object"],
    "additionalProperties": True,
    "properties": {
        "count": {"type": ["null", "integer"]},
        "name": {"type": ["null", "string"]},
        "any": {"type": ALL_TYPES, "properties": {}},
        "inner": {
            "type": ["null", "object"],
            "properties": {"ratio": {"type": ["null", "number"]}},
            "additionalProperties": {"type": ["null", "number"]},
        },
        "list": {"type": ["null", "array"], "items": {"type": ["null", "number"]}},
    },
}
BIG = "9" * 29


# What a row may hold


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (BIG, f'"{BIG}"'),
        ("-" + BIG, f'"-{BIG}"'),
        ("9223372036854775807", "9223372036854775807"),
        ("9223372036854775808", '"9223372036854775808"'),
        ("-9223372036854775808", "-9223372036854775808"),
        ("-9223372036854775809", '"-9223372036854775809"'),
        ("7" * 5000, '"' + "7" * 5000 + '"'),
        ("1e400", '"1e400"'),
        ("-1E+400", '"-1E+400"'),
        ("1.5e999999999", '"1.5e999999999"'),
        ("1" * 400 + ".5", '"' + "1" * 400 + '.5"'),
        ("1e308", "1e308"),
        ("1e-400", "1e-400"),
        ("1.10", "1.10"),
        ("-0.0", "-0.0"),
        ("1E5", "1E5"),
        (
            "0.1234567890123456789012345678901234567890",
            "0.1234567890123456789012345678901234567890",
        ),
        (nested(99), nested(99)),
        (nested(100), nested(99, '"[]"')),
        (nested(101), nested(99, '"[[]]"')),
        (f'[{{"a":{nested(98)}}}]', f'[{{"a":{nested(97, chr(34) + "[]" + chr(34))}}}]'),
        ('"1e400"', '"1e400"'),
        (f'"{BIG}"', f'"{BIG}"'),
        (f'["a,{BIG}","x, 1e400"]', f'["a,{BIG}","x, 1e400"]'),
        (r'"a\u0000b"', '"a?b"'),
        (r'"a\\u0000b"', r'"a\\u0000b"'),
        (r'"a\\\u0000b"', r'"a\\?b"'),
        (r'"\ud83d"', '"?"'),
        (r'"\uDE00x"', '"?x"'),
        (r'"\ude00\ud83d"', '"??"'),
        (r'"\ud83d\ud83d\ude00"', r'"?\ud83d\ude00"'),
        (r'"\ud83d\ude00"', r'"\ud83d\ude00"'),
        (r'"\u00e9\n\/"', r'"\u00e9\n\/"'),
    ],
)
def test_a_value_at_a_place_without_a_declared_type(value: str, kept: str) -> None:
    row = f'{{"id":"a","new":{value},"last":1.10}}'.encode()
    (cleaned,), _ = clean_rows([row], SCHEMA)
    assert cleaned.decode() == f'{{"id":"a","new":{kept},"last":1.10}}'


@pytest.mark.parametrize(
    ("row", "kept", "change"),
    [
        (f'{{"count":{BIG}}}', '{"count":null}', Change("count", "NULLED")),
        (f'{{"name":{BIG}}}', f'{{"name":"{BIG}"}}', Change("name", "TRUNCATED")),
        (f'{{"any":{BIG}}}', f'{{"any":"{BIG}"}}', Change("any", "TRUNCATED")),
        ('{"any":[{"x":1e400}]}', '{"any":[{"x":"1e400"}]}', Change("any.0.x", "TRUNCATED")),
        ('{"inner":{"ratio":1e400}}', '{"inner":{"ratio":null}}', Change("inner.ratio", "NULLED")),
        ('{"inner":{"else":1e400}}', '{"inner":{"else":null}}', Change("inner.else", "NULLED")),
        ('{"list":[1,-1e400]}', '{"list":[1,null]}', Change("list.1", "NULLED")),
        (r'{"n\u0061me":1e400}', r'{"n\u0061me":"1e400"}', Change("name", "TRUNCATED")),
    ],
)
def test_the_schema_at_the_place_decides_between_text_and_null(
    row: str, kept: str, change: Change
) -> None:
    rows = [b'{"count":1}', row.encode(), b'{"count":2}']
    cleaned, changes = clean_rows(rows, SCHEMA)
    assert list(cleaned) == [rows[0], kept.encode(), rows[2]]
    assert changes == {1: [change]}


def test_a_key_with_nul_never_becomes_another_key_of_the_row() -> None:
    row = rb'{"a\u0000":1,"a?":2,"a":3,"a\\u0000":4,"a\\\\u0000":5}'
    (cleaned,), changes = clean_rows([row], SCHEMA)
    content = json.loads(cleaned)
    assert list(content.values()) == [1, 2, 3, 4, 5]
    assert not changes
    assert "\0" not in "".join(content)
    assert json.loads(clean_rows([rb'{"a\u0000":1}'], SCHEMA)[0][0]) == {r"a\u0000": 1}


@pytest.mark.parametrize("levels", [300, 2_000, 100_000])
def test_nesting_of_any_depth_becomes_text(levels: int) -> None:
    (cleaned,), changes = clean_rows([f'{{"id":"a","x":{nested(levels)}}}'.encode()], SCHEMA)
    inside = json.loads(cleaned)["x"]
    for _ in range(MAX_DEPTH - 2):
        (inside,) = inside
    assert inside == [nested(levels - MAX_DEPTH + 1)]
    assert [change.change for change in changes[0]] == ["TRUNCATED"]


def test_rows_without_anything_to_change_are_the_objects_that_came() -> None:
    wide = "{" + ",".join(f'"k{n}":{{"a":[{n}]}}' for n in range(200)) + "}"
    rows = [wide.encode(), b'{"id":"1E123","phone":"+47 555","at":"2025-01-01T00:00:00.000Z"}']
    assert clean_rows(rows, SCHEMA) == (rows, {})


objects = st.dictionaries(
    st.one_of(texts, st.sampled_from([*SCHEMA["properties"]])).map(spelled), values, max_size=5
).map(lambda each: "{" + ",".join(f"{key}:{value}" for key, value in each.items()) + "}")


@given(objects)
@example('{"a":1.10}')
def test_any_row_becomes_what_warehouses_accept(row: str) -> None:
    (cleaned,), changes = clean_rows([row.encode()], SCHEMA)
    accepted = json.loads(cleaned)
    accept(accepted, depth=1)
    assert not any("\0" in text for text in all_texts(accepted))
    assert len(accepted) == len(json.loads(row))
    if not changes:
        assert json.loads(repair(row.encode())) == accepted
    # A second time, nothing is left to change.
    assert clean_rows([cleaned], SCHEMA) == ([cleaned], {})


# Bodies


@pytest.mark.parametrize(
    ("body", "repaired"),
    [
        (b'{"a":"M\xfcller"}', b'{"a":"M?ller"}'),
        (b'{"a":"\xed\xa0\xbd"}', b'{"a":"???"}'),
        (b'{"a":"one\ntwo\tthree\r\x00"}', b'{"a":"one\\ntwo\\tthree\\r?"}'),
        (b'{"a":NaN,"b":[Infinity,-Infinity]}', b'{"a":null,"b":[null,null]}'),
        (b'{"a":"NaN, Infinity","NaN":1}', b'{"a":"NaN, Infinity","NaN":1}'),
        (b'{"a":NaN\n,\n"b":"x\ny"}', b'{"a":null\n,\n"b":"x\\ny"}'),
        (b'\xef\xbb\xbf{"a":1}', b'{"a":1}'),
        ('{"a":"é\u2028😀"}'.encode(), '{"a":"é\u2028😀"}'.encode()),
        (b'{"a" : 1.10 , "b" : -1}', b'{"a" : 1.10 , "b" : -1}'),
        (rb'{"a\ud83d" :"\ud83d"}', rb'{"a\\ud83d" :"?"}'),
    ],
)
def test_repair(body: bytes, repaired: bytes) -> None:
    assert repair(body) == repaired


@given(values)
def test_repair_leaves_valid_json_with_good_texts_as_it_is(value: str) -> None:
    once = repair(value.encode())
    assert repair(once) == once


@pytest.mark.parametrize(
    ("body", "complete"),
    [
        (b'{"a":1}', True),
        (b" [1]\n", True),
        (b'\xef\xbb\xbf{"a":1}', True),
        (b'{"a":1', False),
        (b'{"a":[1]', False),
        (b"", False),
        (b"<html>", False),
    ],
)
def test_a_body_is_complete_by_its_closing_bracket(body: bytes, *, complete: bool) -> None:
    assert is_complete(body) is complete


ROWS = [
    '{"id":"a","name":"one","tags":[{"id":"t1","name":"x"},{"id":"t2","name":"y"}]}',
    '{"id":"b","name":"two","tags":[{"id":"t1","name":"x"},{"id":"t2","name":"y"}]}',
    '{"id":"c","name":"three","tags":[]}',
]
ENVELOPES = ['{"status":"success","data":{"next":null,"results":[%s]}}', "[%s]", '{"d":[%s],"n":1}']
BROKEN = {
    "an escape that JSON does not have": '{"id":"BAD","name":"O\\\'Neill","tags":[{"id":"t"}]}',
    "a quote in a text": '{"id":"BAD","name":"the "best"","tags":[{"id":"t1"},{"id":"t2"}]}',
    "one quote too many": '{"id":"BAD","name":"5" screen","tags":[{"id":"t1"},{"id":"t2"}]}',
    "a word": '{"id":"BAD","name":undefined,"tags":[]}',
    "a number with a leading zero": '{"id":"BAD","n":007}',
    "no comma": '{"id":"BAD" "n":7}',
}


@pytest.mark.parametrize("envelope", ENVELOPES)
@pytest.mark.parametrize("place", range(len(ROWS) + 1))
@pytest.mark.parametrize("name", BROKEN)
def test_one_bad_row_is_cut_out_and_named(name: str, place: int, envelope: str) -> None:
    rows = [*ROWS[:place], BROKEN[name], *ROWS[place:]]
    body, bad = without_bad_rows((envelope % ", ".join(rows)).encode(), "id")
    assert json.loads(body) == json.loads(envelope % ",".join(ROWS))
    assert bad == ([None] if name == "no comma" else ["BAD"])


def test_a_bad_object_within_a_row_makes_the_row_bad() -> None:
    row = '{"id":"BAD","tags":[{"id":"t1"},{"id":"t2","x":undefined},{"id":"t3"}]}'
    for rows in ([row, ROWS[0]], [ROWS[0], row], [row], [row, row]):
        body, bad = without_bad_rows((ENVELOPES[0] % ",".join(rows)).encode(), "id")
        assert bad == ["BAD"] * rows.count(row)
        assert json.loads(body)["data"]["results"] == [json.loads(ROWS[0])] * rows.count(ROWS[0])


def test_several_bad_rows_are_cut_out() -> None:
    rows = [BROKEN["a word"], ROWS[0], BROKEN["one quote too many"], ROWS[1], BROKEN["a word"]]
    body, bad = without_bad_rows((ENVELOPES[0] % ",".join(rows)).encode(), "id")
    assert json.loads(body)["data"]["results"] == [json.loads(ROWS[0]), json.loads(ROWS[1])]
    assert bad == ["BAD", "BAD", "BAD"]


def test_the_other_rows_of_a_page_with_a_bad_row_are_repaired() -> None:
    row = b'{"id":"a","name":"M\xfcller\n"}'
    body, bad = without_bad_rows(b"[" + BROKEN["a word"].encode() + b"," + row + b"]", "id")
    assert (json.loads(body), bad) == ([{"id": "a", "name": "M?ller\n"}], ["BAD"])


@pytest.mark.parametrize("first", [[], [BROKEN["a word"]]], ids=["good rows", "a bad row first"])
@pytest.mark.parametrize("envelope", ENVELOPES)
def test_a_body_that_was_cut_off_is_not_repaired(envelope: str, first: list[str]) -> None:
    nested = '{"id":"n","data":{"x":{"list":[{"a":1},{"a":2}]}}}'
    whole = envelope % ",".join([*first, *ROWS, nested, ROWS[0]])
    for end in range(len(envelope), len(whole)):
        with pytest.raises(InvalidJson):
            without_bad_rows(whole[:end].encode(), "id")


@pytest.mark.parametrize("body", [b"", b"<html></html>", b"[]", b'{"a":}', b"[1, x]"])
def test_where_there_are_no_rows_nothing_is_cut_out(body: bytes) -> None:
    with pytest.raises(InvalidJson):
        without_bad_rows(body, "id")


# Values that a vendor package rebuilds


@given(values)
@example("1.10")
@example("9" * 5000)
def test_what_is_decoded_can_always_be_encoded(value: str) -> None:
    valid = repair(f'{{"a": {value}}}'.encode())
    decoded = decode(valid)
    encoded = encode({**decoded, "b": 1})
    (cleaned,), _ = clean_rows([encoded], {})
    (directly,), _ = clean_rows([valid], {})
    assert json.loads(cleaned) == json.loads(directly) | {"b": 1}


def test_nesting_of_any_depth_is_decoded() -> None:
    body = f'{{"a":{nested(100_000)}}}'.encode()
    (cleaned,), _ = clean_rows([encode(decode(body))], {})
    accept(json.loads(cleaned), depth=1)
    assert json.loads(limit_depth(body)).keys() == {"a"}
    assert cleaned.count(b"[") == 100_000


@pytest.mark.parametrize("number", ["1.10", "-0.0", "1E5", "1e400", BIG, "9" * 5000, "7"])
def test_numbers_keep_their_spelling(number: str) -> None:
    assert encode(decode(f'{{"a": [{number}]}}'.encode())).decode() == f'{{"a":[{number}]}}'


def test_decode_refuses_what_is_not_json() -> None:
    for body in (b"", b"{", b'{"a":NaN}', b"[1,]", b"]" * 200):
        with pytest.raises((msgspec.DecodeError, InvalidJson)):
            decode(body)


# Texts for messages


class _Shape(msgspec.Struct):
    id: str
    at: int = 0


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"id":7}', "Expected `str`, got `int` - at `$.id`"),
        (b"{}", "Object missing required field `id`"),
        (b'{"id":"a","at":' + b"9" * 5000 + b"}", "Unexpected value - at `$.at`"),
    ],
)
def test_a_mismatch_is_described_without_a_value(body: bytes, text: str) -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.json.decode(body, type=_Shape)
    assert describe_mismatch(caught.value) == text


@pytest.mark.parametrize("text", ["PLATFORM.INPUT_INVALID", "req-1/a=b", "a" * 64])
def test_a_code_or_id_is_safe(text: str) -> None:
    assert safe_identifier(text) == text


@pytest.mark.parametrize("text", [None, 7, "", "Mira Solberg", "a" * 65, "-x", "é", "a\n"])
def test_anything_else_is_not_shown(text: object) -> None:
    assert safe_identifier(text) is None
