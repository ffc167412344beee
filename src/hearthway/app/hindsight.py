"""Why nothing was said at a past moment: the same code as live, given only what the phone holds from before it.

Computed afresh, so it also tells what a forgetting or a changed rule changed. Waits of venues are not kept, so none is known.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime

from msgspec import UNSET, Struct

from hearthway.assist.deeds import Became, became
from hearthway.assist.engine import Assistant, Proposal
from hearthway.assist.explain import heading_lines
from hearthway.assist.moment import STALE_S, ago, metres, plain
from hearthway.assist.onward import onward_of, when_words
from hearthway.assist.ranker import Ranker
from hearthway.atlas.store import Atlas
from hearthway.context.deeds import deeds_of
from hearthway.context.life import Life
from hearthway.context.motion import SILENT_S
from hearthway.learn.outcome import relearn
from hearthway.mesh.policy.rules import Rules
from hearthway.mesh.state.store import Store
from hearthway.records.errors import InputError, StoreError
from hearthway.records.geo import distance_m
from hearthway.records.life import LIFE_MODEL, Person
from hearthway.records.localtime import utc_offset_s
from hearthway.records.signals import Signal
from hearthway.records.situation import Destination, Situation
from hearthway.records.suggestion import Reason, Silence, Suggestion

from .brain import CONSIDER_EVERY_S, IGNORED_AFTER_S, because, feed, history_of
from .calendar import days_off_of, situation_at
from .config import Config
from .equipment import equipment
from .house import HouseHeard, with_house
from .moments import YEARS, unix_s, zone_there
from .rough import NEXT, Rough, rough_at
from .things import with_things

SHOWN = 3


class Hindsight(Struct, frozen=True, kw_only=True):
    """One past moment. `said`: what really was said then. `would`: what would be said, from what is held now."""

    situation: Situation
    position_age_s: float
    said: Suggestion | None
    would: Suggestion | None
    silence: Silence | None  # of the need that came nearest to speaking
    needs: dict[str, Silence]  # each need's own reason
    changes: tuple[str, ...] = ()  # which home or work then seemed to be another, and since when
    heading: tuple[Reason, ...] = ()  # what spoke for the first of its destinations, in log-odds
    rough: Rough | None = None  # the positions then, where they were too rough
    mode_hidden: bool = False  # the mode is unknown because of these alone


def moment_of(text: str, store: Store, person: Person) -> float:
    """Unix seconds of "2025-11-14 18:45", local to where the person was; InputError for what is no time or is not held.

    A zone may be written behind it: "2025-11-14T18:45+02:00".
    """
    try:
        at = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
    except ValueError:
        at = None
    if at is None or len(text.strip()) <= len("2025-11-14"):
        raise InputError(f"{text[:40]!r} is no moment.", 'Write it as "2025-11-14 18:45".')
    if at.year not in YEARS:
        raise InputError(_unknown(store, person, text), "Give a moment with positions around it.")
    if at.tzinfo is not None:
        return at.timestamp()
    zone = zone_there(store, person.person_id, at)
    if zone is None:
        raise InputError(_unknown(store, person, text), "Give a moment with positions around it.")
    return unix_s(at, zone)


def look_back(
    store: Store,
    person: Person,
    config: Config,
    atlas: Atlas | None,
    rules: Rules,
    at_s: float,
    *,
    ranker: Ranker | None = None,
) -> Hindsight:
    """Learn this person's life again up to `at_s`, and ask as the phone asks; InputError where nothing is known of then.

    `ranker`: the one that ranks here now.
    Reads only. A year takes about as long as `hearthway backtest` does.
    """
    until_s = math.nextafter(at_s, math.inf)
    days_off = days_off_of(store, person.person_id)
    life = Life(person.person_id, pois=atlas, roads=atlas, days_off=days_off)
    house = HouseHeard()
    for item in history_of(store, person.person_id, until_s=until_s):
        feed(life, item, rules)
        if isinstance(item, Signal):
            house.note(item)
    last = life.state.last
    if last is None or at_s > _last_s(store, person) + IGNORED_AFTER_S:
        words = _unknown(store, person, datetime.fromtimestamp(at_s, UTC).isoformat(" ", "minutes"))
        raise InputError(words, "Give a moment with positions around it.")
    suggestions = store.suggestions(person.person_id, until_s=until_s)
    answers = store.answers(person.person_id, until_s=until_s)
    said = next((s for s in suggestions if at_s - s.time_s < CONSIDER_EVERY_S), None)
    memory = relearn(
        person.person_id,
        [
            *life.meals,
            *(s for s in suggestions if s is not said),
            *(answers if rules.trains(kind="answer") else ()),
        ],
        atlas,
        deeds_of(life.state.deeds),
    )
    situation = situation_at(store, life, at_s, memory.said_about())
    situation = with_house(life, house.latest, situation)
    situation = with_things(store, life, house.latest, situation)
    rough = rough_at(store, person.person_id, at_s) if rules.trains(kind="fix") else None
    assistant = Assistant(person.person_id, **equipment(config, atlas), ranker=ranker)
    outcome: Proposal | Silence | Suggestion = assistant.propose(situation, memory)
    if isinstance(outcome, Proposal):
        outcome = assistant.decide(outcome, {}, memory)
    return Hindsight(
        situation=situation,
        position_age_s=at_s - last.time_s,
        said=said,
        would=outcome if isinstance(outcome, Suggestion) else None,
        silence=outcome if isinstance(outcome, Silence) else None,
        needs=assistant.silences(situation, memory),
        changes=life.changes,
        heading=because(life, situation, [d.place for d in situation.destinations[:1]]),
        rough=rough,
        mode_hidden=situation.mode == "unknown"
        and rough is not None
        and at_s - rough.until_s <= SILENT_S < at_s - last.time_s,
    )


def came_of(store: Store, suggestion: Suggestion, atlas: Atlas | None) -> tuple[Became, ...]:
    """What is known of what the person then did with it, by time; nothing before a life was learned here."""
    model = store.model(suggestion.person, LIFE_MODEL)
    if model is None:
        return ()
    try:
        life = Life.load(model.data)
    except StoreError:
        return ()  # of another version: the phone learns it anew when it starts next
    memory = relearn(
        suggestion.person, [*life.meals, suggestion], atlas, deeds_of(life.state.deeds)
    )
    pieces = (became(one, memory.happened) for one in memory.said)
    return tuple(sorted((p for each in pieces for p in each), key=lambda piece: piece.time_s))


def hindsight_lines(seen: Hindsight) -> list[str]:
    """For people: what was going on, the reason, and each need's own."""
    situation = seen.situation
    local = datetime.fromtimestamp(situation.time_s + situation.utc_offset_s, UTC)
    when = f"{local:%A} {local.day} {local:%B %Y, %H:%M}"
    lines = [f"{when}: {_outcome(seen)}", f"  {_going_on(seen)}"]
    lines += heading_lines(seen.heading)
    onward = onward_of(situation)
    if onward is not None:
        lines.append(f"  On the page: {onward.words}")
    if seen.position_age_s > STALE_S:
        lines.append(f"  The last position then known was from {ago(seen.position_age_s)}.")
    if seen.rough is not None:
        lines += [f"  {seen.rough.words(situation.utc_offset_s)}.", f"  -> {NEXT}"]
    lines += [f"  {change}" for change in seen.changes]
    if seen.silence is not None and seen.said is None:
        hidden = " Only rough positions came." if seen.mode_hidden else ""
        lines.append(f"  Why: {seen.silence.words}{hidden}")
    if seen.needs:
        lines += ["", "Each need:", *_by_need(seen.needs)]
    lines += ["", "From what this phone holds of the time before; waits of venues are not kept."]
    if situation.agenda is not UNSET:
        lines.append("The calendar is as this phone holds it now.")
    return lines


