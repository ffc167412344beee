"""Where somebody who stays will go next: as of the likely departure, calibrated, and without anything stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec import UNSET
from tests.context.counted import Counted

from hearthway.context import where_next
from hearthway.context.day_kind import OWN, DayKinds, alike
from hearthway.context.life import Life
from hearthway.context.places import KnownPlace
from hearthway.context.prior import HALF_LIFE_DAYS, Departure, PastTrip, prior_of
from hearthway.context.where_next import (
    DAYS_AHEAD,
    OTHER_KIND,
    OTHER_WEEKDAY,
    SEEN_NIGHTS,
    Leavings,
    WhereNext,
    calibrated,
    leaving_of,
    likely,
)
from hearthway.records.geo import offset
from hearthway.records.localtime import DAY_S
from hearthway.records.signals import Fix

SPOT = (60.20, 24.90)
MONDAY_S = 1_709_510_400.0
HOME, WORK, SHOP, SPORT = range(4)


def town() -> list[KnownPlace]:
    return [
        KnownPlace(index=i, lat=lat, lon=lon, visits=5, last_s=MONDAY_S)
        for i, (lat, lon) in enumerate(offset(*SPOT, 3_000.0 * i, 0.0) for i in range(4))
    ]


def leg(day: int, hour: float, origin: int, goal: int, *, new: bool = False) -> PastTrip:
    return PastTrip(
        origin=origin,
        destination=goal,
        depart_s=MONDAY_S + day * DAY_S + hour * 3600.0,
        local_s=hour * 3600.0,
        weekday=day % 7,
        new=new,
        length_m=5_000.0,
        duration_s=600.0,
    )


def likely_wait_s(here: Departure, trips: Sequence[PastTrip]) -> float:
    return Leavings(here.origin, trips).likely_wait_s(here)


def at(day: int, hour: float, origin: int | None = HOME) -> Departure:
    return Departure(origin, MONDAY_S + day * DAY_S + hour * 3600.0, hour * 3600.0, day % 7)


def days(numbers: Sequence[int]) -> list[PastTrip]:
    """To work at 8, back at 17, to the shop at 18:30, back at 19:30."""
    legs = []
    for day in numbers:
        legs += [leg(day, 8.0, HOME, WORK), leg(day, 17.0, WORK, HOME)]
        legs += [leg(day, 18.5, HOME, SHOP), leg(day, 19.5, SHOP, HOME)]
    return legs


WEEKS = days([day for day in range(28) if day % 7 < 5])


@pytest.mark.parametrize(
    ("here", "wait_h"),
    [
        (at(28, 6.0), 2.0),  # the first departure that comes, not the likeliest of the day
        (at(28, 12.0), 6.5),
        (at(28, 22.0), 10.0),  # tomorrow's, over midnight
        (at(28, 9.0, WORK), 8.0),
        (at(33, 9.0), 47.0),  # on a Saturday, of whose like one never left: Monday's
        (at(34, 23.0), 9.0),
    ],
)
def test_one_leaves_when_one_mostly_leaves_here_next(here: Departure, wait_h: float) -> None:
    assert likely_wait_s(here, WEEKS) / 3600.0 == pytest.approx(wait_h)


def test_nothing_is_known_of_when_one_leaves_a_place_never_left() -> None:
    assert likely_wait_s(at(28, 9.0, SPORT), WEEKS) == 0.0
    assert likely_wait_s(at(28, 9.0, None), WEEKS) == 0.0
    assert leaving_of(at(28, 9.0, SPORT), WEEKS) == at(28, 9.0, SPORT)


def test_a_place_seldom_come_to_is_left_as_soon_as_on_the_days_one_was_there() -> None:
    weekly = [leg(7 * week + 1, 20.0, SPORT, HOME) for week in range(4)]
    assert likely_wait_s(at(29, 18.5, SPORT), [*WEEKS, *weekly]) / 3600.0 == pytest.approx(1.5)


def test_who_is_still_here_is_told_of_by_the_days_on_which_one_was_still_here() -> None:
    """At 17:02, where one mostly leaves at a quarter to five, and on other days hardly later than a quarter past."""
    hours = [16.75] * 6 + [17.25] * 3 + [17.75]
    legs = []
    for number in range(20):
        legs += [leg(number, 8.0, HOME, WORK), leg(number, hours[number % 10], WORK, HOME)]
    now_h = 17.0 + 2.0 / 60.0
    assert likely_wait_s(at(20, 9.0, WORK), legs) / 3600.0 == pytest.approx(7.75)
    assert likely_wait_s(at(20, now_h, WORK), legs) / 3600.0 == pytest.approx(17.25 - now_h)
    assert likely_wait_s(at(20, 17.5, WORK), legs) / 3600.0 == pytest.approx(0.25)
    assert likely_wait_s(at(20, 18.0, WORK), legs) / 3600.0 == pytest.approx(22.75)
    leaving = leaving_of(at(20, 17.0, WORK), legs)
    assert (leaving.local_s, leaving.time_s) == (17.25 * 3600.0, at(20, 17.25).time_s)


def test_an_evening_away_says_nothing_of_when_one_leaves_in_the_morning() -> None:
    """Half of the days begin elsewhere; at home in the morning it is the others that tell."""
    legs = []
    for number in range(0, 28, 2):
        legs += [leg(number, 8.0, HOME, WORK), leg(number, 17.0, WORK, SPORT)]
        legs += [leg(number + 1, 20.0, SPORT, HOME)]
    assert likely_wait_s(at(28, 6.0), legs) / 3600.0 == pytest.approx(2.0)
    assert likely_wait_s(at(28, 21.0), legs) / 3600.0 == pytest.approx(11.0)


def test_the_departure_keeps_the_local_day_right() -> None:
    leaving = leaving_of(at(28, 22.0), WEEKS)
    assert (leaving.local_s, leaving.weekday) == (8 * 3600.0, 1)
    assert leaving.time_s == MONDAY_S + 29 * DAY_S + 8 * 3600.0


def test_at_night_it_is_asked_as_of_the_morning_and_not_as_if_one_left_now() -> None:
    asked = WhereNext()
    night = asked.ask(at(28, 22.0), town(), WEEKS, 1)
    assert night.places[0][0] == WORK
    assert night.leave_s == MONDAY_S + 29 * DAY_S + 8 * 3600.0
    afternoon = asked.ask(at(28, 12.0), town(), WEEKS, 1)
    assert afternoon.places[0][0] == SHOP
    assert sum(p for _, p in night.places) + night.new == pytest.approx(1.0)
    assert HOME not in dict(night.places)


def test_who_has_hardly_a_history_goes_somewhere_new_oftener_than_is_counted() -> None:
    few = [leg(0, 8.0, HOME, WORK), leg(0, 17.0, WORK, HOME)]
    counted = prior_of(at(1, 8.0), town()[:2], few)
    said = calibrated(counted, len(few))
    settled = calibrated(prior_of(at(28, 8.0), town(), WEEKS), len(WEEKS))
    assert said.new > counted.new
    assert said.new > 0.2 > settled.new
    for prior in (said, settled):
        assert sum(prior.places.values()) + prior.new == pytest.approx(1.0)
    assert calibrated(prior_of(at(0, 8.0), town()[:1], []), 0).new == 1.0


@given(
    st.lists(
        st.tuples(st.integers(0, 60), st.floats(0.0, 23.9), st.integers(0, 3), st.integers(0, 3)),
        max_size=30,
    ),
    st.floats(0.0, 23.9),
)
def test_it_is_a_distribution_and_the_departure_lies_ahead(
    told: list[tuple[int, float, int, int]], hour: float
) -> None:
    legs = [leg(*one) for one in sorted(told)]
    here = at(61, hour // 0.25 * 0.25)
    said = WhereNext().ask(here, town(), legs, 1)
    assert sum(p for _, p in said.places) + said.new == pytest.approx(1.0)
    assert [p for _, p in said.places] == sorted((p for _, p in said.places), reverse=True)
    assert here.time_s <= said.leave_s < here.time_s + DAYS_AHEAD * DAY_S


def test_near_by_counts_and_once_or_today_already_counts_less() -> None:
    """Each against the same place without it."""

    def p_shop(**changes: object) -> float:
        places = town()
        places[SHOP] = msgspec.structs.replace(places[SHOP], **changes)
        return likely(at(28, 12.0), places, WEEKS).places[SHOP]

    usual = p_shop(last_s=MONDAY_S + 26.9 * DAY_S)
    near = offset(*SPOT, 600.0, 0.0)
    assert p_shop(last_s=MONDAY_S + 26.9 * DAY_S, lat=near[0], lon=near[1]) > usual
    assert p_shop(last_s=MONDAY_S + 28.1 * DAY_S) < usual
    assert p_shop(last_s=MONDAY_S + 26.9 * DAY_S, visits=1) < usual


def test_the_same_slot_is_asked_once_and_a_later_stay_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    counts: list[Departure] = []

    def counted(*args: object, **more: object) -> object:
        assert isinstance(args[0], Departure)
        counts.append(args[0])
        return prior_of(*args, **more)  # type: ignore[arg-type]  # as it was called

    monkeypatch.setattr(where_next, "prior_of", counted)
    asked = WhereNext()
    for hour in (6.0, 6.0, 6.25, 6.5):  # one leaves at 8 from each of them
        asked.ask(at(28, hour), town(), WEEKS, 7)
    assert len(counts) == 1
    asked.ask(at(28, 6.5), town(), WEEKS, 8)
    asked.ask(at(28, 12.0), town(), WEEKS, 8)
    assert len(counts) == 3


def test_a_life_tells_it_while_staying_and_not_on_the_way(
    make_weeks: Callable[..., Iterator[Fix]],
) -> None:
    life, told, silent = Life("ada"), 0, 0
    for fix in make_weeks(28):
        life.observe(fix)
        situation = life.situation(fix.time_s)
        staying = life.state.here is not None
        assert (situation.next_places is not UNSET) == staying
        told, silent = told + staying, silent + (not staying)
    assert told > 100 < silent
    ahead = life.situation(fix.time_s).next_places
    assert ahead is not UNSET
    assert ahead.places[0].place.label == "work"  # Sunday night: Monday's way to work
    assert ahead.places[0].p > 0.5
    again = Life.load(life.dump())
    assert again.situation(fix.time_s) == life.situation(fix.time_s)
    assert again.dump() == life.dump()


def test_an_old_state_tells_it_as_well(six_weeks: list[Fix]) -> None:
    """Nothing of it is kept: what was learned before it was asked for is enough."""
    life = Life("ada")
    for fix in six_weeks:
        life.observe(fix)
    bytes_before = life.dump()
    assert life.next_places(fix.time_s) is not None
    assert life.dump() == bytes_before


def test_a_place_that_became_another_is_not_named_by_its_old_number(six_weeks: list[Fix]) -> None:
    life = Life("ada")
    for fix in six_weeks:
        life.observe(fix)
    before = life.next_places(fix.time_s)
    assert before is not None
    gone = before.places[0][0]
    life._give_up(life.state.places[gone])
    life._book.give_up(life.state.places[gone])
    after = life.next_places(fix.time_s)
    assert after is not None
    assert gone not in dict(after.places)
    assert sum(p for _, p in after.places) + after.new == pytest.approx(1.0)


def through_all(here: Departure, trips: Sequence[PastTrip], kinds: DayKinds) -> list[float]:
    """The wait as it is defined, going through all legs anew at each moment, and how near to a half it was decided."""
    stretches = []
    for before, trip in zip([None, *trips], trips, strict=False):
        if trip.origin != here.origin:
            continue
        nights, came_s = 0, 0.0
        if before is not None and before.destination == here.origin:
            stayed_s = max(0.0, trip.depart_s - before.depart_s - before.duration_s)
            nights = int((stayed_s + DAY_S - trip.local_s) // DAY_S)
            came_s = trip.local_s - stayed_s + nights * DAY_S
            if nights > SEEN_NIGHTS:
                nights, came_s = 0, 0.0
        for back in range(nights, -1, -1):
            day = kinds.after(trip.depart_s, trip.local_s, trip.weekday, -back)
            age = 0.5 ** ((here.time_s - trip.depart_s + back * DAY_S) / DAY_S / HALF_LIFE_DAYS)
            begin_s = came_s if back == nights else 0.0
            stretches.append((day, begin_s, DAY_S if back else trip.local_s, not back, age))
    still, left = 1.0, list[tuple[float, float]]()
    for later in range(DAYS_AHEAD if stretches else 0):
        today = kinds.after(here.time_s, here.local_s, here.weekday, later)

        def weight(day: int, age: float, today: int = today) -> float:
            return age * alike(day, today, OTHER_WEEKDAY, OTHER_KIND)

        for at, (day, _, end_s, went, age) in enumerate(
            by_end := sorted(stretches, key=lambda one: one[2])
        ):
            over = sum(weight(one[0], one[4]) for one in by_end[:at])
            here_still = sum(weight(o[0], o[4]) for o in stretches if o[1] <= end_s) - over
            if went and (later or end_s > here.local_s):
                still *= 1.0 - weight(day, age) / max(weight(day, age), here_still)
                left.append((later * DAY_S + end_s - here.local_s, still))
        if still <= 0.5:
            break
    half = (1.0 + still) / 2.0 if still > 0.5 else 0.5
    assume(all(abs(one - half) > 1e-6 for _, one in left))
    return [wait_s for wait_s, one in left if one <= half][:1] or [0.0]


@given(
    st.lists(
        st.tuples(st.integers(0, 60), st.integers(0, 95), st.integers(0, 2), st.integers(0, 2)).map(
            lambda one: (one[0], one[1] / 4.0, one[2], one[3])
        ),
        max_size=25,
    ),
    st.lists(st.tuples(st.integers(61, 63), st.integers(0, 95)), min_size=1, max_size=6),
)
def test_what_is_put_together_once_for_a_stay_tells_what_going_through_all_legs_tells(
    told: list[tuple[int, float, int, int]], looks: list[tuple[int, int]]
) -> None:
    local_day = int(MONDAY_S // DAY_S)
    kinds = DayKinds({local_day + 3: 1, local_day + 61: 1}, (OWN,))
    legs = [leg(*one) for one in sorted(told)]
    past = Leavings(HOME, legs, kinds)
    for day, quarter in looks:
        here = at(day, quarter / 4.0)
        assert [past.likely_wait_s(here)] == through_all(here, legs, kinds)


def test_a_place_where_one_was_but_years_ago_is_known_by_that() -> None:
    old = [leg(day, 10.0, SPORT, HOME) for day in range(28)]
    late = days(range(1_200, 1_228))
    assert likely_wait_s(at(1_228, 9.0, SPORT), [*old, *late]) / 3600.0 == pytest.approx(1.0)


def test_legs_are_gone_through_once_in_a_stay() -> None:
    asked, legs = WhereNext(), Counted(WEEKS)
    asked.ask(at(28, 6.0), town(), legs, 1)
    first, legs.seen = legs.seen, 0
    for quarter in range(1, 8):
        asked.ask(at(28, 6.0 + quarter / 4.0), town(), legs, 1)
    assert (first >= len(legs), legs.seen) == (True, 0)
