"""Answers about the house: how warm it is, who is in, what is on."""

from __future__ import annotations

from hearthway.records.ask import Meaning
from hearthway.sense.catalogue import HEATING, NEXT_HEATING, PRESENCE, ROOM, SETPOINT

from .facts import Cited, Facts, stale
from .words import Draft, aged, answered, listed, say, unknown

NEAR_C = 0.5  # as near to what is wanted as a thermostat holds it


def house_warm(facts: Facts, meaning: Meaning) -> Draft:
    """The room's temperature, and warm or colder by what the thermostat wants."""
    cite = Cited(facts)
    room = facts.house.get(ROOM)
    if room is None or not isinstance(room.value, float):
        return unknown(
            cite,
            "How warm the house is, is unknown: nothing has told.",
            "Wie warm das Haus ist, ist unbekannt: Nichts hat es gemeldet.",
        )
    degrees = cite.signal(room, f"{room.value:.1f} °C")
    old = aged(facts, room)
    wanted = facts.house.get(SETPOINT)
    head, asked = "", ""
    if wanted is not None and isinstance(wanted.value, float) and not stale(wanted, facts.now_s):
        set_to = cite.signal(wanted, f"{wanted.value:.1f} °C")
        if not stale(room, facts.now_s):  # of an old reading nothing is said that is so now
            # No yes and no no: "is it cold?" and "is the heating on?" are asked with the same meaning.
            warm = room.value >= wanted.value - NEAR_C
            head = (
                "Warm: " if warm else say(facts, "Colder than wanted: ", "Kälter als gewünscht: ")
            )
        asked = say(facts, f"; {set_to} is wanted", f"; gewünscht sind {set_to}")
    return answered(
        cite,
        say(
            facts, f"{head}{degrees} at home{old}{asked}.", f"{head}{degrees} zu Hause{old}{asked}."
        ),
        _heats(cite),
    )


def _heats(cite: Cited) -> str:
    facts = cite.facts
    heating, ahead = facts.house.get(HEATING), facts.house.get(NEXT_HEATING)
    if heating is not None and isinstance(heating.value, bool) and not stale(heating, facts.now_s):
        cite.signal(heating, "")
        if heating.value:
            return say(facts, "The heating is on.", "Die Heizung läuft.")
        if ahead is not None and isinstance(ahead.value, float) and ahead.value > facts.now_s:
            at = cite.signal(ahead, facts.clock(ahead.value))
            return say(facts, f"The heating is off until {at}.", f"Die Heizung ist bis {at} aus.")
        return say(facts, "The heating is off.", "Die Heizung ist aus.")
    return ""


def anybody_home(facts: Facts, meaning: Meaning) -> Draft:
    """Whether presence is told; who it is, no sensor of a house tells."""
    cite = Cited(facts)
    told = facts.house.get(PRESENCE)
    if told is None or not isinstance(told.value, bool):
        return unknown(
            cite,
            "Whether somebody is at home is unknown: nothing has told.",
            "Ob jemand zu Hause ist, ist unbekannt: Nichts hat es gemeldet.",
        )
    cite.signal(told, "")
    old = aged(facts, told)
    who_en, who_de = ("Somebody", "jemand") if told.value else ("Nobody", "niemand")
    if stale(told, facts.now_s):
        line = say(facts, f"{who_en} was at home{old}.", f"Es war {who_de} zu Hause{old}.")
        return answered(cite, line)
    return answered(
        cite, say(facts, f"{who_en} is at home{old}.", f"Es ist {who_de} zu Hause{old}.")
    )


def light_state(facts: Facts, meaning: Meaning) -> Draft:
    """On, off or unknown, each light that is meant."""
    cite = Cited(facts)
    wanted = lights_meant(facts, meaning.slots.get("light", ""))
    if not wanted:
        return unknown(cite, *no_such_light(facts, meaning.slots.get("light", "")))
    lines = []
    for name in wanted:
        told = facts.lights[name]
        called = name.replace("_", " ")
        if not isinstance(told.value, bool):
            continue
        cite.signal(told, called)
        state = say(facts, "on", "an") if told.value else say(facts, "off", "aus")
        old = aged(facts, told)
        is_, ist = ("was", "war ") if stale(told, facts.now_s) else ("is", "")
        lines.append(
            say(
                facts,
                f"The {called} light {is_} {state}{old}.",
                f"Licht {called}: {ist}{state}{old}.",
            )
        )
    if not lines:
        return unknown(cite, *no_such_light(facts, meaning.slots.get("light", "")))
    return answered(cite, lines[0], *lines[1:])


def lights_meant(facts: Facts, said: str) -> list[str]:
    """The lights of that name, else those of that room (whose names begin with it), by name."""
    folded = said.casefold().replace(" ", "_").replace("-", "_")
    known = {name.casefold().replace("-", "_"): name for name in facts.lights}
    if folded in known:
        return [known[folded]]
    if folded == "all":
        return sorted(known.values())
    return sorted(name for key, name in known.items() if folded and key.startswith(f"{folded}_"))


def no_such_light(facts: Facts, said: str) -> tuple[str, str]:
    """That no such light is known, and which are; in both languages."""
    names = [name.replace("_", " ") for name in sorted(facts.lights)]
    if not names:
        return (
            "No light is known here: nothing at home tells of one.",
            "Hier ist kein Licht bekannt: Nichts zu Hause meldet eines.",
        )
    known = listed(facts.language, names)
    return (
        f"No light called {said} is known here, only {known}.",
        f"Ein Licht {said} ist hier nicht bekannt, nur {known}.",
    )
