"""What is known of things with a tag in the first minutes after somebody left home."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from hearthway.context.items import TIMES
from hearthway.context.life import Life
from hearthway.context.prior import PastTrip
from hearthway.mesh.state.calendar import entries
from hearthway.mesh.state.store import Store
from hearthway.records.signals import Signal
from hearthway.records.situation import Agenda, Evidence, Habit, Situation, Thing, Told
from hearthway.sense.catalogue import is_fresh, item_of

LEAVING_S = 900.0  # after that nobody turns back for a thing
PLANNED_S = 3 * 3600.0  # an entry that begins so soon may be what one leaves for


def with_things(
    store: Store, life: Life, latest: Mapping[str, Signal], situation: Situation
) -> Situation:
    """The situation with each thing of which it is freshly known where it is; unchanged but just after leaving home."""
    start_s, home, now_s = situation.trip_start_s, situation.home, situation.time_s
    if start_s is None or home is None or now_s - start_s > LEAVING_S:
        return situation
    if situation.origin is None or situation.origin.place_id != home.place_id:
        return situation
    fresh = {key: s for key, s in latest.items() if item_of(key) and is_fresh(s, now_s)}
    names = sorted({item_of(key) for key in fresh})
    if not names:
        return situation
    past = life.along()
    title = _planned(situation)
    things = tuple(
        Thing(
            name=name,
            at_home=_told(fresh.get(f"Home.Items.{name}.Present"), now_s),
            with_phone=_told(fresh.get(f"Person.Items.{name}.WithPhone"), now_s),
            habits=life.along_to(past.get(name, [])),
            planned=_for(store, life.person, title, past.get(name, [])),
        )
        for name in names
    )
    used = tuple(
        Evidence(key=key, source=s.source, age_s=now_s - s.time_s, person=s.person)
        for key, s in sorted(fresh.items())
    )
    return replace(situation, things=things, evidence=(*situation.evidence, *used))


def _told(signal: Signal | None, now_s: float) -> Told | None:
    if signal is None or not isinstance(signal.value, bool):
        return None
    return Told(value=signal.value, age_s=now_s - signal.time_s, source=signal.source)


def _planned(situation: Situation) -> str:
    """The title of what the calendar has next, if that is soon."""
    agenda = situation.agenda
    if not isinstance(agenda, Agenda):
        return ""
    soon = (
        p.title
        for p in agenda.planned
        if not p.all_day and 0.0 <= p.start_s - situation.time_s <= PLANNED_S
    )
    return next(soon, "")


def _for(
    store: Store, person_id: str, title: str, past: Sequence[tuple[PastTrip, bool]]
) -> Habit | None:
    """How often it went along when an entry of that title came next; None below `TIMES` occasions."""
    if not title or not past:
        return None
    first_s = min(trip.depart_s for trip, _ in past)
    last_s = max(trip.depart_s for trip, _ in past) + PLANNED_S
    starts = [
        entry.start_s
        for entry in entries(store, person_id, first_s, last_s)
        if not entry.cancelled and not entry.all_day and entry.title == title
    ]
    mine = [
        along
        for trip, along in past
        if any(0.0 <= start_s - trip.depart_s <= PLANNED_S for start_s in starts)
    ]
    if len(mine) < TIMES:
        return None
    return Habit(title=title, like="before it", along=sum(mine), times=len(mine))
