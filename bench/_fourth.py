"""Lives from a fourth description, again synthetic, written without reading the code that judges them.

The description. Five people with days that are full of what others want of them at fixed hours, and holes between that are filled
by whim. A day is a list of hours at which one is due somewhere; one leaves for each in time, more or less, goes home between two if
that is worth it, and drops a whim for which there is no time left. People are late oftener and by more than they are early.

- *carpool*: a father of three with the work of two cars: school and nursery in the morning, fetched one after the other, a lesson on four
  afternoons (music, swimming, football, and a speech therapist next door to a table), waited for or not; somebody at the station, the
  shop at any hour, the recycling yard; a match on most Saturdays, each at an hour of its own, and lunch out after three of four;
- *teacher*: lessons that begin and end at other hours each weekday, a choir on Tuesday, physiotherapy next door to a table at five
  on Mondays, for eight weeks; the car is the couple's, and on some evenings the other one has it; friends at the weekend over a meal,
  at theirs; dinner out on most Fridays, at the one table or, seldom, another, some half an hour sooner or later;
- *clerk*: an office on four days and at home on Wednesday; lunch out, by car, on Tuesday and Thursday if nothing comes between; injections
  next door to another table at noon on every second Friday; a child's lesson, a chess club, the gym by whim, the pharmacy at noon;
- *salon*: a hairdresser whose salon shares a wall with a table, Tuesday to Saturday, who eats what she brought; on the way home
  now and then something to take away, fetched in some five minutes; tango, a mother on Sunday, over lunch or not; never eats out;
- *agent*: shows flats at any hour, each once or twice, with an office in the shopping street; gym, shop and friends by whim, the
  friends mostly when it is time to eat, for half an hour or five; a dentist next door to a table now and then; eats out when and where
  it happens, without any habit.

All are ill for some days now and then (of the carpool's it is a child), have a week of holiday at home, with late mornings and odd errands, and keep
Good Friday, Easter Monday and May Day. On *quiet* days nobody eats out: who went there goes home or stays at work. Food that is fetched
and eaten at home is no meal out, and a meal at a friend's is none. But nobody here parks at the door, so where one has been once or
twice in those months it is a question where to park (`parks_anew`), on quiet days as well. Spring 2026, from the second of March, with the change to summer time and Easter.
Where they go and what their phones tell: `_fourth_town.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from random import Random
from typing import TYPE_CHECKING

from hearthway.atlas.store import Atlas
from hearthway.records.geo import distance_m

if TYPE_CHECKING:
    from bench._fourth_town import Place, Sparing, Streets
    from bench._lives import ALONE_M, HOUR_S, Leg, Lived, Stop
else:
    from _fourth_town import Place, Sparing, Streets
    from _lives import ALONE_M, HOUR_S, Leg, Lived, Stop

EPOCH = date(1970, 1, 1)
FIRST_DAY = (date(2026, 3, 2) - EPOCH).days  # a Monday
FEASTS = {(date(2026, m, d) - EPOCH).days for m, d in ((4, 3), (4, 6), (5, 1))}
KINDS = ("carpool", "teacher", "clerk", "salon", "agent")
SPAN_DAYS = 200  # for which illness is drawn
MON, TUE, WED, THU, FRI, SAT, SUN = range(7)
MINUTE_S = 60.0
WORTH_S = 36 * MINUTE_S  # at home between two hours one is due at
HARDLY = 2  # so often one may have been thereabouts and not know where to park
Plan = Callable[[Lived, bool], list[Stop]]


@dataclass(slots=True)
class Due:
    """To be at a place at a local hour, for so many minutes; `whim`: dropped where one is not free by then."""

    hour: float
    place: Place
    minutes: float
    eats: bool = False
    whim: bool = False


class Year:
    """Which days are not as others for one person."""

    def __init__(self, rng: Random) -> None:
        week = FIRST_DAY + 7 * rng.randint(2, 11)
        self._holiday = set(range(week, week + 7))
        self._ill: set[int] = set()
        day = FIRST_DAY + int(rng.expovariate(1 / 35.0))
        while day < FIRST_DAY + SPAN_DAYS:
            spell = rng.choice((1, 1, 2, 2, 3, 5))
            self._ill |= set(range(day, day + spell))
            day += spell + 7 + int(rng.expovariate(1 / 35.0))

    def ill(self, day: int) -> bool:
        """In bed, or with a child in bed?"""
        return day in self._ill

    def works(self, day: int) -> bool:
        """A weekday on which the schools and offices of these people see them."""
        return _week(day) < SAT and day not in (self._holiday | FEASTS | self._ill)

    def on_holiday(self, day: int) -> bool:
        """In the week at home."""
        return day in self._holiday


def _week(day: int) -> int:
    return (day + 3) % 7


def _late(rng: Random, minutes: float) -> float:
    """Hours off the hour: some minutes (one sigma) either way, and now and then a good deal late."""
    off = rng.gauss(0.0, minutes) + (
        rng.expovariate(1 / (2 * minutes)) if rng.random() < 0.15 else 0
    )
    return off / 60.0


def _way_s(town: Streets, a: Place | None, b: Place | None) -> float:
    """As one reckons it, with parking; None is home."""
    ends = [town.home if place is None else place.door for place in (a, b)]
    return 1.4 * distance_m(*ends[0], *ends[1]) / 8.5 + 3 * MINUTE_S


def _in_the_way(town: Streets, whim: Due, dues: list[Due]) -> bool:
    """Would one be late for something after it?"""
    ends_s = whim.hour * HOUR_S + whim.minutes * MINUTE_S
    after = (due for due in dues if not due.whim and due.hour >= whim.hour)
    return any(ends_s + _way_s(town, whim.place, due.place) > due.hour * HOUR_S for due in after)


def _stops(life: Lived, dues: list[Due]) -> list[Stop]:
    """The day's visits: in time for each, at home between if that is worth it."""
    town, rng, stops = life.town, life.rng, list[Stop]()
    assert isinstance(town, Streets)
    here: Place | None = None
    free_s = came_s = 5 * HOUR_S
    for due in sorted(dues, key=lambda one: one.hour):
        at_s, stay_s = due.hour * HOUR_S, due.minutes * MINUTE_S
        if due.whim and (at_s < free_s or _in_the_way(town, due, dues)):
            continue
        leave_s = at_s - _way_s(town, here, due.place) - max(-300.0, rng.gauss(240.0, 200.0))
        if here is not None and leave_s - free_s - 2 * _way_s(town, here, None) > WORTH_S:
            stops.append(Stop(town.home, None, 0.0))
            leave_s += _way_s(town, here, due.place) - _way_s(town, None, due.place)
            here = None
        if here is due.place:  # waits for it there
            free_s = max(free_s, at_s) + stay_s
            stops[-1].stay_s = free_s - came_s
            continue
        stops.append(Stop(due.place.park(rng), leave_s, stay_s, eats=due.eats))
        came_s = max(leave_s, free_s) + _way_s(town, here, due.place)
        free_s, here = came_s + stay_s, due.place
    return stops


