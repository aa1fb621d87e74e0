"""JMESPath expressions: the mapping `custom`, `extra_fields` and `skip_when`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jmespath
from jmespath import functions
from jmespath.exceptions import JMESPathError

from destination_comeet.config import CustomField
from destination_comeet.mapping.comeet import applications_for, from_own_names
from destination_comeet.mapping.keys import PrimaryKey, primary_key_of
from destination_comeet.mapping.model import (
    JOB,
    KEY,
    POSITION,
    Person,
    Record,
    Rejection,
    Skipped,
)
from destination_comeet.validation import FIELDS
from source_ats.errors import ConfigError

OBJECTS = ("address", "source_contact", "custom_fields", "resume", "picture")
"""Fields whose parts an expression may fill one by one: `address.city`."""

_FAILURES = (
    JMESPathError,
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
"""What evaluating an expression raises, depending on the record.

The library checks some types only: `<` on a text and a number, `contains` of null, and a step of
zero raise Python's own errors, and a deep value exceeds its recursion.
"""


class _Functions(functions.Functions):
    """JMESPath's functions, but a text is never made of null: it would be written as `null`."""

    @functions.signature({"types": []})  # type: ignore[untyped-decorator, unused-ignore]
    def _func_to_string(self, value: Any) -> str | None:
        if value is None or isinstance(value, str):
            return value
        return json.dumps(value, separators=(",", ":"))


_OPTIONS = jmespath.Options(custom_functions=_Functions())


Expression = jmespath.parser.ParsedResult
DOES_NOT_FIT = "cannot be evaluated: the expression does not fit the record"


@dataclass(frozen=True, slots=True)
class Target:
    """A place in the candidate, and the expression that fills it."""

    path: Sequence[str]
    expression: Expression = field(repr=False)


def compiled(text: str, where: str) -> Expression:
    """Return the compiled expression. Raises `ConfigError` that says where a bad one stands."""
    try:
        expression = jmespath.compile(text)
        # The library would find these for each record, when there is something to evaluate.
        problem = next(_bad_calls(expression.parsed), None)
    except _FAILURES as error:
        at = getattr(error, "lex_position", None)
        place = "" if at is None else f" (at character {at + 1})"
        message = f"{where}: This is not a JMESPath expression{place}. See https://jmespath.org."
        raise ConfigError(message) from None
    if problem is not None:
        raise ConfigError(f"{where}: {problem}. See https://jmespath.org.")
    return expression


def _bad_calls(node: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with the calls of functions in a parsed expression."""
    if node["type"] == "function_expression":
        name, given = node["value"], len(node["children"])
        function = _Functions.FUNCTION_TABLE.get(name)
        if function is None:
            known = ", ".join(sorted(_Functions.FUNCTION_TABLE))
            yield f"JMESPath has no function {name}. It has {known}"
        else:
            signature = function["signature"]
            is_open = bool(signature) and signature[-1].get("variadic", False)
            if given != len(signature) and not (is_open and given > len(signature)):
                least = "at least " if is_open else ""
                yield f"The function {name} takes {least}{len(signature)} values, not {given}"
    for child in node["children"]:
        if isinstance(child, dict):
            yield from _bad_calls(child)


def targets_of(fields: Sequence[CustomField], where: str) -> Sequence[Target]:
    """Return the compiled expressions, whole fields before their parts.

    Raises `ConfigError` for a field that Comeet does not have, or a bad expression.
    """
    targets = []
    for number, each in enumerate(fields):
        place = f"{where}[{number}]"
        name, _, part = each.comeet_field.partition(".")
        if name not in (OBJECTS if part else {*FIELDS, KEY, POSITION, JOB}):
            message = (
                f"{place}.comeet_field: Comeet has no such field. The fields are "
                f"{', '.join(sorted(FIELDS))}. Write a part of {', '.join(OBJECTS)} with a dot, "
                "as in address.city."
            )
            raise ConfigError(message)
        expression = compiled(each.expression, f"{place}.expression")
        targets.append(Target((name, part) if part else (name,), expression))
    return sorted(targets, key=lambda target: len(target.path))


def from_custom(
    record: Record, targets: Sequence[Target], primary_key: PrimaryKey
) -> Person | Rejection:
    """Return whom a record is about, or why an expression cannot be evaluated for it."""
    values = _evaluated(record, targets, {})
    if isinstance(values, Rejection):
        return values
    own_key = any(target.path == (KEY,) for target in targets)
    key = [values.get(KEY)] if own_key else primary_key_of(record, primary_key)
    return from_own_names(values, key)


def with_extra_fields(
    person: Person, record: Record, targets: Sequence[Target]
) -> Person | Rejection:
    """Return the person with what the expressions give, which wins over the mapping."""
    values = _evaluated(record, targets, person.fields)
    if isinstance(values, Rejection):
        return values
    return Person(
        source_key=[values[KEY]] if KEY in values else person.source_key,
        fields={name: value for name, value in values.items() if name in FIELDS},
        applications=applications_for(values.get(JOB)) or person.applications,
        position_uid=values.get(POSITION, person.position_uid),
        columns=person.columns,
    )


def skipped_by(record: Record, skip_when: Expression) -> Skipped | Rejection | None:
    """Return that the record is skipped, or that it cannot be told; None if it is not."""
    try:
        value = skip_when.search(record, options=_OPTIONS)
    except _FAILURES:
        # The error's text shows the value.
        return Rejection("skip_when", DOES_NOT_FIT)
    # JMESPath's own rule: the number 0 is true.
    is_false = value is None or value is False or value in ("", [], {})
    return None if is_false else Skipped("skip_when", "is true for the record")


def _evaluated(
    record: Record, targets: Sequence[Target], given: Mapping[str, Any]
) -> Mapping[str, Any] | Rejection:
    """Return the given values with what the expressions make of the record."""
    values = dict(given)
    for target in targets:
        name = ".".join(target.path)
        try:
            value = target.expression.search(record, options=_OPTIONS)
        except _FAILURES:
            # The error's text shows the value.
            return Rejection(name, DOES_NOT_FIT)
        if len(target.path) == 1:
            values[name] = value
            continue
        whole, part = target.path
        parts = {} if values.get(whole) is None else values[whole]
        if not isinstance(parts, Mapping):
            return Rejection(name, f"cannot be set: the value of {whole} is not an object")
        values[whole] = {**parts, part: value}
    return values
