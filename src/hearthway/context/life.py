"""`Life`: one person's days, learned as they happen. Replay and live feed it the same way, one fix at a time.

Nothing looks ahead: a stay is certain after 20 minutes, a trip after its destination's stay is, and both are
learned then. `dump` and `load` carry everything, so that stopping and going on equals never having stopped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

import msgspec

from hearthway.records.calendar import CalendarEntry
from hearthway.records.codec import pack
from hearthway.records.errors import StoreError
from hearthway.records.life import (
    LIVED,
    MODES,
    STAY_MIN_S,
    STAY_RADIUS_M,
    TRIP_MIN_M,
    Place,
    PlaceWord,
    Stay,
    TravelMode,
    Trip,
)
from hearthway.records.localtime import local_day, utc_offset_s
from hearthway.records.poi import FOOD, PoiIndex, RoadNear
from hearthway.records.signals import Fix, Signal
from hearthway.records.situation import Agenda, Habit, HouseHabits, MealVisit, Planned, Situation
from hearthway.sense.catalogue import (
    ALTITUDE,
    CAPACITY,
    CAR_POSITION,
    CHARGING,
    ODOMETER,
    OUTSIDE,
    PHONE_POSITION,
    SOC,
    SPEED,
)
from hearthway.sense.fixes import FixAssembler

from . import house, items
from .agenda import OwnWays, agenda_of
from .aim import Aim, best_point
from .because import Part
from .charging import SETTING_OUT_M
from .departing import Leaves, next_leaving
from .destination import DestinationModel, Posterior
from .eaten import EatenOut
from .events import LifeEvent, MealVisited, StayEnded, StayStarted, TripEnded, TripStarted
from .flat import gap_m
from .heading import Shown
from .heights import FRESH_S
from .leg import LegUnderWay, Path, rounded
from .mode_judge import judged
from .modes import Judge, ModeFilter
from .motion import implied_speed, remember
from .next_planned import as_planned
from .places import NOWHERE, KnownPlace, PlaceBook, spots_of
from .prior import Departure, PastTrip
from .remap import move_part, needed, renumber
from .routines import MAX_VISITS, MIN_MEAL_S, NEAR_FOOD_M, visit_of
from .spots import two_of
from .state import VERSION, LifeState, Moment
from .stays import StayDetector
from .view import LookedUp, changes_told, here_m, road_factor, situation_of
from .where_next import SLOT_S, NextPlaces
from .words import hear

_STATE = msgspec.msgpack.Decoder(LifeState)
WITHIN = 1.6  # a phone's accuracy is the radius of 68 %: 95 % lie within so many of it
# A night and more: who has told nothing surer since is where the unsure say.
SURE_LATELY_S = 12 * 3_600.0
CREEPS_MPS = 1.0  # slower, a car's word does not say that it moves


class Life:
    """Feed fixes and signals in event time; ask for the situation at any moment."""

    def __init__(
        self,
        person: str,
        *,
        pois: PoiIndex | None = None,
        roads: RoadNear | None = None,
        state: LifeState | None = None,
        judge: Judge = judged,
        days_off: Mapping[int, int] | None = None,
        foretells: bool = True,
    ) -> None:
        """`judge` says by what a trip went, once it is over (`ModeFilter.trip`: the filter that says it meanwhile).

        `days_off`: local day -> number of its calendar of holidays (`day_kind.numbered`); with others all is learned anew.
        `foretells`: is each leg foretold, so that it is known how regular this life is? Else nobody asks where a leg leads.
        """
        self.state = state if state is not None else LifeState(person=person)
        self.person = person
        self._pois = pois
        if self.state.here is not None:
            self.state.places[self.state.here].staying = True
        self._roads = roads
        self._modes = ModeFilter(self.state.modes, judge)
        self._book = PlaceBook(self.state.places, self.state.settling)
        self._stays = StayDetector(self.state.window)
        self._dwells = StayDetector(self.state.dwell, radius_m=NEAR_FOOD_M, min_s=MIN_MEAL_S)
        self._off = dict(days_off or {})
        self.model = DestinationModel(
            self.state.trips, self.state.regular, roads=roads, off=self._off
        )
        self._looked = LookedUp(
            Shown(self.state, self._book, self.model),
            OwnWays(self.state, self._book, self.model.past),
            EatenOut(self.state, self._book),
        )
        self._leg = LegUnderWay(self.state, self._book, self.model, self._off, foretells=foretells)
        self._aimed: tuple[Posterior, tuple[float, float, float] | None, Aim | None] | None = None
        self._assembler = FixAssembler(self.state.streams)
        self._stay_on()

    # --- what comes in

    def observe(
        self, fix: Fix, *, source: str = "history", prefix: str = PHONE_POSITION
    ) -> list[LifeEvent]:
        """Take the next fix of this person; what became certain with it.

        Fixes not newer than the last are dropped, and those which by their own accuracy may lie where one was before.
        """
        state = self.state
        if state.last is not None and fix.time_s <= state.last.time_s:
            state.dropped += 1
            return []
        if self._vague(fix):
            state.dropped += 1
            state.unsure_s = fix.time_s
            return []
        if state.first_s is None:
            state.first_s = fix.time_s
        before = state.last
        self._sense(fix, source, prefix)
        events: list[LifeEvent] = []
        outcome = self._stays.feed(fix)
        self._leg.halt(fix)
        if outcome.ended is not None:
            events += self._leave(outcome.ended, fix, before)
        elif (
            state.here is None
            and outcome.started is None
            and before is not None
            and fix.time_s - max(before.time_s, state.unsure_s or 0.0) >= STAY_MIN_S
        ):
            events += self._presume(before, fix)
        if state.here is None:
            self._move(fix, before)
        if outcome.started is not None:
            events += self._arrive(outcome.started)
        self._stay_on()
        events += self._dwell(fix)
        return events

    def observe_signal(self, signal: Signal) -> list[LifeEvent]:
        """Take a normalised signal: charge, odometer, or a part of a position (which may complete a fix).

        A speed is the word of a car that is with this person.
        """
        value = signal.value
        house.take(self.state.house, signal)
        items.take(self.state.items, signal)
        if isinstance(value, bool):
            if signal.key == CHARGING:
                self.state.car.charging(signal.time_s, self._beside(), on=value)
        elif isinstance(value, float | int):
            if signal.key == SOC:
                self.state.car.reading(float(value), self._beside())
                self.state.battery.reading(float(value), signal.time_s, signal.source)
            elif signal.key == OUTSIDE:
                self.state.battery.air(float(value), signal.time_s, signal.source)
            elif signal.key == ALTITUDE:
                self.state.battery.heights.tell(float(value), signal.time_s)
            elif signal.key == CAPACITY:
                self.state.battery.capacity(float(value), signal.time_s, signal.source)
            elif signal.key == ODOMETER:
                if self.state.odometer_m is not None:
                    self._modes.odometer(float(value) - self.state.odometer_m)
                self.state.odometer_m = float(value)
                if self.state.odometer_start_m is None:
                    self.state.odometer_start_m = float(value)
            elif signal.key == SPEED and abs(float(value)) >= 3.6 * CREEPS_MPS:
                self._modes.car_moves(signal.time_s)
        located = self._assembler.feed(signal)
        if located is None:
            return []
        return self.observe(located.fix, source=located.source, prefix=located.prefix)

    def hear(self, word: PlaceWord) -> bool:
        """The owner says something of a place, from now on. False: no place is there, and the word waits for one."""
        if word.kind in LIVED:  # there is one home: an older word that still waits is taken back
            self.state.words = [w for w in self.state.words if w.kind != word.kind]
        self.state.words.append(word)
        self._hear_waiting()
        self._stay_on()
        return word not in self.state.words

    def unsay(self, kind: str, place_id: str) -> None:
        """The "name" of a place goes, or the "label" that the owner gave it. Nothing where there is no such place."""
        place = self.known(place_id)
        if place is not None and kind == "name":
            place.name = ""
        elif place is not None:
            place.given = ""
        self._book.changed()

    def rename(self, place: KnownPlace, name: str) -> None:
        """The name that the owner gave a place is another one."""
        place.name = name
        self._book.changed()

    def known(self, place_id: str) -> KnownPlace | None:
        """The place of that id, if it was ever stayed at and is still one."""
        found = (place for place in self._book.visited() if f"p{place.index}" == place_id)
        return next(found, None)

    def place_at(self, lat: float, lon: float) -> str:
        """The id of the place stayed at that a word about this point is about; empty where there is none."""
        place = self._book.at(lat, lon)
        return "" if place is None else f"p{place.index}"

    # --- what is known

    def situation(
        self,
        now_s: float,
        tomorrow: Sequence[CalendarEntry] = (),
        agenda: Agenda | None = None,
    ) -> Situation:
        """What is going on at `now_s`, from what was observed so far, and from what the calendar has next.

        `tomorrow`: what it has then, by start.
        """
        planned = () if agenda is None else agenda.planned
        posterior, ahead = self.posterior(planned), self.next_places(now_s, planned)
        kinds = self.model.kinds(now_s)
        return situation_of(
            self.state, self._book, self._looked, posterior, ahead, now_s, tomorrow, planned, kinds
        )

    def agenda(
        self,
        entries: Iterable[CalendarEntry],
        past: Iterable[CalendarEntry] = (),
        words: Mapping[str, float] | None = None,
    ) -> Agenda | None:
        """What calendar entries, by start, mean from where this person is, and how past ones were kept; None without any."""
        return agenda_of(self.state, self._book, self._looked.ways, entries, past, words)

    def leaving(self, now_s: float, entries: Sequence[CalendarEntry]) -> Leaves | None:
        """When the car is next needed, by calendar entries from now on (by start) or its usual first trips.

        None where neither tells.
        """
        kinds = self.model.kinds(now_s)
        return next_leaving(self.state, self._book, self._looked.ways, now_s, entries, kinds)

    def house_habits(self, at: tuple[float, float], now_s: float) -> HouseHabits:
        """What the house's readings taught, for the next hours; `at` is where it stands."""
        return house.habits(self.state.house, at, now_s)

    def along(self) -> dict[str, list[tuple[PastTrip, bool]]]:
        """By thing: the trips from home of which it is known whether it went along."""
        home, state = self._book.home(), self.state
        return {} if home is None else items.occasions(state.items.outings, state.trips, home.index)

    def along_to(self, past: list[tuple[PastTrip, bool]]) -> tuple[Habit, ...]:
        """Of one thing's `along`: how often it went along to each place, on such a day as this trip's."""
        if (departure := self.state.departure) is None:
            return ()
        kinds = self.model.kinds(departure.time_s)
        return items.habits_of(past, kinds.of(departure), lambda index: f"p{index}", kinds)

    def posterior(
        self, planned: Sequence[Planned] = (), part: Part | None = None
    ) -> Posterior | None:
        """Where this trip leads; None while staying. `planned`: what the calendar has next, by start; `part`: left out."""
        return self._leg.posterior(planned, part)

    def next_places(self, now_s: float, planned: Sequence[Planned] = ()) -> NextPlaces | None:
        """Where this person will likely go from here; None while under way. `planned`: what the calendar has next."""
        state = self.state
        if state.here is None or state.last is None:
            return None
        slot_s = now_s // SLOT_S * SLOT_S
        here = self._leg.departing(slot_s, state.last.lat, state.last.lon, state.here)
        changes, kinds = tuple(state.settling.changes), self.model.kinds(slot_s)
        likely = self.model.where_next.ask(
            here, state.places, state.trips, state.stays, changes, kinds
        )
        at = state.last.lat, state.last.lon
        return as_planned(likely, state.places, at, now_s, planned) if planned else likely

    def aim(self) -> Aim | None:
        """The one point to name as this trip's end, with its probability; None while staying."""
        posterior, departure, state = self.posterior(), self.state.departure, self.state
        if posterior is None or departure is None:
            return None
        asked = self._aimed
        if asked is None or asked[0] is not posterior or asked[1] is not state.track.last:
            aim = best_point(posterior, state.places, self.model.past, state.track, departure)
            self._aimed = asked = posterior, state.track.last, aim
        return asked[2]

    def places(self) -> list[Place]:
        """The places stayed at, in the order in which they were first come near."""
        return [self._book.record(place) for place in self.state.places if place.visits]

    def trips_by_mode(self) -> dict[TravelMode, int]:
        """How many trips were made by each; those to places that are kept."""
        modes: tuple[TravelMode, ...] = (*MODES, "unknown")
        return {mode: sum(getattr(p.reached, mode) for p in self.state.places) for mode in modes}

    def place(self, index: int) -> Place:
        """One place by its index in `trips`."""
        return self._book.record(self.state.places[index])

    @property
    def changes(self) -> tuple[str, ...]:
        """What seems to have changed lately: "home seems to be at p12 since 3 November 2025, before that at p0"."""
        return changes_told(self.state, self._book)

    @property
    def days_off(self) -> Mapping[int, int]:
        """As they were given."""
        return self._off

    @property
    def trips(self) -> list[PastTrip]:
        """The trips learned from."""
        return self.state.trips

    @property
    def meals(self) -> list[MealVisit]:
        """Visits at food POIs."""
        return [meal.visit for meal in self.state.meals]

    @property
    def origin_index(self) -> int | None:
        """Place index of the stay that this trip left, or that is going on."""
        return self.state.here if self.state.here is not None else self.state.previous_place

    def dump(self) -> bytes:
        """The whole learned state; equal histories give equal bytes."""
        return pack(self.state)

    @classmethod
    def load(
        cls,
        data: bytes,
        *,
        pois: PoiIndex | None = None,
        roads: RoadNear | None = None,
        days_off: Mapping[int, int] | None = None,
    ) -> Life:
        """Go on where `dump` stopped; StoreError when the bytes are no life of this version."""
        try:
            state = _STATE.decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as why:
            raise StoreError(
                f"The learned state does not decode: {why}.", "Learn it again from the history."
            ) from None
        if state.version != VERSION:
            raise StoreError(
                f"The learned state has version {state.version}, here is {VERSION}.",
                "Start the node once: it learns again from the history.",
            )
        return cls(state.person, pois=pois, roads=roads, state=state, days_off=days_off)

    # --- steps

    def _vague(self, fix: Fix) -> bool:
        """Is it told less surely than a stay is wide, and may it lie where one stays, or else where one was last?

        A phone that rests asks the network where it is now and then: one such answer, 700 m off and told within 800 m, is no trip.
        Of a phone that tells nothing surer, or has not for half a day, such an answer is all that is known.
        """
        last = self.state.last
        if last is None or not _unsure(fix.accuracy_m):
            return False
        if _unsure(last.accuracy_m) or fix.time_s - last.time_s > SURE_LATELY_S:
            return False
        reach_m = WITHIN * (fix.accuracy_m or 0.0)
        stay = self._stays.current()
        if stay is None:
            return gap_m(last.lat, last.lon, fix.lat, fix.lon) <= reach_m
        return gap_m(stay.lat, stay.lon, fix.lat, fix.lon) <= STAY_RADIUS_M + reach_m

    def _sense(self, fix: Fix, source: str, prefix: str) -> None:
        state = self.state
        speed = fix.speed_mps
        state.had_speed = speed is not None
        if speed is None:
            speed = implied_speed(state.recent, fix.time_s, fix.lat, fix.lon)
        told = fix.speed_mps is not None
        moment = Moment(fix.time_s, fix.lat, fix.lon, speed, fix.accuracy_m, told)
        remember(state.recent, moment)
        state.last = moment
        if prefix == CAR_POSITION and speed is not None and speed >= CREEPS_MPS:
            self._modes.car_moves(fix.time_s)
        state.source, state.prefix, state.accuracy_m = source, prefix, fix.accuracy_m
        day = local_day(fix.time_s, utc_offset_s(fix.lat, fix.lon, fix.time_s))
        if day != state.last_day:
            state.days += 1
            state.last_day = day

    def _beside(self) -> int | None:
        """The place where this person is, or which they are just leaving; None on the way."""
        state = self.state
        if state.here is not None:
            return state.here
        gone_m = state.trip_way_m + state.track.length_m
        return state.previous_place if gone_m < SETTING_OUT_M else None

    def _stay_on(self) -> None:
        """Until there is a home, the stay that goes on may tell of one."""
        here = self.state.here
        if here is None or self.state.settling.nights.at != NOWHERE:
            return
        stay = self._stays.current()
        if stay is not None:
            self._book.stays_on(self.state.places[here], stay)

    def _leave(self, stay: Stay, fix: Fix, before: Moment | None) -> list[LifeEvent]:
        state = self.state
        if state.here is None or state.began is None:
            return []
        place = state.places[state.here]
        self._book.leave(place, state.began, stay)
        if state.trips and state.trips[-1].destination == place.index:
            state.trips[-1].stayed = rounded(stay.lat, stay.lon)
        state.previous, state.previous_place = stay, state.here
        state.here = state.began = None
        self._settle(place)
        place = state.places[state.previous_place]
        state.trip_start_s, state.trip_fixes, state.trip_way_m = fix.time_s, 0, 0.0
        self._leg.begin(fix, place.index)
        here = fix.time_s, fix.lat, fix.lon
        last = (before.time_s, before.lat, before.lon) if before is not None else here
        self._modes.leave(last, here, chained=self._book.home() is not place)
        state.battery.depart(fix.time_s)
        self._expect(fix)
        state.odometer_start_m = state.odometer_m
        record = self._book.record(place)
        return [StayEnded(stay, record), TripStarted(fix.time_s, record)]

    def _settle(self, place: KnownPlace) -> None:
        """A stay more shows whether this place and another are one, or whether it is two."""
        twin = self._book.twin(place)
        if twin is not None:
            older, newer = sorted((place, twin), key=lambda p: (p.first_s, p.index))
            self._book.join(newer, older)
            renumber(self.state, newer.index, older.index)
            self.model.places_changed()
        elif not place.joined and (pair := two_of(spots_of(place))) is not None:
            other = self._book.divide(place, pair.smaller)
            move_part(self.state, place, other)
            self.model.places_changed()
        self._hear_waiting()

    def _hear_waiting(self) -> None:
        """The owner's words that wait for their place, in their order."""
        waiting = self.state.words
        if waiting:
            self.state.words = [w for w in waiting if not hear(self.state, self._book, w)]
            self._book.changed()
            self.model.places_changed()

    def _give_up(self, gone: KnownPlace | None) -> None:
        """No trace of what makes room for something else."""
        if gone is not None:
            renumber(self.state, gone.index, NOWHERE)
            self.model.places_changed()

    def _presume(self, before: Moment, fix: Fix) -> list[LifeEvent]:
        """The recording was silent for 20 min and goes on elsewhere: a stay was likely, but not seen.

        No stay and no trip comes of it. The leg ends where the silence began, another starts where it ended, and both
        ends may be named from now on as where a leg leads.
        """
        state, events = self.state, list[LifeEvent]()
        self._leg.foretell()
        begun: KnownPlace | None = None
        if self._leg.gone_m(before.lat, before.lon) > TRIP_MIN_M:
            place, new = self._point(before.time_s, before.lat, before.lon)
            leg = self._leg.end(state.track.path(), before, place, state.track.fixes, new=new)
            events += [leg] if leg is not None else []
            if place is self._book.nearest(fix.lat, fix.lon):
                begun = place
        if begun is None:
            begun, _ = self._point(fix.time_s, fix.lat, fix.lon)
        state.trip_way_m += state.track.length_m
        self._leg.begin(fix, begun.index)
        return events

    def _point(self, time_s: float, lat: float, lon: float) -> tuple[KnownPlace, bool]:
        """The place where the recording broke off or began; the point it is learned instead of leaves no trace."""
        state = self.state
        gone = self._book.outlived(lat, lon, needed(state))
        self._give_up(gone)
        return self._book.presume(time_s, lat, lon, gone)

    def _expect(self, fix: Fix) -> None:
        """What the battery is forecast to hold at the likeliest place: the interval is held to it."""
        posterior = self.posterior() if self.state.battery.foretells else None
        if posterior is not None and posterior.places:
            index, _ = posterior.places[0]
            goal = self._book.record(self.state.places[index])
            way_m = road_factor(self.state) * gap_m(fix.lat, fix.lon, goal.lat, goal.lon)
            battery, there = self.state.battery, self.state.places[index].height_m
            battery.expect(index, way_m, [here_m(self.state, fix.time_s), there])

    def _move(self, fix: Fix, before: Moment | None) -> None:
        state = self.state
        if before is not None:
            metres = gap_m(before.lat, before.lon, fix.lat, fix.lon)
            # from positions only: a told speed is not in every history, and both must teach the same
            mps = implied_speed(state.recent, fix.time_s, fix.lat, fix.lon)
            if mps is None:
                mps = metres / (fix.time_s - before.time_s)
            state.battery.move(fix.time_s, mps, metres)
            self._ride(fix, before)
        self._leg.extend(fix)

    def _ride(self, fix: Fix, before: Moment) -> None:
        """By what one moves."""
        last = self.state.last
        stepped = self._modes.fix(
            (before.time_s, before.lat, before.lon),
            (fix.time_s, fix.lat, fix.lon),
            fix.speed_mps,
            None if last is None else last.speed_mps,
            fix.accuracy_m or 0.0,
        )
        if stepped and self._roads is not None and self._modes.wants_road(fix.time_s):
            self._modes.road(fix.time_s, self._roads.road_m(fix.lat, fix.lon), fix.accuracy_m)

    def _arrive(self, stay: Stay) -> list[LifeEvent]:
        state = self.state
        self._leg.foretell()
        gone = self._book.outdone(stay.lat, stay.lon, needed(state))
        if gone is not None:
            self._give_up(gone)
            self._book.give_up(gone)
        place, new = self._book.arrive(stay)
        state.stays += 1
        events: list[LifeEvent] = [StayStarted(stay, self._book.record(place))]
        far = self._leg.gone_m(stay.lat, stay.lon) > TRIP_MIN_M
        path, end, fixes = self._leg.way_to(stay)
        way_m = sum((gap_m(*a, *b) for a, b in pairwise(path)), 0.0)  # never the integer 0
        origin, mode = state.previous, None
        if (
            origin is not None
            and state.departure is not None
            and state.previous_place is not None
            and gap_m(origin.lat, origin.lon, stay.lat, stay.lon) > TRIP_MIN_M
        ):
            ended = self._end_trip(origin, stay, place, state.departure, way_m, new=new)
            mode = ended.trip.mode
            events.append(ended)
        if far:
            leg = self._leg.end(path, end, place, fixes, new=new, stay=stay, mode=mode)
            events += [leg] if leg is not None else []
        else:
            self._errand(path, end, place, stay)
        if state.departure is not None and self._from_home(state.departure):
            items.returned(state.items, state.departure.time_s, stay.start_s)
        state.here, state.began = place.index, stay
        self._leg.clear()
        state.trip_start_s = None
        state.departure = None
        self._hear_waiting()
        return events

    def _from_home(self, departure: Departure) -> bool:
        home = self._book.home()
        return home is not None and departure.origin == home.index

    def _end_trip(
        self,
        origin: Stay,
        stay: Stay,
        place: KnownPlace,
        departure: Departure,
        way_m: float,
        *,
        new: bool,
    ) -> TripEnded:
        state = self.state
        start_s = state.trip_start_s if state.trip_start_s is not None else departure.time_s
        direct_m = gap_m(origin.lat, origin.lon, stay.lat, stay.lon)
        way_m = max(way_m + state.trip_way_m, direct_m)
        state.way_m += way_m
        state.direct_m += direct_m
        state.trip_count += 1
        driven_m = 0.0
        if state.odometer_m is not None and state.odometer_start_m is not None:
            driven_m = state.odometer_m - state.odometer_start_m
            way_m = driven_m if driven_m > 0.0 else way_m
        mode, mode_p = self._modes.end()
        self._book.came(place, mode)
        origin_index = state.previous_place if state.previous_place is not None else place.index
        moved = driven_m > 0.0 or state.battery.fell
        if moved and mode in ("car", "unknown"):  # else somebody else drove it
            state.car.parked(state.places, place.index, state.battery.soc_pct, start_s)
            at = origin.lat, origin.lon
            state.car.drove(start_s, at, origin_index, place.index, way_m)
            self._book.stood(place, state.battery.heights.since(stay.start_s - FRESH_S))
        state.battery.arrive(way_m, place.index, driven=mode == "car")
        before = state.window.before
        fixes = max(0, state.trip_fixes - stay.fixes) if before is not None else 0
        end_s, last_lat, last_lon = (
            before if before is not None and fixes else (stay.start_s, stay.lat, stay.lon)
        )
        return TripEnded(
            Trip(
                origin=origin,
                destination=stay,
                start_s=start_s,
                end_s=end_s,
                last_lat=last_lat,
                last_lon=last_lon,
                mode=mode,
                mode_p=mode_p,
            ),
            self._book.record(state.places[origin_index]),
            self._book.record(place),
            new,
            fixes,
        )

    def _errand(self, path: Path, end: Moment, home: KnownPlace, stay: Stay) -> None:
        """A way that led back to where it began, for a stop on it: no stay and no trip comes of it."""
        errand = self._leg.errand(path, stay)
        if errand is None:
            return
        spot, new = self._point(errand.start_s, errand.lat, errand.lon)
        self._book.stopped(spot, errand)
        self._leg.end_errand(errand, path, end, spot=spot, new=new, home=home, stay=stay)

    def _dwell(self, fix: Fix) -> list[LifeEvent]:
        if self._pois is None:
            return []
        state = self.state
        outcome = self._dwells.feed(fix)
        events: list[LifeEvent] = []
        if outcome.ended is not None:
            visit = self._meal(outcome.ended)
            state.dwell_at_food = False
            if visit is not None:
                events.append(MealVisited(visit))
        if outcome.started is not None:
            at = outcome.started.lat, outcome.started.lon
            state.dwell_at_food = bool(self._pois.near(*at, NEAR_FOOD_M, FOOD))
        return events

    def _meal(self, stay: Stay) -> MealVisit | None:
        place = self._book.nearest(stay.lat, stay.lon)
        index = place.index if place is not None else NOWHERE
        meal = None if self._pois is None else visit_of(stay, self._pois, index)
        if meal is None:
            return None
        self.state.meals.append(meal)
        del self.state.meals[:-MAX_VISITS]
        return meal.visit


def _unsure(accuracy_m: float | None) -> bool:
    """Is it told less surely than a stay is wide?"""
    return accuracy_m is not None and accuracy_m > STAY_RADIUS_M
