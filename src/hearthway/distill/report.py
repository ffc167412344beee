"""The report of a distillation as a page for people: the card's figures with charts; it loads nothing from anywhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from hearthway.learn.charts import Axes, Dot, Series, chart
from hearthway.learn.report_page import HEAD

from .card import FIGURES, LOSSES_SHOWN, by_class, figure_rows, products, size
from .result import Result
from .tabular.figures import Scored

STYLE = {"teacher": "soft", "student, floats": "peer", "student, int8": "ours"}
TABLES = "<style>table { border-collapse: collapse; font-size: .85rem; } td, th { text-align: left; padding: .15rem .6rem .15rem 0; border-bottom: 1px solid var(--faint); } circle.alone { fill: none; stroke: var(--ink); stroke-width: 2; }</style>"
SHOWN = 12  # classes in a chart


def page(result: Result) -> str:
    """The page; everything in it stands in the JSON as well."""
    out = [HEAD.replace("Hearthway: a backtest", f"Hearthway: {escape(result.name)}"), TABLES]
    out.append(f"<h1>{escape(result.name)}</h1>")
    out.append(
        f"<p>A student for the task <code>{escape(result.task)}</code>, {size(result.size_bytes)}, "
        f"{result.parameters:,} numbers, seed {result.seed}. Signed by {escape(result.signed_by)}.<br>"
        f"SHA-256 <code>{result.identity}</code></p>"
    )
    out += [figure for figure in (_accuracy(result.figures), _classes(result.figures)) if figure]
    out.append("<h2>Figures</h2>")
    out.append(_table(FIGURES, figure_rows(result.figures)))
    for part in dict.fromkeys(one.part for one in result.figures):
        head, rows = by_class(result.figures, part)
        many = f", the {LOSSES_SHOWN} that lose most" if len(rows) >= LOSSES_SHOWN else ""
        out.append(f"<h3>By class, part {escape(part)}{many}</h3>{_table(head, rows)}")
    out += _apart(result)
    out.append("</body>\n</html>\n")
    return "\n".join(out)


def _apart(result: Result) -> list[str]:
    """What differs from run to run, and where all of it comes from."""
    measured = result.measured
    speed = (
        (one.runtime, f"{one.p50_ms:g}", f"{one.p95_ms:g}", f"{one.cpu_ms / 1e3:.6f}")
        for one in measured.speed
    )
    stages = (
        (one.name, one.words, f"{one.cpu_s:.1f}", "now" if one.made_now else "before", one.key[:16])
        for one in measured.stages
    )
    return [
        "<h2>Speed here</h2>",
        f"<p>One thread, {escape(measured.machine)}, Python {escape(measured.python)}.</p>",
        _table(("runtime", "p50 ms", "p95 ms", "CPU-seconds an answer"), speed),
        "<h2>Stages</h2>",
        _table(("stage", "makes", "CPU-seconds", "made", "hash of its inputs"), stages),
        "<h2>Data and licences</h2>",
        f"<p>The student itself: {escape(result.licence)}.</p>",
        _table(
            ("source", "origin", "licence", "attribution", "SHA-256 of what was read"),
            (
                (one.name, one.origin, one.licence, one.attribution, one.sha256)
                for one in result.sources
            ),
        ),
        "<h2>Recipe</h2>",
        _table(("setting", "value"), sorted(result.recipe.items())),
        f"<p>{products(result.recipe)}</p>",
    ]


def _accuracy(figures: Sequence[Scored]) -> str:
    """Each model's accuracy, a place on the axis for each part."""
    if not figures:
        return ""
    parts = list(dict.fromkeys(one.part for one in figures))
    models = list(dict.fromkeys(one.model for one in figures))
    low = _floor(one.accuracy for one in figures)
    series, words = [], []
    for number, model in enumerate(models):
        dots = []
        for one in figures:
            if one.model == model:
                told = f"{model}, {one.part}: {one.accuracy:.4f} of {one.rows} rows"
                place = parts.index(one.part) + 0.12 * (number - (len(models) - 1) / 2)
                dots.append(Dot(x=place, y=one.accuracy, size=5.0, words=told))
                words.append(told)
        series.append(Series(name=model, css=STYLE.get(model, "alone"), dots=tuple(dots)))
    axes = Axes(
        x=(-0.5, len(parts) - 0.5),
        y=(low, 1.0),
        x_marks=tuple((float(k), name) for k, name in enumerate(parts)),
        y_marks=_marks(low),
        x_words="rows that were not learned from",
        y_words="told right",
    )
    return _figure(
        chart(axes, series, "; ".join(words)),
        f"How many are told right: {_key(models)}.",
    )


def _classes(figures: Sequence[Scored]) -> str:
    """The classes of the last part: what the integers lose against the teacher."""
    if not figures:
        return ""
    part = figures[-1].part
    models = [one for one in figures if one.part == part and one.model in STYLE]
    _, rows = by_class(figures, part)
    labels = [row[0] for row in rows[:SHOWN]]
    if not labels or not models:
        return ""
    low = _floor(one.by_class.get(label, 1.0) for one in models for label in labels)
    series, words = [], []
    for number, one in enumerate(models):
        dots = []
        for place, label in enumerate(labels):
            if label in one.by_class:
                told = f"{one.model}, {label}: {one.by_class[label]:.4f}"
                dots.append(Dot(x=place + 0.15 * (number - 1), y=one.by_class[label], words=told))
                words.append(told)
        series.append(Series(name=one.model, css=STYLE[one.model], dots=tuple(dots)))
    axes = Axes(
        x=(-0.5, len(labels) - 0.5),
        y=(low, 1.0),
        x_marks=tuple((float(k), label[:14]) for k, label in enumerate(labels))
        if len(labels) <= 5
        else (),
        y_marks=_marks(low),
        x_words="classes, the largest loss first",
        y_words="told so",
    )
    caption = f"By class, part {escape(part)}: {_key([one.model for one in models])}."
    return _figure(chart(axes, series, "; ".join(words)), caption)


def _floor(values: Iterable[float]) -> float:
    """Where the axis begins: a tenth below the least, at most .9."""
    return min(0.9, max(0.0, int(10.0 * min(values)) / 10.0))


def _marks(low: float) -> tuple[tuple[float, str], ...]:
    return tuple((low + (1.0 - low) * k / 4, f"{low + (1.0 - low) * k / 4:.3g}") for k in range(5))


def _key(models: Iterable[str]) -> str:
    return ", ".join(
        f'<span class="key-{STYLE[model]}">{escape(model)}</span>'
        if model in STYLE
        else f"{escape(model)} (ring)"
        for model in models
    )


def _figure(svg: str, caption: str) -> str:
    return f"<figure>\n{svg}\n<figcaption>{caption}</figcaption>\n</figure>"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["<table>", "<tr>" + "".join(f"<th>{escape(cell)}</th>" for cell in head) + "</tr>"]
    lines += [
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    ]
    return "\n".join([*lines, "</table>"])
