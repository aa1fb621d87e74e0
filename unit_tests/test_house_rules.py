"""The rules of the house, read from the source: what stands where, and what stands nowhere."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import source_ats

PACKAGE = Path(source_ats.__file__).parent
SPARK = PACKAGE / "spark"
ROOMS = sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py") if path.parent != SPARK)
VENDORS = {"kombo": "kombo", "talemetry": "talemetry|jobvite", "atz_crm": "atz", "comeet": "comeet"}
TABLES_OF_CONTENTS = {
    "verbs.py",
    "config.py",
    "destination.py",
    "destination_verbs.py",
    "destination_config.py",
}
"""Shared modules that name the vendors, so that all others need not."""

MODULES = sorted(PACKAGE.rglob("*.py"))
SHARED = [path for path in MODULES if path.parent in {PACKAGE, SPARK}]

each_module = pytest.mark.parametrize(
    "path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix()
)


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), str(path))


def imports(path: Path) -> Iterator[str]:
    """Yield the full names of all that a module imports, also inside functions."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield str(node.module)
            yield from (f"{node.module}.{each.name}" for each in node.names)


def rooms_imported(path: Path) -> set[str]:
    names = [name.split(".") for name in imports(path)]
    return {
        parts[1] for parts in names if parts[0] == "source_ats" and parts[1:2] and parts[1] in ROOMS
    }


def test_each_room_is_a_vendor() -> None:
    assert ROOMS
    assert set(ROOMS) <= set(VENDORS)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_no_other_room(room: str) -> None:
    for path in (PACKAGE / room).rglob("*.py"):
        assert rooms_imported(path) <= {room}, path


@pytest.mark.parametrize("path", SHARED, ids=lambda path: path.name)
def test_only_the_tables_of_contents_import_rooms(path: Path) -> None:
    if path.name not in TABLES_OF_CONTENTS:
        assert rooms_imported(path) == set()


@pytest.mark.parametrize("path", SHARED, ids=lambda path: path.name)
def test_plumbing_names_no_vendor(path: Path) -> None:
    if path.name in TABLES_OF_CONTENTS or path == SPARK / "__init__.py":
        return
    # The second connector bears its vendor's name.
    text = re.sub(r"destination[_-]?comeet", "", path.read_text("utf-8"), flags=re.IGNORECASE)
    for line in text.splitlines():
        assert not re.search("|".join(VENDORS.values()), line, re.IGNORECASE), line


STANDARD_HEADERS = {
    "accept",
    "accept-encoding",
    "authorization",
    "content-type",
    "date",
    "retry-after",
    "user-agent",
    "x-request-id",
}


def strings(path: Path) -> Iterator[str]:
    """Yield the strings in a module's code, without its docstrings."""
    tree = parsed(path)
    texts = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in texts:
            yield node.value


def of_the_wire(room: str) -> set[str]:
    """Return the hosts, paths and header names that a room's calls and replies are made of."""
    found: set[str] = set()
    for name in ("calls.py", "replies.py"):
        for path in (PACKAGE / room).glob(name):
            for text in strings(path):
                found.update(re.findall(r"https://([a-z0-9.-]+)", text))
                if re.fullmatch(r"/[a-zA-Z0-9_/.-]{4,}", text):
                    found.add(text)
                if re.fullmatch(r"[A-Za-z]+(-[A-Za-z]+)+", text):
                    found.add(text)
    return {each for each in found if each.lower() not in STANDARD_HEADERS}


@pytest.mark.parametrize("room", ROOMS)
def test_what_goes_on_the_wire_stands_in_its_room_only(room: str) -> None:
    words = of_the_wire(room)
    assert words, f"{room} has no calls?"
    for path in MODULES:
        if (PACKAGE / room) in path.parents:
            continue
        for text in strings(path):
            if text.startswith("https://docs.airbyte.com/"):
                continue
            for word in words:
                if word.startswith("/") and (path not in SHARED or " " in text):
                    # Two vendors may have a path of the same name, and prose may tell of one.
                    continue
                assert word.lower() not in text.lower(), f"{word} of {room} in {path}"


@each_module
def test_no_failure_is_swallowed_unseen(path: Path) -> None:
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, f"{path}:{node.lineno}"
            names = {each.id for each in ast.walk(node.type) if isinstance(each, ast.Name)}
            assert not names & {"Exception", "BaseException"}, f"{path}:{node.lineno}"
        if isinstance(node, ast.Call) and "suppress" in ast.unparse(node.func):
            named = {
                each.id for arg in node.args for each in ast.walk(arg) if isinstance(each, ast.Name)
            }
            assert not named & {"Exception", "BaseException"}, f"{path}:{node.lineno}"


@each_module
def test_a_module_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(parsed(path))


@each_module
def test_only_the_client_talks_to_the_network(path: Path) -> None:
    tools = {"requests", "urllib3", "http", "httpx", "aiohttp", "socket", "urllib.request"}
    used = {name for name in imports(path) if name in tools or name.split(".")[0] in tools}
    if path.name != "client.py":
        assert used == set(), path


@each_module
def test_time_comes_from_the_clock(path: Path) -> None:
    if path.name == "clock.py":
        return
    text = ast.unparse(parsed(path))
    for word in ("time.sleep(", "time.time(", "time.monotonic(", "datetime.now(", "utcnow("):
        assert word not in text, path


@each_module
def test_the_sdk_stays_out_of_what_a_small_read_imports(path: Path) -> None:
    # Its import takes longer than such a read.
    if path.name not in {"source.py", "destination.py"}:
        assert not [name for name in imports(path) if name.startswith("airbyte_cdk")]


@each_module
def test_spark_stays_out_of_all_but_its_own_modules(path: Path) -> None:
    if path.parent != SPARK:
        assert not [
            name for name in imports(path) if name.startswith(("pyspark", "source_ats.spark"))
        ]


@pytest.mark.parametrize(
    "path",
    [each for each in MODULES if each.name in {"calls.py", "replies.py"}],
    ids=lambda path: f"{path.parent.name}/{path.name}",
)
def test_building_a_call_and_reading_a_reply_send_nothing(path: Path) -> None:
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            assert node.func.attr not in {"send", "request", "open", "write_text", "sleep"}


@each_module
def test_words_that_belong_in_no_finished_code(path: Path) -> None:
    for line in path.read_text("utf-8").splitlines():
        assert not re.search(r"\b(TODO|FIXME|XXX|HACK)\b", line), line
    assert path.stem not in {"utils", "helpers", "common", "base", "registry"}
