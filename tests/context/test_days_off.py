"""Days off of a calendar: what a life makes of them it tells itself, and without any nothing is another than before."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
import pytest
from tests.context.test_halts import leg as way
from tests.context.test_halts import stop

from hearthway.context.charging import FirstTrip
from hearthway.context.day_kind import FREE, NO_DAYS_OFF, OWN, PLAIN, DayKinds
from hearthway.context.destination import DestinationModel
from hearthway.context.halts import usual_stop
from hearthway.context.items import habits_of
from hearthway.context.life import Life
from hearthway.context.places import KnownPlace
from hearthway.context.prior import Departure, PastTrip
from hearthway.context.regularity import Regularity
from hearthway.context.tomorrow import usual_days
from hearthway.context.where_next import leaving_of
from hearthway.records.geo import offset
from hearthway.records.localtime import DAY_S, weekday
from hearthway.records.signals import Fix

SPOT = (60.20, 24.90)
MONDAY_S = 1_709_510_400.0
FIRST = int(MONDAY_S // DAY_S)
HOME, WORK, LAKE, GRAN = range(4)
Legs = list[tuple[int, float, int, int]]


def town() -> list[KnownPlace]:
    spots = [SPOT, offset(*SPOT, 5_000, 0), offset(*SPOT, 0, 4_000), offset(*SPOT, -3_000, 0)]
    return [
        KnownPlace(index=i, lat=lat, lon=lon, visits=5, last_s=MONDAY_S)
        for i, (lat, lon) in enumerate(spots)
    ]


def leaving(day: int, hour: float, origin: int, off: dict[int, int]) -> Departure:
    at_s = MONDAY_S + day * DAY_S + hour * 3600.0
    return Departure(origin, at_s, hour * 3600.0, day % 7, off.get(day, 0))


def lived(legs: Legs, off: dict[int, int]) -> DestinationModel:
    """A model that knew these days off, foretold and learned these (day, hour, from, to)."""
    model, places = DestinationModel([], off={FIRST + day: no for day, no in off.items()}), town()
    for day, hour, origin, goal in legs:
        here = leaving(day, hour, origin, off)
        model.foretell(here, places)
        model.learn(
            PastTrip(
                origin=origin,
                destination=goal,
                depart_s=here.time_s,
                local_s=here.local_s,
                weekday=here.weekday,
                off=here.off,
                new=False,
                length_m=5_000.0,
                duration_s=600.0,
            )
        )
    return model


def days(count: int, goal_of: Callable[[int], int | None]) -> Legs:
    legs: Legs = []
    for day in range(count):
        goal = goal_of(day)
        if goal is not None:
            legs += [(day, 8.5, HOME, goal), (day, 17.0, goal, HOME)]
    return legs


def office(day: int) -> int:
    return LAKE if day % 7 > 4 else WORK


def p_of(model: DestinationModel, day: int, off: dict[int, int], goal: int = WORK) -> float:
    return dict(model.posterior(leaving(day, 8.5, HOME, off), town()).places)[goal]


HOLIDAYS = {17: 1, 30: 1, 44: 1, 57: 1}


def test_before_any_was_seen_a_public_holiday_is_thought_free() -> None:
    legs = days(57, office)
    known, unknown = lived(legs, {57: 1}), lived(legs, {})
    assert p_of(known, 57, {57: 1}) < 0.5 < 0.9 < p_of(unknown, 57, {})
    assert p_of(known, 58, {57: 1}) == p_of(unknown, 58, {})  # the next day is as without


def test_who_is_free_on_them_is_foretold_so() -> None:
    legs = days(57, lambda day: LAKE if day in HOLIDAYS else office(day))
    known, unknown = lived(legs, HOLIDAYS), lived(legs, {})
    now_s = MONDAY_S + 57 * DAY_S
    assert known.kinds(now_s).read == (FREE,)
    assert p_of(known, 57, HOLIDAYS, LAKE) > 0.7 > 0.3 > p_of(unknown, 57, {}, LAKE)
    assert p_of(known, 58, HOLIDAYS) > p_of(unknown, 58, {})  # nor do they speak of a Tuesday


def test_whose_roster_knows_none_is_not_harmed() -> None:
    legs = days(100, office)  # weekends at the lake, holidays at work
    off = HOLIDAYS | {64: 1, 72: 1, 79: 1, 87: 1, 100: 1}
    known, unknown = lived(legs, off), lived(legs, {})
    assert known.kinds(MONDAY_S + 100 * DAY_S).read == (PLAIN,)
    assert p_of(known, 100, off) > p_of(unknown, 100, {}) - 0.1
    assert p_of(known, 101, off) == pytest.approx(p_of(unknown, 101, {}), abs=0.02)


def test_school_holidays_may_be_a_kind_of_their_own() -> None:
    """Neither work nor the lake: the child goes to its grandmother. And no day of school is taken for one of them."""
    school = {day: 1 for day in (*range(7, 12), *range(28, 40), *range(56, 58)) if day % 7 < 5}
    legs = days(57, lambda day: GRAN if day in school else office(day))
    known, unknown = lived(legs, school), lived(legs, {})
    assert known.kinds(MONDAY_S + 57 * DAY_S).read == (OWN,)
    assert p_of(known, 57, school, GRAN) > 0.7 > 0.5 > p_of(unknown, 57, {}, GRAN)
    assert p_of(known, 63, school) > p_of(unknown, 63, {}) + 0.1


def test_a_calendar_with_too_many_days_is_thought_to_say_nothing_at_first() -> None:
    legs = days(20, office)
    many = {day: 1 for day in range(20, 90) if day % 7 < 5}
    known, unknown = lived(legs, many), lived(legs, {})
    assert known.kinds(MONDAY_S + 20 * DAY_S).read == (PLAIN,)
    assert p_of(known, 21, many) > 0.7 * p_of(unknown, 21, {})


def test_what_was_seen_of_a_calendar_is_still_known_the_next_year() -> None:
    regular = Regularity()
    fresh = regular.readings(1, 0.0)
    assert fresh == pytest.approx((4 / 6, 1 / 6, 1 / 6))
    seen = lived(days(57, office), HOLIDAYS).regular
    now, later = (seen.readings(1, MONDAY_S + day * DAY_S)[PLAIN] for day in (57, 420))
    assert now > later > 2 * fresh[PLAIN]
    assert seen.readings(2, MONDAY_S + 420 * DAY_S) == fresh  # of another calendar nothing


def test_in_the_evening_before_nobody_is_thought_to_leave_for_work_tomorrow() -> None:
    """Who stays at home on holidays leaves on the day after."""
    legs = days(42, lambda day: WORK if day % 7 < 5 else None)
    past = lived(legs, {}).trips
    kinds = DayKinds({FIRST + 42: 1}, (FREE,))
    evening = leaving(41, 20.0, HOME, {})
    plain, known = leaving_of(evening, past), leaving_of(evening, past, kinds)
    assert (plain.time_s - MONDAY_S) // DAY_S == 42
    assert (known.time_s - MONDAY_S) // DAY_S == 43
    assert (known.weekday, known.off) == (1, 0)
    morning = leaving_of(leaving(42, 7.0, HOME, {42: 1}), past, kinds)
    assert (morning.time_s - MONDAY_S) // DAY_S == 43
    assert leaving_of(evening, past, NO_DAYS_OFF) == plain


def firsts(count: int) -> list[FirstTrip]:
    return [
        FirstTrip(FIRST + day, day % 7, 8 * 3600.0, HOME, office(day), 9_000.0)
        for day in range(count)
    ]


def test_tomorrows_first_trip_of_a_holiday_is_none_to_work() -> None:
    past, tomorrow = firsts(56), FIRST + 57  # a Tuesday
    assert weekday(tomorrow) == 1
    usual = usual_days(past, HOME, tomorrow, NO_DAYS_OFF)
    assert usual is not None
    assert (usual.kind, {t.destination for t in usual.trips}) == ("Tuesdays", {WORK})
    free = usual_days(past, HOME, tomorrow, DayKinds({tomorrow: 1}, (FREE,)))
    assert free is not None
    assert (free.kind, {t.destination for t in free.trips}) == ("free days", {LAKE})
    assert usual_days(past, HOME, tomorrow, DayKinds({tomorrow: 1}, (OWN,))) is None  # never seen
    assert usual_days(past, HOME, tomorrow, DayKinds({tomorrow: 1}, (PLAIN,))) == usual
    weeks = DayKinds({FIRST + 8: 1, FIRST + 15: 1}, (FREE,))  # two of the Tuesdays were free
    ordinary = usual_days(past, HOME, tomorrow, weeks)
    assert ordinary is not None
    assert (ordinary.kind, ordinary.days) == ("Tuesdays", usual.days - 2)


def test_the_usual_stop_is_that_of_such_days() -> None:
    """A child is fetched on the way home, but not in the school's holidays."""
    school = [way(stop(), weekday=day % 5) for day in range(6)]
    free = [way(weekday=day % 5, off=1) for day in range(3)]
    today = Departure(0, 1_768_230_000.0, 61_200.0, 0, 1)
    plain = DayKinds({}, (PLAIN,))
    assert usual_stop([*school, *free[:2]], today, 1, plain) is not None
    assert usual_stop([*school, *free], today, 1, plain) is None
    assert usual_stop([*school, *free[:2]], today, 1, DayKinds({}, (FREE,))) is None
    no_school_today = Departure(0, 1_768_230_000.0, 61_200.0, 0)
    assert usual_stop([*school, *free], no_school_today, 1, DayKinds({}, (OWN,)))


