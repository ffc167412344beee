"""The public sets a student may be trained on, read as their authors publish them.

`folder` is the folder that holds clinc150/, hwu64/, slurp/ and snips/. A missing or odd file is an InputError that
names it.

CLINC150: Larson et al. 2019, CC BY 3.0. HWU64: Liu et al. 2019, CC BY 4.0. SLURP (text): Bastianelli et al. 2020,
CC BY 4.0. Snips: Coucke et al. 2018, CC0.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hearthway.records.errors import InputError

from .texts import Span, Utterance

OUT_OF_SCOPE = "oos"
LICENCES = {
    "clinc150": "CLINC150, Larson et al. 2019, CC BY 3.0",
    "hwu64": "HWU64 (NLU-Evaluation-Data), Liu et al. 2019, CC BY 4.0",
    "slurp": "SLURP (text), Bastianelli et al. 2020, CC BY 4.0",
    "snips": "Snips NLU benchmark, Coucke et al. 2018, CC0 1.0",
}
SNIPS_INTENTS = (
    "AddToPlaylist",
    "BookRestaurant",
    "GetWeather",
    "PlayMusic",
    "RateBook",
    "SearchCreativeWork",
    "SearchScreeningEvent",
)


def language_folder(data: Path) -> Path:
    """DIR or DIR/language, whichever holds the sets. InputError where neither does."""
    for folder in (data, data / "language"):
        if (folder / "clinc150").is_dir():
            return folder
    raise InputError(
        f"{data} holds no folder clinc150, nor does {data / 'language'}.",
        "Give --data the folder that holds clinc150/, hwu64/, slurp/ and snips/.",
    )


def clinc(folder: Path, split: str) -> list[Utterance]:
    """In-scope utterances of a split and, labelled "oos", its out-of-scope ones."""
    whole = _clinc(folder)
    outside = f"oos_{split}"
    if split not in whole or outside not in whole:
        lacks = split if split not in whole else outside
        beside = folder / "clinc150" / f"{lacks}.json"
        raise InputError(
            f"{folder / 'clinc150' / 'data_full.json'} has no part '{lacks}', and no {beside} gives it.",
            f"Parts there: {', '.join(sorted(whole))}.",
        )
    return [Utterance(text, label) for text, label in (*whole[split], *whole[outside])]


def clinc_parts(folder: Path) -> dict[str, list[str]]:
    """The texts of every part of CLINC150 that is at hand."""
    return {part: [text for text, _ in rows] for part, rows in _clinc(folder).items()}


def _clinc(folder: Path) -> dict[str, list[tuple[str, str]]]:
    """(text, label) by part: those of data_full.json, and what it lacks of files beside it, each a part or several by name.

    Of files that give the same part the one that is called so is taken: others published beside have other labels.
    """
    found: dict[str, list[tuple[str, str]]] = {}
    base = folder / "clinc150"
    beside = sorted(p for p in base.glob("*.json") if p.stem not in {"data_full", "domains"})
    read = [(path, _json(path)) for path in (base / "data_full.json", *beside)]
    given = [
        (path, whole if isinstance(whole, dict) else {path.stem: whole}) for path, whole in read
    ]
    first, *others = given
    for path, parts in (first, *sorted(others, key=lambda one: one[0].stem not in one[1])):
        for part, rows in parts.items():
            try:
                pairs = [(str(text), str(label)) for text, label in rows]
            except (TypeError, ValueError):
                raise InputError(
                    f"The part {part!r} of {path} is no list of [text, intent].",
                    "Give it as CLINC150 is published.",
                ) from None
            found.setdefault(part, pairs)
    return found


def hwu64(folder: Path) -> list[Utterance]:
    """HWU64 with its entities."""
    return [
        Utterance(
            row["text"],
            row["intent"],
            tuple(Span(e["start"], e["end"], e["entity"]) for e in row["entities"]),
        )
        for row in _lines(folder / "hwu64" / "hwu64.jsonl")
    ]


def slurp(folder: Path, part: str) -> list[Utterance]:
    """SLURP's part ("devel", "test_public_half", ...); the label is scenario_action."""
    return [utterance for _, utterance in slurp_rows(folder, part)]


def slurp_rows(folder: Path, part: str) -> list[tuple[str, Utterance]]:
    """The same with each row's SLURP number."""
    path = folder / "slurp" / f"{part}.jsonl"
    try:
        return [(str(row["slurp_id"]), _slurp(row)) for row in _lines(path)]
    except (LookupError, TypeError, ValueError) as exc:
        raise InputError(
            f"A row of {path} is none of SLURP's: {exc!r}.", "Give the set as it is published."
        ) from exc


def slurp_tests(folder: Path) -> list[str]:
    """Names of the parts of SLURP's test set that are at hand."""
    return sorted(path.stem for path in (folder / "slurp").glob("test*.jsonl"))


def snips(folder: Path) -> list[Utterance]:
    """Snips' training and validation parts; the label is the intent's name there."""
    found: list[Utterance] = []
    base = folder / "snips" / "2017-06-custom-intent-engines"
    for intent in SNIPS_INTENTS:
        for name in (f"train_{intent}_full.json", f"validate_{intent}.json"):
            for row in _json(base / intent / name)[intent]:
                said = "".join(part["text"] for part in row["data"])
                found.append(Utterance(" ".join(said.split()), intent))
    return found


def _slurp(row: dict[str, Any]) -> Utterance:
    """SLURP's entities are token numbers; its sentence is the tokens with one space between."""
    surfaces = [token["surface"] for token in row["tokens"]]
    starts, at = [], 0
    for surface in surfaces:
        starts.append(at)
        at += len(surface) + 1
    spans = tuple(
        Span(
            starts[min(e["span"])],
            starts[max(e["span"])] + len(surfaces[max(e["span"])]),
            e["type"],
        )
        for e in row["entities"]
    )
    return Utterance(" ".join(surfaces), f"{row['scenario']}_{row['action']}", spans)


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8-sig", errors="replace"))
    except FileNotFoundError as exc:
        raise _missing(path) from exc
    except ValueError as exc:
        raise InputError(f"{path} is no JSON: {exc}.", "Fetch the set again.") from exc


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as exc:
        raise _missing(path) from exc
    except UnicodeDecodeError as exc:
        raise InputError(f"{path} is no UTF-8 text: {exc}.", "Fetch the set again.") from exc
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                yield json.loads(line)
            except ValueError as exc:
                raise InputError(
                    f"{path}, line {number} is no JSON: {exc}.", "Fetch the set again."
                ) from exc


def _missing(path: Path) -> InputError:
    return InputError(
        f"There is no {path}.",
        "It is one of the public sets that are used here; put it there or leave its part out.",
    )