def _idle(life: Lived, shop: Place, others: list[Place]) -> list[Due]:
    """A day of holiday at home: up late, an odd errand or two."""
    rng, dues = life.rng, list[Due]()
    if rng.random() < 0.6:
        dues.append(Due(rng.uniform(10.0, 16.5), shop, rng.uniform(12, 50)))
    if rng.random() < 0.5:
        dues.append(
            Due(rng.uniform(10.5, 19.0), rng.choice(others), rng.uniform(15, 150), whim=True)
        )
    return dues


def _carpool(life: Lived) -> Plan:
    town, rng = life.town, life.rng
    assert isinstance(town, Streets)
    year, tables = Year(rng), [town.dines(12.5), town.dines(12.5)]
    therapist, music, shop, pharmacy = (
        town.next_door(15.5),
        *(town.in_the_street() for _ in range(3)),
    )
    school, nursery, station, pool, pitch, yard = (town.alone() for _ in range(6))
    lessons = {MON: (16.0, music), TUE: (17.0, pool), WED: (16.5, pitch), THU: (15.5, therapist)}
    ends = [rng.choice((13.25, 14.25, 15.2)) for _ in range(5)]

    def runs(weekday: int) -> list[Due]:
        dues = [
            Due(8.1 + _late(rng, 5), school, rng.uniform(1, 5)),
            Due(8.4 + _late(rng, 6), nursery, rng.uniform(5, 14)),
            Due(ends[weekday] + _late(rng, 4), school, rng.uniform(2, 14)),
            Due(max(14.6, ends[weekday] + 0.2) + _late(rng, 8), nursery, rng.uniform(6, 18)),
        ]
        if weekday in lessons and rng.random() < 0.92:
            hour, where = lessons[weekday]
            dues.append(Due(hour + _late(rng, 4), where, rng.uniform(2, 6)))
            dues.append(Due(hour + 0.8 + _late(rng, 4), where, rng.uniform(3, 12)))
        if weekday < FRI and rng.random() < 0.4:
            dues.append(Due(rng.choice((17.7, 18.2)) + _late(rng, 5), station, rng.uniform(2, 11)))
        return dues

    def plan(life: Lived, quiet: bool) -> list[Stop]:
        weekday, dues = _week(life.day), list[Due]()
        if year.ill(life.day):
            if rng.random() < 0.4:
                dues.append(Due(rng.uniform(9, 18), pharmacy, rng.uniform(5, 14)))
            return _stops(life, dues)
        if year.works(life.day):
            dues += runs(weekday)
        elif year.on_holiday(life.day) and weekday < SAT:
            dues += _idle(life, shop, [yard, pool])
        if weekday == SAT and rng.random() < 0.85:
            kicks = rng.choice((9.5, 10.5, 11.0, 12.0))
            dues.append(Due(kicks - 0.4 + _late(rng, 6), pitch, rng.uniform(95, 130)))
            if rng.random() < 0.75 and not quiet:
                ready = kicks + 1.6 + _late(rng, 10)
                table = rng.choices(tables, (0.7, 0.3))[0]
                dues.append(Due(ready, table, rng.uniform(28, 65), eats=True))
        if rng.random() < 0.45:
            dues.append(Due(rng.uniform(9.2, 20.3), shop, rng.uniform(8, 48), whim=True))
        if weekday in (SAT, WED) and rng.random() < 0.35:
            dues.append(Due(rng.uniform(10, 18), yard, rng.uniform(8, 25), whim=True))
        return _stops(life, dues)

    return plan


