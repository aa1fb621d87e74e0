"""The source's form in Airbyte, drawn from its spec and photographed in Chromium.

The page follows what Airbyte's form does with a spec: a card for each group, the fields of a nested
object without its title, and fields that are neither required nor `always_show` hidden under
"Optional fields".
"""

from __future__ import annotations

import html
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from source_ats import config

CHROMIUM = "chromium"
WIDTH = 760
MEASURE = "<script>document.title = document.documentElement.scrollHeight</script>"
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--hide-scrollbars", "--force-device-scale-factor=1"),
)
STYLE = """
body { margin: 0; padding: 24px; width: 712px; background: #f8f8fa; color: #1a194d;
       font: 14px/20px "DejaVu Sans", sans-serif; }
section { background: #fff; border-radius: 10px; box-shadow: 0 2px 4px #1a194d1f;
          padding: 20px 24px 8px; margin: 0 0 18px; }
h2 { font-size: 18px; margin: 0 0 16px; }
label { display: block; font-weight: bold; margin: 0 0 4px; }
label small { color: #6b6b8d; font-weight: normal; }
p { color: #6b6b8d; font-size: 12px; line-height: 17px; margin: 0 0 6px; }
.box { border: 1px solid #d1d1db; border-radius: 6px; padding: 8px 12px; margin: 0 0 16px;
       min-height: 20px; color: #8d8da8; }
.choice::after { content: "\\25BE"; float: right; }
.filled { color: #1a194d; }
.more { border-top: 1px solid #e8e8ed; padding: 10px 0; color: #615eff; font-weight: bold; }
"""
Schema = Mapping[str, Any]


def photograph(path: Path) -> None:
    """Write a PNG of the form."""
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "form.html"
        page.write_text(drawn(config.spec()["connectionSpecification"]) + MEASURE, "utf-8")
        measured = _chromium(page, f"--window-size={WIDTH},1", "--dump-dom")
        height = re.findall(r"<title>(\d+)</title>", measured)[0]
        _chromium(page, f"--window-size={WIDTH},{height}", f"--screenshot={path}")


def _chromium(page: Path, *flags: str) -> str:
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={page.parent}/profile", *flags, page.as_uri()]
    done = subprocess.run(  # noqa: S603 - our own flags
        command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    return done.stdout


def drawn(schema: Schema) -> str:
    """Return the page."""
    cards = "".join(
        f"<section><h2>{html.escape(group['title'])}</h2>{''.join(_card(schema, group['id']))}"
        "</section>"
        for group in schema["groups"]
    )
    return f'<!doctype html><meta charset="utf-8"><style>{STYLE}</style>{cards}'


def _card(schema: Schema, group: str) -> Iterator[str]:
    fields = {
        name: field for name, field in schema["properties"].items() if field["group"] == group
    }
    yield from _fields({"properties": fields, "required": schema.get("required", ())})


def _fields(schema: Schema) -> Iterator[str]:
    """Yield the fields in their order; those that the form hides are under one line."""
    hidden = False
    for name, field in sorted(schema["properties"].items(), key=lambda each: each[1]["order"]):
        if "properties" in field:
            yield from _fields(field)
        elif name in schema.get("required", ()) or field.get("always_show"):
            yield from _field(field, optional=name not in schema.get("required", ()))
        else:
            hidden = True
    if hidden:
        yield '<div class="more">&#9656; Optional fields</div>'


def _field(field: Schema, *, optional: bool) -> Iterator[str]:
    note = " <small>optional</small>" if optional else ""
    yield f"<label>{html.escape(field['title'])}{note}</label>"
    yield f"<p>{html.escape(field['description'])}</p>"
    if "oneOf" in field:
        first = field["oneOf"][0]
        yield f'<div class="box choice filled">{html.escape(first["title"])}</div>'
        shown = {name: each for name, each in first["properties"].items() if "const" not in each}
        yield from _fields({**first, "properties": shown})
        return
    kind = "choice" if "enum" in field else ""
    if default := field.get("default"):
        text = ", ".join(default) if isinstance(default, list) else str(default)
        yield f'<div class="box filled {kind}">{html.escape(text)}</div>'
    else:
        yield f'<div class="box {kind}">{html.escape(str(field.get("examples", [""])[0]))}</div>'
