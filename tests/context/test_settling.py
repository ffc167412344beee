"""A moved house and a new job are noticed within days; a holiday, a visit and a second home are none."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearthway.context.life import Life
from hearthway.context.places import NOWHERE, KnownPlace, PlaceBook
from hearthway.context.settling import MAX_ELSEWHERE, Settler, Settling, divide, renumber
from hearthway.records.codec import pack
from hearthway.records.life import PlaceWord, Stay
from hearthway.records.localtime import DAY_S
from hearthway.records.signals import Fix

HOME, WORK, NEW, OFFICE, FRIEND, BEACH, SHOP = range(7)
HOUR_S = 3_600.0
Make = Callable[..., list[Fix]]
DAYS_BEFORE = 60


class Days:
    """Days of one person, told to a settler; day 4 (5 January 1970) is the first Monday, and local time is Unix time."""

    def __init__(self) -> None:
        self.places = [KnownPlace(index=i, lat=60.0, lon=25.0) for i in range(7)]
        self.kept = Settling()
        self.settler = Settler(self.kept, self.places)
        self.day = 4

    def stay(self, place: int, begin_h: float, end_h: float) -> None:
        """Hours of the day that is on; more than 24 is the next day."""
        begin_s = self.day * DAY_S + begin_h * HOUR_S
        self.places[place].first_s = self.places[place].first_s or begin_s
        self.places[place].visits += 1
        self.settler.learn(place, begin_s, self.day * DAY_S + end_h * HOUR_S, 0)

    def live(
        self, days: int, sleeps: int = HOME, works: int | None = WORK, free: int = SHOP
    ) -> None:
        """So many days: to work on weekdays, somewhere for two hours on free ones, and the night."""
        for _ in range(days):
            weekday = (self.day - 4) % 7 < 5
            if weekday and works is not None:
                self.stay(works, 9.0, 17.0)
            else:
                self.stay(free, 11.0, 16.0)
            self.stay(sleeps, 18.0, 31.0)
            self.day += 1

    def nights_s(self, place: int) -> float:
        """What nights there still say."""
        return next(one.seconds for one in self.kept.nights.said if one.place == place)

    def until(self, what: str, place: int, **life: int) -> int:
        """Days of such a life until that is home, or work; fails after 60."""
        for days in range(1, 61):
            self.live(1, **life)
            if (self.kept.nights if what == "home" else self.kept.office).at == place:
                return days
        raise AssertionError(f"{what} is not noticed")


@pytest.fixture
def days() -> Days:
    settled = Days()
    settled.live(DAYS_BEFORE)
    assert settled.kept.nights.at == HOME
    assert settled.kept.office.at == WORK
    assert not settled.kept.changes
    return settled


def test_who_moves_and_goes_to_work_from_there_has_moved_within_a_week(days: Days) -> None:
    first_night_s = days.day * DAY_S + 22 * HOUR_S
    assert days.until("home", NEW, sleeps=NEW) <= 7
    change = days.kept.changes[-1]
    assert (change.what, change.before, change.now) == ("home", HOME, NEW)
    assert change.since_s == first_night_s
    assert 0.5 < change.p < 1.0
    assert days.kept.office.at == WORK


def test_who_moves_to_another_town_and_works_there_has_moved_within_two_weeks(days: Days) -> None:
    both = [days.until("work", OFFICE, sleeps=NEW, works=OFFICE)]
    both.append(both[0] + days.until("home", NEW, sleeps=NEW, works=OFFICE))
    assert both[1] <= 14
    assert [change.what for change in days.kept.changes] == ["work", "home"]


def test_who_moves_and_keeps_nothing_has_moved_after_more_than_three_weeks(days: Days) -> None:
    assert 21 < days.until("home", NEW, sleeps=NEW, works=BEACH, free=BEACH) < 40
    assert days.kept.office.at == WORK


def test_a_new_job_is_noticed_after_more_than_a_week_of_it_and_less_than_two(days: Days) -> None:
    assert 5 < days.until("work", OFFICE, works=OFFICE) <= 10
    change = days.kept.changes[-1]
    assert (change.what, change.before, change.now) == ("work", WORK, OFFICE)
    assert days.kept.nights.at == HOME


@pytest.mark.parametrize("begins", range(7))
def test_three_weeks_at_a_beach_move_nothing(days: Days, begins: int) -> None:
    days.live(begins)
    days.live(21, sleeps=NEW, works=BEACH, free=BEACH)
    days.live(7)
    assert (days.kept.nights.at, days.kept.office.at) == (HOME, WORK)
    assert not days.kept.changes


def test_three_weeks_indoors_on_holiday_move_no_work(days: Days) -> None:
    for _ in range(21):
        days.stay(NEW, 8.0, 31.0)
        days.day += 1
    assert (days.kept.nights.at, days.kept.office.at) == (HOME, WORK)


def test_a_week_of_a_course_is_no_new_job(days: Days) -> None:
    days.live(7, works=OFFICE)
    days.live(1)
    assert days.kept.office.at == WORK
    assert not days.kept.changes


def test_two_weeks_with_a_friend_are_a_move_at_first_and_none_soon_after(days: Days) -> None:
    before_s = days.nights_s(HOME)
    days.live(14, sleeps=FRIEND)
    assert days.kept.nights.at == FRIEND  # it looks like one: to work from there every day
    assert days.until("home", HOME) <= 4
    assert not days.kept.changes  # and nothing is told of it any more
    assert days.nights_s(HOME) > 0.7 * before_s  # what was forgotten counts again
    assert days.kept.nights.longest[-1].place == FRIEND
    days.live(14)
    days.live(14, sleeps=FRIEND)  # the second time it is known that one comes back
    assert days.kept.nights.at == HOME


def test_every_other_week_in_a_second_home_soon_changes_nothing(days: Days) -> None:
    for _ in range(3):
        days.live(7, sleeps=NEW)
        days.live(7)
    for _ in range(4):
        for sleeps in (NEW, HOME):
            for _ in range(7):
                days.live(1, sleeps=sleeps)
                assert days.kept.nights.at == HOME


def test_moving_back_after_months_is_a_move(days: Days) -> None:
    days.live(60, sleeps=NEW)
    assert days.until("home", HOME) <= 14
    assert [(c.before, c.now) for c in days.kept.changes] == [(HOME, NEW), (NEW, HOME)]


def test_a_place_of_free_days_is_no_work(days: Days) -> None:
    days.live(21, works=BEACH, free=BEACH)
    assert days.kept.office.at == WORK


def test_a_tour_of_many_places_keeps_a_bounded_table(days: Days) -> None:
    days.places += [KnownPlace(index=i, lat=60.0, lon=25.0) for i in range(7, 60)]
    for place in range(7, 60):
        days.live(1, sleeps=place, works=place)
    assert len(days.kept.nights.run) == MAX_ELSEWHERE
    assert days.kept.nights.at == HOME


@given(
    st.lists(st.tuples(st.integers(0, 6), st.floats(0.0, 20.0), st.floats(0.1, 40.0)), max_size=60)
)
def test_any_stays_leave_known_places_and_finite_seconds(
    stays: list[tuple[int, float, float]],
) -> None:
    places = [KnownPlace(index=i, lat=60.0, lon=25.0) for i in range(7)]
    kept = Settling()
    settler, now_s = Settler(kept, places), 0.0
    for place, gap_h, hours in stays:
        begin_s = now_s + gap_h * HOUR_S
        now_s = begin_s + hours * HOUR_S
        places[place].visits += 1
        settler.learn(place, begin_s, now_s, 0)
        assert kept.nights.at in range(NOWHERE, 7)
        assert kept.office.at in range(NOWHERE, 7)
        assert kept.office.at == NOWHERE or kept.office.at != kept.nights.at
        said = [one.seconds for tally in (kept.nights, kept.office) for one in tally.said]
        assert all(0.0 <= seconds <= now_s for seconds in said)
        assert all(0.0 < change.p < 1.0 for change in kept.changes)
    again = msgspec.msgpack.decode(pack(kept), type=Settling)
    assert again == kept


def test_a_stored_life_without_it_keeps_its_home_and_work(six_weeks: list[Fix]) -> None:
    life = Life("ada")
    for fix in six_weeks:
        life.observe(fix)
    told = {place.place_id: place.label for place in life.places()}
    assert {"home", "work"} <= set(told.values())
    old = msgspec.msgpack.decode(life.dump())
    del old["settling"]
    again = Life.load(msgspec.msgpack.encode(old))
    assert {place.place_id: place.label for place in again.places()} == told


def test_the_owners_word_comes_first_and_habit_stays_below_it(six_weeks: list[Fix]) -> None:
    life = Life("ada")
    for fix in six_weeks:
        life.observe(fix)
    found = {place.label: place for place in life.places() if place.label}
    gym = next(p for p in life.places() if p.label not in ("home", "work"))
    life.hear(PlaceWord(time_s=six_weeks[-1].time_s, kind="home", lat=gym.lat, lon=gym.lon))
    told = {place.label: place.place_id for place in life.places() if place.label}
    assert told["home"] == gym.place_id != found["home"].place_id
    assert told["work"] == found["work"].place_id
    life.unsay("label", gym.place_id)
    assert {p.label: p.place_id for p in life.places()}["home"] == found["home"].place_id


def test_places_that_become_one_keep_what_both_said(days: Days) -> None:
    days.live(3, sleeps=NEW)
    whole_s = days.nights_s(HOME) + days.nights_s(NEW)
    renumber(days.kept, HOME, NEW)
    assert days.kept.nights.at == NEW
    assert days.nights_s(NEW) == pytest.approx(whole_s)
    assert all(one.place != HOME for one in days.kept.nights.said)
    days.live(7, sleeps=NEW)
    assert days.kept.nights.at == NEW
    assert not days.kept.changes


def test_a_place_that_is_no_more_takes_its_changes_along(days: Days) -> None:
    days.live(60, sleeps=NEW)
    assert days.kept.changes
    renumber(days.kept, HOME, NOWHERE)
    assert not days.kept.changes
    assert days.kept.nights.at == NEW
    renumber(days.kept, NEW, NOWHERE)
    assert days.kept.nights.at == NOWHERE
    days.live(3, sleeps=FRIEND)
    assert days.kept.nights.at == FRIEND


@pytest.mark.parametrize(("share", "stays"), [(0.2, HOME), (0.8, NEW)])
def test_of_a_divided_home_the_greater_part_is_it(days: Days, share: float, stays: int) -> None:
    whole_s = days.nights_s(HOME)
    days.places[HOME].night_s, days.places[NEW].night_s = 1.0 - share, share
    divide(days.kept, days.places[HOME], days.places[NEW])
    assert days.kept.nights.at == stays
    assert days.nights_s(NEW) == pytest.approx(share * whole_s)
    assert days.nights_s(HOME) == pytest.approx((1.0 - share) * whole_s)
    days.live(1, sleeps=stays)
    assert days.kept.nights.at == stays


def test_a_stay_teaches_the_book() -> None:
    book = PlaceBook()
    stay = Stay(start_s=19 * HOUR_S, end_s=31 * HOUR_S, lat=60.2, lon=24.9)
    place, _ = book.arrive(stay)
    assert book.home() is None
    book.leave(place, stay, stay)
    assert book.home() is place


def test_who_never_left_since_the_first_night_is_at_home() -> None:
    """As if the stay were over now: six hours of night make a first home, and nothing is kept of it meanwhile."""
    life, monday_s = Life("ada"), 1_709_510_400.0 - 2 * 3600.0  # its midnight there
    homes = []
    for quarter in range(4 * 40):
        time_s = monday_s + (20.0 + quarter / 4.0) * 3600.0
        life.observe(Fix(time_s=time_s, lat=60.2, lon=24.9))
        home = life.situation(time_s).home
        homes.append(home is not None)
        again = Life.load(life.dump())
        assert again.situation(time_s) == life.situation(time_s)
        assert again.dump() == life.dump()
    assert homes == [20.0 + quarter / 4.0 >= 28.0 for quarter in range(4 * 40)]  # from four o'clock
    assert life.state.settling.nights.said == []
    life.observe(Fix(time_s=time_s + 900.0, lat=60.3, lon=24.9))
    assert life.state.settling.nights.at == 0


def test_a_first_day_somewhere_is_no_home_and_a_night_elsewhere_than_at_home_no_other(
    six_weeks: list[Fix],
) -> None:
    life = Life("ada")
    for quarter in range(4 * 12):
        life.observe(Fix(time_s=1_709_535_600.0 + 900.0 * quarter, lat=60.2, lon=24.9))
    assert life.situation(life.state.last.time_s if life.state.last else 0.0).home is None
    life = Life("ada")
    for fix in six_weeks:
        life.observe(fix)
    home = life.situation(fix.time_s).home
    assert home is not None
    for quarter in range(1, 4 * 24):
        life.observe(Fix(time_s=fix.time_s + 900.0 * quarter, lat=61.5, lon=23.8))
    now = life.situation(fix.time_s + 86_400.0).home
    assert now is not None
    assert now.place_id == home.place_id
