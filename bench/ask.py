"""Questions in plain words: Home Assistant's own sentences through the cascade, what it accepts wrongly, and paraphrases.

    python bench/ask.py --data DIR [--split test_public_half] [--student FILE ...]

`DIR`, or its folder `language`, holds `ha_intents/tests/en` (Home Assistant's tests), `slurp/SPLIT.jsonl` and
`clinc150/data_full.json`. The peer in the same run is hassil alone with Home Assistant's sentences. The students that
ship, or those of `--student`, come after the sentences, as on a node; SLURP's devel part and HWU64, of which SLURP was made,
are in what one of them learned from: of a test part that was not kept out of these, the rows that stand there are left out. The last line is JSON. An accept is any reading that would answer or do something.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from hearthway.app.ask.desk import TASKS
from hearthway.app.ask.sentences import Entity, Sentences, Things
from hearthway.app.ask.student import StudentReader
from hearthway.assist.ask.cascade import understand
from hearthway.assist.ask.intents import ELSEWHERE
from hearthway.assist.ask.labels import SLURP, from_home_assistant
from hearthway.distill.language.datasets import clinc_parts, hwu64, language_folder, slurp, snips
from hearthway.distill.language.home import PUBLIC_PARTS
from hearthway.distill.language.texts import keys, normalised
from hearthway.records.ask import Meaning, Names, Understander
from hearthway.records.errors import HearthwayError, InputError

if TYPE_CHECKING:
    from bench._ends import finish, refused, started
else:  # run as a script, its own folder is on the path
    from _ends import finish, refused, started

SHIPPED = Path(__file__).resolve().parent.parent / "src" / "hearthway" / "student" / "data"
FALSE_MAX = 0.01  # asked of what is out of scope
# Labels of SLURP that mean what an intent of ours answers: to read one of them is no false accept.
ANSWERED = ("calendar_query", "recommendation_locations", "hue_lightoff", "hue_lighton")
HOUSEHOLD = Names(
    lights=tuple((room, room) for room in ("kitchen", "bedroom", "bathroom", "hall", "garage")),
)
# Where both understand a sentence, ours answers it from this household: these mean the same.
SAME = {"HassGetState": "anybody_home", "HassRespond": "help"}
ALSO = {"HassLightSet": ("HassTurnOn",), "HassSetVolumeRelative": ("HassSetVolume",)}


def fixture_things(tree: dict[str, Any], shared: dict[str, Any]) -> Things:
    """What one test file names, else what all share."""
    areas = {a["id"]: a["name"] for a in shared["areas"]}

    def entity(one: dict[str, Any]) -> Entity:
        domain = one.get("domain") or str(one.get("id", "")).partition(".")[0]
        area = one.get("area", "")
        return Entity(name=one["name"], domain=domain, area=areas.get(area, area))

    own = tree.get("entities") or ()
    return Things(
        entities=tuple(entity(one) for one in own),
        areas=tuple(a["name"] for a in tree.get("areas") or ()),
        floors=tuple(f["name"] for f in tree.get("floors") or ()),
    )


def ha_cases(folder: Path) -> Iterator[tuple[str, str, dict[str, Any], Things, dict[str, Any]]]:
    """(intent, sentence, slots, things, context) of each of Home Assistant's tests."""
    shared = yaml.safe_load((folder / "_fixtures.yaml").read_text(encoding="utf-8"))
    info = yaml.safe_load((folder.parent.parent / "intents.yaml").read_text(encoding="utf-8"))
    for file in sorted(folder.glob("Hass*/*.yaml")):
        tree = yaml.safe_load(file.read_text(encoding="utf-8"))
        combination = (info.get(file.parent.name) or {}).get("slot_combinations", {}).get(file.stem)
        things = fixture_things(tree, shared)
        for test in tree["tests"]:
            context: dict[str, Any] = {}
            if (combination or {}).get("context_area"):
                context["area"] = "Living Room"
            context |= test.get("context") or {}
            for sentence in test["sentences"]:
                yield file.parent.name, sentence, dict(test.get("slots") or {}), things, context


