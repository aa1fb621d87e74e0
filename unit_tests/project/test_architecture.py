"""The structure of the code, read from its source: who imports whom, and what stands where.

Layers of `source_ats`, from the bottom: a module imports its own layer or one below, never above.
`destination_comeet` imports `source_ats`; nothing there imports `destination_comeet`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
VENDORS = {"kombo": "kombo", "talemetry": "talemetry|jobvite", "atz_crm": "atz", "comeet": "comeet"}
LAYERS = (
    {"errors", "clock", "decoding", "plural", "version"},
    {"protocol", "http"},
    {"sync"},
    {"vendors"},
    {"config"},
    {"commands"},
    {"process"},
    {"start", "cli", "cdk", "spark", "__init__"},
)
NAME_THE_VENDORS = {"source_ats/config.py", "source_ats/commands.py"}
"""Modules that put the vendors together, so that no other has to know them."""


def name_of(path: Path) -> str:
    """Return the dotted name of a module."""
    return ".".join(path.relative_to(PROJECT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {
    name_of(path): path
    for package in ("source_ats", "destination_comeet")
    for path in sorted((PROJECT / package).rglob("*.py"))
}
SHARED = {
    name: path
    for name, path in MODULES.items()
    if name.startswith("source_ats") and not name.startswith("source_ats.vendors")
}

each_module = pytest.mark.parametrize("path", MODULES.values(), ids=MODULES.keys())


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


def imports_at_start(path: Path) -> Iterator[str]:
    """Yield what a module imports when it is imported itself."""
    for node in parsed(path).body:
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        if isinstance(node, ast.ImportFrom):
            yield str(node.module)
            yield from (f"{node.module}.{each.name}" for each in node.names)


def graph() -> Mapping[str, set[str]]:
    """Return which of our modules each of our modules imports."""
    return {
        name: {each for each in imports_at_start(path) if each in MODULES} - {name}
        for name, path in MODULES.items()
    }


def layer(name: str) -> int:
    part = [*name.split("."), "__init__"][1]
    (found,) = (number for number, names in enumerate(LAYERS) if part in names)
    return found


def test_no_import_cycle() -> None:
    # A package's own module is imported before its submodules, so it counts as the package's end.
    left = {name: set(targets) for name, targets in graph().items()}
    for targets in left.values():
        targets -= {
            each for each in targets if any(other.startswith(f"{each}.") for other in targets)
        }
    while left:
        done = {name for name, targets in left.items() if not targets & left.keys()}
        assert done, f"These modules import each other: {sorted(left)}"
        for name in done:
            del left[name]


@pytest.mark.parametrize("name", [name for name in MODULES if name.startswith("source_ats")])
def test_no_import_points_upwards(name: str) -> None:
    for each in imports(MODULES[name]):
        if each in MODULES and each != "source_ats":
            assert layer(each) <= layer(name), f"{name} imports {each}"


@pytest.mark.parametrize("name", [name for name in MODULES if name.startswith("source_ats")])
def test_the_source_does_not_import_the_destination(name: str) -> None:
    assert not [each for each in imports(MODULES[name]) if each.startswith("destination_comeet")]


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_vendor_package_imports_no_other_vendor(vendor: str) -> None:
    for name, path in MODULES.items():
        if name.startswith(f"source_ats.vendors.{vendor}"):
            for each in imports(path):
                parts = each.split(".")
                assert parts[:2] != ["source_ats", "vendors"] or parts[2:3] in ([], [vendor]), name


def test_every_vendor_package_is_known_here() -> None:
    folders = {path.parent.name for path in (PROJECT / "source_ats/vendors").glob("*/__init__.py")}
    assert folders == set(VENDORS)


@pytest.mark.parametrize("vendor", VENDORS)
def test_every_vendor_package_has_the_same_files(vendor: str) -> None:
    there = {path.name for path in (PROJECT / "source_ats/vendors" / vendor).glob("*.py")}
    assert {
        "__init__.py",
        "check.py",
        "config.py",
        "requests.py",
        "responses.py",
        "schemas.py",
        "streams.py",
    } <= there


@pytest.mark.parametrize("name", SHARED)
def test_shared_modules_name_no_vendor(name: str) -> None:
    path = SHARED[name]
    if path.relative_to(PROJECT).as_posix() in NAME_THE_VENDORS:
        return
    for line in path.read_text("utf-8").splitlines():
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


def wire_words(vendor: str) -> set[str]:
    """Return the hosts, paths and header names in a vendor's requests and responses."""
    found: set[str] = set()
    for name in ("requests", "responses"):
        for text in strings(MODULES[f"source_ats.vendors.{vendor}.{name}"]):
            found.update(re.findall(r"https://([a-z0-9.-]+)", text))
            if re.fullmatch(r"/[a-zA-Z0-9_/.-]{4,}", text):
                found.add(text)
            if re.fullmatch(r"[A-Za-z]+(-[A-Za-z]+)+", text):
                found.add(text)
    return {each for each in found if each.lower() not in STANDARD_HEADERS}


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_vendors_hosts_paths_and_headers_stand_in_its_package_only(vendor: str) -> None:
    words = wire_words(vendor)
    assert words, f"{vendor} has no requests?"
    for name, path in MODULES.items():
        if name.startswith(f"source_ats.vendors.{vendor}."):
            continue
        for text in strings(path):
            if text.startswith("https://docs.airbyte.com/"):
                continue
            for word in words:
                if word.startswith("/") and (name not in SHARED or " " in text):
                    # Two vendors may have a path of the same name, and prose may mention one.
                    continue
                assert word.lower() not in text.lower(), f"{word} of {vendor} in {name}"


