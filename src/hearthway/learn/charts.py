"""Small charts as SVG text: no script, no font and no colour of their own, so that a page's light and dark apply.

Colours are the classes of the page's style sheet (`ours`, `peer`, `soft`, `axis`); every chart carries its figures as words.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from msgspec import Struct

WIDTH, HEIGHT = 440.0, 240.0
LEFT, RIGHT, TOP, BOTTOM = 58.0, 24.0, 14.0, 40.0


class Dot(Struct, frozen=True, kw_only=True):
    """A value with its interval, at `x` (in the units of the axis); `size` is a radius in px, `label` stands beside it."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None
    size: float = 4.0
    label: str = ""
    words: str = ""


class Series(Struct, frozen=True, kw_only=True):
    """Dots of one colour, joined by a line where `line`."""

    name: str
    css: str
    dots: tuple[Dot, ...]
    line: bool = False


class Axes(Struct, frozen=True, kw_only=True):
    """The frame: what is shown from where to where, and the marks with their words."""

    x: tuple[float, float]
    y: tuple[float, float]
    x_marks: tuple[tuple[float, str], ...]
    y_marks: tuple[tuple[float, str], ...]
    x_words: str
    y_words: str
    diagonal: bool = False

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Pixel of a value; what lies outside is drawn at the edge."""
        (x0, x1), (y0, y1) = self.x, self.y
        across = min(1.0, max(0.0, (x - x0) / (x1 - x0)))
        up = min(1.0, max(0.0, (y - y0) / (y1 - y0)))
        return LEFT + across * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - up * (
            HEIGHT - TOP - BOTTOM
        )


def chart(axes: Axes, series: Sequence[Series], words: str) -> str:
    """One chart; `words` is what it shows, for whoever does not see it."""
    parts = [
        f'<svg viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}" role="img" aria-label="{escape(words)}">',
        *_frame(axes),
    ]
    for one in series:
        parts += _series(axes, one)
    return "\n".join([*parts, "</svg>"])


def _frame(axes: Axes) -> list[str]:
    left, floor = axes.at(axes.x[0], axes.y[0])
    right, top = axes.at(axes.x[1], axes.y[1])
    out = []
    for value, words in axes.y_marks:
        _, y = axes.at(axes.x[0], value)
        out.append(_line(left, y, right, y, "axis"))
        out.append(_text(left - 6, y + 4, words, "end"))
    for value, words in axes.x_marks:
        x, _ = axes.at(value, axes.y[0])
        out.append(_text(x, floor + 16, words, "middle"))
    if axes.diagonal:
        out.append(_line(left, floor, right, top, "soft dashed"))
    out.append(_text((left + right) / 2, HEIGHT - 6, axes.x_words, "middle"))
    out.append(
        f'<text transform="translate(11 {(floor + top) / 2:.1f}) rotate(-90)" text-anchor="middle">'
        f"{escape(axes.y_words)}</text>"
    )
    return out


def _series(axes: Axes, one: Series) -> list[str]:
    out = []
    points = [axes.at(dot.x, dot.y) for dot in one.dots]
    if one.line and len(points) > 1:
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        out.append(f'<polyline class="{one.css} path" points="{path}"/>')
    for dot, (x, y) in zip(one.dots, points, strict=True):
        if dot.low is not None and dot.high is not None:
            out.append(
                _line(x, axes.at(dot.x, dot.low)[1], x, axes.at(dot.x, dot.high)[1], one.css)
            )
        told = f"<title>{escape(dot.words)}</title>" if dot.words else ""
        out.append(
            f'<circle class="{one.css}" cx="{x:.1f}" cy="{y:.1f}" r="{dot.size:.1f}">{told}</circle>'
        )
        if dot.label:
            out.append(_text(x - 7, y - 6, dot.label, "end"))
    return out


def _line(x1: float, y1: float, x2: float, y2: float, css: str) -> str:
    return f'<line class="{css}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _text(x: float, y: float, words: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'
