"""The options that a user gives a data source, parsed once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from source_ats.errors import ConfigError


def text(options: Mapping[str, str], name: str) -> str:
    """Return an option that has to be there."""
    value = options.get(name)
    if not value:
        raise ConfigError(f'The option {name} is missing. Add .option("{name}", ...).')
    return value


def choice(options: Mapping[str, str], name: str, *choices: str) -> str:
    """Return one of the choices; the first where the option is not given."""
    value = options.get(name, choices[0])
    if value not in choices:
        raise ConfigError(f"The option {name} has to be one of: {', '.join(choices)}.")
    return value


def number(options: Mapping[str, str], name: str, default: int) -> int:
    """Return a number of at least 1."""
    value = options.get(name, str(default))
    if not (value.isascii() and value.isdigit() and len(value) < 6 and int(value) > 0):
        raise ConfigError(f"The option {name} has to be a number of at least 1.")
    return int(value)


def config(options: Mapping[str, str]) -> dict[str, Any]:
    """Return the configuration, not checked yet. It has the keys of the command line's file."""
    try:
        content = json.loads(text(options, "config"))
    except ValueError:
        # The library's text would be harmless, the value would not.
        raise ConfigError("The option config has to be the configuration as JSON text.") from None
    if not isinstance(content, dict):
        raise ConfigError("The option config has to hold a JSON object.")
    return content