def home_assistant(folder: Path) -> dict[str, Any]:
    """Their sentences: intent and slots equal to what the test asks, and what the whole cascade makes of each."""
    right, ours, wrong = 0, 0, []
    for intent, sentence, slots, things, context in ha_cases(folder):
        reader = Sentences(HOUSEHOLD, things)
        found = reader.home_assistant(sentence, "en", context)
        lights = frozenset(e.name.casefold() for e in things.entities if e.domain == "light")
        wanted = from_home_assistant(intent, slots, lights)
        own = next(iter(reader.readings(sentence, "en")), None)
        replaced = own is not None and own.of != intent
        same = not replaced or own.intent in (wanted.intent, SAME.get(intent))  # type: ignore[union-attr]
        ours += replaced
        if found is not None and found[0] == intent and _same(slots, found[1]) and same:
            right += 1
        else:
            wrong.append([intent, sentence])
    return {"sentences": right + len(wrong), "right": right, "by_ours": ours, "wrong": wrong}


def _same(wanted: dict[str, Any], found: dict[str, Any]) -> bool:
    """Every slot the test asks for, as its own value: 5 is 5.0, and letters' case does not count."""
    return all(
        slot in found and _plain(value) == _plain(found[slot]) for slot, value in wanted.items()
    )


def _plain(value: object) -> object:
    if isinstance(value, list):
        return [_plain(one) for one in value]
    try:
        return float(str(value))
    except ValueError:
        return str(value).strip().casefold()


def out_of_scope(texts: Iterable[str], readers: Sequence[Understander]) -> dict[str, Any]:
    """How many are read as something that would be answered or done, and as something of Home Assistant's."""
    read, elsewhere, count = [], 0, 0
    for text in texts:
        count += 1
        found = understand(text, readers)
        if found is None:
            continue
        if found.readings[0].intent == ELSEWHERE:
            elsewhere += 1
        else:
            read.append([found.readings[0].intent, text])
    share = round(len(read) / count, 4) if count else None
    return {
        "texts": count,
        "read": len(read),
        "share": share,
        "elsewhere": elsewhere,
        "which": read[:20],
    }


def paraphrases(rows: Iterable[dict[str, str]], students: Sequence[Understander]) -> dict[str, Any]:
    """Home commands as people say them, by what Home Assistant calls them: hassil alone, the sentences, and the cascade."""
    alone = Sentences(HOUSEHOLD)
    count, right, wrong = 0, dict.fromkeys(("hassil", "sentences", "cascade"), 0), 0
    for row in rows:
        wanted = SLURP.get(row["label"])
        if wanted is None:
            continue
        count += 1
        theirs = alone.home_assistant(row["text"], "en", {"area": "Kitchen"})
        right["hassil"] += theirs is not None and _is(theirs[0], wanted)
        for name, readers in (("sentences", [alone]), ("cascade", [alone, *students])):
            found = understand(row["text"], readers, ("en",))
            said = "" if found is None else _called(found.readings[0])
            right[name] += _is(said, wanted)
            wrong += name == "cascade" and bool(said) and not _is(said, wanted)
    shares = {name: round(hits / count, 4) for name, hits in right.items()} if count else {}
    return {"texts": count, **shares, "cascade_wrong": wrong}


def _is(said: str, wanted: str) -> bool:
    return said == wanted or said in ALSO.get(wanted, ())


def _called(meaning: Meaning) -> str:
    """What Home Assistant calls it."""
    ours = {"light_on": "HassTurnOn", "light_off": "HassTurnOff"}
    return ours.get(meaning.intent, meaning.of)


def slurp_rows(file: Path) -> list[dict[str, str]]:
    """(text, label) of SLURP's rows; InputError where the file is missing, empty or none of SLURP's."""
    if not file.is_file():
        there = ", ".join(sorted(path.stem for path in file.parent.glob("*.jsonl"))) or "none"
        raise InputError(
            f"There is no {file}; there: {there}.", "--split names a file of DIR/slurp."
        )
    try:
        text = file.read_text(encoding="utf-8-sig")
        rows = [json.loads(line) for line in text.split("\n") if line.strip()]
        found = [
            {"text": r["sentence"], "label": r.get("intent") or f"{r['scenario']}_{r['action']}"}
            for r in rows
        ]
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise InputError(
            f"{file} holds a row that is none of SLURP's: {error!r}.",
            "Give the set as it is published.",
        ) from None
    if not found:
        raise InputError(f"{file} holds no row.", "Give the set as it is published.")
    return found


