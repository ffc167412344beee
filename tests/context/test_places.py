"""Places over time: two that are one, one that is two, labels by habit and the owner's words; at every rate and for years."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hearthway.context import destination as destination_module
from hearthway.context import places as places_module
from hearthway.context.events import StayEnded, TripEnded
from hearthway.context.life import Life
from hearthway.context.spots import Spot, add_stay, two_of
from hearthway.records.geo import distance_m, offset
from hearthway.records.life import PlaceWord, Stay, WordKind
from hearthway.records.signals import Fix

DAY_S = 86_400.0
MONDAY_S = 1_709_510_400.0
BASE = (60.2, 24.9)
FAR = offset(*BASE, 3_000.0, 0.0)
Point = tuple[float, float]
Item = Fix | PlaceWord


def at_m(east_m: float, north_m: float = 0.0) -> Point:
    return offset(*FAR, north_m, east_m)


def visit(start_s: float, at: Point, minutes: float = 40.0, every_s: float = 300.0) -> list[Fix]:
    return [
        Fix(time_s=start_s + second, lat=at[0], lon=at[1])
        for second in range(0, int(minutes * 60.0) + 1, int(every_s))
    ]


def days(points: Iterable[Point], between: Point = BASE) -> Iterator[Fix]:
    """Each day an hour at `between`, then 40 minutes at the next of the points."""
    for number, at in enumerate(points):
        yield from visit(MONDAY_S + number * DAY_S + 8 * 3600.0, between, 60.0)
        yield from visit(MONDAY_S + number * DAY_S + 12 * 3600.0, at)


def fed(items: Iterable[Item]) -> Life:
    life = Life("ada")
    for item in items:
        if isinstance(item, Fix):
            life.observe(item)
        else:
            life.hear(item)
    return life


def near(life: Life, at: Point, within_m: float = 30.0) -> str:
    found = [p.place_id for p in life.places() if distance_m(p.lat, p.lon, *at) < within_m]
    assert len(found) == 1, [(p.place_id, p.visits) for p in life.places()]
    return found[0]


def word(kind: WordKind, at: Point, to: Point | None = None, name: str = "") -> PlaceWord:
    to_lat, to_lon = (None, None) if to is None else to
    return PlaceWord(
        kind=kind, time_s=0.0, lat=at[0], lon=at[1], to_lat=to_lat, to_lon=to_lon, name=name
    )


# --- joined and divided by themselves


def test_parking_on_both_sides_is_one_place_in_the_end() -> None:
    first = [at_m(-115.0), at_m(115.0)] * 2
    life = fed(days(first))
    ids = [p.place_id for p in life.places()]
    assert ids == ["p0", "p1", "p2"]
    for fix in list(days([*first, *[at_m(-45.0), at_m(45.0)] * 4, FAR]))[len(first) * 22 :]:
        life.observe(fix)
    assert [p.place_id for p in life.places()] == ["p0", "p1"], "the older id is kept"
    place = life.places()[1]
    assert place.visits == len(first) + 9
    assert set(life.state.places[1].began_q) == {56}, "at two in the afternoon there"
    assert len(life.state.places[1].began_q) == place.visits - 1, "the last one is not over yet"
    assert distance_m(place.lat, place.lon, *FAR) < 60.0
    assert {trip.destination for trip in life.trips} == {0, 1}
    assert {trip.origin for trip in life.trips} == {0, 1}


def test_next_door_becomes_a_place_of_its_own_and_takes_its_trips_along() -> None:
    door = at_m(180.0)
    points = [FAR] * 8 + [door, FAR] * 4
    life = fed(days(points))
    assert len(life.places()) == 2, "too few stays to tell"
    life = fed(days([*points, door, FAR]))
    assert near(life, FAR) == "p1", "the larger part keeps the id"
    assert near(life, door) == "p2"
    led = [trip.destination for trip in life.trips if trip.destination != 0]
    assert led == [1 if at == FAR else 2 for at in [*points, door, FAR]]
    back = [trip.origin for trip in life.trips if trip.destination == 0]
    assert back == led[:-1], "the way back set out from where the way there led"
    assert sum(p.visits for p in life.places()) == life.state.stays
    assert not life.state.places[2].began_q, "nobody knows whose arrivals they were"


def test_a_third_that_lies_between_joins_the_nearer() -> None:
    life = fed(days([at_m(0.0)] + [at_m(-140.0), at_m(140.0)] * 7 + [at_m(0.0)]))
    assert len(life.places()) == 3
    assert distance_m(life.places()[1].lat, life.places()[1].lon, *at_m(-140.0)) < 40.0
    assert distance_m(life.places()[2].lat, life.places()[2].lon, *at_m(140.0)) < 40.0


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.floats(5.0, 55.0), st.integers(10, 80))
def test_scatter_around_one_place_is_no_second_one(seed: int, sigma_m: float, count: int) -> None:
    pick = random.Random(seed)
    spots = [Spot(lat=FAR[0], lon=FAR[1], visits=1)]
    for number in range(count):
        lat, lon = offset(*FAR, pick.gauss(0.0, sigma_m), pick.gauss(0.0, sigma_m))
        start_s = MONDAY_S + number * DAY_S
        add_stay(spots, Stay(start_s=start_s, end_s=start_s + 3600.0, lat=lat, lon=lon))
    assert two_of(spots) is None
    assert sum(spot.visits for spot in spots) == count + 1
    assert len(spots) <= 8


def test_what_the_owner_calls_differently_stays_two() -> None:
    def points(named: bool) -> list[Item]:
        out: list[Item] = list(days([at_m(-115.0), at_m(115.0)] * 2))
        if named:
            out += [
                word("name", at_m(-115.0), name="Ada's"),
                word("name", at_m(115.0), name="Bo's"),
            ]
        whole = list(days([at_m(-115.0), at_m(115.0)] * 2 + [at_m(-45.0), at_m(45.0)] * 4 + [FAR]))
        return [*out, *whole[4 * 22 :]]

    assert len(fed(points(named=False)).places()) == 2
    assert sorted(p.name for p in fed(points(named=True)).places()) == ["", "Ada's", "Bo's"]


# --- labels and words


def test_regular_is_by_habit_and_ends_with_it() -> None:
    gym = at_m(1_500.0)
    life = fed(days([gym if n % 4 == 0 else FAR for n in range(21)]))
    assert life.places()[1].label == "regular"
    ended = fed(days([gym if n % 4 == 0 else FAR for n in range(21)] + [FAR] * 30))
    assert [p.label for p in ended.places()][1] == ""
    assert life.places()[1].called == ""


def test_name_and_label_are_two_things(six_weeks: list[Fix], spots: dict[str, Point]) -> None:
    life = fed(six_weeks)
    assert life.hear(word("name", spots["home"], name="Villa"))
    place = next(p for p in life.places() if p.label == "home")
    assert (place.name, place.called) == ("Villa", "Villa")
    assert life.situation(six_weeks[-1].time_s).home == place
    again = Life.load(life.dump())
    again.unsay("name", place.place_id)
    home = next(p for p in again.places() if p.label == "home")
    assert (home.name, home.called) == ("", "home")


def test_the_owner_corrects_home_and_work(six_weeks: list[Fix], spots: dict[str, Point]) -> None:
    half = len(six_weeks) // 2
    life = fed(six_weeks[:half])
    life.hear(word("home", spots["work"]))
    for fix in six_weeks[half:]:
        life.observe(fix)
    labels = {p.place_id: p.label for p in life.places()}
    assert labels[near(life, spots["work"])] == "home", "it sticks, whatever habit says"
    assert labels[near(life, spots["home"])] == "regular", "there is one home"
    life.hear(word("home", spots["gym"]))
    labels = {p.place_id: p.label for p in life.places()}
    assert labels[near(life, spots["gym"])] == "home"
    assert labels[near(life, spots["work"])] == "work", "habit's again"
    life.unsay("label", near(life, spots["gym"]))
    labels = {p.place_id: p.label for p in life.places()}
    assert labels[near(life, spots["home"])] == "home"


def test_a_word_waits_for_its_place() -> None:
    points = list(days([FAR] * 3))
    life = fed([*points[:13], word("name", FAR, name="Gran"), *points[13:]])
    assert [p.name for p in life.places()] == ["", "Gran"]
    assert life.state.words == []
    nowhere = fed([*points, word("name", at_m(5_000.0), name="Nobody")])
    assert [p.name for p in nowhere.places()] == ["", ""]
    assert len(nowhere.state.words) == 1
    moved = fed([*points, word("home", at_m(5_000.0)), word("home", FAR)])
    assert moved.state.words == [], "there is one home"
    assert [p.label for p in moved.places()] == ["", "home"]


def test_the_owner_merges_what_lies_apart_and_it_stays_one() -> None:
    other = at_m(700.0)
    points = list(days([FAR, other] * 3))
    life = fed(points)
    assert len(life.places()) == 3
    assert life.hear(word("merge", other, FAR))
    assert [p.place_id for p in life.places()] == ["p0", "p1"]
    assert {trip.destination for trip in life.trips} == {0, 1}
    later = [
        msgspec.structs.replace(f, time_s=f.time_s + 7 * DAY_S) for f in days([other, FAR] * 9)
    ]
    for fix in later:
        life.observe(fix)
    assert [(p.place_id, p.visits) for p in life.places()] == [("p0", 24), ("p1", 24)]
    assert life.place_at(*other) == life.place_at(*FAR) == "p1"
    assert life.hear(word("split", FAR, other))
    for fix in [
        msgspec.structs.replace(f, time_s=f.time_s + 30 * DAY_S) for f in days([other, FAR])
    ]:
        life.observe(fix)
    assert [p.visits for p in life.places()] == [26, 13, 13]
    assert near(life, other) != near(life, FAR)


def test_the_owner_splits_finer_than_habit_would() -> None:
    points = list(days([FAR, at_m(100.0)] * 4 + [FAR]))
    life = fed(points)
    assert len(life.places()) == 2
    assert life.hear(word("split", FAR, at_m(100.0)))
    for fix in [msgspec.structs.replace(f, time_s=f.time_s + 30 * DAY_S) for f in points]:
        life.observe(fix)
    assert [p.visits for p in life.places()] == [18, 10, 8]
    assert not life.hear(word("split", BASE, offset(*BASE, 0.0, 90.0))), "one cluster"


# --- the same whatever happens

POINTS = st.sampled_from([at_m(x) for x in (0.0, 60.0, 110.0, 190.0, 260.0, 420.0, 900.0)])
WORDS = st.one_of(
    st.builds(word, st.sampled_from(["home", "work"]), POINTS),
    st.builds(word, st.just("name"), POINTS, st.none(), st.sampled_from(["a", "b"])),
    st.builds(word, st.sampled_from(["merge", "split"]), POINTS, POINTS),
)
STEPS = st.lists(st.one_of(POINTS, POINTS, POINTS, WORDS), min_size=5, max_size=60)


@pytest.mark.parametrize("neighbour", [[], [at_m(-130.0)] * 2])
def test_a_split_is_of_the_place_that_was_stayed_at_there(neighbour: list[Point]) -> None:
    """A place that crept away: the middle of it is farther from its first stays than another place is."""
    end, middle = at_m(0.0), at_m(270.0)
    crept = [end] * 2 + [at_m(190.0)] * 3 + [at_m(300.0)] * 8
    life = fed(days([*crept, *neighbour, BASE]))
    assert life.place_at(*end) == ("p2" if neighbour else "")
    before = len(life.places())
    assert life.hear(word("split", middle, end))
    assert not life.state.words
    assert [p.visits for p in life.places()][1:] == [11, *([2] if neighbour else []), 2]
    assert life.place_at(*end) == f"p{before}"
    assert not neighbour or not life.state.places[2].apart, "nothing was said of that one"


def stepped(steps: list[Point | PlaceWord]) -> Iterator[Item]:
    """Three stays a day, the words between two fixes: while staying, on the way, and before anything is known."""
    time_s, pick = MONDAY_S, random.Random(7)
    for step in steps:
        if isinstance(step, PlaceWord):
            yield step
            continue
        time_s += 8 * 3600.0
        jittered = offset(*step, pick.gauss(0.0, 8.0), pick.gauss(0.0, 8.0))
        yield from visit(time_s, jittered, pick.choice([25.0, 60.0]))
        if pick.random() < 0.6:
            yield from visit(time_s + 2 * 3600.0, BASE, 30.0)
        if pick.random() < 0.3:
            yield Fix(time_s=time_s + 3 * 3600.0, lat=BASE[0] + 0.01, lon=BASE[1])


@settings(max_examples=120, deadline=None)
@given(STEPS, st.integers(1, 40))
def test_nothing_is_lost_and_stopping_changes_nothing(
    steps: list[Point | PlaceWord], every: int
) -> None:
    whole, stopped = Life("ada"), Life("ada")
    for number, item in enumerate(stepped(steps)):
        for life in (whole, stopped):
            if isinstance(item, Fix):
                life.observe(item)
            else:
                life.hear(item)
        if number % every == 0:
            stopped = Life.load(stopped.dump())
        state = whole.state
        known = {p.index for p in state.places if not p.blank} | {-1}
        assert sum(p.visits for p in state.places) == state.stays
        assert {t.origin for t in state.trips} | {t.destination for t in state.trips} <= known
        assert {state.here, state.previous_place} <= known | {None}
        assert sum(p.staying for p in state.places) == (state.here is not None)
        for place in state.places:
            assert place.index == state.places.index(place)
            held = sum(spot.visits for spot in place.spots)
            assert not place.spots or held == place.visits - place.staying
            assert place.scatter_m2 >= 0.0
        if state.last is not None:
            whole.situation(state.last.time_s)
    assert stopped.dump() == whole.dump()


def test_going_on_from_a_stored_state_settles_nothing_by_itself() -> None:
    """Two offices, each too seldom to be called work, that are found to be one: that is settled with the next stay."""
    other = at_m(700.0)
    items: list[Item] = []
    for number, at in enumerate((FAR, other) * 2):
        items += visit(MONDAY_S + number * DAY_S + 7 * 3600.0, at, 420.0)
        items += visit(MONDAY_S + number * DAY_S + 16 * 3600.0, BASE, 720.0)
    life = fed([*items, word("merge", other, FAR)])
    again = Life.load(life.dump())
    assert again.dump() == life.dump()
    assert again.places() == life.places()
    for one in (life, again):
        for fix in visit(MONDAY_S + 4 * DAY_S + 7 * 3600.0, FAR, 420.0) + visit(
            MONDAY_S + 4 * DAY_S + 16 * 3600.0, BASE
        ):
            one.observe(fix)
    assert again.dump() == life.dump()
    assert [p.label for p in life.places()] == ["work", "home"]


def test_a_state_from_before_opens_and_goes_on(six_weeks: list[Fix]) -> None:
    half = len(six_weeks) // 2
    life = fed(six_weeks[:half])
    old = msgspec.msgpack.decode(life.dump())
    new = {"spots", "joined", "apart", "blank", "into", "staying", "given", "weeks", "last_week"}
    for place in old["places"]:
        for name in {*new, "scatter_m2"}:
            del place[name]
    for trip in old["trips"]:
        del trip["stayed"]
    del old["words"]
    again = Life.load(msgspec.msgpack.encode(old))
    for fix in six_weeks[half:]:
        again.observe(fix)
    assert [p.visits for p in again.places()] == [p.visits for p in fed(six_weeks).places()]
    assert {p.label for p in again.places()} >= {"home", "work"}


# --- every rate, and for years


def rated(every_s: float, jitter_m: float, seed: int) -> Iterator[Fix]:
    """Three weeks of stays of 80 minutes; two places lie 180 m apart, and a phone that is off in between."""
    where = {
        "home": BASE,
        "work": FAR,
        "gym": at_m(180.0),
        "shop": at_m(1_200.0, 800.0),
        "once": at_m(-2_500.0, -500.0),
    }
    pick = random.Random(f"{seed} {every_s}")
    for day in range(21):
        plan = [("work", 9.0), ("shop", 17.2), ("home", 22.0)]
        plan[2:2] = [("gym", 19.2)] if day % 2 else []
        plan[1:1] = [("once", 11.5)] if day == 9 else []
        for name, hour in plan[day % 7 >= 5 :]:
            start_s = MONDAY_S + day * DAY_S + (hour - 2.0) * 3600.0
            step, at = 0, where[name]
            while step * every_s <= 80 * 60.0:
                error = pick.gauss(0.0, jitter_m), pick.gauss(0.0, jitter_m)
                lat, lon = offset(*at, *error)
                yield Fix(time_s=start_s + step * every_s, lat=lat, lon=lon)
                step += 1


def same_places(lives: list[list[Fix]]) -> None:
    """All find five places, the labels alike, and each within the radius of a spot."""
    sets = [sorted((p.label, p.lat, p.lon) for p in fed(fixes).places()) for fixes in lives]
    assert [label for label, *_ in sets[0]] == ["", "home", "regular", "regular", "work"]
    for other in sets[1:]:
        assert [label for label, *_ in other] == [label for label, *_ in sets[0]]
        for label, lat, lon in sets[0]:
            away = min(distance_m(lat, lon, *at) for same, *at in other if same == label)
            assert away < 60.0


def test_the_same_life_at_1_s_and_at_15_min() -> None:
    same_places([list(rated(every_s, 30.0, 3)) for every_s in (1.0, 60.0, 900.0)])


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(2.0, 40.0), st.sampled_from([30.0, 120.0, 300.0]))
def test_the_same_life_at_any_rate(seed: int, jitter_m: float, every_s: float) -> None:
    same_places([list(rated(rate, jitter_m, seed)) for rate in (every_s, 900.0)])


def test_ten_years_of_new_places_stay_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """With smaller limits; the real ones are larger by the same factor."""
    monkeypatch.setattr(places_module, "MAX_VISITED", 40)
    monkeypatch.setattr(places_module, "MAX_UNSEEN", 40)
    monkeypatch.setattr(places_module, "MAX_BLANK", 5)
    monkeypatch.setattr(destination_module, "MAX_TRIPS", 160)
    life, sizes = Life("ada"), list[int]()
    pick = random.Random(5)
    life.hear(word("name", FAR, name="Gran"))
    for day in range(0, 3_650, 5):
        start_s = MONDAY_S + day * DAY_S
        new = offset(*BASE, pick.uniform(-90_000, 90_000), pick.uniform(-90_000, 90_000))
        at = FAR if day == 5 else new
        for item in [
            *visit(start_s, BASE, 60.0, 1500.0),
            *visit(start_s + 3 * 3600.0, at, 25.0, 1500.0),
        ]:
            life.observe(item)
        if day % 365 < 5:
            sizes.append(len(life.state.places))
            assert sum(p.visits > 0 for p in life.state.places) <= 40
    assert max(sizes) <= 40 + 40 + 5 + 1
    assert sizes[-1] == sizes[2]
    labels = {p.label: p for p in life.places()}
    assert (
        distance_m(labels["home"].lat, labels["home"].lon, *BASE) < 30.0
        if "home" in labels
        else True
    )
    assert [p.name for p in life.places() if p.name] == ["Gran"], "what the owner named is kept"
    assert max(p.visits for p in life.places()) == 730
    latest = [t.destination for t in life.trips[-10:]]
    assert all(index >= 0 for index in latest)


def test_events_name_the_place_that_holds() -> None:
    door = at_m(180.0)
    life = Life("ada")
    told = [e for f in days([FAR, door] * 6 + [FAR]) for e in life.observe(f)]
    ended = [e for e in told if isinstance(e, StayEnded)]
    trips = [e for e in told if isinstance(e, TripEnded)]
    assert {e.place.place_id for e in ended} >= {"p0", "p1", "p2"}
    assert trips[-1].destination.place_id == near(life, FAR)
