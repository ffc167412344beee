"""What a car says to a question when its driver's phone cannot: its own readings, or why there is no answer."""

from __future__ import annotations

from hearthway.records.ask import Meaning, Outcome, Reply
from hearthway.records.signals import Signal

from . import answers, driving_answers
from .facts import Cited, Facts
from .words import Draft, aged, answered, say

WHY = {
    "no-phone": (
        "The driver's phone is not in reach: I know how full the battery is and how far it reaches, no more.",
        "Das Telefon der Fahrerin oder des Fahrers ist nicht erreichbar: Ich weiß nur, wie voll der Akku ist und wie weit er reicht.",
    ),
    "no-answer": (
        "The driver's phone has not answered; whatever was ordered may have been done.",
        "Das Telefon hat nicht geantwortet; was angeordnet wurde, kann geschehen sein.",
    ),
    "no-driver": (
        "It is not certain who drives, so nobody's phone is asked.",
        "Wer fährt, steht nicht fest; darum wird kein Telefon gefragt.",
    ),
    "no-rule": (
        "No rule lets what is asked in the car go to the driver's phone.",
        "Keine Regel lässt, was im Auto gefragt wird, zum Telefon.",
    ),
}


def own_answer(facts: Facts, meaning: Meaning, told_range: Signal | None) -> Reply | None:
    """By the car's own readings; None where it has none for that."""
    if meaning.intent == "range" and told_range is not None and isinstance(told_range.value, float):
        return answers.reply(facts.language, meaning, _range(facts, told_range), facts.synthetic)
    if meaning.intent == "battery" and facts.soc is not None:
        draft = driving_answers.battery(facts, meaning)
        return answers.reply(facts.language, meaning, draft, facts.synthetic)
    return None


def _range(facts: Facts, told: Signal) -> Draft:
    cite = Cited(facts)
    km = cite.signal(told, f"{float(str(told.value)) / 1000.0:.0f}")
    old = aged(facts, told)
    return answered(
        cite,
        say(
            facts,
            f"About {km} km by the car's own estimate{old}.",
            f"Etwa {km} km, wie das Auto selbst schätzt{old}.",
        ),
    )


def no_answer(language: str, meaning: Meaning, why: str, *more: str) -> Reply:
    """Why there is none: a key of WHY."""
    outcome = Outcome.DENIED if why == "no-rule" else Outcome.UNKNOWN
    return answers.said(language, meaning, outcome, say(language, *WHY[why]), *more)
