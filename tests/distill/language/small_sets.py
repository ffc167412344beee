"""The public sets as their authors lay them out, here a few lines of our own in the same form."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hearthway.distill.language import datasets

TRAIN = [[f"{verb} my money {n}", "pay_bill"] for n in range(60) for verb in ("pay", "send")] + [
    [f"{verb} the lamp {n}", "smart_home"] for n in range(5) for verb in ("dim", "brighten")
]


def small_sets(base: Path) -> Path:
    """All four sets below `base`."""
    write_json(
        base / "clinc150" / "data_full.json",
        {
            "train": TRAIN,
            "oos_train": [["who won the cup", "oos"]],
            "val": [["Pay my money 3!", "pay_bill"], ["dim all", "smart_home"]],
            "oos_val": [["why is it", "oos"]],
        },
    )
    domains = {"banking": ["pay_bill"], "credit_cards": [], "work": [], "home": ["smart_home"]}
    write_json(base / "clinc150" / "domains.json", domains)
    rows: list[dict[str, Any]] = [
        {"text": "play chess", "intent": "play_game", "entities": [entity(5, 10, "game")]},
        {"text": "play uno please", "intent": "play_game", "entities": [entity(5, 8, "game")]},
        {"text": "dim all", "intent": "iot_hue_lightdim", "entities": []},
    ]
    write_lines(base / "hwu64" / "hwu64.jsonl", rows)
    devel = [slurp_row(n, f"wake me at {n}", "alarm", "set", [3], "time") for n in range(10)]
    write_lines(base / "slurp" / "devel.jsonl", devel)
    test = [slurp_row(90, "play uno please", "play", "game", [1], "game")]
    write_lines(base / "slurp" / "test_public_half.jsonl", test)
    for intent in datasets.SNIPS_INTENTS:
        row = {intent: [{"data": [{"text": f"{intent} of "}, {"text": "it\n", "entity": "x"}]}]}
        for name in (f"train_{intent}_full.json", f"validate_{intent}.json"):
            write_json(base / "snips" / "2017-06-custom-intent-engines" / intent / name, row)
    return base


def entity(start: int, end: int, kind: str) -> dict[str, Any]:
    return {"start": start, "end": end, "entity": kind, "value": "unused"}


def slurp_row(
    number: int, sentence: str, scenario: str, action: str, span: list[int], kind: str
) -> dict[str, Any]:
    return {
        "slurp_id": number,
        "tokens": [{"surface": word} for word in sentence.split()],
        "scenario": scenario,
        "action": action,
        "entities": [{"span": span, "type": kind}],
    }


def write_json(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


def write_lines(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
