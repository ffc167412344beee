"""Answers about the car: its battery, where it is, and where one is heading."""

from __future__ import annotations

from math import floor

from hearthway.assist.moment import metres, plain, position_age_s
from hearthway.records.ask import Meaning, Outcome
from hearthway.records.situation import Battery
from hearthway.sense.catalogue import SOC, kind_of

from .facts import Cited, Facts, Planned, ago_words, stale
from .intents import CAR_WHERE, WHERE
from .words import Draft, aged, answered, say, unknown

SURE_P, UNSURE_P = 0.1, 0.5
PLAN = "charging plan"
RANGE_MODEL = "range model"  # figures worked out of the charge by what past trips took


def battery(facts: Facts, meaning: Meaning) -> Draft:
    """How full it is, and how old that word is."""
    cite = Cited(facts)
    told = facts.soc
    if told is None or not isinstance(told.value, float):
        return _no_charge(cite)
    pct = cite.signal(told, f"{told.value:.0f} %")
    old = aged(facts, told)
    return answered(cite, say(facts, f"The battery has {pct}{old}.", f"Der Akku hat {pct}{old}."))


def _no_charge(cite: Cited) -> Draft:
    return unknown(
        cite,
        "How full the battery is, is unknown: no car has told.",
        "Wie voll der Akku ist, ist unbekannt: Kein Auto hat es gemeldet.",
    )


def _untaught(cite: Cited) -> Draft:
    return unknown(
        cite,
        "What the car uses is unknown: too few trips have shown it.",
        "Was das Auto verbraucht, ist unbekannt: Zu wenige Fahrten haben es gezeigt.",
    )


def reach(facts: Facts, meaning: Meaning) -> Draft:
    """How far the charge reaches, by the car's own trips."""
    cite = Cited(facts)
    told, found = facts.soc, facts.reach
    if told is None or not isinstance(told.value, float):
        return _no_charge(cite)
    pct = cite.signal(told, f"{told.value:.0f} %")
    if found is None:
        return _untaught(cite)
    age_s = facts.now_s - told.time_s

    def km(metres_: float) -> str:
        return cite(
            SOC,
            f"{metres_ / 1000.0:.0f}",
            value=round(metres_, 1),
            source=RANGE_MODEL,
            age_s=age_s,
        )

    about, low, high = km(found.metres), km(found.low_m), km(found.high_m)
    trips = cite(SOC, f"{found.trips}", value=float(found.trips), source=RANGE_MODEL)
    old = aged(facts, told)
    return answered(
        cite,
        say(
            facts,
            f"About {about} km with {pct}{old}.",
            f"Etwa {about} km mit {pct}{old}.",
        ),
        say(
            facts,
            f"Nine times in ten between {low} and {high} km, as {trips} trips of this car have shown.",
            f"In neun von zehn Fällen zwischen {low} und {high} km, wie {trips} Fahrten dieses Autos gezeigt haben.",
        ),
    )


def get_home(facts: Facts, meaning: Meaning) -> Draft:
    """Yes, perhaps or no, by what is left at home."""
    cite = Cited(facts)
    now, told = facts.situation, facts.soc
    staying_at = now.origin if now is not None and now.mode == "staying" else None
    if now is not None and staying_at is not None and staying_at.label == "home":
        return _at_home(cite, position_age_s(now))
    found = None if now is None else now.battery
    if told is None or not isinstance(told.value, float) or found is None:
        return _no_charge(cite)
    pct = cite.signal(told, f"{told.value:.0f} %")
    if now is None or now.home is None:
        return unknown(
            cite, "Where home is, is not known yet.", "Wo du zu Hause bist, ist noch nicht bekannt."
        )
    if found.at_home_pct is None or facts.short_p is None:
        return _untaught(cite)
    # Of an old reading no yes and no no can be said.
    old = stale(told, facts.now_s)
    head = say(facts, "Home", "Zu Hause") if old else _home_head(facts, facts.short_p)
    return _home(cite, found, facts.short_p, pct, aged(facts, told), head)


