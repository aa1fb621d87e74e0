r"""Privacy at the source: fields that are removed or hashed before a record is printed.

A path is `<stream or *>.<field>[.<field>...]`: lists are passed through, and a dot within a name is
written `\.`. Of a record only the values on such paths are decoded; all else is copied as bytes.

The schema that `discover` shows and the selection in a state change alike.
"""

from __future__ import annotations

import difflib
import hashlib
import hmac
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from source_ats.errors import ConfigError
from source_ats.sync.stream import Page, Stream

Path = tuple[str, ...]
"""Names from a record's columns inwards."""
Tree = Mapping[str, "Tree | bytes | None"]
"""What to do with the fields of an object: None removes one, bytes are the key to hash it with."""

EVERY_STREAM = "*"
PATHS_NAMED = 5
_SEPARATOR = re.compile(r"(?<!\\)\.")
_HASH = {"type": ["null", "string"]}
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_elements = msgspec.json.Decoder(list[msgspec.Raw])
_objects = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])
_text = msgspec.json.Decoder(str)
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class _Rule:
    """One path of the settings."""

    setting: str
    text: str
    stream: str
    path: Path
    key: bytes | None
    """What the value is hashed with; None: it is removed."""

    @classmethod
    def parsed(cls, setting: str, text: str, key: bytes | None) -> _Rule:
        """Raises `ConfigError` if the text is not a path."""
        stream, *path = (part.replace("\\.", ".") for part in _SEPARATOR.split(text))
        if not stream or not path or not all(path):
            message = (
                f"privacy.{setting}: {text} is not a path. Write <stream>.<field>, such as "
                "candidates.email_addresses, or *.<field> for every stream."
            )
            raise ConfigError(message)
        return cls(setting, text, stream, tuple(path), key)

    def concerns(self, stream: Stream) -> bool:
        """True if a stream declares this field."""
        return self.stream in {EVERY_STREAM, stream.name} and _declares(stream.schema, self.path)


@dataclass(frozen=True, slots=True)
class Privacy:
    """The fields that the user wants to be removed and hashed."""

    drop: Sequence[str] = ()
    hash: Sequence[str] = ()
    hash_key: str = ""

    def _rules(self) -> list[_Rule]:
        if self.hash and not self.hash_key:
            message = (
                "privacy.hash_key is missing. Set it to a long random text and keep it: with "
                "another key the same value gets another hash."
            )
            raise ConfigError(message)
        key = self.hash_key.encode()
        return [
            *(_Rule.parsed("drop", text, None) for text in self.drop),
            *(_Rule.parsed("hash", text, key) for text in self.hash),
        ]

    def only_for(self, stream: Stream) -> Privacy:
        """Return the settings without the paths that concern other streams only."""
        mine = {(each.setting, each.text) for each in self._rules() if each.concerns(stream)}
        return replace(
            self,
            drop=[text for text in self.drop if ("drop", text) in mine],
            hash=[text for text in self.hash if ("hash", text) in mine],
        )

    def applied(self, streams: Sequence[Stream]) -> list[Stream]:
        """Return the streams without what is removed, and with hashes in place of what is hashed.

        Raises `ConfigError` for a path that no stream declares, and for one that a stream needs.
        """
        chosen: dict[str, dict[Path, bytes | None]] = {each.name: {} for each in streams}
        for rule in self._rules():
            concerned = [each for each in streams if rule.concerns(each)]
            if not concerned:
                raise _no_such_field(rule, streams)
            for stream in concerned:
                _reject_needed(rule, stream)
                for path in _same_value(rule.path, stream):
                    # What is removed is not hashed as well.
                    if chosen[stream.name].get(path, b"") is not None:
                        chosen[stream.name][path] = rule.key
        return [_protected(each, chosen[each.name]) for each in streams]


def _protected(stream: Stream, rules: Mapping[Path, bytes | None]) -> Stream:
    if not rules:
        return stream
    tree = _tree(rules)
    keys = {key for key in rules.values() if key is not None}

    def protect_page(page: Page) -> Page:
        return replace(
            page,
            records=[protect(each, tree) for each in page.records],
            changes={
                number: [each for each in changes if not _is_removed(each.field, rules)]
                for number, changes in page.changes.items()
            },
        )

    selection = {
        **stream.selection,
        "privacy": {
            "drop": sorted(path for path, key in rules.items() if key is None),
            "hash": sorted(path for path, key in rules.items() if key is not None),
            # The hash of the selection is in the state: a secret enters as a fingerprint only.
            "hash_key": [hashlib.sha256(key).hexdigest() for key in keys],
        },
    }
    return replace(
        stream,
        schema=_without(stream.schema, tree),
        selection=selection,
        protect=protect_page,
    )


# Records


def protect(record: bytes, tree: Tree) -> bytes:
    """Return an encoded record without what is removed, and with hashes."""
    return _encode(_protect_object(_fields.decode(record), tree))


def _protect_object(values: dict[str, msgspec.Raw], tree: Tree) -> dict[str, msgspec.Raw]:
    for name, rule in tree.items():
        raw = values.get(name)
        if raw is None:
            continue
        if rule is None:
            del values[name]
        else:
            values[name] = _protect_value(raw, rule)
    return values


