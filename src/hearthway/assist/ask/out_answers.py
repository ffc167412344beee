"""Answers about what is outside: where to eat, and how long one waits there."""

from __future__ import annotations

from hearthway.assist.moment import hours_unknown, metres, plain, wait_minutes
from hearthway.records.ask import Meaning
from hearthway.records.poi import OpenState
from hearthway.records.suggestion import Option

from .facts import Cited, Facts
from .intents import WHERE
from .words import Draft, answered, say, unknown

MAP = "Map.Poi"
WAIT = "Venue.Wait"


def find_food(facts: Facts, meaning: Meaning) -> Draft:
    """The best tables, without what was not wanted, each with what is known of it."""
    cite = Cited(facts)
    found, near, without = (
        facts.food,
        meaning.slots.get("near", ""),
        meaning.slots.get("without", ""),
    )
    if found.why_not:
        return _cannot_say(cite, near)
    if found.own_taste:
        cite(WHERE, "", source="own position and meals", personal=True)
    at = plain(found.around) or say(facts, "here", "hier")
    cite(MAP, at, source="map", value=found.around)
    but = ""
    if without:
        number = cite(MAP, f"{found.left_out}", value=float(found.left_out), source="map")
        but = say(
            facts, f", {number} with {without} left out", f", {number} mit {without} ausgelassen"
        )
    kind = meaning.slots.get("cuisine", "")
    if not found.options and kind:
        return unknown(
            cite,
            f"No open table is known near {at} by the kind {kind}{but}.",
            f"Bei {at} ist kein offener Tisch der Art {kind} bekannt{but}.",
        )
    if not found.options:
        shut = cite(MAP, f"{found.closed}", value=float(found.closed), source="map")
        return unknown(
            cite,
            f"Nothing that fits is known near {at}{but}; {shut} are closed then.",
            f"Bei {at} ist nichts Passendes bekannt{but}; {shut} haben dann zu.",
        )
    lines = [_table(cite, option) for option in found.options]
    taste = (
        ""
        if facts.food.own_taste
        else say(
            facts,
            "By distance alone, nobody's tastes.",
            "Nur nach Entfernung, niemandes Vorlieben.",
        )
    )
    return answered(
        cite,
        say(facts, f"Near {at}{but}: {lines[0]}", f"Bei {at}{but}: {lines[0]}"),
        *lines[1:],
        taste,
    )


def _cannot_say(cite: Cited, near: str) -> Draft:
    """Why no table is known, and what helps where it is the map."""
    facts, found = cite.facts, cite.facts.food
    where = (plain(found.around), plain(found.around))
    if not found.around and found.heading:
        where = ("where you are heading", "wohin du fährst,")
    elif not found.around:
        where = ("where you are", "wo du bist,")
    named = f" ({plain(found.map_name)})" if found.map_name else ""
    reasons = {
        "needs-a-map": ("there is no map here", "hier gibt es keine Karte"),
        "off-map": (
            f"{where[0]} is not on the map here{named}",
            f"{where[1]} liegt nicht auf der Karte hier{named}",
        ),
        "near-unknown": (
            f"no place called {near} is known here",
            f"ein Ort namens {near} ist hier nicht bekannt",
        ),
        "whereabouts-unknown": ("where you are is unknown", "wo du bist, ist unbekannt"),
    }
    why = say(facts, *reasons.get(found.why_not, ("nobody here knows", "hier weiß es niemand")))
    helps = say(
        facts,
        "`hearthway map build EXTRACT` makes a map of another region; [map] atlas in node.toml names it.",
        "`hearthway map build EXTRACT` macht eine Karte einer anderen Gegend; [map] atlas in node.toml nennt sie.",
    )
    or_near = say(
        facts,
        'Or name a place that is on this one: "find dinner near ...".',
        "Oder nenne einen Ort, der auf dieser ist: „Abendessen bei ...“.",
    )
    more = {"needs-a-map": (helps,), "off-map": (helps, or_near)}.get(found.why_not, ())
    return unknown(cite, f"I cannot say: {why}.", f"Das kann ich nicht sagen: {why}.", *more)


def _table(cite: Cited, option: Option) -> str:
    facts, poi = cite.facts, option.poi
    parts = [cite(MAP, plain(poi.name), value=poi.osm_id, source="map")]
    if poi.cuisines:
        kinds = ", ".join(one.replace("_", " ") for one in poi.cuisines)
        parts.append(cite(MAP, kinds, value=kinds, source="map"))
    far = cite(MAP, metres(option.walk_m), value=round(option.walk_m, 1), source="map")
    parts.append(say(facts, f"{far} on foot", f"{far} zu Fuß"))
    if option.opening.state is OpenState.UNKNOWN:
        parts.append(_unknown_hours(cite, option))
    elif option.opening.until_s is not None:
        until = cite(
            MAP,
            facts.clock(option.opening.until_s),
            value=option.opening.until_s,
            source="map",
        )
        parts.append(say(facts, f"open until {until}", f"offen bis {until}"))
    else:
        parts.append(say(facts, "open", "offen"))
    minutes = option.wait.minutes
    if minutes is None:
        parts.append(say(facts, "wait unknown", "Wartezeit unbekannt"))
    else:
        shown = cite(
            WAIT,
            wait_minutes(option.wait, minutes),
            value=minutes,
            source=option.wait.source,
            age_s=option.wait.age_s,
        )
        parts.append(say(facts, f"wait {shown}", f"Wartezeit {shown}"))
    return " · ".join(parts)


def _unknown_hours(cite: Cited, option: Option) -> str:
    """That the map tells none, and where own meals stand for them how many: as a suggestion and the page have it."""
    facts = cite.facts
    german = "Öffnungszeiten unbekannt"
    if isinstance(option.eaten_then, int):
        often = option.eaten_then
        shown = cite(WHERE, f"{often:,}", value=float(often), source="own meals", personal=True)
        german += f", du hast hier {shown}-mal um diese Zeit gegessen"
    return say(facts, hours_unknown(option), german)


def wait_at(facts: Facts, meaning: Meaning) -> Draft:
    """What the place itself says of its wait."""
    cite = Cited(facts)
    asked = meaning.slots.get("venue", "")
    name, told = plain(facts.venue), facts.wait
    if not name or told is None:
        known = name or asked
        return unknown(
            cite,
            f"How long one waits at {known} is unknown: it is no place that you follow.",
            f"Wie lange man bei {known} wartet, ist unbekannt: Du folgst diesem Ort nicht.",
        )
    cite(WAIT, name, source=told.source)
    if told.minutes is None:
        why = f" ({told.why})" if told.why else ""
        return unknown(
            cite,
            f"How long one waits at {name} is unknown{why}.",
            f"Wie lange man bei {name} wartet, ist unbekannt{why}.",
        )
    shown = cite(
        WAIT,
        wait_minutes(told, told.minutes),
        value=told.minutes,
        source=told.source,
        age_s=told.age_s,
    )
    ago = cite.sources[-1].ago
    when = f" ({ago})" if ago else ""
    return answered(
        cite,
        say(
            facts,
            f"{name} says {shown}{when}.",
            f"{name} sagt: {shown}{when}.",
        ),
    )