def _outcome(seen: Hindsight) -> str:
    if seen.said is not None:
        short = seen.said.suggestion_id[:12]
        return f"it spoke: {seen.said.headline} (`hearthway why {short}`)"
    if seen.would is not None:
        return f"nothing is stored; from what is held now it would speak: {seen.would.headline}"
    return "nothing was said."


def _going_on(seen: Hindsight) -> str:
    situation = seen.situation
    doing = situation.mode
    if seen.mode_hidden:
        doing += f", for only rough positions came in the last {seen.position_age_s / 60.0:.0f} min"
    if isinstance(situation.mode_p, float):
        doing += f" {situation.mode_p:.2f}"
    ahead = situation.next_places
    if ahead is not UNSET and ahead.places:
        when = when_words(situation.time_s, ahead.leave_s, situation.utc_offset_s)
        return (
            f"{doing}; next, {when}: {_likeliest(situation, ahead.places)};"
            f" somewhere new {ahead.p_new:.2f}"
        )
    if not situation.destinations:
        return doing if situation.trip_start_s is None else f"{doing}; heading to: unknown"
    heading = _likeliest(situation, situation.destinations)
    return f"{doing}; heading to: {heading}; somewhere new {situation.p_new:.2f}"


def _likeliest(situation: Situation, ranked: Sequence[Destination]) -> str:
    return ", ".join(
        f"{plain(d.place.called) or d.place.place_id} {d.p:.2f}"
        f" ({metres(distance_m(situation.lat, situation.lon, d.place.lat, d.place.lon))} away)"
        for d in ranked[:SHOWN]
    )


def _by_need(needs: dict[str, Silence]) -> Sequence[str]:
    width = max(len(name) for name in needs)
    lines = []
    for name, silence in needs.items():
        worth = ""
        if silence.utility is not None and silence.threshold is not None:
            worth = f" ({silence.utility:+.1f} min expected, {silence.threshold:.1f} asked for)"
        lines.append(f"  {name:<{width}}  {silence.code}: {silence.words}{worth}")
    return lines


def _last_s(store: Store, person: Person) -> float:
    last = store.last_fix(person.person_id)
    return -math.inf if last is None else last.time_s


def _unknown(store: Store, person: Person, text: str) -> str:
    first, last = next(iter(store.fixes(person.person_id)), None), store.last_fix(person.person_id)
    if first is None or last is None:
        return f"This phone holds no position of {person.name}."
    since, until = (
        datetime.fromtimestamp(f.time_s + utc_offset_s(f.lat, f.lon, f.time_s), UTC).date()
        for f in (first, last)
    )
    return f"Nothing is known of {text}: positions are held from {since} to {until}."
