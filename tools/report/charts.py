"""Draws charts as SVG with Vega-Altair: each once for wide pages and once for narrow ones.

Places are in pixels, so that texts keep their size; only values have a scale. Colours are the
variables of the page's style sheet, which has a set for light, for dark and for print. Texts stay
texts. They are short enough to fit in fonts that are wider than usual.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import altair as alt
import vl_convert

THICK = 18
"""Height of a bar."""
HEADING, LABEL, TICKS = 30, 20, 26
"""Heights of the lines for a heading, for a label above a bar, and for the texts below a chart."""
WIDEST_CHARACTER = 7.8
"""Of a text with digits, on average, in a font that is wider than usual."""
SMALL = {"fontSize": 12, "color": "var(--muted)"}


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar, its first part darker."""

    label: str
    value: float
    part: float
    text: str


@dataclass(frozen=True, slots=True)
class Bars:
    """Bars under headings, all with one scale that begins at 0."""

    groups: Mapping[str, Sequence[Bar]]


@dataclass(frozen=True, slots=True)
class Range:
    """A span of values with a mark in it."""

    label: str
    low: float
    middle: float
    high: float
    text: str


@dataclass(frozen=True, slots=True)
class Ranges:
    """Ranges under headings, all with one scale."""

    groups: Mapping[str, Sequence[Range]]


@dataclass(frozen=True, slots=True)
class Series:
    """Numbers in a row, one for each text below the chart."""

    label: str
    text: str
    values: Sequence[int]


@dataclass(frozen=True, slots=True)
class Columns:
    """Series below each other, all with one scale that begins at 0."""

    texts: Sequence[str]
    series: Sequence[Series]


