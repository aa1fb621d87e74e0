"""Every JSON value there is, as text, and what warehouses accept of it."""

from __future__ import annotations

import json
import math
from typing import Any

from hypothesis import strategies as st

from source_ats.decoding import MAX_DEPTH


def nested(levels: int, inside: str = "") -> str:
    """Return lists within lists."""
    return "[" * levels + inside + "]" * levels


texts = st.text(alphabet=st.characters(), max_size=8)
numbers = st.one_of(
    st.integers().map(str),
    st.integers(min_value=2**63).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.builds("{}e{}".format, st.integers(-99, 99), st.integers(-999, 999)),
)


def spelled(value: object) -> str:
    """Return a value as JSON, all but ASCII escaped."""
    return json.dumps(value)


values = st.recursive(
    st.one_of(
        numbers,
        st.sampled_from(["null", "true", "false", r'"\u0000"', r'"\ud800\udc00\udfff"']),
        texts.map(spelled),
        st.integers(95, 120).map(nested),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(lambda each: f"[{','.join(each)}]"),
        st.dictionaries(texts.map(spelled), inner, max_size=4).map(
            lambda each: "{" + ", ".join(f"{key} : {value}" for key, value in each.items()) + "}"
        ),
    ),
    max_leaves=12,
)


def accept(value: Any, depth: int) -> None:
    """Raise `AssertionError` for what warehouses do not accept."""
    if isinstance(value, dict | list):
        _require(depth <= MAX_DEPTH)
        for each in value.values() if isinstance(value, dict) else value:
            accept(each, depth + 1)
    if isinstance(value, int):
        _require(-(2**63) <= value < 2**63)
    if isinstance(value, float):
        _require(math.isfinite(value))
    for text in all_texts(value) if isinstance(value, dict | str) else ():
        text.encode()


def _require(accepted: bool) -> None:  # noqa: FBT001 - as an assertion takes it
    if not accepted:
        raise AssertionError


def all_texts(value: Any) -> list[str]:
    """Return all texts and keys in a value."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [*value, *(text for each in value.values() for text in all_texts(each))]
    return [text for each in value for text in all_texts(each)] if isinstance(value, list) else []
