"""Lines with a record that holds an odd value. All of them have the same key."""

from __future__ import annotations

import json


def nested(depth: int) -> bytes:
    """Return a record whose field that is not sent is so deep."""
    deep = b'{"a":' * depth + b"1" + b"}" * depth
    return (
        b'{"type":"RECORD","record":{"stream":"people","emitted_at":1,"data":{"id":2,'
        b'"first_name":"Mira","last_name":"Solberg 2","extra":' + deep + b"}}}"
    )


def with_value(name: str, value: bytes) -> bytes:
    """Return a record with these bytes as the value of a field."""
    return (
        b'{"type":"RECORD","record":{"stream":"people","emitted_at":1,"data":{"id":2,'
        b'"first_name":"Mira","last_name":"Solberg 2",' + f'"{name}":'.encode() + value + b"}}}"
    )


LINES = {
    "nested 500 deep": nested(500),
    "nested 100000 deep": nested(100_000),
    "nested 500 deep in a field that is sent": with_value(
        "custom_fields", b'{"a":' * 500 + b"1" + b"}" * 500
    ),
    "nested 500 deep where text is due": with_value("note", b"[" * 500 + b"]" * 500),
    "NaN": with_value("note", b"NaN"),
    "Infinity in a field that is not sent": with_value("extra", b"-Infinity"),
    "a number beyond a double": with_value("note", b"1e999"),
    "text that is not UTF-8": with_value("note", b'"\xff"'),
    "a raw NUL": with_value("note", b'"a\0b"'),
    "a broken escape": with_value("note", b'"\\x"'),
    "a missing value": with_value("note", b""),
    "a lone surrogate in the name of a custom field": with_value(
        "custom_fields", b'{"a\\ud800":"x"}'
    ),
    "an integer of 5000 digits": with_value("extra", b"9" * 5000),
    "a name that is a list": with_value("middle_name", b'["x"]'),
    "a lone surrogate in a field": with_value("note", b'"a\\ud800"'),
    "NUL in a field": with_value("note", b'"a\\u0000"'),
    "NUL in the position": with_value("position_uid", b'"4A\\u00001C2"'),
    "a lone surrogate in the position": with_value("position_uid", b'"\\ud800"'),
    "10 kB in the position": with_value("position_uid", json.dumps("x" * 10_000).encode()),
    "an address in the position": with_value("position_uid", b'"mira@example.org"'),
    "a path in the position": with_value("position_uid", b'"../../candidates"'),
}
