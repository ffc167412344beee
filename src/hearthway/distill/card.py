"""The model card: what a student is for, what it is made from, how good and how fast it is. Markdown, for people."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence

from .result import Result, Told
from .tabular.figures import Scored

SIZES = ("bytes", "kB", "MB")
LOSSES_SHOWN = 10
NUMBERS = {True: "bfloat16", False: "float32"}
_MARKS = re.compile(r"[\\`*\[\]~]|(?<!\w)_|_(?!\w)|^[#>+-]")
FIGURES = (
    "part",
    "model",
    "rows",
    "accuracy",
    "agrees with the teacher",
    "AUC",
    "log loss",
    "calibration error",
)


def card(result: Result) -> str:
    """One page; every figure of it stands in the JSON as well. What people wrote in a recipe is text in it, and nothing else."""
    out = [f"# {text(result.name)}", "", _purpose(result), "", "## Figures", ""]
    out += _table(FIGURES, figure_rows(result.figures))
    out += [
        "",
        "## By class",
        "",
        "Share of the class's rows that are told so, and what the student loses.",
    ]
    for part in dict.fromkeys(one.part for one in result.figures):
        out += ["", f"Part {part}:", "", *_table(*by_class(result.figures, part))]
    out += ["", "## Size and speed", ""]
    out += [
        f"{size(result.size_bytes)} on disk, {result.parameters:,} numbers. One thread, on {result.measured.machine},",
        f"Python {result.measured.python}:",
        "",
    ]
    out += _table(
        ("runtime", "p50 ms", "p95 ms", "CPU-seconds an answer"),
        (
            (one.runtime, f"{one.p50_ms:g}", f"{one.p95_ms:g}", f"{one.cpu_ms / 1e3:.6f}")
            for one in result.measured.speed
        ),
    )
    licence = text(result.licence)
    out += ["", "## Data and licences", "", f"The student: {licence}. Taught from:", ""]
    out += [_source(one) for one in result.sources] or ["- nothing"]
    if result.rules:
        out += ["", f"Personal data by your rules: {', '.join(map(text, result.rules))}."]
    out += ["", "## Recipe", ""]
    told = ((key, text(value)) for key, value in sorted(result.recipe.items()))
    out += _table(("setting", "value"), told)
    out += ["", f"Made with {', '.join(f'{k} {v}' for k, v in sorted(result.made_with.items()))}."]
    out += [line for line in [products(result.recipe)] if line]
    out += ["The same recipe, seed and versions on the same machine give the same bytes.", ""]
    return "\n".join(out)


def products(recipe: Mapping[str, str]) -> str:
    """In what teacher and student of language multiplied while they learned, a sentence; "" where a recipe does not say."""
    said = {}
    for whose, key in (("the teacher's", "teacher"), ("the student's", "settings")):
        try:
            said[whose] = NUMBERS[json.loads(recipe.get(key, ""))["half"]]
        except (ValueError, TypeError, KeyError):  # another teacher's name, another task's recipe
            continue
    if len({*said.values()}) < 2:
        return "".join(f"Products in {numbers}." for numbers in {*said.values()})
    return f"Products: {', '.join(f'{whose} in {numbers}' for whose, numbers in said.items())}."


def text(words: str) -> str:
    """Words as Markdown that shows just these, on one line."""
    line = " ".join(words.split())
    line = _MARKS.sub(r"\\\g<0>", line.replace("&", "&amp;").replace("<", "&lt;"))
    return re.sub(r"^(\d+)([.)])", r"\1\\\2", line)


def _source(one: Told) -> str:
    more = f" ({text(one.attribution)})" if one.attribution else ""
    read = f"; SHA-256 of what was read: `{one.sha256}`" if one.sha256 else ""
    return f"- {text(one.name)}, {one.origin}, {text(one.licence)}{more}{read}"


def _purpose(result: Result) -> str:
    names = ", ".join(result.labels[:8]) + (", ..." if len(result.labels) > 8 else "")
    return (
        f"Task `{result.task}`: one of {len(result.labels)} classes ({names}).\n"
        f"SHA-256 `{result.identity}`, signed by {result.signed_by}."
    )


def by_class(figures: Iterable[Scored], part: str) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """A table of the classes of one part, those with the largest loss first; of many classes the worst ones."""
    models = [one for one in figures if one.part == part]
    teacher = next((one for one in models if one.model == "teacher"), None)
    last = next((one for one in models if one.model == "student, int8"), None)
    head = ("class", *(one.model for one in models), "teacher less int8")
    rows = []
    for label in models[0].by_class if models else ():
        loss = _loss(teacher, last, label)
        rows.append(
            (loss or 0.0, label, (*(share(m.by_class.get(label)) for m in models), points(loss)))
        )
    rows.sort(key=lambda row: (-row[0], row[1]))
    return head, [(label, *cells) for _, label, cells in rows[:LOSSES_SHOWN]]


def _loss(teacher: Scored | None, student: Scored | None, label: str) -> float | None:
    if teacher is None or student is None or label not in student.by_class:
        return None
    return teacher.by_class[label] - student.by_class[label]


def share(value: float | None) -> str:
    """Four places, or nothing."""
    return "" if value is None else f"{value:.4f}"


def points(value: float | None) -> str:
    """A difference with its sign."""
    return "" if value is None else f"{value:+.4f}"


def size(count: int) -> str:
    """Bytes for people, in thousands."""
    value, unit = float(count), 0
    while value >= 1000.0 and unit < len(SIZES) - 1:
        value, unit = value / 1000.0, unit + 1
    return f"{value:.0f} {SIZES[unit]}" if unit == 0 else f"{value:.1f} {SIZES[unit]}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    cells = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(c.replace("|", "\\|") for c in row) + " |" for row in cells]


def figure_rows(figures: Iterable[Scored]) -> Iterable[tuple[str, ...]]:
    """What stands under FIGURES, a row a model and part."""
    for one in figures:
        told = one.accuracy, one.agreement, one.auc, one.log_loss, one.calibration_error
        yield (one.part, one.model, str(one.rows), *(share(figure) for figure in told))