def _teacher(life: Lived) -> Plan:
    town, rng = life.town, life.rng
    assert isinstance(town, Streets)
    year, tables = Year(rng), [town.dines(18.5), town.dines(18.5)]
    physio, choir, shop = town.next_door(17.0), town.in_the_street(), town.in_the_street()
    school, garden = town.alone(), town.alone()
    friends = [town.dwelling() for _ in range(3)]
    hours = [(rng.choice((8.0, 9.0, 10.0)), rng.choice((13.2, 14.1, 15.0, 16.2))) for _ in range(5)]
    series = rng.randint(0, 6)  # weeks before its first

    def evening(day: int, weekday: int, quiet: bool) -> list[Due]:
        dues = list[Due]()
        if weekday == MON and day not in FEASTS and 0 <= (day - FIRST_DAY) // 7 - series < 8:
            dues.append(Due(17.0 - abs(_late(rng, 4)), physio, rng.uniform(28, 42)))
        if weekday == TUE and day not in FEASTS:
            dues.append(Due(19.0 + _late(rng, 6), choir, rng.uniform(110, 165)))
        if weekday == FRI and not quiet and rng.random() < 0.85:
            table = rng.choices(tables, (0.88, 0.12))[0]
            dues.append(Due(18.7 + _late(rng, 26), table, rng.uniform(55, 125), eats=True))
        return dues

    def plan(life: Lived, quiet: bool) -> list[Stop]:
        weekday, dues = _week(life.day), list[Due]()
        if year.ill(life.day):
            return []
        shared = weekday == WED or rng.random() < 0.15  # the other one has the car from four on
        if year.works(life.day):
            begin, end = hours[weekday]
            end += (
                1.1 if weekday == THU and life.day % 2 else 0.0
            )  # every other Thursday they confer
            begin -= 0.25 + abs(_late(rng, 7))
            dues.append(Due(begin, school, (end + _late(rng, 17) - begin) * 60))
        elif year.on_holiday(life.day) and weekday < SAT:
            dues += _idle(life, shop, [garden, *friends])
        if not shared:
            dues += evening(life.day, weekday, quiet)
            if rng.random() < 0.35:
                dues.append(Due(rng.uniform(14.5, 20.5), shop, rng.uniform(9, 45), whim=True))
        if weekday >= SAT and rng.random() < 0.4:
            hour = rng.choice((12.5, 13.5, 17.5, 19.0)) + _late(rng, 20)
            dues.append(Due(hour, rng.choice(friends), rng.uniform(50, 330)))
        elif weekday >= SAT and rng.random() < 0.5:
            dues.append(Due(rng.uniform(10, 16), garden, rng.uniform(30, 170)))
        return _stops(life, dues)

    return plan