def _at_home(cite: Cited, age_s: float | None) -> Draft:
    """By the last position; of an old one nothing is said as if it were so now."""
    facts = cite.facts
    cite(WHERE, "", source="own places", age_s=age_s, personal=True)
    position = kind_of(WHERE)
    if age_s is not None and age_s <= position.freshness_s:
        return answered(cite, say(facts, "You are at home.", "Du bist zu Hause."))
    ago = ago_words(facts.language, age_s) or say(facts, "nobody knows when", "niemand weiß, wann")
    return answered(
        cite,
        say(
            facts,
            f"You were at home (last position {ago}: it may be different now).",
            f"Du warst zu Hause (letzte Position {ago}: es kann jetzt anders sein).",
        ),
    )


def _home_head(facts: Facts, p_short: float) -> str:
    if p_short < SURE_P:
        return say(facts, "Yes: home", "Ja: zu Hause")
    if p_short < UNSURE_P:
        return say(facts, "Perhaps: home", "Vielleicht: zu Hause")
    return say(facts, "Probably not without charging: home", "Ohne Laden wohl nicht: zu Hause")


def _home(cite: Cited, found: Battery, p_short: float, pct: str, old: str, head: str) -> Draft:
    facts = cite.facts

    def left(value: float | None) -> str:
        if value is None:
            return "?"
        return cite(
            WHERE,
            f"{value:.0f}",
            value=round(value, 2),
            source=RANGE_MODEL,
            age_s=found.age_s,
            personal=True,
        )

    about, low, high = (
        left(found.at_home_pct),
        left(found.at_home_low_pct),
        left(found.at_home_high_pct),
    )
    p = cite(WHERE, f"{p_short:.2f}", value=round(p_short, 4), source=RANGE_MODEL, personal=True)
    return answered(
        cite,
        say(
            facts,
            f"{head} with about {about} %, from {pct}{old}.",
            f"{head} mit etwa {about} %, von {pct}{old}.",
        ),
        say(
            facts,
            f"Nine times in ten between {low} and {high} %; short of it with p {p}.",
            f"In neun von zehn Fällen zwischen {low} und {high} %; zu wenig mit p {p}.",
        ),
    )


def charged_when(facts: Facts, meaning: Meaning) -> Draft:
    """When it is full: by how fast it has charged so far, and by the plan for the car that is plugged in."""
    cite = Cited(facts)
    found = _as_it_charges(cite)
    if facts.charge_plan is None or facts.soc is None:
        return found
    words = _as_planned(cite, facts.charge_plan)
    if found.outcome is Outcome.UNKNOWN:
        return answered(cite, words, found.line)
    return answered(cite, found.line, *found.more, words)


def _as_planned(cite: Cited, plan: Planned) -> str:
    facts = cite.facts

    def clock(time_s: float) -> str:
        return cite(
            SOC,
            facts.clock(time_s),
            value=time_s,
            source=PLAN,
            age_s=max(0.0, facts.now_s - plan.made_s),
            personal=True,
        )

    def pct(value: float) -> str:
        return cite(SOC, f"{value:.0f} %", value=round(value, 2), source=PLAN)

    leaves, target = clock(plan.departure_s), pct(plan.target_pct)
    if plan.begin_s is None:
        return say(
            facts,
            f"Planned: nothing to charge until {leaves}.",
            f"Geplant: bis {leaves} nichts zu laden.",
        )
    begin = clock(plan.begin_s)
    if plan.ready_s is None:
        final = pct(floor(plan.final_pct))
        return say(
            facts,
            f"Planned: only {final} of {target} by {leaves}, charging from {begin}.",
            f"Geplant: nur {final} statt {target} bis {leaves}, geladen ab {begin}.",
        )
    ready = clock(plan.ready_s)
    return say(
        facts,
        f"Planned: {target} by {ready} (departure {leaves}), charging from {begin}.",
        f"Geplant: {target} um {ready} (Abfahrt {leaves}), geladen ab {begin}.",
    )