def test_what_goes_along_is_counted_by_kind_of_day() -> None:
    def past(day: int, off: int, along: bool, times: int) -> list[tuple[PastTrip, bool]]:
        return [(way(weekday=day, off=off), along)] * times

    known = [*past(0, 0, True, 9), *past(6, 0, False, 5), *past(2, 1, False, 2)]

    def said(today: int, kinds: DayKinds) -> list[tuple[str, int, int]]:
        found = habits_of(known, today, lambda index: f"p{index}", kinds)
        return [(one.like, one.along, one.times) for one in found]

    off = {1: 1}
    free = DayKinds(off, (FREE,))
    assert said(free.of(Departure(0, 0.0, 0.0, 0, 1)), free) == [("on free days", 0, 7)]
    assert said(0, free) == [("on Mondays", 9, 9)]
    own = DayKinds(off, (OWN,))
    assert said(own.of(Departure(0, 0.0, 0.0, 0, 1)), own) == [("on such days off", 0, 2)]


def test_days_off_on_which_nothing_was_lived_change_no_bit(
    make_weeks: Callable[..., Sequence[Fix]],
) -> None:
    plain, knowing = Life("ada"), Life("ada", days_off={FIRST - 30: 1, FIRST + 400: 1})
    for fix in make_weeks(21):
        for life in (plain, knowing):
            life.observe(fix)
    assert plain.dump() == knowing.dump()
    assert plain.situation(fix.time_s) == knowing.situation(fix.time_s)


def test_a_days_kind_is_kept_with_its_legs_and_stopping_changes_nothing(
    make_weeks: Callable[..., Sequence[Fix]],
) -> None:
    off = {FIRST + 9: 2, FIRST + 15: 1}
    whole, stopped = Life("ada", days_off=off), Life("ada", days_off=off)
    for number, fix in enumerate(make_weeks(21)):
        whole.observe(fix)
        stopped.observe(fix)
        if number % 701 == 0:
            stopped = Life.load(stopped.dump(), days_off=off)
    assert stopped.dump() == whole.dump()
    by_day = {round((t.depart_s - t.local_s) / DAY_S): t.off for t in whole.trips}
    assert {day: number for day, number in by_day.items() if number} == off
    assert {leg.off for leg in whole.state.regular.off} <= {1, 2}
    assert whole.state.regular.off
    assert whole.dump() != Life("ada").dump()
    other = Life("ada", days_off={})
    for fix in make_weeks(21):
        other.observe(fix)
    assert not other.state.regular.off
    assert msgspec.structs.replace(whole.trips[-1], off=0) == other.trips[-1]
