"""The answer to a meaning, from facts handed in: a pure function for each intent, and what is said where there is none."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from hearthway.records.ask import Expected, Meaning, Outcome, Reply, Source

from . import calendar_answers, day_answers, driving_answers, house_answers, out_answers
from .facts import Cited, Facts
from .intents import CAR_ACT, ELSEWHERE, LATER, PAST, SEVERAL, TABLE, UNUSED, uses
from .not_done import not_done
from .words import Draft, answered, can_say, listed, say

Answerer = Callable[[Facts, Meaning], Draft]


def _help(facts: Facts, meaning: Meaning) -> Draft:
    can = can_say(facts.language)
    return answered(Cited(facts), say(facts, f"I can say {can}.", f"Ich kann sagen, {can}."))


ANSWERS: dict[str, Answerer] = {
    "get_home": driving_answers.get_home,
    "range": driving_answers.reach,
    "battery": driving_answers.battery,
    "charged_when": driving_answers.charged_when,
    "parked": driving_answers.parked,
    "heading": driving_answers.heading,
    "house_warm": house_answers.house_warm,
    "anybody_home": house_answers.anybody_home,
    "light_state": house_answers.light_state,
    "location_use": day_answers.location_use,
    "calendar_next": calendar_answers.calendar_next,
    "day_off": calendar_answers.day_off,
    "leave_when": day_answers.leave_when,
    "why": day_answers.why,
    "find_food": out_answers.find_food,
    "wait_at": out_answers.wait_at,
    "help": _help,
}


def answer(facts: Facts, meaning: Meaning) -> Reply:
    """The reply to a question whose data the rules let this person have."""
    return reply(facts.language, meaning, ANSWERS[meaning.intent](facts, meaning), facts.synthetic)


def reply(
    language: str, meaning: Meaning, draft: Draft, synthetic: bool = False
) -> Reply:  # the flag of a record
    """A draft as it is handed out: what of the question it does not go by is said first."""
    line, left = draft.line, meaning.slots.get(UNUSED, "")
    if left and draft.outcome is Outcome.ANSWERED:
        without = say(
            language,
            f"I cannot take “{left}” into account.",
            f"„{left}“ kann ich nicht berücksichtigen.",
        )
        line = f"{without} {line}"
    return Reply(
        outcome=draft.outcome,
        line=line,
        more=draft.more,
        language=language,
        intent=meaning.intent,
        slots=meaning.slots,
        by=meaning.by,
        of=meaning.of,
        sources=draft.sources,
        synthetic=synthetic,
    )


def said(
    language: str,
    meaning: Meaning,
    outcome: Outcome,
    line: str,
    *more: str,
    sources: tuple[Source, ...] = (),
) -> Reply:
    """Those words as a reply."""
    return reply(language, meaning, Draft(outcome=outcome, line=line, more=more, sources=sources))


def left_alone(language: str) -> Reply:
    """No was said to a question back."""
    line = say(language, "All right, nothing was done.", "Gut, es wurde nichts getan.")
    return said(language, Meaning(intent="", by="your answer"), Outcome.ANSWERED, line)


def may_not_order(language: str, meaning: Meaning, who: str, command: str, by: str) -> Reply:
    """No rule lets this person order that; `by`: the rule that lets others, and whom."""
    line = say(
        language,
        f"I may not do that for {who}: no rule lets {who} order {command}.",
        f"Das darf ich für {who} nicht tun: Keine Regel lässt {who} {command} anordnen.",
    )
    more = say(
        language,
        f"By rule {by} it is ordered." if by else "No rule lets anybody order it.",
        f"Angeordnet wird es nach Regel {by}." if by else "Keine Regel lässt es jemanden anordnen.",
    )
    return said(language, meaning, Outcome.DENIED, line, more)


def denied(
    language: str, meaning: Meaning, permits: Mapping[str, str], who: str, whys: Mapping[str, str]
) -> Reply:
    """What no rule lets: which keys, and whose word is missing."""
    keys, personal = uses(TABLE[meaning.intent], meaning.slots)
    missing = [key for key in (*keys, *personal) if not permits.get(key)]
    why = next((whys[key] for key in missing if key in whys), "")
    named = listed(language, missing)
    line = say(
        language,
        f"I may not tell {who} that: no rule lets {who} have {named}.",
        f"Das darf ich {who} nicht sagen: Keine Regel gibt {who} {named}.",
    )
    return said(language, meaning, Outcome.DENIED, line, *([why] if why else []))


def not_understood(language: str) -> Reply:
    """Nobody understood it."""
    can = can_say(language)
    return said(
        language,
        Meaning(intent=""),
        Outcome.NOT_UNDERSTOOD,
        say(language, "I do not know that.", "Das weiß ich nicht."),
        say(language, f"I can say {can}.", f"Ich kann sagen, {can}."),
    )


def not_mine(language: str, meaning: Meaning) -> Reply | None:
    """Understood, and nothing that is done here; None where it is one of the table's."""
    if meaning.intent == CAR_ACT:
        line = say(
            language,
            "I do nothing to a car: I only advise.",
            "Am Auto tue ich nichts: Ich rate nur.",
        )
        return said(language, meaning, Outcome.REFUSED, line)
    if meaning.intent == LATER:
        line = say(
            language,
            f"That is not possible: I do it at once or not at all, and you said “{meaning.of}”.",
            f"Das geht nicht: Ich tue es sofort oder gar nicht, und du sagtest „{meaning.of}“.",
        )
        more = say(
            language,
            "Say it without a time, once it is to be done.",
            "Sage es ohne Zeitangabe, wenn es getan werden soll.",
        )
        return said(language, meaning, Outcome.REFUSED, line, more)
    if meaning.intent == PAST:
        return _of_the_past(language, meaning)
    if meaning.intent == SEVERAL:
        line = say(
            language,
            "That is more than one thing: ask for one at a time.",
            "Das ist mehr als eines: Frage eines nach dem anderen.",
        )
        first = say(language, f"Begin with “{meaning.of}”.", f"Beginne mit „{meaning.of}“.")
        return said(language, meaning, Outcome.REFUSED, line, first)
    if meaning.intent == ELSEWHERE:
        return said(language, meaning, Outcome.REFUSED, not_done(language, meaning.of))
    return None


