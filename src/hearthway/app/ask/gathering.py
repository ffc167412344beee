"""The facts for one question, taken from a node as far as its rules let this person have them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec.structs import replace

from hearthway.app.calendar import coming
from hearthway.app.charge_watch import ChargePlans
from hearthway.app.granting import local_zone
from hearthway.app.member import Member
from hearthway.app.phone import PhoneNode
from hearthway.assist.ask.calendar_answers import days_meant
from hearthway.assist.ask.facts import CarAt, Facts, Food, Leaving, Planned
from hearthway.assist.ask.intents import CALENDAR, CAR_WHERE, HERE, RECEIPTS, SUGGESTION, WHERE
from hearthway.assist.ask.rates import charging_rate
from hearthway.assist.ask.slots import folded
from hearthway.assist.explain import why
from hearthway.assist.memory import Memory
from hearthway.assist.moment import destination_called
from hearthway.assist.needs import of_topic
from hearthway.assist.settings import GateSettings
from hearthway.assist.shape import Enquiry, Known, Scene, Unfit
from hearthway.atlas.store import Atlas
from hearthway.context.reach import reach_of
from hearthway.mesh.state.calendar import days_off
from hearthway.records.ask import Meaning, Names
from hearthway.records.geo import distance_m
from hearthway.records.life import Person, Place
from hearthway.records.localtime import zone_at
from hearthway.records.signals import Signal
from hearthway.records.situation import Situation
from hearthway.records.venue import Wait
from hearthway.sense.catalogue import (
    CAR_POSITION,
    CHARGING,
    HOUSE,
    LIGHT,
    SOC,
    SPEED,
    is_fresh,
    light_of,
)

from .near import middle, place_meant

MOVES_KMH = 3.6
AWAY_M = 50.0  # nearer, it is where one is
CHARGED_S = 6 * 3600.0
DAYS_AHEAD = 7
OFF_AHEAD = 800  # days: a date of next year, and whether a calendar goes on after it
LATITUDE, LONGITUDE = f"{CAR_POSITION}.Latitude", f"{CAR_POSITION}.Longitude"


class Gatherer:
    """One question's look at one node. Blocking: call it in a thread, in the node's turn."""

    def __init__(
        self,
        node: Member,
        owner: Person | None,
        language: str,
        permits: Mapping[str, str],
        *,
        own: bool,
    ) -> None:
        """`owner`: of the phone, None where nobody lives here. `own`: the owner asks."""
        self._node = node
        self._phone = node if isinstance(node, PhoneNode) else None
        self._brain = None if self._phone is None else self._phone.brain
        self._owner, self._language, self._permits, self._own = owner, language, permits, own
        self._now_s = node.clock.now_s()
        self._more: dict[str, Callable[[Facts, Meaning], Facts]] = {
            "get_home": self._short,
            "range": self._reach,
            "charged_when": self._charging,
            "parked": self._parked,
            "heading": self._heading,
            "location_use": self._receipts,
            "calendar_next": self._calendar,
            "day_off": self._days_off,
            "leave_when": self._leaving,
            "find_food": self._food,
            "wait_at": self._wait,
            "why": self._why,
        }

    def names(self) -> Names:
        """What the household calls its things."""
        lights = sorted(self.lights())
        rooms = {name.partition("_")[0] for name in lights if "_" in name} - set(lights)
        return Names(
            lights=tuple((name.replace("_", " "), name) for name in lights),
            rooms=tuple(sorted(rooms)),
        )

    def places(self) -> tuple[str, ...]:
        """What the owner calls places, where it is the owner who asks: nobody else learns which there are."""
        known = () if self._brain is None or not self._own else self._brain.life.places()
        return tuple(sorted({one.called for one in known} - {""}))

    def facts(self, meaning: Meaning) -> Facts:
        """What that intent is answered from; what no rule lets stays out."""
        situation = self._situation()
        facts = Facts(
            now_s=self._now_s,
            zone=self._zone(situation),
            language=self._language,
            own=self._own,
            person="" if self._owner is None else self._owner.person_id,
            permits=self._permits,
            situation=situation if self._may(WHERE) else None,
            soc=self._soc() if self._may(SOC) else None,
            house={key: s for key, s in self._told().items() if self._may(key)},
            lights=self.lights() if self._may(LIGHT) else {},
            synthetic=self._node.config.replay.synthetic,
        )
        more = self._more.get(meaning.intent)
        return facts if more is None else more(facts, meaning)

    def _may(self, key: str) -> bool:
        return bool(self._permits.get(key))

    def _situation(self) -> Situation | None:
        brain = self._brain
        if brain is None or brain.life.state.last is None:
            return None
        return brain.situation(self._now_s)

    def _zone(self, situation: Situation | None) -> str:
        if situation is not None:
            return zone_at(situation.lat, situation.lon)
        if self._phone is not None and self._phone.atlas is not None:
            return zone_at(*middle(self._phone.atlas))
        return local_zone()

    # of the house and the car ------------------------------------------------------------------------------------

    def _told(self) -> dict[str, Signal]:
        """The latest of each key of the house: kept ones survive a restart, told ones are newer."""
        kept = {} if self._brain is None else dict(self._brain.house)
        for key, signal in self._node.latest.items():
            if key.startswith(HOUSE) and (key not in kept or kept[key].time_s < signal.time_s):
                kept[key] = signal
        return kept

    def lights(self) -> dict[str, Signal]:
        """Every light that the house tells of, by its name."""
        told = self._told().items()
        return {name: signal for key, signal in told if (name := light_of(key))}

    def _soc(self) -> Signal | None:
        told = self._node.latest.get(SOC)
        brain = self._brain
        if brain is None or brain.life.state.battery.soc_pct is None:
            return told
        battery = brain.life.state.battery
        kept = Signal(
            key=SOC, value=battery.soc_pct, time_s=battery.soc_time_s, source=battery.source
        )
        return told if told is not None and told.time_s > kept.time_s else kept

    def _short(self, facts: Facts, meaning: Meaning) -> Facts:
        if self._brain is None or facts.situation is None:
            return facts
        known = enquire("charge", self._brain.scene(facts.situation), Enquiry())
        return facts if isinstance(known, Unfit) else replace(facts, short_p=known.p)

    def _reach(self, facts: Facts, meaning: Meaning) -> Facts:
        if self._brain is None or facts.soc is None:
            return facts
        return replace(facts, reach=reach_of(self._brain.life.state.battery, self._now_s))

    def _charging(self, facts: Facts, meaning: Meaning) -> Facts:
        since_s = self._now_s - CHARGED_S
        kept: list[Signal] = []
        if self._owner is not None:
            kept = list(self._node.store.signals(self._owner.person_id, since_s))
        told = self._node.latest.get(CHARGING)
        plugged = [s for s in (*kept, *([told] if told else [])) if s.key == CHARGING]
        readings = [
            (s.time_s, s.value) for s in kept if s.key == SOC and isinstance(s.value, float)
        ]
        return replace(
            facts,
            plugged=max(plugged, key=lambda s: s.time_s, default=None),
            charging=charging_rate(readings),
            charge_plan=self._plan() if self._own and self._may(SOC) and self._may(WHERE) else None,
        )

    def _heading(self, facts: Facts, meaning: Meaning) -> Facts:
        now, phone = facts.situation, self._phone
        if now is None or not now.destinations or phone is None:
            return facts
        name_of = None if phone.atlas is None else phone.atlas.place_name
        called = destination_called(name_of, now.destinations, now.destinations[0].place)
        return replace(facts, heading=called)

    def _plan(self) -> Planned | None:
        """Of a departure that the calendar or past trips tell: the owner's affair."""
        phone = self._phone
        plans = [] if phone is None else [p for p in phone.parts if isinstance(p, ChargePlans)]
        return plans[0].planned() if plans else None

    def _parked(self, facts: Facts, meaning: Meaning) -> Facts:
        found = self._car_at() if self._may(CAR_WHERE) else None
        if found is None:
            return facts
        lat, lon, time_s, source = found
        speed = self._node.latest.get(SPEED)
        moves = None
        if speed is not None and is_fresh(speed, self._now_s) and isinstance(speed.value, float):
            moves = abs(speed.value) >= MOVES_KMH
        now, away_m = facts.situation, None
        if now is not None and distance_m(now.lat, now.lon, lat, lon) >= AWAY_M:
            away_m = distance_m(now.lat, now.lon, lat, lon)
        car = CarAt(
            lat=lat,
            lon=lon,
            time_s=time_s,
            source=source,
            moves=moves,
            called=self._called(lat, lon),
            away_m=away_m,
        )
        return replace(facts, car=car)

    def _car_at(self) -> tuple[float, float, float, str] | None:
        """The car's last own word of where it is; after a restart where the last trip ended on which its charge fell."""
        latest = self._node.latest
        lat, lon = latest.get(LATITUDE), latest.get(LONGITUDE)
        if (
            lat is not None
            and lon is not None
            and isinstance(lat.value, float)
            and isinstance(lon.value, float)
        ):
            return lat.value, lon.value, lat.time_s, lat.source
        life = None if self._brain is None else self._brain.life
        if life is None or life.state.car.at is None:
            return None
        place = life.place(life.state.car.at)
        return place.lat, place.lon, place.last_s, "own trips"

    def _called(self, lat: float, lon: float) -> str:
        brain, phone = self._brain, self._phone
        if brain is not None and (known := brain.life.known(brain.life.place_at(lat, lon))):
            own = brain.life.place(known.index).called
            if own:
                return own
        atlas = None if phone is None else phone.atlas
        return "" if atlas is None else atlas.place_name(lat, lon) or ""

    # of the owner's days -----------------------------------------------------------------------------------------

    def _receipts(self, facts: Facts, meaning: Meaning) -> Facts:
        if not self._may(RECEIPTS):
            return facts
        kept = self._node.receipts.chain.receipts()
        return replace(facts, receipts=tuple(one for _, one in kept if one is not None))

    def _calendar(self, facts: Facts, meaning: Meaning) -> Facts:
        if self._owner is None or not self._may(CALENDAR):
            return facts
        asked, today = meaning.slots.get("day", ""), facts.day(self._now_s)
        days = days_meant(asked, today)[1] - today + 2 if asked else DAYS_AHEAD
        store, owner = self._node.store, self._owner
        off = coming(store, owner, self._now_s, days, facts.zone, off=True) if asked else ()
        found = coming(store, owner, self._now_s, days, facts.zone)
        return replace(facts, planned=tuple(found), days_off=tuple(off))

    def _days_off(self, facts: Facts, meaning: Meaning) -> Facts:
        if self._owner is None or not self._may(CALENDAR):
            return facts
        store, owner = self._node.store, self._owner
        off = coming(store, owner, self._now_s, OFF_AHEAD, facts.zone, off=True)
        names = tuple(days_off(store, owner.person_id))
        return replace(facts, days_off=tuple(off), off_calendars=names)

    def _leaving(self, facts: Facts, meaning: Meaning) -> Facts:
        facts = self._calendar(facts, meaning)
        brain, now = self._brain, facts.situation
        if brain is None or now is None:
            return facts
        known = enquire("leave", brain.scene(now), Enquiry())
        if isinstance(known, Unfit):
            return replace(facts, leaving=Leaving(why_not=known.code))
        planned = known.planned
        fitting = (
            one
            for one in facts.planned
            if planned is not None and (one.start_s, one.title) == (planned.start_s, planned.title)
        )
        found = Leaving(entry=next(fitting, None), leave_by_s=known.by_s, way_words=known.words)
        return replace(facts, leaving=found)

    def _why(self, facts: Facts, meaning: Meaning) -> Facts:
        if self._owner is None or not self._may(SUGGESTION):
            return facts
        said = list(self._node.store.suggestions(self._owner.person_id))[-1:]
        if not said:
            return facts
        return replace(facts, said=said[0], why=tuple(line for line in why(said[0]) if line))

    # of what is outside ------------------------------------------------------------------------------------------

    def _food(self, facts: Facts, meaning: Meaning) -> Facts:
        phone, brain = self._phone, self._brain
        atlas = None if phone is None else phone.atlas
        if phone is None or atlas is None:
            return replace(facts, food=Food(why_not="needs-a-map"))
        near = meaning.slots.get("near", "")
        now = facts.situation if self._own else None
        if now is None and (not near or folded(near) in HERE):
            return replace(facts, food=Food(why_not="whereabouts-unknown"))
        life = brain.life if brain is not None and self._own else None
        anchor = middle(atlas) if now is None else (now.lat, now.lon)
        heading = now is not None and now.mode == "driving" and bool(now.destinations)
        if now is not None and heading:
            first = now.destinations[0].place
            anchor = first.lat, first.lon
        off = Food(why_not="off-map", map_name=atlas.name, heading=heading)
        if not atlas.covers(*anchor):
            if not near or folded(near) in HERE:
                return replace(facts, food=off)
            anchor = middle(atlas)  # what is named is looked for where the map is
        if not near or folded(near) in HERE:
            meant = place_meant(atlas.place_name(*anchor) or "", anchor, atlas, None)
        else:
            meant = place_meant(near, anchor, atlas, life)
        if meant is None and near and folded(near) not in HERE:
            return replace(facts, food=Food(why_not="near-unknown"))
        place, called = meant or (_point(anchor), "")
        own = now is not None and brain is not None
        known = enquire(
            "dinner",
            brain.scene(now) if now and brain else self._strangers(facts, place, atlas),
            Enquiry(
                place=place,
                wanted=meaning.slots.get("cuisine", ""),
                without=meaning.slots.get("without", ""),
            ),
        )
        if isinstance(known, Unfit):
            return replace(facts, food=replace(off, why_not=known.code, around=called))
        food = Food(
            around=called,
            options=known.options(phone.waits(known.arrivals, self._now_s))
            if known.options
            else (),
            left_out=known.left_out,
            closed=known.closed,
            own_taste=own,
        )
        return replace(facts, food=food)

    def _strangers(self, facts: Facts, place: Place, atlas: Atlas) -> Scene:
        """Of nobody, standing there: no position and no taste of anybody's is in it."""
        now = Situation(
            time_s=self._now_s,
            utc_offset_s=facts.offset_s(self._now_s),
            person="",
            mode="unknown",
            lat=place.lat,
            lon=place.lon,
        )
        return Scene(now, Memory(person=""), GateSettings(), pois=atlas)

    def _wait(self, facts: Facts, meaning: Meaning) -> Facts:
        phone = self._phone
        if phone is None or not self._own:  # which places are followed is the owner's affair
            return facts
        asked = folded(meaning.slots.get("venue", ""))
        fitting = [
            one
            for one in phone.store.followed()
            if asked and (folded(one.name) == asked or asked in folded(one.name))
        ]
        if len(fitting) != 1:
            return facts
        told: dict[str, Wait] = phone.waits({fitting[0].osm_id: self._now_s}, self._now_s)
        return replace(facts, venue=fitting[0].name, wait=told.get(fitting[0].osm_id))


def _point(at: tuple[float, float]) -> Place:
    return Place(place_id="", lat=at[0], lon=at[1], visits=0)


def enquire(topic: str, scene: Scene, enquiry: Enquiry) -> Known | Unfit:
    """What the need that speaks of `topic` knows; nothing where it has been removed."""
    need = of_topic(topic)
    if need is None or need.enquire is None:
        return Unfit(code="nobody-knows")
    return need.enquire(scene, enquiry)