def learned_from(folder: Path) -> frozenset[str]:
    """Texts of the sets at hand that the students that ship were made from, as they are published: variants of them are not among these."""
    base = folder / "clinc150"
    parts = clinc_parts(folder) if base.is_dir() else {}
    texts = [text for part, found in parts.items() if part.endswith("train") for text in found]
    if (folder / "slurp" / "devel.jsonl").is_file():
        devel = [one.text for one in slurp(folder, "devel")]
        texts += [*devel, *(text.replace(" n't", "n't") for text in devel)]  # as it was said
    if (folder / "hwu64" / "hwu64.jsonl").is_file():
        texts += [one.text for one in hwu64(folder)]
    texts += [one.text for one in snips(folder)] if (folder / "snips").is_dir() else []
    return keys(texts)


def out_of_clinc(folder: Path, split: str) -> tuple[str, list[str]]:
    """CLINC150's out-of-scope part of that name, else the one of "test" for a part of the test, else of validation."""
    parts = clinc_parts(folder)
    names = [f"oos_{split}", *(["oos_test"] if split.startswith("test") else []), "oos_val"]
    for name in names:
        if parts.get(name):
            return name, parts[name]
    raise InputError(
        f"{folder / 'clinc150'} has none of the parts {', '.join(names)}.",
        f"Parts there: {', '.join(sorted(parts))}.",
    )


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument(
        "--split",
        default="test_public_half",
        help="a file of DIR/slurp; of CLINC150 oos_SPLIT, or oos_test for a part of the test, or oos_val",
    )
    parser.add_argument(
        "--student", type=Path, action="append", default=[], help="a student's file"
    )
    args = parser.parse_args(argv)
    try:
        folder = language_folder(args.data)
        if args.split in ("devel", "train"):
            raise InputError(
                f"SLURP's part {args.split} is what a student learns from.",
                "Name a part of the test.",
            )
        rows = slurp_rows(folder / "slurp" / f"{args.split}.jsonl")
        part, outside = out_of_clinc(folder, args.split)
        learned = learned_from(folder)
        if args.split not in PUBLIC_PARTS:  # their texts were kept out
            known = len(rows)
            rows = [row for row in rows if normalised(row["text"]) not in learned]
            print(
                f"{known - len(rows)} of {known} rows of {args.split} are left out: the students learned from their texts"
            )
        if part != "oos_val":
            outside = [text for text in outside if normalised(text) not in learned]
        if not rows:
            raise InputError(
                f"The students learned from every text of {args.split}.", "Name a part of the test."
            )
        tests = folder / "ha_intents/tests/en"
        if not (tests / "_fixtures.yaml").is_file():
            raise InputError(
                f"There is no {tests / '_fixtures.yaml'}.", "Put Home Assistant's tests there."
            )
        files = args.student or [SHIPPED / f"{task}.student" for task in TASKS]
        students: list[Understander] = [
            StudentReader(file.read_bytes(), HOUSEHOLD) for file in files
        ]
    except HearthwayError as error:
        return refused(error)
    except OSError as error:
        return refused(InputError(f"{error.filename} cannot be read.", "Name a student's file."))
    readers: list[Understander] = [Sentences(HOUSEHOLD), *students]
    began_s = time.process_time()
    theirs = home_assistant(tests)
    print(f"Home Assistant's sentences: {theirs}", flush=True)
    told = [
        _row("Home Assistant's sentences", "right", theirs["right"], "all", theirs["sentences"])
    ]
    other = [row["text"] for row in rows if row["label"] not in (*SLURP, *ANSWERED)]
    for case, texts in (
        (f"CLINC150 {part}", outside),
        (f"SLURP {args.split}, what is answered here left out", other),
    ):
        found = out_of_scope(texts, readers)
        print(f"{case}: {found}", flush=True)
        if found["share"] is not None:
            told.append(_row(case, "read as ours", found["share"], "limit", FALSE_MAX))
    said = paraphrases(rows, students)
    print(f"paraphrases of SLURP {args.split}: {said}; {time.process_time() - began_s:.0f} CPU s")
    if said["texts"]:
        for name in ("sentences", "cascade"):
            case = f"SLURP {args.split}, commands for a home"
            told.append(_row(case, f"right, {name}", said[name], "hassil", said["hassil"]))
    finish("ask", told)
    return 0


def _row(case: str, metric: str, ours: float, peer: str, theirs: float) -> dict[str, Any]:
    ratio = round(ours / theirs, 4) if theirs else None
    unit = "sentences" if peer == "all" else "share"
    told: dict[str, Any] = {"case": case, "metric": metric, "unit": unit, "ours": ours}
    return {**told, "peer": peer, "theirs": theirs, "ratio": ratio}


if __name__ == "__main__":
    started(main)