def _as_it_charges(cite: Cited) -> Draft:
    facts = cite.facts
    told, plugged, rate = facts.soc, facts.plugged, facts.charging.pct_an_hour
    if told is None or not isinstance(told.value, float):
        return _no_charge(cite)
    pct = cite.signal(told, f"{told.value:.0f} %")
    old = aged(facts, told)
    if plugged is None:
        return unknown(
            cite,
            f"Whether the car charges, nobody has told; the battery has {pct}{old}.",
            f"Ob das Auto lädt, hat niemand gemeldet; der Akku hat {pct}{old}.",
        )
    cite.signal(plugged, "")
    if stale(plugged, facts.now_s) or stale(told, facts.now_s):
        return unknown(
            cite,
            f"How it charges now, is unknown; the battery has {pct}{old}.",
            f"Wie es jetzt lädt, ist unbekannt; der Akku hat {pct}{old}.",
        )
    if plugged.value is not True:
        return answered(
            cite,
            say(
                facts,
                f"It is not charging; the battery has {pct}.",
                f"Es lädt nicht; der Akku hat {pct}.",
            ),
        )
    if rate is None or rate <= 0.0:
        return unknown(
            cite,
            f"It charges and has {pct}{old}; how fast is not known yet.",
            f"Es lädt und hat {pct}{old}; wie schnell, ist noch nicht bekannt.",
        )
    full_s = told.time_s + (100.0 - told.value) / rate * 3600.0
    at = cite(SOC, facts.clock(full_s), value=full_s, source="own readings")
    speed = cite(SOC, f"{rate:.1f}", value=round(rate, 3), source="own readings")
    return answered(
        cite,
        say(
            facts,
            f"Full at about {at}, if it goes on like this; now {pct}{old}.",
            f"Voll gegen {at}, wenn es so weitergeht; jetzt {pct}{old}.",
        ),
        say(
            facts,
            f"It has charged {speed} % an hour. Most cars charge slower near full.",
            f"Es hat {speed} % in der Stunde geladen. Die meisten Autos laden gegen Ende langsamer.",
        ),
    )


def parked(facts: Facts, meaning: Meaning) -> Draft:
    """Where the car was last heard of."""
    cite = Cited(facts)
    car = facts.car
    if car is None:
        return unknown(
            cite,
            "Where the car is, is unknown: it has told no position here.",
            "Wo das Auto steht, ist unbekannt: Es hat hier keine Position gemeldet.",
        )
    age_s = max(0.0, facts.now_s - car.time_s)
    ago = ago_words(facts.language, age_s)
    where = cite(
        CAR_WHERE,
        f"{car.lat:.5f}, {car.lon:.5f}",
        value=car.lat,
        source=car.source,
        age_s=age_s,
        personal=True,
    )
    if car.moves:
        return answered(
            cite,
            say(facts, "The car is being driven just now.", "Das Auto fährt gerade."),
            where,
        )
    at = plain(car.called) or where
    if car.called:
        cite(CAR_WHERE, at, source="own places or map", personal=True)
    away = ""
    if car.away_m is not None:
        far = cite(WHERE, metres(car.away_m), value=round(car.away_m, 1), personal=True)
        away = say(facts, f", {far} from you", f", {far} von dir")
    when = f" ({ago})" if ago else ""
    return answered(
        cite,
        say(
            facts,
            f"The car was last heard of at {at}{away}{when}.",
            f"Das Auto meldete sich zuletzt bei {at}{away}{when}.",
        ),
        "" if at == where else where,
    )


def heading(facts: Facts, meaning: Meaning) -> Draft:
    """Where this drive probably leads, with its probability."""
    cite = Cited(facts)
    now = facts.situation
    if now is None or now.mode in ("staying", "unknown") or not now.destinations:
        return unknown(
            cite,
            "You are not known to be under way to anywhere.",
            "Ob du unterwegs bist und wohin, ist nicht bekannt.",
        )
    first = now.destinations[0]
    called = facts.heading or plain(first.place.called)
    name = called or "a place of yours"
    p = cite(WHERE, f"{first.p:.2f}", value=round(first.p, 4), source="own trips", personal=True)
    line = say(facts, f"Probably {name} (p {p}).", f"Wahrscheinlich {_to(called)} (p {p}).")
    return answered(cite, line)


def _to(called: str) -> str:
    """Where to, in German."""
    known = {"home": "nach Hause", "work": "zur Arbeit", "": "zu einem deiner Orte"}
    if called.startswith("near "):
        return f"in die Nähe von {called.removeprefix('near ')}"
    return known.get(called, f"zu {called}")