def _protect_value(raw: msgspec.Raw, rule: Tree | bytes) -> msgspec.Raw:
    text = bytes(raw)
    first = text[:1]
    if first == b"[":
        if isinstance(rule, bytes):
            elements: list[Any] = [_protect_value(each, rule) for each in _elements.decode(text)]
        else:
            try:
                elements = [_protect_object(each, rule) for each in _objects.decode(text)]
            except msgspec.ValidationError:
                # Not all elements are objects.
                elements = [_protect_value(each, rule) for each in _elements.decode(text)]
        return msgspec.Raw(_encode(elements))
    if isinstance(rule, bytes):
        return raw if text == b"null" else msgspec.Raw(_hashed(text, rule))
    if first == b"{":
        return msgspec.Raw(_encode(_protect_object(_fields.decode(text), rule)))
    return raw


def _hashed(text: bytes, key: bytes) -> bytes:
    """Return the HMAC of a text, or of any other value as canonical JSON; as a JSON text."""
    if text[:1] == b'"':
        value = _text.decode(text)
    else:
        value = json.dumps(
            json.loads(text), ensure_ascii=False, sort_keys=True, separators=(",", ":")
        )
    return b'"%b"' % hmac.digest(key, value.encode(), "sha256").hex().encode()


def _tree(rules: Mapping[Path, bytes | None]) -> dict[str, Any]:
    """Return the rules as a tree. A rule for a whole value wins over rules for parts of it."""
    tree: dict[str, Any] = {}
    for path in sorted(rules, key=len):
        branch: Any = tree
        for name in path[:-1]:
            branch = branch.setdefault(name, {})
            if not isinstance(branch, dict):
                break
        else:
            branch.setdefault(path[-1], rules[path])
    return tree


def _is_removed(field: str, rules: Mapping[Path, bytes | None]) -> bool:
    """True if a change of a record is told of a value that is removed."""
    # The numbers of the elements of lists are not part of a path.
    path = tuple(each for each in field.split(".") if not each.isdecimal())
    return any(key is None and path[: len(each)] == each for each, key in rules.items())


# Schemas


def _without(schema: Mapping[str, Any], tree: Tree) -> dict[str, Any]:
    """Return a schema without what is removed, and with text where values are hashed."""
    if "items" in schema:
        return {**schema, "items": _without(schema["items"], tree)}
    if "properties" not in schema:
        return dict(schema)
    properties = {}
    for name, each in schema["properties"].items():
        rule = tree.get(name, {})
        if rule is None:
            continue
        properties[name] = _hashed_schema(each) if isinstance(rule, bytes) else _without(each, rule)
    return {**schema, "properties": properties}


def _hashed_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    described = {}
    if "description" in schema:
        described["description"] = f"HMAC-SHA-256 of: {schema['description']}"
    if "items" in schema:
        return {**schema, "items": _hashed_schema(schema["items"]), **described}
    if "array" in schema["type"]:
        # A value of any type: a list of hashes, or one hash.
        return {"type": ["null", "string", "array"], "items": _HASH, **described}
    return {**_HASH, **described}


# Paths


def _declares(schema: Mapping[str, Any], path: Path) -> bool:
    """True if a schema declares the field, or an open value that may hold it."""
    while "items" in schema:
        schema = schema["items"]
    if not path:
        return True
    properties = schema.get("properties")
    if not properties:
        return "object" in schema["type"]
    return path[0] in properties and _declares(properties[path[0]], path[1:])


def _same_value(path: Path, stream: Stream) -> Iterator[Path]:
    """Yield the path, and those at which the connector itself shows a value below it once more."""
    yield path
    for same in stream.copies:
        others = [each for each in same if each[: len(path)] != path]
        if len(others) < len(same):
            yield from others


def _reject_needed(rule: _Rule, stream: Stream) -> None:
    name = rule.path[0]
    if name in {stream.primary_key, stream.cursor_field, *stream.needed}:
        message = (
            f"privacy.{rule.setting}: {rule.text} can be neither dropped nor hashed, because "
            f"{stream.name} needs {name} to merge rows and to show deletions. Remove the path."
        )
        raise ConfigError(message)


def _no_such_field(rule: _Rule, streams: Sequence[Stream]) -> ConfigError:
    names = [stream.name for stream in streams]
    if rule.stream != EVERY_STREAM and rule.stream not in names:
        advice = f"The configuration has the streams {', '.join(names)}."
    else:
        known = sorted(
            {
                _written(EVERY_STREAM if rule.stream == EVERY_STREAM else stream.name, path)
                for stream in streams
                for path in _paths(stream.schema)
            }
        )
        near = difflib.get_close_matches(rule.text, known, PATHS_NAMED, cutoff=0.5)
        advice = f"Near paths: {', '.join(near)}." if near else "discover shows the fields."
    return ConfigError(f"privacy.{rule.setting}: no stream has the field {rule.text}. {advice}")


def _written(stream: str, path: Path) -> str:
    return ".".join([stream, *(name.replace(".", "\\.") for name in path)])


def _paths(schema: Mapping[str, Any]) -> Iterator[Path]:
    while "items" in schema:
        schema = schema["items"]
    for name, each in schema.get("properties", {}).items():
        yield (name,)
        yield from ((name, *rest) for rest in _paths(each))
