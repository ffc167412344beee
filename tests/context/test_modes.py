"""By what one moves: told by speed, stops, the road and the car's own word, and not by how often a phone writes."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hearthway.context.events import TripEnded
from hearthway.context.life import Life
from hearthway.context.mode_tables import BUS, CAR, TRAIN, speed_logs
from hearthway.context.modes import ModeFilter, ModeState
from hearthway.context.places import KnownPlace, PlaceBook
from hearthway.context.prior import PastTrip
from hearthway.context.remap import move_part
from hearthway.context.state import LifeState
from hearthway.records.geo import offset
from hearthway.records.life import Reached, TravelMode, Trip
from hearthway.records.signals import Fix, Signal
from hearthway.sense.catalogue import ODOMETER, SOC, SPEED

HOME = (48.2, 11.5)
START_S = 1_709_510_400.0
Moves = Callable[..., list[Fix]]
PACES = {"foot": 1.3, "bicycle": 4.6, "car": 13.0, "train": 44.0}
WORDS = {"foot": "walking", "bicycle": "cycling", "car": "driving", "train": "riding"}


def way(
    mps: float | Sequence[float],
    *,
    seconds: float = 900.0,
    every_s: float = 5.0,
    told: bool = False,
    jitter_m: float = 0.0,
    start_s: float = START_S + 3_600.0,
    from_m: float = 0.0,
    back: bool = False,
    seed: int = 1,
) -> list[Fix]:
    """Northwards at a speed, or at one speed a second, and a fix each `every_s`."""
    pick, metres, out, due_s = random.Random(seed), from_m, list[Fix](), 0.0
    speeds = [mps] * int(seconds) if isinstance(mps, float) else mps
    for second, speed in enumerate(speeds, 1):
        metres += -speed if back else speed
        if second < due_s:
            continue
        due_s = second + every_s
        lat, lon = offset(*HOME, metres + pick.gauss(0, jitter_m), pick.gauss(0, jitter_m))
        told_mps = speed if told else None
        out.append(Fix(time_s=start_s + second, lat=lat, lon=lon, speed_mps=told_mps))
    return out


def rest(start_s: float, seconds: float, north_m: float = 0.0) -> list[Fix]:
    """A fix every 2 minutes at one spot."""
    lat, lon = offset(*HOME, north_m, 0.0)
    return [
        Fix(time_s=start_s + i * 120.0, lat=lat, lon=lon) for i in range(int(seconds / 120.0) + 1)
    ]


def stops(mps: float, metres: float, halt_s: int, count: int) -> list[float]:
    """Seconds of a ride with halts."""
    return ([mps] * int(metres / mps) + [0.0] * halt_s) * count


def lived(*parts: list[Fix], life: Life | None = None) -> tuple[Life, list[Trip]]:
    """A life of these fixes, and its trips."""
    life = life or Life("ada")
    events = [event for part in parts for fix in part for event in life.observe(fix)]
    return life, [event.trip for event in events if isinstance(event, TripEnded)]


def gone(fixes: list[Fix]) -> float:
    """Metres north of home where they end."""
    return (fixes[-1].lat - HOME[0]) * 111_195.0


def trip(fixes: list[Fix], life: Life | None = None) -> tuple[Life, Trip]:
    """An hour at home, this way, an hour there."""
    before = fixes[0].time_s - 3_600.0
    life, trips = lived(
        rest(before, 3_500), fixes, rest(fixes[-1].time_s + 60, 3_600, gone(fixes)), life=life
    )
    return life, trips[-1]


@pytest.mark.parametrize("pace", PACES)
@pytest.mark.parametrize("told", [True, False])
def test_each_is_told_by_its_pace(pace: str, told: bool) -> None:
    fixes = way(PACES[pace], told=told)
    life, _ = lived(rest(START_S, 3_500), fixes)
    now = life.situation(fixes[-1].time_s)
    assert now.mode == WORDS[pace]
    assert isinstance(now.mode_p, float)
    assert now.mode_p > 0.6
    _, made = trip(fixes)
    assert made.mode == ("transit" if pace == "train" else pace)
    assert made.mode_p >= 0.6


def test_what_flies_is_no_car() -> None:
    life, _ = lived(rest(START_S, 3_500), way(220.0, every_s=30.0))
    assert life.situation(START_S + 4_500.0).mode == "riding"


def test_one_leap_of_the_position_is_no_flight() -> None:
    fixes = way(1.3)
    leap = msgspec.structs.replace(fixes[90], lat=fixes[90].lat + 0.05)
    life, _ = lived(rest(START_S, 3_500), [*fixes[:90], leap, *fixes[91:]])
    assert life.situation(fixes[-1].time_s).mode == "walking"


def test_a_red_light_ends_no_drive_and_a_walk_does() -> None:
    driven = [13.0] * 600
    light = way([*driven, *[0.0] * 90], told=True)
    life, _ = lived(rest(START_S, 3_500), light)
    assert life.situation(light[-1].time_s).mode == "driving"
    walked = way([*driven, *[1.3] * 240], told=True)
    life, _ = lived(rest(START_S, 3_500), walked)
    assert life.situation(walked[-1].time_s).mode == "walking"


def test_the_car_tells_at_once_and_only_while_it_moves() -> None:
    """Slow, just off: nobody could tell by the speed."""
    said = []
    for kmh in (None, 0.0, 14.0):
        life, _ = lived(rest(START_S, 3_500))
        begun = way(3.9, seconds=6.0, every_s=1.0, told=True, from_m=201.0)
        for fix in begun:
            if kmh is not None:
                life.observe_signal(
                    Signal(key=SPEED, value=kmh, time_s=fix.time_s, unit="km/h", source="car")
                )
            life.observe(fix)
        said.append(life.situation(begun[0].time_s + 5.0))
    assert said[0] == msgspec.structs.replace(said[1], evidence=said[0].evidence)
    assert said[2].mode == "driving"
    without, told = (one.mode_p for one in (said[0], said[2]))
    assert isinstance(without, float)
    assert isinstance(told, float)
    assert without < 0.8
    assert told > 0.95


def test_a_position_of_the_car_is_its_word_too() -> None:
    life, _ = lived(rest(START_S, 3_500))
    for fix in way(3.9, seconds=6.0, every_s=1.0, from_m=201.0, told=True):
        life.observe(fix, source="car", prefix="Vehicle.CurrentLocation")
    assert life.situation(START_S + 3_606.0).mode == "driving"


@pytest.mark.parametrize(("share", "mode"), [(1.0, "car"), (0.1, "bicycle"), (None, "bicycle")])
def test_an_odometer_that_goes_along_tells_of_a_car(share: float | None, mode: str) -> None:
    """The control: one that moved much less was elsewhere."""
    fixes = way(4.6, seconds=1_500.0)
    life, _ = lived(rest(START_S, 3_500))
    for before, fix in pairwise(fixes):
        life.observe(before)
        if share is not None and int(fix.time_s) % 60 < 5:
            metres = 5e6 + share * 4.6 * (fix.time_s - START_S)
            life.observe_signal(Signal(key=ODOMETER, value=metres, time_s=fix.time_s, source="car"))
    _, trips = lived(rest(fixes[-1].time_s + 60, 3_600, gone(fixes)), life=life)
    assert trips[-1].mode == mode


def _bus(*, walked: bool) -> list[Fix]:
    access = [*[1.3] * 360, *[0.0] * 240] if walked else [1.3] * 30
    return way([*access, *stops(9.0, 350.0, 18, 14), *[1.3] * 200], told=True)


def test_a_walk_a_wait_and_stop_after_stop_is_a_bus() -> None:
    _, made = trip(_bus(walked=True))
    assert made.mode == "transit"
    seldom = way([*[1.3] * 30, *stops(13.0, 1_500.0, 20, 5)], told=True)
    _, driven = trip(seldom)
    assert driven.mode == "car"


def test_a_car_that_always_tells_is_missed() -> None:
    """Its silence on a way that speed alone would call a drive."""
    said = []
    for told in (False, True):
        life, at_s = Life("ada"), START_S + 9 * 3_600.0
        lived(rest(START_S - 7_200, 8 * 3_600), life=life)  # a night: that is home
        for number in range(10):
            drive = way(13.0, start_s=at_s, back=number % 2 == 1, from_m=11_700.0 * (number % 2))
            lived(rest(at_s - 3_600, 3_500, 11_700.0 * (number % 2)), life=life)
            for fix in drive:
                word = Signal(key=SPEED, value=46.8, time_s=fix.time_s, source="car")
                if told and int(fix.time_s) % 60 < 5:
                    life.observe_signal(word)
                life.observe(fix)
            at_s = drive[-1].time_s + 7_200.0
        lived(rest(at_s - 3_600, 3_500), life=life)
        ride = way(stops(10.0, 420.0, 22, 12), told=True, start_s=at_s)
        lived(ride, life=life)
        said.append(life.state.modes.p[CAR])
    odds = [p / (1.0 - p) for p in said]
    assert odds[1] < odds[0] / 2.0


class Rails:
    """A map with roads only in one place."""

    def __init__(self, road_m: float | None) -> None:
        self.answer = road_m
        self.asked: list[tuple[float, float]] = []

    def road_m(self, lat: float, lon: float) -> float | None:
        self.asked.append((lat, lon))
        return self.answer

    def ways_m(
        self, start: tuple[float, float], ends: Sequence[tuple[float, float]]
    ) -> list[float | None]:
        return [None for _ in ends]


@pytest.mark.parametrize(
    ("road_m", "word"), [(150.0, "riding"), (8.0, "driving"), (None, "driving")]
)
def test_fast_and_away_from_every_road_is_a_train(road_m: float | None, word: str) -> None:
    rails = Rails(road_m)
    fixes = way(22.0, every_s=1.0, told=True)
    life, _ = lived(rest(START_S, 3_500), fixes, life=Life("ada", roads=rails))
    assert life.situation(fixes[-1].time_s).mode == word
    assert 20 <= len(rails.asked) <= 31  # at most once in half a minute


def test_a_walker_is_not_looked_up_on_the_map() -> None:
    rails = Rails(8.0)
    lived(rest(START_S, 3_500), way(1.3, told=True), life=Life("ada", roads=rails))
    assert rails.asked == []


def test_one_leaves_by_what_one_came_with() -> None:
    """A quarter of an hour at a speed that many things have."""
    told = []
    for came in (5.0, 13.0):
        there = way(came, seconds=1_200.0)
        life, _ = trip(there)
        begun_s = there[-1].time_s + 3_780.0
        lived(way(5.6, seconds=60.0, start_s=begun_s, from_m=gone(there), back=True), life=life)
        told.append(life.state.modes.p[CAR])
    assert told[1] > told[0] + 0.2


def test_how_a_place_is_reached_is_known() -> None:
    life = Life("ada")
    train, at_s = way(44.0, every_s=20.0), START_S + 3_600.0
    for _ in range(3):
        out = way(44.0, every_s=20.0, start_s=at_s)
        there_s = out[-1].time_s + 60.0
        home = way(44.0, every_s=20.0, start_s=there_s + 3_700.0, from_m=gone(out), back=True)
        lived(rest(at_s - 3_600, 3_500), out, rest(there_s, 3_600, gone(out)), home, life=life)
        at_s = home[-1].time_s + 7_200.0
    lived(rest(at_s - 7_000, 3_500), life=life)
    far = next(place for place in life.places() if place.lat > HOME[0] + 0.1)
    assert far.reached == Reached(transit=3)
    assert isinstance(far.reached, Reached)
    assert far.reached.never_by_car
    assert gone(train) > 30_000.0
    for fix in way(20.0, seconds=1_600.0, start_s=at_s):
        life.observe_signal(Signal(key=SPEED, value=72.0, time_s=fix.time_s, source="car"))
        life.observe(fix)
    lived(rest(at_s + 1_700, 3_600, 32_000.0), life=life)
    by_car = [p.reached for p in life.places() if isinstance(p.reached, Reached) and p.reached.car]
    assert by_car
    assert not any(one.never_by_car for one in by_car)


@pytest.mark.parametrize(
    ("counts", "never"),
    [
        ({"transit": 3}, True),
        ({"foot": 1, "bicycle": 1, "transit": 1}, True),
        ({"transit": 2}, False),
        ({"unknown": 9}, False),
        ({"foot": 3, "unknown": 2}, True),
        ({"foot": 3, "unknown": 3}, False),
        ({"transit": 40, "car": 1}, False),
    ],
)
def test_one_drive_or_too_few_trips_leave_the_car_open(counts: dict[str, int], never: bool) -> None:
    assert Reached(**counts).never_by_car is never


@pytest.mark.parametrize(("mps", "learned"), [(13.0, 4), (44.0, 0)])
def test_only_trips_by_car_teach_what_the_car_uses(mps: float, learned: int) -> None:
    """Somebody else may drive it meanwhile."""
    life, at_s, north, soc = Life("ada"), START_S + 3_600.0, 0.0, 90.0
    for number in range(4):
        out = way(mps, start_s=at_s, from_m=north, back=number % 2 == 1)
        lived(rest(at_s - 3_600, 3_500, north), life=life)
        for fix in out:
            soc -= 0.02
            life.observe_signal(Signal(key=SOC, value=soc, time_s=fix.time_s, source="car"))
            life.observe(fix)
        north, at_s = gone(out), out[-1].time_s + 7_200.0
        lived(rest(out[-1].time_s + 60, 3_400, north), life=life)
    assert life.state.trip_count == 4
    assert life.state.battery.trips == learned


def test_nothing_is_told_of_who_stands() -> None:
    life, _ = lived(way(0.0, seconds=600.0, every_s=10.0, told=True))
    assert life.situation(START_S + 4_200.0).mode == "unknown"


@pytest.mark.parametrize("every_s", [1.0, 10.0, 60.0])
@pytest.mark.parametrize("jitter_m", [3.0, 8.0])
def test_who_has_arrived_and_stands_does_not_drive(every_s: float, jitter_m: float) -> None:
    """Positions wander on the spot: in the shop before the stay is known nobody drives any more. Who goes on does."""
    drive = way(stops(13.0, 1_300.0, 20, 5), every_s=min(every_s, 10.0))
    there_s, there_m = drive[-1].time_s, gone(drive)
    shop = way(
        0.0, seconds=900.0, every_s=every_s, jitter_m=jitter_m, start_s=there_s, from_m=there_m
    )
    life, _ = lived(rest(START_S, 3_500), drive)
    assert life.situation(there_s).mode == "driving"
    told = Counter[str]()
    for fix in shop:
        life.observe(fix)
        told[life.situation(fix.time_s).mode] += fix.time_s - there_s > 260.0
    assert told.total()
    assert not told["driving"] + told["riding"]
    on = way(13.0, seconds=60.0, start_s=shop[-1].time_s, from_m=there_m)
    lived(on, life=life)
    assert life.situation(on[-1].time_s).mode in ("driving", "riding")  # by car or by bus


@pytest.mark.parametrize("every_s", [1.0, 10.0, 30.0])
def test_a_red_light_does_not_look_like_that(every_s: float) -> None:
    drive = way(stops(13.0, 1_300.0, 20, 5) + [0.0] * 60, every_s=every_s, jitter_m=3.0)
    life, _ = lived(rest(START_S, 3_500), drive)
    assert life.situation(drive[-1].time_s).mode == "driving"


def test_speeds_rank_as_they_should() -> None:
    walk, ride, rail = (speed_logs(mps) for mps in (1.3, 10.0, 60.0))
    assert max(range(5), key=walk.__getitem__) == 0
    assert max(range(5), key=ride.__getitem__) in (CAR, BUS)
    assert max(range(5), key=rail.__getitem__) == TRAIN


# --- laws

paces = st.sampled_from(sorted(PACES))


@settings(max_examples=15, deadline=None)
@given(pace=paces, every_s=st.floats(1.0, 60.0), told=st.booleans())
def test_how_often_a_phone_writes_changes_no_mode(pace: str, every_s: float, told: bool) -> None:
    _, made = trip(way(PACES[pace], every_s=every_s, told=told))
    assert made.mode == ("transit" if pace == "train" else pace)


@settings(max_examples=15, deadline=None)
@given(pace=paces, jitter_m=st.floats(0.0, 9.0), seed=st.integers(0, 99))
def test_jitter_changes_no_mode(pace: str, jitter_m: float, seed: int) -> None:
    _, made = trip(way(PACES[pace], every_s=10.0, jitter_m=jitter_m, seed=seed))
    assert made.mode == ("transit" if pace == "train" else pace)


@settings(max_examples=15, deadline=None)
@given(pace=paces, late=st.lists(st.tuples(st.integers(1, 80), st.integers(0, 5)), max_size=5))
def test_what_comes_late_changes_no_mode(pace: str, late: list[tuple[int, int]]) -> None:
    fixes = way(PACES[pace])
    mixed = list(fixes)
    for at, back in sorted(late, reverse=True):
        mixed.insert(at, fixes[max(0, at - 1 - back)])
    one, other = (lived(rest(START_S, 3_500), each)[0] for each in (fixes, mixed))
    assert one.state.modes == other.state.modes


odd = st.floats(allow_nan=False, allow_infinity=False, min_value=0.0, max_value=400.0)


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(
        st.tuples(st.floats(0.1, 3_600.0), odd, st.none() | odd, st.booleans()), max_size=30
    )
)
def test_whatever_comes_it_stays_a_distribution(
    steps: list[tuple[float, float, float | None, bool]],
) -> None:
    modes = ModeFilter(ModeState())
    time_s, north = 0.0, 0.0
    for gap_s, metres, told, word in steps:
        before = time_s, *offset(*HOME, north, 0.0)
        time_s, north = time_s + gap_s, north + metres
        if word:
            modes.car_moves(time_s)
            modes.odometer(metres)
        modes.fix(before, (time_s, *offset(*HOME, north, 0.0)), told, told, 0.0)
        p = modes.state.p
        assert sum(p) == pytest.approx(1.0)
        assert all(0.0 < one <= 1.0 for one in p)
        assert all(one >= -1e-9 for one in modes.state.metres)
        assert sum(modes.classes()) == pytest.approx(1.0)
    mode, p_trip = modes.end()
    assert 0.0 <= p_trip <= 1.0 + 1e-9
    assert mode == "unknown" or p_trip >= 0.6


def _leg(to: int, stayed: tuple[float, float], mode: TravelMode | None) -> PastTrip:
    return PastTrip(
        origin=0,
        destination=to,
        depart_s=START_S,
        local_s=0.0,
        weekday=0,
        new=False,
        length_m=5_000.0,
        duration_s=600.0,
        stayed=stayed,
        mode=mode,
    )


def test_joined_places_were_reached_by_what_each_was() -> None:
    book = PlaceBook()
    for north in (0.0, 90.0):
        place = book.presume(START_S, *offset(*HOME, 5_000.0 + 300.0 * north, 0.0))[0]
        book.came(place, "car" if north else "transit")
    one, other = book.places
    book.join(other, one)
    assert one.reached == Reached(transit=1, car=1)
    assert book.places[1].reached == Reached()


def test_divided_places_were_reached_by_what_led_to_each() -> None:
    """A leg that ended no trip, and one from before modes were kept, count for neither."""
    spots = [offset(*HOME, metres, 0.0) for metres in (0.0, 5_000.0, 5_300.0)]
    places = [KnownPlace(index=i, lat=lat, lon=lon, visits=3) for i, (lat, lon) in enumerate(spots)]
    places[1].reached = Reached(car=2, transit=1)
    legs = [_leg(1, spots[1], "car"), _leg(1, spots[2], "transit"), _leg(1, spots[1], "car")]
    state = LifeState(places=places, trips=[*legs, _leg(1, spots[2], None)])
    move_part(state, places[1], places[2])
    assert [place.reached for place in places[1:]] == [Reached(car=2), Reached(transit=1)]
