"""Writes the staging models of the dbt package in `dbt/` from the columns that `discover` shows.

`scripts/docs` does it; a test says when a file is out of date. Each stream gets a model with typed
columns, and each list in it a model of its own with a row for each element.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import yaml

from integration_tests.sandbox.running import PROJECT
from tools import columns

Schema = Mapping[str, Any]

FOLDER = PROJECT / "dbt" / "models" / "staging"
NOTE = "Written by scripts/docs from the declared columns of the stream"
LONGEST_NAME = 63
"""PostgreSQL cuts longer names."""
RENAMED = {"values": "value_list"}
"""Names of columns that a database reserves."""
ROWS_OF_THEIR_OWN = {"candidate", "application"}
"""Objects that repeat a row of another stream in short. Lists in them stay JSON."""
STATEMENTS = {
    "remote_deleted_at": "{{ ats.field(raw, 'timestamp', 'remote_deleted_at') }} is null",
    "is_deleted": "not coalesce({{ ats.field(raw, 'boolean', 'is_deleted') }}, false)",
    "deleted": "not coalesce({{ ats.field(raw, 'boolean', 'deleted') }}, false)",
}
"""What holds for a row that is not deleted, by the column that says so."""
LISTED_AS_DELETED = {"comeet_candidates": "stg_comeet__deleted_candidates"}
"""Of a stream whose deletions come in another stream: its model."""
NEWEST_FIRST = {"profiles": ["as_of"]}
"""Columns that decide which row of a key is current before the time of extraction does."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a model."""

    name: str
    sql: str
    description: str


@dataclass(frozen=True, slots=True)
class ListColumn:
    """A list, kept as JSON in a column of this name."""

    name: str
    items: Schema
    description: str


@dataclass
class Columns:
    """The columns of a row or an element, and the lists among them."""

    of: str
    """The beginning of the call of the macro that reads a field."""
    columns: dict[str, Column] = field(default_factory=dict)
    lists: list[ListColumn] = field(default_factory=list)

    def add(self, properties: Mapping[str, Schema], path: tuple[str, ...] = ()) -> None:
        """Add fields; those of an object as columns of the row."""
        for name, schema in properties.items():
            here = (*path, name)
            if schema.get("properties") and _types(schema) == {"object"}:
                self.add(schema["properties"], here)
                continue
            column = "_".join(map(snake_case, here))
            column = RENAMED.get(column, column)
            kind = _type(schema, name)
            self._add_column(column, kind, here, schema.get("description", ""))
            if "array" in _types(schema) and "items" in schema and not ROWS_OF_THEIR_OWN & {*path}:
                self.lists.append(ListColumn(column, schema["items"], schema["description"]))

    def _add_column(self, name: str, kind: str, path: tuple[str, ...], description: str) -> None:
        sql = f"{{{{ {self.of}{', '.join(map(repr, (kind, *path)))}) }}}}"
        if name in self.columns:  # such as job_id and job.id, which are the same
            there = self.columns[name]
            sql, description = f"coalesce({there.sql}, {sql})", there.description
        self.columns[name] = Column(name, sql, description)


@dataclass(frozen=True)
class Model:
    """A model: its file, and what the documentation says of it."""

    section: str
    name: str
    sql: str
    description: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]

    def entry(self) -> dict[str, Any]:
        """Return its entry in the file of properties."""
        return {
            "name": self.name,
            "description": self.description,
            "data_tests": [{"ats.unique_key": {"arguments": {"columns": [*self.key]}}}],
            "columns": [
                {"name": each.name, "description": each.description} for each in self.columns
            ],
        }


