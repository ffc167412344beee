"""How well the household's own students understand, and how fast, beside their teacher and published systems.

    python bench/language.py --data ../shared/data --split val [--teacher PATH] [--student FILE ...] [--no-speed]

CLINC150, part NAME with its out-of-scope utterances ("test" is the published one): "in-scope" is the argmax over the
150 intents; "after rejection" counts an in-scope utterance as right where it is accepted and right, "oos recall" the
out-of-scope ones that are rejected. Thresholds were chosen on the validation part: a student's stands in its file. The
integers come from the fast runtime, and a sample of them is compared with the reference. Rows that equal a text of the
training pool are left out; the pool is made anew and known by the digest in the file. Beside what ships stand other
seeds of it and their mean, and the small student of the same teacher (bench/students). Published figures are of the
whole test part. The teacher is measured where its weights are: --teacher takes a teacher.pt of the stages that scripts/train left.
SLURP's test parts that are at hand are scored by scenario and action, and entities by type and words ("SLURP-lite":
trained without SLURP's own training part), beside the predictions of two published systems, scored by the same code.
Times are of one thread, medians over utterances
of CLINC150 and over HWU64's commands for a home, all in this run; of the student of commands in one process with hassil, text
by text in turn, and there its CPU time too. The last line is JSON.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from hearthway.distill.language import datasets
from hearthway.distill.language.texts import Utterance, overlap
from hearthway.records.errors import HearthwayError
from hearthway.student.format import read

if TYPE_CHECKING:
    from bench import _language as lang
    from bench import _language_speed as speed
    from bench._ends import finish, refused, started
else:
    import _language as lang
    import _language_speed as speed
    from _ends import finish, refused, started

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = ROOT / "src" / "hearthway" / "student" / "data"
OTHERS = ROOT / "bench" / "students"  # what scripts/train makes besides
TEACHER_KEPT = 0.9875  # of what the teacher gets right, those that its threshold accepts

Row = dict[str, Any]


def understood(
    folder: Path, split: str, files: Sequence[Path], small: Sequence[Path], teacher: Path | None
) -> list[Row]:
    """CLINC150: a row a student, the mean of `files`, the small one, the teacher, and the published ones."""
    whole = datasets.clinc(folder, split)
    kept: Sequence[Utterance] = whole
    rows: list[Row] = []
    for path in files:
        row, kept = _understood(folder, split, whole, path)
        rows.append(row)
    if len(rows) > 1:
        names = ("in_scope", "auroc", "accepted_right", "oos_recall")
        mean = {name: float(np.mean([row[name] for row in rows])) for name in names}
        rows.append({"system": f"students, mean of {len(rows)}", **mean})
    rows += [_understood(folder, split, whole, path)[0] for path in small]
    if teacher is not None:
        figures = lang.teacher_scope(teacher, folder, kept, TEACHER_KEPT)
        rows.append({"system": "teacher", **msgspec.to_builtins(figures)})
    rows += [
        {"system": name, "in_scope": inside / 100, "oos_recall": oos / 100}
        for name, inside, oos in lang.PUBLISHED
    ]
    return rows


def _understood(
    folder: Path, split: str, whole: Sequence[Utterance], path: Path
) -> tuple[Row, Sequence[Utterance]]:
    """(one student's row, the utterances that it was not trained on)."""
    student = read(path)
    pools = lang.ask_pools(folder, student)
    seen = lang.unseen(whole, pools, student)
    left = overlap([one.text for one in pools[0].pool], [one.text for one in seen.kept])
    print(
        f"{path.name}: {seen.left_out} of {len(whole)} rows of {split} equal a text of the training pool and are"
        f" left out; overlap {left}" + ("" if seen.pool_known else " (pool of another recipe)")
    )
    figures, differ = lang.student_scope(student, seen.kept)
    print(f"{path.name}: {differ} numbers differ from the reference in {lang.SAMPLE} texts or more")
    row = {
        "system": f"student {path.name}",
        "identity": student.identity,
        "bytes": student.size,
        "differ": differ,
        "overlap": left,
        "float_val": student.header.about.recipe.get("float_val", ""),
        "whole_val": student.header.about.recipe.get("whole_val", ""),
        **msgspec.to_builtins(figures),
    }
    return row, seen.kept


def print_understood(rows: Sequence[Row]) -> None:
    """The table, in percent."""
    print(f"{'':42}{'in-scope':>9}{'oos rec.':>9}{'at':>7}{'AUROC':>8}{'bytes':>10}")
    for row in rows:
        at = f"{row['accepted_right']:7.2%}" if "accepted_right" in row else f"{'':7}"
        area = f"{row['auroc']:8.4f}" if "auroc" in row else f"{'':8}"
        print(
            f"{row['system']:42}{row['in_scope']:9.2%}{row['oos_recall']:9.2%}{at}{area}{row.get('bytes', ''):>10}"
        )
    for row in rows:
        if row.get("float_val"):
            print(
                f"{row['system']}: on the validation part when trained, in floats {row['float_val']},"
                f" in whole numbers {row['whole_val']}"
            )


def commanded(folder: Path, path: Path) -> list[Row]:
    """SLURP's test parts: the student beside published predictions."""
    student = read(path)
    pool = lang.home_pool(folder, student)
    rows: list[Row] = []
    for part in datasets.slurp_tests(folder):
        numbered = datasets.slurp_rows(folder, part)
        seen = lang.unseen([one for _, one in numbered], pool, student)
        names = {id(one) for one in seen.kept}
        numbered = [(number, one) for number, one in numbered if id(one) in names]
        left = overlap([one.text for one in pool[0].pool], [one.text for one in seen.kept])
        print(f"SLURP-lite, {part}: {seen.left_out} rows left out, overlap {left}")
        peers = [lang.published_commands(folder, name, numbered) for name in ("hermit", "sfid")]
        systems = [lang.commands(student, seen.kept), *(one for one in peers if one is not None)]
        rows += [{"part": part, **msgspec.to_builtins(one)} for one in systems]
    print(f"{'':24}{'':36}{'intent':>8}{'entity F1':>10}{'texts':>7}")
    for row in rows:
        print(
            f"{row['part']:24}{row['name']:36}{row['intent']:8.2%}{row['entities']['f1']:10.2%}{row['texts']:7}"
        )
    return rows


def timed(folder: Path, split: str, path: Path, commands: Path) -> list[Row]:
    """The peers on CLINC150's utterances, most of which hassil does not know, and on commands for a home, there the student of commands too."""
    student = read(path)
    asked = [one.text for one in datasets.clinc(folder, split)]
    home = [one.text for one in datasets.hwu64(folder) if one.label.startswith("iot_")]
    return [
        *speed.times(student, path, asked, f"CLINC150 {split}"),
        *speed.times(student, path, home, "home commands"),
        *speed.in_turn(commands, home, f"home commands, {commands.name} and hassil in turn"),
    ]


def _files(given: list[Path] | None) -> tuple[list[Path], list[Path]]:
    """(students whose mean is of interest, the small one): those given, or what stands in the repository."""
    if given:
        return given, []
    seeds = sorted(OTHERS.glob("ask-[0-9]*.student"))
    return [SHIPPED / "ask.student", *seeds], [OTHERS / "ask-small.student"]


def main() -> int:
    """Everything that is at hand; 2 where a file is missing or damaged."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", default="val")
    parser.add_argument("--teacher", type=Path)
    parser.add_argument(
        "--student", type=Path, nargs="+", help="the shipped one and its other seeds"
    )
    parser.add_argument("--no-speed", action="store_true")
    options = parser.parse_args()
    try:
        folder = datasets.language_folder(options.data)
        lang.needed(folder, options.split)
        if options.teacher is not None:
            lang.teacher_at_hand(options.teacher)
        files, small = _files(options.student)
        rows = understood(folder, options.split, files, small, options.teacher)
        print_understood(rows)
        home_file = SHIPPED / "home.student"
        slurp = commanded(folder, home_file) if home_file.is_file() else []
        times = [] if options.no_speed else timed(folder, options.split, files[0], home_file)
    except HearthwayError as error:
        return refused(error)
    told = [*_scope_rows(options.split, rows), *_command_rows(slurp), *_time_rows(times)]
    finish("language", told)
    return 0


def _row(case: str, metric: str, unit: str, ours: float, peer: str, theirs: float | None) -> Row:
    ratio = round(ours / theirs, 4) if theirs else None
    told = {"case": case, "metric": metric, "unit": unit, "ours": ours}
    return {**told, "peer": peer, "theirs": theirs, "ratio": ratio}


def _scope_rows(split: str, rows: Sequence[Row]) -> list[Row]:
    """Ours and the teacher beside each published system; what nobody published stands alone."""
    published = [row for row in rows if "texts" not in row and "auroc" not in row]
    told: list[Row] = []
    for row in rows:
        if row in published:
            continue
        case = f"CLINC150 {split}, {row['system']}"
        for name in ("in_scope", "oos_recall"):
            told += [
                _row(case, name, "share", row[name], peer["system"], peer[name])
                for peer in published
            ]
        told += [
            _row(case, name, unit, row[name], "", None)
            for name, unit in (
                ("accepted_right", "share"),
                ("auroc", "area"),
                ("bytes", "B"),
                ("differ", "numbers"),
                ("overlap", "texts"),
            )
            if name in row
        ]
    return told


def _command_rows(rows: Sequence[Row]) -> list[Row]:
    """The student's intent and entities beside each published system's on the same rows."""
    told: list[Row] = []
    for part in dict.fromkeys(row["part"] for row in rows):
        ours, *peers = [row for row in rows if row["part"] == part]
        if not peers:
            case = f"SLURP-lite {part}, {ours['texts']} texts"
            told.append(_row(case, "intent", "share", ours["intent"], "", None))
            told.append(_row(case, "entity F1", "share", ours["entities"]["f1"], "", None))
        for peer in peers:
            intent = _row(
                f"SLURP-lite {part}",
                "intent",
                "share",
                ours["intent"],
                peer["name"],
                peer["intent"],
            )
            f1 = ours["entities"]["f1"], peer["name"], peer["entities"]["f1"]
            told += [intent, _row(f"SLURP-lite {part}", "entity F1", "share", *f1)]
    return told


def _time_rows(rows: Sequence[Row]) -> list[Row]:
    """The fast runtime, from text to intent, beside everything else that was timed on the same texts."""
    told: list[Row] = []
    for texts in dict.fromkeys(row["texts"] for row in rows):
        ours, *peers = [row for row in rows if row["texts"] == texts]
        for name, unit in (
            ("p50_ms", "ms"),
            ("p95_ms", "ms"),
            ("cpu_ms", "ms"),
            ("memory_mb", "MB"),
            ("start_s", "s"),
        ):
            told += [
                _row(texts, name, unit, ours[name], peer["system"], peer[name])
                for peer in peers
                if name in peer
            ]
    return told


if __name__ == "__main__":
    started(main)