Chart = Bars | Ranges | Columns
Labelled = TypeVar("Labelled", Bar, Range)
Place = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a chart has what, in pixels."""

    name: str
    width: int
    labels: int
    """Room for labels to the left; 0: they are above."""
    longest: int
    """Characters of a label. More are cut off."""
    ticks: int


WIDE = Layout("wide", 760, labels=210, longest=28, ticks=6)
NARROW = Layout("narrow", 336, labels=0, longest=40, ticks=4)


def drawn(chart: Chart, titles: str) -> list[str]:
    """Return an SVG for wide pages and one for narrow ones. `titles`: ids of what names them."""
    return [_svg(chart, layout, titles) for layout in (WIDE, NARROW)]


def _svg(chart: Chart, layout: Layout, titles: str) -> str:
    if isinstance(chart, Bars):
        layers, height = _bars(chart, layout)
    elif isinstance(chart, Ranges):
        layers, height = _ranges(chart, layout)
    else:
        layers, height = _columns(chart, layout)
    specification = (
        alt.layer(*layers)
        # Each layer has its own scale, or none: then its values are pixels.
        .resolve_scale(x="independent", y="independent")
        .properties(
            width=layout.width,
            height=height,
            background="transparent",
            padding=0,
            autosize=alt.AutoSizeParams(type="none"),
        )
        .configure(aria=False, font="sans-serif")
        .configure_view(stroke=None)
        .configure_axis(
            domain=False,
            ticks=False,
            gridColor="var(--line)",
            labelColor="var(--muted)",
            labelFontSize=12,
        )
        .to_dict()
    )
    svg: str = vl_convert.vegalite_to_svg(specification)
    # The values follow as a table: for a screen reader the drawing is one image.
    attributes = f'role="img" aria-labelledby="{titles}" data-layout="{layout.name}"'
    return svg.replace("<svg ", f"<svg {attributes} ", 1)


def _bars(chart: Bars, layout: Layout) -> tuple[list[alt.Chart], float]:
    rows, labels, height = _rows(chart.groups, layout)
    scale = _scale(layout, [bar for bar, _ in rows], 0, max(bar.value for bar, _ in rows))

    def bars(values: Sequence[float], color: str) -> alt.Chart:
        places = [
            {"from": 0, "to": value, "top": top, "bottom": top + THICK}
            for value, (_, top) in zip(values, rows, strict=True)
        ]
        return _boxes(places, scale, color=color, cornerRadius=2)

    ends = [{"x": bar.value, "y": top + THICK / 2, "text": bar.text} for bar, top in rows]
    layers = [
        bars([bar.value for bar, _ in rows], "var(--pale)"),
        bars([bar.part for bar, _ in rows], "var(--strong)"),
        _texts(ends, scale, dx=8),
        *labels,
    ]
    return layers, height


def _ranges(chart: Ranges, layout: Layout) -> tuple[list[alt.Chart], float]:
    rows, labels, height = _rows(chart.groups, layout)
    least = min(0.0, *(each.low for each, _ in rows))
    most = max(each.high for each, _ in rows)
    scale = _scale(layout, [each for each, _ in rows], least, most, inset=6)
    spans = [
        {"from": each.low, "to": each.high, "top": top + 5, "bottom": top + THICK - 5}
        for each, top in rows
    ]
    marks = [{"x": each.middle, "y": top + THICK / 2} for each, top in rows]
    ends = [{"x": each.high, "y": top + THICK / 2, "text": each.text} for each, top in rows]
    # The axis is above the line that the texts below the chart have.
    axis = alt.Axis(tickCount=layout.ticks, title=None, orient="bottom", offset=-TICKS, zindex=0)
    ticks = (
        alt.Chart(alt.Data(values=[{}]))
        .mark_point(opacity=0)
        .encode(x=alt.X(datum=least, type="quantitative", scale=scale, axis=axis))
    )
    points = (
        alt.Chart(alt.Data(values=marks))
        .mark_point(size=110, filled=True, opacity=1, color="var(--accent)")
        .encode(x=alt.X("x:Q", scale=scale, axis=None), y=_y("y:Q"))
    )
    layers = [
        ticks,
        _boxes(spans, scale, color="var(--strong)", cornerRadius=4),
        points,
        _texts(ends, scale, dx=12),
        *labels,
    ]
    return layers, height + TICKS


def _columns(chart: Columns, layout: Layout) -> tuple[list[alt.Chart], float]:
    tall = 46 if layout.labels else 38
    pitch = tall + (14 if layout.labels else 32)
    most = max(1, *(value for each in chart.series for value in each.values))
    left = layout.labels
    step = (layout.width - left) / len(chart.texts)
    boxes, texts, lines = [], [], []
    for number, each in enumerate(chart.series):
        bottom = number * pitch + pitch - 4
        lines.append({"from": left, "to": layout.width, "top": bottom, "bottom": bottom + 1})
        if layout.labels:
            longest, line = layout.longest, bottom - tall / 2 - 8
            total = {"text": each.text, "x": 0, "y": line + 18}
        else:  # both on one line
            longest, line = layout.longest - len(each.text), bottom - tall - 12
            total = {"text": each.text, "x": layout.width, "y": line}
        texts.append(({"text": _cut(each.label, longest), "x": 0, "y": line}, total))
        boxes += [
            {
                "from": left + place * step + step * 0.12,
                "to": left + (place + 1) * step - step * 0.12,
                "top": bottom - tall * value / most,
                "bottom": bottom,
            }
            for place, value in enumerate(each.values)
            if value
        ]
    height = len(chart.series) * pitch
    shown = [0, len(chart.texts) // 2, len(chart.texts) - 1]
    places = [left, left + (shown[1] + 0.5) * step, layout.width]
    below = [
        _texts([{"x": x, "y": height + 12, "text": chart.texts[each]}], None, **SMALL, align=align)
        for each, x, align in zip(shown, places, ("left", "center", "right"), strict=True)
    ]
    layers = [
        _boxes(lines, None, color="var(--line)"),
        _boxes(boxes, None, color="var(--strong)"),
        _texts([label for label, _ in texts], None),
        _texts(
            [total for _, total in texts],
            None,
            **SMALL,
            align="left" if layout.labels else "right",
        ),
        *below,
    ]
    return layers, height + TICKS


def _rows(
    groups: Mapping[str, Sequence[Labelled]], layout: Layout
) -> tuple[list[tuple[Labelled, float]], list[alt.Chart], float]:
    """Place rows below each other: each with the top of its bar, their labels, and the height."""
    rows, headings, labels = [], [], []
    height = 0.0
    for heading, members in groups.items():
        headings.append({"x": 0, "y": height + 14, "text": _cut(heading, layout.longest)})
        height += HEADING
        for each in members:
            top = height + (0 if layout.labels else LABEL)
            rows.append((each, top))
            place = top + THICK / 2 if layout.labels else top - LABEL / 2
            labels.append({"x": 0, "y": place, "text": _cut(each.label, layout.longest)})
            height = top + THICK + 10
        height += 6
    layers = [_texts(headings, None, fontWeight="bold"), _texts(labels, None)]
    return rows, layers, height


def _scale(
    layout: Layout, rows: Sequence[Bar | Range], least: float, most: float, inset: int = 0
) -> alt.Scale:
    """Return the scale of values. It leaves room for the labels and for the texts at the ends."""
    room = 14 + WIDEST_CHARACTER * max(len(each.text) for each in rows)
    ends = [layout.labels + inset, max(layout.width - room, layout.labels + 40)]
    return alt.Scale(domain=[least, most if most > least else least + 1], range=ends, nice=False)


def _y(field: str) -> alt.Y:
    return alt.Y(field, scale=None, axis=None)


def _boxes(places: Sequence[Place], scale: alt.Scale | None, **mark: Any) -> alt.Chart:
    return (
        alt.Chart(alt.Data(values=places))
        .mark_rect(**mark)
        .encode(
            x=alt.X("from:Q", scale=scale, axis=None),
            x2="to:Q",
            y=_y("top:Q"),
            y2="bottom:Q",
        )
    )


def _texts(places: Sequence[Place], scale: alt.Scale | None, **mark: Any) -> alt.Chart:
    given = {"align": "left", "baseline": "middle", "fontSize": 13, "color": "var(--ink)", **mark}
    return (
        alt.Chart(alt.Data(values=places))
        .mark_text(**given)
        .encode(x=alt.X("x:Q", scale=scale, axis=None), y=_y("y:Q"), text="text:N")
    )


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1].rstrip()}…"