@dataclass(frozen=True)
class Stream:
    """A stream as `discover` shows it."""

    section: str
    declared: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Its name, which is that of the table."""
        name: str = self.declared["name"]
        return name

    @cached_property
    def key(self) -> str:
        """The column that is its primary key."""
        ((key,),) = self.declared["source_defined_primary_key"]
        column: str = key
        return column

    @property
    def entity(self) -> str:
        """What a row is called, in the plural."""
        return re.sub(r"^(kombo|atz|comeet)_", "", self.name)

    def models(self) -> Iterator[Model]:
        """Return the model of the stream, and those of its lists."""
        properties = self.declared["json_schema"]["properties"]
        marks = [each for each in STATEMENTS if each in properties]
        found = Columns("ats.field(raw, ")
        found.add({name: schema for name, schema in properties.items() if name not in marks})
        rows = tuple(found.columns.values())
        extracted = Column(
            "extracted_at",
            "{{ ats.field(raw, 'timestamp', '_airbyte_extracted_at') }}",
            "When the connector emitted the row.",
        )
        statements = [STATEMENTS[mark] for mark in marks]
        if self.name in LISTED_AS_DELETED:
            listed = LISTED_AS_DELETED[self.name]
            statements.append(  # a model in Jinja, no query of ours
                f"{{{{ ats.field(raw, 'text', '{self.key}') }}}} not in "  # noqa: S608
                f"(select {self.key} from {{{{ ref('{listed}') }}}})"
            )
        newest_first = NEWEST_FIRST.get(self.name, [])
        source = f"ats.current_rows(raw, '{self.key}'{f', {newest_first}' if newest_first else ''})"
        if self.name == "candidate_history":
            source = "ats.newest_reading(raw)"
        name = f"stg_{self.section}__{self.entity}"
        yield Model(
            self.section,
            name,
            "".join(
                (
                    f"-- {NOTE} {self.name}.\n",
                    f"{{{{ config(enabled=var('ats_{self.section}')) }}}}\n",
                    f"{{%- set raw = ats.raw_table('{self.name}') %}}\n\n",
                    _select((*rows, extracted)),
                    f"from {{{{ {source} }}}}\n",
                    *(f"    and {each}\n" for each in statements),
                )
            ),
            f"The current row of each {_singular(self.entity).replace('_', ' ')}"
            f"{', without those that are deleted' if statements else ''}. Stream {self.name}.",
            (*rows, extracted),
            (self.key,),
        )
        entity = _singular(self.entity.removeprefix("candidate_"))
        if self.name == "candidate_history":
            entity = "history"
        parent = Column(
            f"{entity}_{self.key}", self.key, f"Key of the row that has the list: {name}."
        )
        for each in found.lists:
            yield from self._of_list(each, name, name, (parent,))

    def _of_list(
        self, listed: ListColumn, parent: str, prefix: str, keys: tuple[Column, ...]
    ) -> Iterator[Model]:
        """Return the model of a list, and those of the lists in its elements."""
        found = Columns("ats.element(")
        if listed.items.get("properties"):
            found.add(listed.items["properties"])
        else:
            kind = _type(listed.items, "value")
            value = f"{{{{ ats.element('{kind}') }}}}"
            found.columns["value"] = Column("value", value, "The element of the list.")
        nth = Column("nth", "{{ ats.json_position() }}", "Position in the list, from 1.")
        taken = {each.name for each in keys}
        rows = (*keys, nth, *(each for each in found.columns.values() if each.name not in taken))
        name = f"{prefix}_{listed.name}"
        yield Model(
            self.section,
            name,
            "".join(
                (
                    f"-- {NOTE} {self.name}.\n",
                    f"{{{{ config(enabled=var('ats_{self.section}')) }}}}\n\n",
                    _select(rows),
                    f"from {{{{ ref('{parent}') }}}} as parent\n",
                    f"{{{{ ats.json_unnest('parent.{listed.name}') }}}}\n",
                )
            ),
            f"{listed.description} One row for each element. Stream {self.name}.",
            rows,
            (*(each.name for each in keys), "nth"),
        )
        own_nth = Column(
            f"{listed.name}_nth", "nth", f"Position of the element of {name} that has the list."
        )
        inherited = tuple(Column(each.name, each.name, each.description) for each in keys)
        for each in found.lists:
            yield from self._of_list(each, name, prefix, (*inherited, own_nth))


def _select(rows: tuple[Column, ...]) -> str:
    lines = (each.sql if each.sql == each.name else f"{each.sql} as {each.name}" for each in rows)
    return "select\n    " + ",\n    ".join(lines) + "\n"


def snake_case(name: str) -> str:
    """Return a name in small letters, with `_` between its words."""
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower()


def _singular(plural: str) -> str:
    return plural.removesuffix("s")


def _types(schema: Schema) -> set[str]:
    types = schema.get("type", [])
    return {types} if isinstance(types, str) else {*types} - {"null"}


def _type(schema: Schema, name: str) -> str:
    """Return the type of a column, in the words of the package's macros."""
    types = _types(schema)
    if schema.get("format") == "date-time":
        return "timestamp"
    if schema.get("format") == "date":
        return "date"
    if not types or types & {"object", "array"}:
        return "json"
    if types == {"integer", "string"}:
        return "text" if name == "id" else "integer"
    if types == {"number", "string"}:
        return "number"
    (only,) = types
    return "text" if only == "string" else only


def models() -> Iterator[Model]:
    """Return all models."""
    for stream in streams():
        yield from stream.models()


@cache
def streams() -> tuple[Stream, ...]:
    """Return all streams, with every column that a setting can add."""
    return tuple(
        Stream(section, declared)
        for section, settings in columns.PAGES.items()
        for declared in columns.streams(
            {section: {**settings, **({"candidate_files": True} if section == "kombo" else {})}}
        )
    )


def written() -> dict[Path, str]:
    """Return the text of each file, up to date."""
    files: dict[Path, str] = {}
    entries: dict[str, list[dict[str, Any]]] = {}
    for model in models():
        names = [model.name, *(each.name for each in model.columns)]
        too_long = [each for each in names if len(each) > LONGEST_NAME]
        if too_long:
            raise ValueError(f"Names that PostgreSQL would cut: {', '.join(too_long)}")
        files[FOLDER / model.section / f"{model.name}.sql"] = model.sql
        entries.setdefault(model.section, []).append(model.entry())
    for section, of_section in entries.items():
        files[FOLDER / section / f"{section}_models.yml"] = _yaml({"models": of_section})
        tables = [
            {"name": stream.name, "config": {"enabled": f"{{{{ var('ats_{section}') }}}}"}}
            for stream in streams()
            if stream.section == section
        ]
        files[FOLDER / section / f"{section}_sources.yml"] = _yaml(
            {
                "sources": [
                    {
                        "name": "ats",
                        "database": "{{ var('ats_database') or target.database }}",
                        "schema": "{{ var('ats_schema') or target.schema }}",
                        "tables": tables,
                    }
                ]
            }
        )
    return files


def _yaml(content: dict[str, Any]) -> str:
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100)
    return f"# {NOTE}s.\n{text}"


def main() -> None:
    """Write all files, and remove those of streams and lists that are gone."""
    files = written()
    shutil.rmtree(FOLDER, ignore_errors=True)
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