def _of_the_past(language: str, meaning: Meaning) -> Reply:
    """It is not kept how it was, and that is said."""
    line = say(
        language,
        f"I can say only how it is now, and you said “{meaning.of}”: how it was is not kept for questions.",
        f"Ich kann nur sagen, wie es jetzt ist, und du sagtest „{meaning.of}“: Wie es war, ist nicht für Fragen aufgehoben.",
    )
    now = meaning.slots.get("now", "")
    more = say(language, f"Ask “{now}” for now.", f"Frage „{now}“, wie es jetzt ist.")
    return said(language, meaning, Outcome.UNKNOWN, line, *([more] if now else []))


def asks_which(language: str, readings: tuple[Meaning, ...]) -> tuple[Reply, Expected]:
    """One short question where two readings are near. What is not done here anyway is not offered; one at least is."""
    readings = tuple(one for one in readings if one.intent in TABLE)
    names = [TABLE[one.intent].words(language) for one in readings]
    line = say(
        language,
        f"Do you mean {listed(language, names)}?",
        f"Meinst du, {listed(language, names)}?",
    )
    expected = Expected(
        kind="which",
        intents=tuple(one.intent for one in readings),
        slots=readings[0].slots,
        language=language,
    )
    return said(language, readings[0], Outcome.ASKS, line), expected


SLOT_QUESTIONS = {
    "light": ("Which light?", "Welches Licht?"),
    "degrees": ("To how many degrees?", "Auf wie viel Grad?"),
    "venue": ("The wait where?", "Die Wartezeit wo?"),
}


def asks_slot(language: str, meaning: Meaning, slot: str) -> tuple[Reply, Expected]:
    """One short question for what was not said along."""
    expected = Expected(
        kind="slot", intents=(meaning.intent,), slots=meaning.slots, slot=slot, language=language
    )
    line = say(language, *SLOT_QUESTIONS[slot])
    return said(language, meaning, Outcome.ASKS, line), expected


def asks_confirm(language: str, meaning: Meaning, what: str) -> tuple[Reply, Expected]:
    """Before something with consequences is done."""
    expected = Expected(
        kind="confirm", intents=(meaning.intent,), slots=meaning.slots, language=language
    )
    line = say(language, f"{what}: shall I?", f"{what}: soll ich?")
    return said(language, meaning, Outcome.ASKS, line), expected
