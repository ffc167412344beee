"""A life, learned as it happens: places, labels, trips, routines; stopped and resumed without a trace."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from msgspec.structs import replace

from hearthway.context.events import (
    LegEnded,
    LifeEvent,
    MealVisited,
    StayEnded,
    StayStarted,
    TripEnded,
    TripStarted,
)
from hearthway.context.life import Life
from hearthway.context.presence import is_home, somebody_home
from hearthway.context.range_model import RangeModel
from hearthway.context.routes import HERE_M
from hearthway.records.codec import to_json
from hearthway.records.errors import StoreError
from hearthway.records.geo import distance_m, offset
from hearthway.records.poi import PoiIndex
from hearthway.records.signals import Fix, Signal
from hearthway.records.situation import Situation
from hearthway.sense.catalogue import CAPACITY, OUTSIDE, SOC

Spots = dict[str, tuple[float, float]]
Make = Callable[..., list[Fix]]


def _live(fixes: list[Fix], pois: PoiIndex | None = None) -> tuple[Life, list[LifeEvent]]:
    life = Life("ada", pois=pois)
    return life, [event for fix in fixes for event in life.observe(fix)]


def _heading(life: Life, situation: Situation) -> str:
    top = situation.destinations[0].place
    return top.label or top.place_id


def test_places_and_labels_come_by_habit(six_weeks: list[Fix], spots: Spots) -> None:
    life, _ = _live(six_weeks)
    labelled = {place.label: place for place in life.places() if place.label}
    assert sorted(labelled) == ["home", "regular", "work"]
    assert distance_m(labelled["regular"].lat, labelled["regular"].lon, *spots["diner"]) < 30.0
    for label, place in ((label, labelled[label]) for label in ("home", "work")):
        assert distance_m(place.lat, place.lon, *spots[label]) < 30.0
    assert len(life.places()) == 4


def test_events_tell_the_day_in_order(six_weeks: list[Fix]) -> None:
    _, events = _live(six_weeks[:1200])
    kinds = [type(event) for event in events]
    assert kinds[:6] == [StayStarted, StayEnded, TripStarted, StayStarted, TripEnded, LegEnded]
    trip = next(event for event in events if isinstance(event, TripEnded))
    assert trip.new
    assert trip.fixes > 50
    assert trip.trip.origin.end_s < trip.trip.start_s < trip.trip.end_s
    assert trip.trip.end_s < trip.trip.destination.start_s
    leg = next(event for event in events if isinstance(event, LegEnded))
    assert (leg.start_s, leg.end_s) == (trip.trip.start_s, trip.trip.end_s)
    assert (leg.lat, leg.lon) == (trip.trip.last_lat, trip.trip.last_lon)
    assert (leg.origin, leg.destination) == (0, 1)


def test_a_short_walk_is_no_trip(make_stay: Make, spots: Spots) -> None:
    home = spots["home"]
    near = (home[0] + 0.004, home[1])  # 445 m
    fixes = make_stay(1e9, 1e9 + 3600, home) + make_stay(1e9 + 4000, 1e9 + 8000, near)
    _, events = _live(fixes)
    assert sum(isinstance(event, StayStarted) for event in events) == 2
    assert not any(isinstance(event, TripEnded) for event in events)


def test_the_commute_is_foreseen_and_the_route_changes_it(
    six_weeks: list[Fix], make_drive: Make, spots: Spots
) -> None:
    life, _ = _live(six_weeks)
    last = six_weeks[-1].time_s
    monday_8 = last - last % 86_400.0 + 86_400.0 + 6 * 3600.0
    way = make_drive(monday_8, spots["home"], spots["work"])
    for fix in way[: len(way) // 2]:
        life.observe(fix)
    now = life.situation(way[len(way) // 2].time_s)
    assert now.mode == "driving"
    assert _heading(life, now) == "work"
    assert now.destinations[0].p > 0.7
    assert now.origin is not None
    assert now.origin.label == "home"
    assert now.p_new + sum(option.p for option in now.destinations) == pytest.approx(1.0)
    # When one came there before is told, stay by stay: at eight on workdays, a clock's change included.
    came = now.destinations[0].came
    assert isinstance(came, tuple)
    assert sum(count for _, count in came) == now.destinations[0].place.visits == 30
    assert {quarter for quarter, _ in came} <= set(range(31, 39))
    # The same Monday morning, but towards the diner: the route outweighs the habit.
    other, _ = _live(six_weeks)
    way = make_drive(monday_8, spots["home"], spots["diner"])
    for fix in way[: int(len(way) * 0.9)]:
        other.observe(fix)
    there = other.situation(way[-1].time_s)
    top = there.destinations[0].place
    assert distance_m(top.lat, top.lon, *spots["diner"]) < 60.0


def test_the_unknown_goal_reads_somewhere_new(six_weeks: list[Fix], make_drive: Make) -> None:
    life, _ = _live(six_weeks)
    before = life.situation(six_weeks[-1].time_s)
    assert before.mode == "staying"
    assert before.destinations == ()
    start = six_weeks[-1].time_s + 3600.0
    way = make_drive(start, (60.2, 24.9), (60.45, 24.3))
    shares = []
    for i, fix in enumerate(way):
        life.observe(fix)
        if i in (20, len(way) - 1):
            shares.append(life.situation(fix.time_s).p_new)
    assert shares[1] > shares[0]
    assert shares[1] > 0.5


def test_nothing_known_is_said_to_be_unknown() -> None:
    life = Life("ada")
    nothing = life.situation(1e9)
    assert nothing.mode == "unknown"
    assert nothing.p_new == 1.0
    life.observe(Fix(time_s=1e9, lat=60.2, lon=24.9))
    one = life.situation(1e9 + 10)
    assert (one.mode, one.destinations, one.p_new) == ("unknown", (), 1.0)
    assert one.home is None
    assert one.battery is None
    assert one.utc_offset_s == 3 * 3600


def test_stop_and_go_on_equals_never_having_stopped(six_weeks: list[Fix], diner: PoiIndex) -> None:
    fixes = six_weeks[:6000]
    whole, _ = _live(fixes, diner)
    for every in (997, 2111):
        life = Life("ada", pois=diner)
        for i, fix in enumerate(fixes):
            if i % every == 0:
                life = Life.load(life.dump(), pois=diner)
            life.observe(fix)
        assert life.dump() == whole.dump()
        now = fixes[-1].time_s + 30.0
        assert to_json(life.situation(now)) == to_json(whole.situation(now))


def test_stopping_in_the_middle_of_a_drive_and_of_a_fix(
    six_weeks: list[Fix], make_drive: Make, spots: Spots
) -> None:
    way = make_drive(six_weeks[-1].time_s + 3600.0, spots["home"], spots["work"])
    whole, _ = _live(six_weeks[-2000:])
    life = Life.load(whole.dump())
    for fix in way[:40]:
        for key, value in (("Latitude", fix.lat), ("Longitude", fix.lon)):
            signal = Signal(
                key=f"Vehicle.CurrentLocation.{key}", value=value, time_s=fix.time_s, source="car"
            )
            whole.observe_signal(signal)
            life.observe_signal(signal)
            life = Life.load(life.dump())
        now_s = fix.time_s
        assert life.dump() == whole.dump()
        assert life.situation(now_s) == whole.situation(now_s)
    keys = {one.key: one.source for one in life.situation(way[39].time_s).evidence}
    assert keys == {
        "Vehicle.CurrentLocation.Latitude": "car",
        "Vehicle.CurrentLocation.Longitude": "car",
    }


def test_forgotten_paths_leave_no_trace(
    six_weeks: list[Fix], make_drive: Make, spots: Spots, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hearthway.context.destination.MAX_PATHS", 5)
    monkeypatch.setattr("hearthway.context.destination.MAX_TRIPS", 24)
    whole, _ = _live(six_weeks)
    assert sum(1 for trip in whole.trips if trip.path) == 5
    assert len(whole.trips) <= 24
    again = Life.load(whole.dump())
    for fix in make_drive(six_weeks[-1].time_s + 3600.0, spots["home"], spots["work"]):
        whole.observe(fix)
        again.observe(fix)
        assert again.situation(fix.time_s) == whole.situation(fix.time_s)


def test_a_truncated_state_is_refused(six_weeks: list[Fix]) -> None:
    life, _ = _live(six_weeks[:500])
    with pytest.raises(StoreError):
        Life.load(life.dump()[:-1])
    life.state.version = 99
    with pytest.raises(StoreError):
        Life.load(life.dump())


def test_old_and_equal_times_change_nothing_but_their_count(six_weeks: list[Fix]) -> None:
    life, _ = _live(six_weeks[:500])
    before = life.situation(six_weeks[499].time_s)
    for fix in (six_weeks[499], six_weeks[10]):
        assert life.observe(fix) == []
    assert life.state.dropped == 2
    assert life.situation(six_weeks[499].time_s) == before


def test_dinner_is_learned_from_evenings_out(six_weeks: list[Fix], diner: PoiIndex) -> None:
    life, events = _live(six_weeks, diner)
    visits = [event.visit for event in events if isinstance(event, MealVisited)]
    assert len(visits) == 6
    assert {visit.osm_id for visit in visits} == {"node/7"}
    assert visits[0].cuisines == ("thai",)
    situation = life.situation(six_weeks[-1].time_s)
    (dinner,) = situation.routines
    assert (dinner.name, dinner.days) == ("dinner", 6)
    assert sum(dinner.density) == pytest.approx(1.0)
    assert 17 * 3600 < dinner.start_s <= dinner.mean_s <= dinner.end_s < 19 * 3600
    assert situation.last_meal_s == visits[-1].end_s


@pytest.mark.parametrize(("stops", "known"), [(1, True), (4, False)])
def test_who_stops_near_tables_all_day_tells_nothing_of_meals(
    make_stay: Make, make_drive: Make, spots: Spots, diner: PoiIndex, stops: int, known: bool
) -> None:
    life, start = Life("bo", pois=diner), 1_709_510_400.0
    for day in range(6):
        midnight = start + day * 86_400.0
        plan = make_stay(midnight + 1, midnight + 7 * 3600, spots["home"])
        for stop in range(stops):
            out = midnight + (8 + 2 * stop) * 3600
            plan += make_drive(out, spots["home"], spots["diner"])
            plan += make_stay(out + 1800, out + 3600, spots["diner"])
            plan += make_drive(out + 3660, spots["diner"], spots["home"])
        plan += make_stay(midnight + 18 * 3600, midnight + 24 * 3600, spots["home"])
        for fix in plan:
            life.observe(fix)
    assert len(life.meals) >= 5 * stops
    assert bool(life.situation(start + 6 * 86_400).routines) is known


def test_living_above_a_restaurant_is_no_dinner(
    make_stay: Make, make_drive: Make, spots: Spots, diner: PoiIndex
) -> None:
    life = Life("bo", pois=diner)
    start = 1_709_510_400.0
    for day in range(
        5
    ):  # nights at the diner's address, short evenings there, office hours at work
        midnight = start + day * 86_400.0
        plan = make_stay(midnight + 1, midnight + 6 * 3600, spots["diner"])
        plan += make_drive(midnight + 6 * 3600, spots["diner"], spots["work"])
        plan += make_stay(midnight + 7 * 3600, midnight + 15 * 3600, spots["work"])
        plan += make_drive(midnight + 15 * 3600, spots["work"], spots["diner"])
        plan += make_stay(midnight + 16 * 3600, midnight + 18 * 3600, spots["diner"])
        plan += make_drive(midnight + 18 * 3600, spots["diner"], spots["gym"])
        plan += make_stay(midnight + 19 * 3600, midnight + 20 * 3600, spots["gym"])
        plan += make_drive(midnight + 20 * 3600, spots["gym"], spots["diner"])
        plan += make_stay(midnight + 21 * 3600, midnight + 24 * 3600, spots["diner"])
        for fix in plan:
            life.observe(fix)
    assert life.meals
    assert life.situation(start + 5 * 86_400).routines == ()


def test_the_battery_is_expected_from_past_trips(
    six_weeks: list[Fix], make_drive: Make, spots: Spots
) -> None:
    life = Life("ada")
    soc, last = 90.0, six_weeks[0]
    for fix in six_weeks:
        moved = distance_m(last.lat, last.lon, fix.lat, fix.lon)
        if moved > 40.0:
            soc -= 0.2 * moved / 1000.0
        if soc < 30.0:
            soc = 90.0
        life.observe_signal(Signal(key=SOC, value=soc, time_s=fix.time_s, source="car"))
        life.observe(fix)
        last = fix
    way = make_drive(six_weeks[-1].time_s + 8 * 3600.0, spots["home"], spots["work"])
    for fix in way[:40]:
        life.observe(fix)
    battery = life.situation(way[39].time_s).battery
    assert battery is not None
    assert battery.trips >= 20
    assert battery.pct_per_km == pytest.approx(0.2, rel=0.15)
    assert battery.at_arrival_pct is not None
    assert battery.at_home_pct is not None
    assert battery.soc_pct > battery.at_arrival_pct > battery.at_home_pct
    assert battery.age_s > 3600.0
    assert battery.at_home_low_pct is not None
    assert battery.at_home_high_pct is not None
    assert battery.at_home_low_pct < battery.at_home_pct < battery.at_home_high_pct
    assert battery.air_c is None
    mild = battery.at_home_pct
    now_s = way[39].time_s
    life.observe_signal(Signal(key=OUTSIDE, value=-15.0, time_s=now_s - 5.0, source="car"))
    again = Life.load(life.dump())
    battery = again.situation(now_s).battery
    assert battery == life.situation(now_s).battery
    assert battery is not None
    assert battery.air_c == -15.0
    assert battery.at_home_pct is not None
    assert battery.at_home_pct < mild
    used = {e.key: e for e in life.situation(now_s).evidence}
    assert (used[OUTSIDE].source, used[OUTSIDE].age_s) == ("car", 5.0)


def test_a_battery_of_known_size_is_surer_at_first() -> None:
    sizes = []
    for told in (False, True):
        life = Life("ada")
        if told:
            life.observe_signal(Signal(key=CAPACITY, value=55.0, time_s=1.0, source="car"))
        RangeModel(life.state.battery.range)
        way = [20.0, 8_000.0, 0.0, 2_000.0, 0.3, 0.0, 0.0, 0.0, 0.0]
        sizes.append(life.state.battery.range.use.variance(way))
    assert sizes[1] < 0.4 * sizes[0]


def test_presence_is_known_or_unknown(six_weeks: list[Fix]) -> None:
    life, _ = _live(six_weeks)
    at_home = life.situation(six_weeks[-1].time_s)
    unknown = Life("bo").situation(1e9)
    assert is_home(at_home) is True
    assert is_home(unknown) is None
    assert somebody_home([unknown]) is None
    assert somebody_home([unknown, at_home]) is True
    assert somebody_home([unknown], sensed=False) is False


def test_a_year_stays_small(make_weeks: Callable[..., Iterator[Fix]]) -> None:
    life = Life("ada")
    for fix in make_weeks(70, seed=3):
        life.observe(fix)
    assert len(life.dump()) * 365 / 70 < 5_000_000


def test_looking_teaches_nothing_and_where_one_is_held_to_be_goes_by_the_fixes_alone(
    six_weeks: list[Fix], make_drive: Make, spots: Spots
) -> None:
    unasked, _ = _live(six_weeks)
    asked = Life.load(unasked.dump())
    for number, fix in enumerate(make_drive(six_weeks[-1].time_s + 3600.0, *_ends(spots))):
        for life in (unasked, asked):
            life.observe(fix)
        if number % 7 == 0:
            asked.situation(fix.time_s)
            asked.aim()
    assert asked.dump() == unasked.dump()
    assert asked.posterior() == unasked.posterior()


def test_a_pace_more_changes_nothing_of_where_it_leads(
    six_weeks: list[Fix], make_drive: Make, spots: Spots
) -> None:
    life, last = _under_way(six_weeks, make_drive, spots)
    told = life.posterior()
    east_m = 0.0
    for number in range(1, 40):
        east_m += 0.7
        lat, lon = offset(last.lat, last.lon, 0.0, east_m)
        life.observe(replace(last, time_s=last.time_s + number, lat=lat, lon=lon))
        same = life.posterior() is told
        assert same == (east_m < HERE_M), east_m
        if not same:
            break
    assert east_m < HERE_M + 1.0


def test_a_name_given_on_the_way_shows_at_once(
    six_weeks: list[Fix], make_drive: Make, spots: Spots
) -> None:
    life, last = _under_way(six_weeks, make_drive, spots)
    top = life.situation(last.time_s).destinations[0].place
    place = life.known(top.place_id)
    assert place is not None
    life.rename(place, "Villa")
    assert life.situation(last.time_s).destinations[0].place.name == "Villa"
    life.unsay("name", top.place_id)
    assert life.situation(last.time_s).destinations[0].place == top


def _under_way(six_weeks: list[Fix], make_drive: Make, spots: Spots) -> tuple[Life, Fix]:
    """A life thirty fixes from home towards work, and the last of them."""
    life, _ = _live(six_weeks)
    way = make_drive(six_weeks[-1].time_s + 3600.0, *_ends(spots))
    for fix in way[:30]:
        life.observe(fix)
    return life, way[29]


def _ends(spots: Spots) -> tuple[tuple[float, float], tuple[float, float]]:
    return spots["home"], spots["work"]