def _clerk(life: Lived) -> Plan:
    town, rng = life.town, life.rng
    assert isinstance(town, Streets)
    year, table = Year(rng), town.dines(12.0)
    clinic = town.next_door(12.0)
    pharmacy, club, shop = (town.in_the_street() for _ in range(3))
    office, gym, lesson = (town.alone() for _ in range(3))
    friend = town.dwelling()

    def noon(day: int, weekday: int, quiet: bool) -> Due | None:
        """What one leaves the office for."""
        if weekday == FRI and (day - FIRST_DAY) // 7 % 2 == 0:
            return Due(12.1 - abs(_late(rng, 4)), clinic, rng.uniform(24, 44))
        if weekday in (TUE, THU) and not quiet and rng.random() < 0.82:
            return Due(11.75 + _late(rng, 11), table, rng.uniform(27, 52), eats=True)
        if rng.random() < 0.12:
            return Due(rng.uniform(11.4, 13.2), pharmacy, rng.uniform(5, 18))
        return None

    def at_work(day: int, weekday: int, quiet: bool) -> list[Due]:
        begin, end = 8.2 + _late(rng, 14), 16.4 + _late(rng, 24)
        out = noon(day, weekday, quiet)
        if out is None:
            return [Due(begin, office, (end - begin) * 60)]
        back = out.hour + out.minutes / 60 + 0.25
        return [
            Due(begin, office, (out.hour - 0.25 - begin) * 60),
            out,
            Due(back, office, (end - back) * 60),
        ]

    def plan(life: Lived, quiet: bool) -> list[Stop]:
        weekday, dues = _week(life.day), list[Due]()
        if year.ill(life.day):
            return []
        if year.works(life.day) and weekday != WED:
            dues += at_work(life.day, weekday, quiet)
        elif year.on_holiday(life.day) and weekday < SAT:
            dues += _idle(life, shop, [gym, friend])
        if weekday == WED and life.day not in FEASTS and rng.random() < 0.9:
            dues.append(Due(15.5 + _late(rng, 4), lesson, rng.uniform(2, 6)))
            dues.append(Due(16.5 + _late(rng, 4), lesson, rng.uniform(3, 10)))
        if weekday == MON and life.day not in FEASTS and rng.random() < 0.8:
            dues.append(Due(18.5 + _late(rng, 10), club, rng.uniform(120, 240)))
        if rng.random() < 0.3:
            hour = rng.choice((rng.uniform(16.8, 20.5), rng.uniform(9.0, 13.0)))
            dues.append(Due(hour, gym, rng.uniform(40, 100), whim=True))
        if rng.random() < 0.3:
            dues.append(Due(rng.uniform(9.0, 20.8), shop, rng.uniform(7, 42), whim=True))
        if weekday >= SAT and rng.random() < 0.3:
            dues.append(Due(rng.uniform(11.5, 19.5), friend, rng.uniform(40, 300), whim=True))
        return _stops(life, dues)

    return plan


def _salon(life: Lived) -> Plan:
    town, rng = life.town, life.rng
    assert isinstance(town, Streets)
    year, salon, kitchen = Year(rng), town.next_door(12.5), town.dines(18.5)
    shop, hall, bank = (town.in_the_street() for _ in range(3))
    trade, mother = town.alone(), town.dwelling()

    def plan(life: Lived, _quiet: bool) -> list[Stop]:
        weekday, dues, day = _week(life.day), list[Due](), life.day
        if year.ill(day):
            return []
        if year.on_holiday(day):
            return _stops(life, _idle(life, shop, [mother, trade]))
        if weekday in (TUE, WED, THU, FRI, SAT) and day not in FEASTS:
            begin = 9.0 + _late(rng, 7)
            end = {THU: 20.0, SAT: 15.0}.get(weekday, 17.6) + _late(rng, 18)
            dues.append(Due(begin, salon, (end - begin) * 60))
            if weekday != WED and rng.random() < 0.18:  # it is eaten warm, at home
                dues.append(Due(end + 0.2, kitchen, rng.uniform(3.5, 7.5)))
            elif rng.random() < 0.3:
                dues.append(Due(end + 0.2, shop, rng.uniform(8, 35)))
        if weekday == WED and rng.random() < 0.8:
            dues.append(Due(19.6 + _late(rng, 8), hall, rng.uniform(80, 150)))
        if weekday == MON and day not in FEASTS:
            errand = rng.choice((trade, bank, shop))
            dues.append(Due(rng.uniform(9.5, 16.0), errand, rng.uniform(10, 70)))
        if weekday == SUN and rng.random() < 0.75:
            dues.append(Due(rng.uniform(11.0, 15.5), mother, rng.uniform(60, 320)))
        return _stops(life, dues)

    return plan


