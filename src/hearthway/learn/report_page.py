"""A backtest as one HTML page with charts and maps: it loads nothing from anywhere, and reads in light and dark."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from math import floor, log10

from hearthway.records.count import count_of
from hearthway.records.page import MapShapes

from .bootstrap import Interval
from .charts import Axes, Dot, Series, chart
from .dials import DialReplayed
from .life_map import STYLE
from .map_words import map_figures
from .regions import Region
from .report import BacktestReport, PersonReport, person_lines

HALF_PERCENT = 50
WAY_POINTS = 60_000  # on one page: about 300 kB
SHARE_MARKS = tuple((n / 4, f"{n * 25} %") for n in range(5))

# The policy forbids the page to fetch or run anything, whatever a name in the history may hold.
HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Hearthway: a backtest</title>
<style>
:root { --ink: #1d2430; --page: #ffffff; --faint: #d5dae2; --ours: #0b6e4f; --peer: #9a5b00; --soft: #5d6878; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e7ebf1; --page: #14181f; --faint: #39424f; --ours: #5fd3a8; --peer: #f0b35a; --soft: #9aa6b6; }
}
body { color: var(--ink); background: var(--page); font: 16px/1.5 system-ui, sans-serif; max-width: 60rem;
  margin: 0 auto; padding: 1rem; }
figure { margin: 1rem 0; display: inline-block; width: min(100%, 28rem); vertical-align: top; }
figcaption { font-size: .9rem; }
svg { width: 100%; height: auto; }
text { fill: var(--ink); font-size: 11px; }
line, polyline { fill: none; stroke-width: 2; }
.axis { stroke: var(--faint); stroke-width: 1; }
line.ours, polyline.ours { stroke: var(--ours); } circle.ours { fill: var(--ours); }
line.peer, polyline.peer { stroke: var(--peer); } circle.peer { fill: var(--peer); }
line.soft, polyline.soft { stroke: var(--soft); } circle.soft { fill: var(--soft); }
.dashed { stroke-dasharray: 5 4; }
.key-ours { color: var(--ours); } .key-peer { color: var(--peer); } .key-soft { color: var(--soft); }
pre { overflow-x: auto; font-size: .85rem; }
dt { font-weight: 600; }
</style>
</head>
<body>
"""


def report_page(report: BacktestReport, streets: Mapping[Region, MapShapes] | None = None) -> str:
    """The page; everything in it stands in the report as well, save the streets: what a map has in each region.

    None: there is no map.
    """
    out = [HEAD.replace("</style>", f"{STYLE}</style>")]
    out.append("<h1>A backtest on your own past days</h1>")
    out.append(
        "<p>Each trip is predicted from what came before it only. This page loads nothing from anywhere.</p>"
    )
    if report.source or report.read:
        out.append(f"<p>{escape(report.source)}: {escape(report.read)}</p>")
    for person in report.people:
        out += _person(person, streets, len(report.people))
    out.append("<h2>What the words mean</h2>\n<dl>")
    out += [f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in report.definitions.items()]
    out.append("</dl>\n</body>\n</html>\n")
    return "\n".join(out)


