"""The leg under way: its route and stops so far, where it may lead, and what the model learns of it when it is over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from hearthway.records.life import STAY_RADIUS_M, TRIP_MIN_M, Stay, TravelMode
from hearthway.records.localtime import local_day, local_second, utc_offset_s, weekday
from hearthway.records.signals import Fix
from hearthway.records.situation import Planned

from .because import Part, without
from .destination import PATH_POINTS, DestinationModel, Posterior, either
from .events import LegEnded
from .flat import gap_m
from .halts import HALT_M, HALT_MIN_S, MAX_STOPS, SetOut, errand_of, is_stop, stop_of, was_for
from .places import NOWHERE, KnownPlace, PlaceBook
from .prior import Departure, PastTrip
from .routes import Track, Way, thinned
from .state import LifeState, Moment
from .stays import StayDetector

Path = list[tuple[float, float]]


class LegUnderWay:
    """What is open of it is in the life's state: `departure`, `track`, `halts`, and `set_out` with `since`."""

    def __init__(
        self,
        state: LifeState,
        book: PlaceBook,
        model: DestinationModel,
        off: Mapping[int, int],
        *,
        foretells: bool = True,
    ) -> None:
        """`off`: days off, local day -> its calendar's number; `foretells` as for a life."""
        self._foretells = foretells
        self._state, self._book, self._model, self._off = state, book, model, off
        self._halts = StayDetector(state.halt, radius_m=HALT_M, min_s=HALT_MIN_S)
        self._way = Way(model.index, state.track)
        self._since = Way(model.index, state.since)
        self._either: tuple[Posterior, Posterior, float, Posterior] | None = None

    # --- while it goes on

    def departing(self, time_s: float, lat: float, lon: float, origin: int | None) -> Departure:
        """The circumstances of a leg that begins so."""
        offset = utc_offset_s(lat, lon, time_s)
        day = local_day(time_s, offset)
        second, off = local_second(time_s, offset), self._off.get(day, 0)
        return Departure(origin, time_s, second, weekday(day), off)

    def begin(self, fix: Fix, origin: int) -> None:
        """The next leg begins at this fix."""
        self.clear()
        self._state.departure = self.departing(fix.time_s, fix.lat, fix.lon, origin)

    def clear(self) -> None:
        """A leg has ended or begun."""
        state = self._state
        state.track, state.since = Track(), Track()
        state.halts, state.set_out = [], None
        self._way, self._since = (Way(self._model.index, t) for t in (state.track, state.since))

    def extend(self, fix: Fix) -> None:
        """Take a fix on the way."""
        state = self._state
        if state.departure is None:
            state.departure = self.departing(fix.time_s, fix.lat, fix.lon, None)
        state.trip_fixes += 1
        self._way.extend(fix.time_s, fix.lat, fix.lon)
        if state.set_out is not None:
            self._since.extend(fix.time_s, fix.lat, fix.lon)

    def halt(self, fix: Fix) -> None:
        """Take a fix, on the way or not: a short stop of this leg, once one has gone on."""
        state, halt = self._state, self._halts.feed(fix).ended
        since_s = state.departure.time_s if state.departure is not None else None
        if halt is not None and state.here is None and is_stop(halt, since_s):
            state.halts = [*state.halts, halt][-MAX_STOPS:]
            self._go_on(halt)

    def _go_on(self, halt: Stay) -> None:
        """From a stop for which this leg may have been another one begins; the likeliest such stop counts."""
        state = self._state
        if state.departure is None or self.gone_m(halt.lat, halt.lon) <= TRIP_MIN_M:
            return
        spot = self._book.nearest(halt.lat, halt.lon)
        p = was_for(self._model.trips, state.departure, halt, spot)
        if state.set_out is not None and state.set_out.p > p:
            return
        origin = None if spot is None else spot.index
        state.set_out = SetOut(self.departing(halt.end_s, halt.lat, halt.lon, origin), p)
        state.since = Track()
        self._since = Way(self._model.index, state.since)

    def gone_m(self, lat: float, lon: float) -> float:
        """How far, bee-line, this leg's start is from here; 0 where none is under way."""
        state = self._state
        if state.departure is None or not state.track.points:
            return 0.0
        if state.departure.origin is None:
            _, first_lat, first_lon = state.track.points[0]
            return gap_m(first_lat, first_lon, lat, lon)
        start = state.places[state.departure.origin]
        return gap_m(start.lat, start.lon, lat, lon)

    def posterior(
        self, planned: Sequence[Planned] = (), part: Part | None = None
    ) -> Posterior | None:
        """Where it leads; None while staying. `planned`: what the calendar has next, by start; `part`: left out."""
        state = self._state
        if state.here is not None or state.departure is None or state.last is None:
            return None
        changes, stop = state.settling.changes, state.set_out
        whole = without(self._model, part, state.departure).posterior(
            state.departure, state.places, state.track, self._way.follower, changes, planned
        )
        if stop is None:
            return whole
        other = without(self._model, part, stop.leaving).posterior(
            stop.leaving, state.places, state.since, self._since.follower, changes, planned
        )
        if part is not None:
            return either(whole, other, stop.p)
        of = self._either
        if of is None or of[0] is not whole or of[1] is not other or of[2] != stop.p:
            self._either = of = whole, other, stop.p, either(whole, other, stop.p)
        return of[3]

    # --- once it is over

    def foretell(self) -> None:
        """What was expected of the leg that ends here, before its end is known to anything."""
        state = self._state
        if self._foretells and state.departure is not None:
            self._model.foretell(state.departure, state.places, state.settling.changes)

    def way_to(self, stay: Stay) -> tuple[Path, Moment, int]:
        """(the way of this leg, its last fix before the stay, how many fixes lie on it)."""
        state = self._state
        last_raw = state.window.before
        fixes = max(0, state.track.fixes - stay.fixes)
        if last_raw is None or not fixes:
            return [], Moment(stay.start_s, stay.lat, stay.lon), 0
        path = [(lat, lon) for time_s, lat, lon in state.track.points if time_s < stay.start_s]
        path.append((last_raw[1], last_raw[2]))
        return path, Moment(*last_raw), fixes

    def end(
        self,
        path: Path,
        end: Moment,
        destination: KnownPlace,
        fixes: int,
        *,
        new: bool,
        stay: Stay | None = None,
        mode: TravelMode | None = None,
    ) -> LegEnded | None:
        """The model learns it; what is told of it, where there is a fix on the way."""
        departure = self._state.departure
        if departure is None:
            return None
        self._learn(departure, path, end, destination, new=new, stay=stay, mode=mode)
        if not fixes:
            return None
        return LegEnded(
            departure.time_s,
            end.time_s,
            end.lat,
            end.lon,
            departure.origin,
            destination.index,
        )

    def errand(self, path: Path, stay: Stay) -> Stay | None:
        """The stop that this leg was for, where its way led back to where it began and was for one."""
        state, departure = self._state, self._state.departure
        if departure is None or not path:
            return None
        start = path[0]
        if departure.origin is not None:
            start = state.places[departure.origin].lat, state.places[departure.origin].lon
        return errand_of(state.halts, start, (stay.lat, stay.lon))

    def end_errand(
        self,
        errand: Stay,
        path: Path,
        end: Moment,
        *,
        spot: KnownPlace,
        new: bool,
        home: KnownPlace,
        stay: Stay,
    ) -> None:
        """The legs there and back are learned. None is told: hindsight alone knows what the way was for."""
        state, departure = self._state, self._state.departure
        if departure is None:
            return
        at = errand.lat, errand.lon
        there = [(lat, lon) for time_s, lat, lon in state.track.points if time_s <= errand.start_s]
        self._learn(departure, [*there, at], Moment(errand.start_s, *at), spot, new=new)
        back = self.departing(errand.end_s, *at, spot.index)
        self._learn(back, [at, *path[len(there) :]], end, home, new=False, stay=stay)

    def _learn(
        self,
        departure: Departure,
        path: Path,
        end: Moment,
        destination: KnownPlace,
        *,
        new: bool,
        stay: Stay | None = None,
        mode: TravelMode | None = None,
    ) -> None:
        """The model learns a leg, with its stops before it ended."""
        spot = destination.lat, destination.lon
        self._model.learn(
            PastTrip(
                origin=departure.origin if departure.origin is not None else NOWHERE,
                destination=destination.index,
                depart_s=departure.time_s,
                local_s=departure.local_s,
                weekday=departure.weekday,
                off=departure.off,
                new=new,
                length_m=sum((gap_m(*a, *b) for a, b in pairwise(path)), 0.0),
                duration_s=max(0.0, end.time_s - departure.time_s),
                path=thinned(path, PATH_POINTS),
                end=rounded(*path[-1]) if path else None,
                stayed=rounded(end.lat, end.lon) if stay is None else rounded(stay.lat, stay.lon),
                mode=mode,
                stops=[
                    stop_of(halt)
                    for halt in self._state.halts
                    if departure.time_s <= halt.start_s < end.time_s
                    and gap_m(halt.lat, halt.lon, *spot) > STAY_RADIUS_M
                ],
            )
        )


def rounded(lat: float, lon: float) -> tuple[float, float]:
    """To about a metre, as what is learned of a leg is kept."""
    return round(lat, 5), round(lon, 5)