def _agent(life: Lived) -> Plan:
    town, rng = life.town, life.rng
    assert isinstance(town, Streets)
    year, tables = Year(rng), [town.dines(12.5) for _ in range(5)]
    dentist, office, shop = town.next_door(11.5), town.in_the_street(), town.in_the_street()
    gym, wash = town.alone(), town.alone()
    friends = [town.dwelling() for _ in range(3)]
    flats = [town.dwelling(keep=False)]

    def showings() -> list[Due]:
        dues = list[Due]()
        for _ in range(rng.choice((1, 2, 2, 3, 4))):
            if rng.random() < 0.7:
                flats.append(town.dwelling(keep=False))
            dues.append(Due(rng.uniform(9.0, 19.0), flats[-1], rng.uniform(14, 65), whim=True))
        if rng.random() < 0.65:
            dues.append(Due(rng.uniform(8.5, 15.5), office, rng.uniform(25, 200), whim=True))
        return dues

    def plan(life: Lived, quiet: bool) -> list[Stop]:
        weekday, dues, day = _week(life.day), list[Due](), life.day
        if year.ill(day):
            return []
        if year.works(day) or (weekday == SAT and rng.random() < 0.5):
            dues += showings()
        elif year.on_holiday(day):
            dues += _idle(life, shop, [gym, *friends])
        if (day - FIRST_DAY) % 21 == 9 and year.works(day):
            dues.append(Due(11.5 - abs(_late(rng, 5)), dentist, rng.uniform(25, 55)))
        if not quiet and rng.random() < 0.3:
            hour = rng.choice((rng.uniform(11.2, 14.2), rng.uniform(17.5, 20.5)))
            dues.append(Due(hour, rng.choice(tables), rng.uniform(25, 110), eats=True, whim=True))
        if rng.random() < 0.3:
            dues.append(Due(rng.uniform(7.0, 20.5), gym, rng.uniform(35, 95), whim=True))
        if rng.random() < 0.4:
            dues.append(Due(rng.uniform(8.5, 20.8), shop, rng.uniform(6, 40), whim=True))
        if rng.random() < 0.25:
            hour = rng.choice((12.0, 13.0, 18.0, 19.0)) + _late(rng, 35)
            dues.append(Due(hour, rng.choice(friends), rng.uniform(30, 300), whim=True))
        if rng.random() < 0.06:
            dues.append(Due(rng.uniform(9, 18), wash, rng.uniform(9, 25), whim=True))
        return _stops(life, dues)

    return plan


MAKERS = {
    "carpool": (_carpool, "40", False),
    "teacher": (_teacher, "100", True),
    "clerk": (_clerk, "60", True),
    "salon": (_salon, "25", False),
    "agent": (_agent, "60", False),
}


def parks_anew(life: Lived, from_s: float) -> list[Leg]:
    """The drives since then to where one has been once or twice."""
    found = []
    for at, leg in enumerate(life.legs):
        been = sum(distance_m(*past.to, *leg.to) < ALONE_M for past in life.legs[:at])
        if leg.start_s >= from_s and 1 <= been <= HARDLY:
            found.append(leg)
    return found


def begun(kind: str, atlas: Atlas, seed: int) -> Lived:
    """A person of that kind on that map, at the first night; nothing is lived yet. InputError where the map has no room."""
    rng = Random(f"a-fourth-description/{kind}/{seed}")
    town = Streets(atlas, rng)
    maker, style, electric = MAKERS[kind]
    phone = Sparing(rng, style, town.doors)
    life = Lived(kind, town, rng, phone, electric, day=FIRST_DAY)
    life.at, life.now_s = town.home, life.unix(3 * HOUR_S)
    life.plan = maker(life)
    phone.tunnels = town.tunnels()
    return life