def _person(
    person: PersonReport, streets: Mapping[Region, MapShapes] | None, people: int
) -> list[str]:
    out = [f"<h2>{escape(person.person or 'no name in the file')}</h2>"]
    figures = (_destination(person), _calibration(person), _dials(person.dials))
    out += map_figures(person.map, streets, WAY_POINTS // people)
    out += [figure for figure in figures if figure]
    lines = "\n".join(line for line in person_lines(person) if line)
    return [*out, f"<pre>{escape(lines)}</pre>"]


def _figure(svg: str, caption: str) -> str:
    return f"<figure>\n{svg}\n<figcaption>{caption}</figcaption>\n</figure>"


def _dot(x: float, interval: Interval, words: str, label: str = "") -> Dot:
    told = f"{words}: {interval.mean:.3f} [{interval.low:.3f}, {interval.high:.3f}]"
    return Dot(x=x, y=interval.mean, low=interval.low, high=interval.high, label=label, words=told)


def _destination(person: PersonReport) -> str:
    ours, best = [], []
    for at in person.legs.fractions:
        peer = at.baselines[at.best_baseline]
        if at.hit_rate is not None and peer is not None:
            ours.append(_dot(at.percent, at.hit_rate, f"Hearthway at {at.percent} %"))
            best.append(_dot(at.percent + 1.5, peer, f"{at.best_baseline} at {at.percent} %"))
    if not ours:
        return ""
    ceiling = person.legs.visited_before
    known = () if ceiling is None else tuple(Dot(x=x, y=ceiling.mean, size=0.0) for x in (-5, 80))
    axes = Axes(
        x=(-5.0, 80.0),
        y=(0.0, 1.0),
        x_marks=tuple((float(a.percent), f"{a.percent} %") for a in person.legs.fractions),
        y_marks=SHARE_MARKS,
        x_words="part of the trip's time that is over",
        y_words="named within 300 m",
    )
    drawn = [
        Series(name="visited before", css="soft dashed", dots=known, line=True),
        Series(name="best peer", css="peer", dots=tuple(best), line=True),
        Series(name="Hearthway", css="ours", dots=tuple(ours), line=True),
    ]
    words = "; ".join(dot.words for dot in (*ours, *best))
    return _figure(
        chart(axes, drawn, words),
        'Where a trip ends: <span class="key-ours">Hearthway</span>, <span class="key-peer">the best '
        'peer</span>, and <span class="key-soft">the share that had been visited before</span>; 95 % intervals.',
    )


def _calibration(person: PersonReport) -> str:
    half = next((at for at in person.legs.fractions if at.percent == HALF_PERCENT), None)
    if half is None or not half.calibration:
        return ""
    most = max(one.n for one in half.calibration)
    dots = tuple(
        Dot(
            x=one.confidence,
            y=one.hit_rate,
            size=3.0 + 6.0 * (one.n / most) ** 0.5,
            words=f"said {one.confidence:.2f}, came true {one.hit_rate:.2f}, {count_of(one.n, 'trip')}",
        )
        for one in half.calibration
    )
    axes = Axes(
        x=(0.0, 1.0),
        y=(0.0, 1.0),
        x_marks=SHARE_MARKS,
        y_marks=SHARE_MARKS,
        x_words="probability it stated, half way",
        y_words="came true",
        diagonal=True,
    )
    svg = chart(
        axes, [Series(name="", css="ours", dots=dots)], "; ".join(dot.words for dot in dots)
    )
    return _figure(
        svg,
        "Does it know how sure it may be? On the dashed line it does; a larger dot is more trips.",
    )


def _dials(dials: tuple[DialReplayed, ...]) -> str:
    spoke = [one for one in dials if one.rightly is not None]
    if not spoke:
        return ""
    top = max(1e-4, *(one.spoken_a_day for one in spoke)) * 1.15
    step = 10.0 ** floor(log10(top))
    step = step / 5 if top < 2 * step else step / 2 if top < 5 * step else step
    marks = [n * step for n in range(int(top / step) + 1)]
    axes = Axes(
        x=(0.0, top),
        y=(0.0, 1.0),
        x_marks=tuple((mark, f"{mark:g}") for mark in (round(m, 6) for m in marks)),
        y_marks=SHARE_MARKS,
        x_words="times a day it would have spoken",
        y_words="rightly",
    )
    dots = []
    for one in spoke:
        if one.rightly is not None:
            words = f"{one.dial}, {one.spoken_a_day:.2f} times a day, rightly"
            dots.append(_dot(one.spoken_a_day, one.rightly, words, one.dial))
    series = [
        Series(name=one.dial, css="ours", dots=(dot,)) for one, dot in zip(spoke, dots, strict=True)
    ]
    told = ", ".join(f"{one.dial} {one.spoken_a_day:.2f} a day" for one in spoke)
    return _figure(
        chart(axes, series, "; ".join(dot.words for dot in dots)),
        f"What each setting of the dial would have meant on these days: {escape(told)}; 95 % intervals.",
    )