@each_module
def test_no_broad_except(path: Path) -> None:
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
def test_only_the_http_package_talks_to_the_network(path: Path) -> None:
    tools = {"requests", "urllib3", "http", "httpx", "aiohttp", "socket", "urllib.request"}
    used = {name for name in imports(path) if name in tools or name.split(".")[0] in tools}
    if path.parent.name != "http":
        assert used == set(), path


@each_module
def test_time_comes_from_the_clock(path: Path) -> None:
    if path.name == "clock.py":
        return
    text = ast.unparse(parsed(path))
    for word in ("time.sleep(", "time.time(", "time.monotonic(", "datetime.now(", "utcnow("):
        assert word not in text, path


@each_module
def test_only_cdk_modules_import_the_cdk(path: Path) -> None:
    # Its import takes longer than a small read.
    if path.name != "cdk.py":
        assert not [name for name in imports(path) if name.startswith("airbyte_cdk")]


@pytest.mark.parametrize("name", MODULES)
def test_only_spark_modules_import_spark(name: str) -> None:
    if ".spark" not in name:
        assert not [
            each
            for each in imports(MODULES[name])
            if each.startswith(("pyspark", "source_ats.spark", "destination_comeet.spark"))
        ]


@pytest.mark.parametrize("module", ["requests", "responses"])
@pytest.mark.parametrize("vendor", VENDORS)
def test_building_a_request_and_reading_a_response_do_no_io(vendor: str, module: str) -> None:
    for node in ast.walk(parsed(MODULES[f"source_ats.vendors.{vendor}.{module}"])):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            assert node.func.attr not in {"send", "request", "open", "write_text", "sleep"}


@each_module
def test_nothing_is_left_for_later(path: Path) -> None:
    for line in path.read_text("utf-8").splitlines():
        assert not re.search(r"\b(TODO|FIXME|XXX|HACK)\b", line), line
    assert path.stem not in {"utils", "helpers", "common", "base", "registry"}


@pytest.mark.parametrize(
    "path",
    [
        path
        for folder in ("unit_tests", "integration_tests")
        for path in sorted((PROJECT / folder).rglob("*.py"))
    ],
    ids=lambda path: path.relative_to(PROJECT).as_posix(),
)
def test_no_test_imports_another_test_module(path: Path) -> None:
    for name in imports(path):
        assert not re.search(r"(^|\.)test_", name), f"{path}: {name}"
