"""Lives from a fifth description, again synthetic: written without reading the code that judges them.

The description. Six people who drive on some days and go by bus, bicycle, on foot or in somebody else's car on others:

- *cook*: a kitchen hand in a restaurant, at its mealtimes and for work, evenings one week and noons the next; an allotment, the market
  by bicycle; a week ill at home, and then a move to another home; lunch out on Mondays, at one table or another;
- *supplier*: brings drinks to restaurants, bars and cafés, five to eight a day, some minutes each, and eats in the van; petrol, a car
  wash; a bus to the stadium on Saturdays; once two days far away; dinner out on Thursdays at the usual table;
- *volunteer*: of a food bank: supermarkets, then the hours of lunch in a canteen, to serve; two wards on Wednesdays; the market by bus;
  nights at a grandchild's; ill for some days; never eats out;
- *medic*: hospital rounds with an electric car that is charged at work, where work is another hospital from the fifth week on; duty by night;
  a choir; physiotherapy; lunch out with the family on Sundays, at one of three tables;
- *father*: a school run, an office by own car, by bicycle or in a neighbour's car, and football training, during which he waits
  in the car; nights at the grandparents'; school holidays; dinner out on Fridays; on one Sunday a match at a dense place;
- *fiancee*: an electric car charged at home, an office, lunch walks to a shop beside tables; nights and Sundays at the other's home; dinner out on Saturdays,
  there or here; her phone tells of her every five minutes and no oftener.

From 24 August 2026 on, with the change to winter time on the 63rd day. On *quiet* days nobody eats out; whoever works among tables does so as
always. By car one goes only where the car has stood four times before, in its one space; the charge is never below a
third. The calendars of three hold what asks for no word: what was cancelled, what is where one is at that hour, what fills
a day, and what one is at half an hour early, by habit.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING

from hearthway.atlas.store import Atlas
from hearthway.records.poi import SHOPPING

if TYPE_CHECKING:
    from bench._fifth_days import Days, Entry, Outing, Visit
    from bench._fifth_town import FIRST_DAY, Land, Pocket
    from bench._lives import HOUR_S, unix
else:
    from _fifth_days import Days, Entry, Outing, Visit
    from _fifth_town import FIRST_DAY, Land, Pocket
    from _lives import HOUR_S, unix

KINDS = ("cook", "supplier", "volunteer", "medic", "father", "fiancee")
SPAN_DAYS = 120  # for which it is drawn when a phone is silent
MATCH = 20  # a Sunday
AUTUMN = range(63, 68)  # school holidays: 26 to 30 October


def _cook(life: Days) -> None:
    land, r = life.land, life.rng
    home, tables = land.places[land.home], [land.dines(12.7) for _ in range(2)]
    kitchen, allotment = land.at_poi(("restaurant",), 19.0), land.by_itself()
    shop, market, moved, pharmacy = land.place(), land.place(), land.place(), land.walkable(home)

    def plan(day: int, _quiet: bool) -> list[Outing]:
        week, weekday = divmod(day, 7)
        if 10 <= day <= 16:
            return [Outing(r.uniform(10, 15), "foot", [Visit(pharmacy, 12)])] if day == 11 else []
        if day == 24:  # the move: three ways with the car, and then one lives there
            land.home = moved.door
            ways = [Visit(moved, 50), Visit(home, 40), Visit(moved, 60), Visit(home, 45)]
            return [Outing(9.0, "car", ways)]
        noon = week % 2 == 1
        if weekday == 0:
            table = tables[r.random() < 0.3]
            meal = Visit(table, r.uniform(50, 90), eats=True)
            return [Outing(12.2 + r.gauss(0, 0.2), "car", [meal])] if r.random() < 0.9 else []
        if weekday == (1 if noon else 6):
            stay = Visit(allotment, r.uniform(60, 170))
            return [Outing(r.uniform(9.5, 14.5), "car", [stay])] if r.random() < 0.8 else []
        found = list[Outing]()
        if weekday == 5 and not noon:
            found.append(
                Outing(9.5 + r.gauss(0, 0.5), "bicycle", [Visit(market, r.uniform(20, 50))])
            )
        if noon:
            works = [Visit(kitchen, 60, until=15.3 + r.gauss(0, 0.25))]
            works += [Visit(shop, r.uniform(15, 30))] if r.random() < 0.4 else []
            found.append(Outing(9.3 + r.gauss(0, 0.1), "car", works))
        if not noon or weekday == 4:
            late = [Visit(kitchen, 60, until=22.8 + r.gauss(0, 0.35))]
            found.append(Outing(15.2 + r.gauss(0, 0.15) + 1.9 * noon, "car", late))
        return found

    life.outings = plan


def _supplier(life: Days) -> None:
    land, r = life.land, life.rng
    table, depot, petrol, wash = land.dines(19.0), land.place(), land.place(), land.place()
    kinds = ("restaurant", "bar", "pub", "cafe")
    customers = [land.at_poi(kinds, 11.0 + n / 3) for n in range(12)]
    stadium, mother, far, layby = land.anywhere(), land.place(), land.far_off(), land.by_itself()

    def plan(day: int, _quiet: bool) -> list[Outing]:
        week, weekday = divmod(day, 7)
        if day == 17:
            return [Outing(7.0, "car", [Visit(far, until=19.0)], home=False)]
        if day == 18:
            return [Outing(15.5, "car", [Visit(petrol, 6)])]
        if weekday == 5:
            game = week % 2 == 0 and r.random() < 0.8
            return [Outing(15.0 + r.gauss(0, 0.2), "bus", [Visit(stadium, 125)])] if game else []
        if weekday == 6:
            visit = Visit(mother, r.uniform(70, 150))
            return [Outing(13.5 + r.gauss(0, 0.5), "car", [visit])] if r.random() < 0.6 else []
        stops = [Visit(depot, r.uniform(25, 45))]
        round_ = [customers[(5 * weekday + n) % 12] for n in range(r.randint(5, 8))]
        for number, customer in enumerate(round_):
            stops.append(Visit(customer, min(48.0, r.lognormvariate(3.0, 0.4))))
            if number == 3:
                stops.append(Visit(layby, r.uniform(22, 35)))
        stops += [Visit(petrol, r.uniform(4, 8))] if weekday in (1, 4) else []
        stops += [Visit(depot, r.uniform(10, 25))]
        stops += [Visit(wash, r.uniform(5, 9))] if weekday == 4 else []
        found = [Outing(6.7 + r.gauss(0, 0.1), "car", stops)]
        if weekday == 3 and r.random() < 0.9:
            dinner = Visit(table, r.uniform(60, 100), eats=True)
            found.append(Outing(18.6 + r.gauss(0, 0.2), "car", [dinner]))
        return found

    life.outings = plan


def _volunteer(life: Days) -> None:
    land, r = life.land, life.rng
    canteen = land.at_poi(("restaurant", "fast_food"), 12.5)
    givers = [land.at_poi(SHOPPING, 9.0) for _ in range(3)]
    wards, child = [land.place() for _ in range(2)], land.place()
    market = [land.anywhere() for _ in range(5)]
    park, church = (land.walkable(land.places[land.home]) for _ in range(2))

    def plan(day: int, _quiet: bool) -> list[Outing]:
        week, weekday = divmod(day, 7)
        if 70 <= day <= 73:
            return [Outing(11.0, "foot", [Visit(park, 15)])] if day == 73 else []
        if weekday in (1, 4):
            serves = [Visit(giver, r.uniform(9, 20)) for giver in givers]
            serves.append(Visit(canteen, 150, until=14.1 + r.gauss(0, 0.3)))
            return [Outing(8.4 + r.gauss(0, 0.15), "car", serves)]
        if weekday == 2:
            visits = [Visit(ward, r.uniform(35, 75)) for ward in wards]
            return [Outing(14.0 + r.gauss(0, 0.3), "car", visits)]
        if weekday == 3:
            visits = [Visit(stall, r.uniform(8, 35)) for stall in r.sample(market, 2)]
            return [Outing(r.uniform(10.0, 11.5), "bus", visits)]
        if weekday == 5:
            stays = week % 2 == 0
            visit = Visit(child, r.uniform(120, 240))
            return [Outing(10.2 + r.gauss(0, 0.4), "car", [visit], home=not stays)]
        if weekday == 6 and week % 2 == 0:
            return [Outing(11.3 + r.gauss(0, 0.3), "car", [])]
        if weekday == 6:
            return [Outing(9.6 + r.gauss(0, 0.1), "foot", [Visit(church, 75)])]
        return [Outing(r.uniform(9, 17), "foot", [Visit(park, 20)])] if r.random() < 0.5 else []

    life.outings = plan


def _medic(life: Days) -> None:
    land, r = life.land, life.rng
    tables = [land.dines(12.8) for _ in range(3)]
    old, new, clinic, care = (land.place() for _ in range(4))
    choir, physio = land.place(), land.place()
    kiosks = {work: land.walkable(work) for work in (old, new)}
    life.spots["physio"], life.charges_at = physio.door, old.door

    def plan(day: int, _quiet: bool) -> list[Outing]:
        weekday, duty = day % 7, day % 8
        work = old if day < 30 else new
        life.charges_at = work.door
        if weekday < 5 and duty not in (5, 6):
            ends = 16.4 + r.gauss(0, 0.4)
            visits = [Visit(work, until=ends, stroll=kiosks[work] if r.random() < 0.3 else None)]
            if weekday in (0, 3):
                rounds = [Visit(one, r.uniform(35, 60)) for one in (clinic, care)]
                visits = [Visit(work, until=10.5), *rounds, Visit(work, 20, until=ends)]
            if weekday == 3:
                visits[-1].until = 16.6
                visits.append(Visit(physio, until=18.4))
            found = [Outing(7.4 + r.gauss(0, 0.12), "car", visits)]
            if weekday == 1:
                found.append(Outing(18.7 + r.gauss(0, 0.1), "car", [Visit(choir, 115)]))
            return found
        if duty == 5:
            return [Outing(20.4 + r.gauss(0, 0.1), "car", [Visit(work, until=30.4)])]
        if weekday == 6:
            meal = Visit(r.choice(tables), r.uniform(60, 110), eats=True)
            return [Outing(12.3 + r.gauss(0, 0.2), "car", [meal])] if r.random() < 0.9 else []
        return [Outing(r.uniform(11, 16), "bicycle", [Visit(care, 25)])] if duty != 6 else []

    def entries(day: int) -> list[Entry]:
        weekday, works = day % 7, day % 7 < 5 and day % 8 not in (5, 6)
        found = [Entry(day, 0, 0, "On call")] if day % 8 == 5 else []
        if weekday == 3:
            found.append(Entry(day, 17.5, 0.75, "Physiotherapy", physio, cancelled=not works))
        if weekday == 2 and works:
            found.append(Entry(day, 13.0, 1.0, "Ward meeting", new))
        if weekday == 4:
            found.append(Entry(day, 18.0, 1.0, "Dentist", clinic, cancelled=True))
        return found

    life.outings, life.entries = plan, entries


def _father(life: Days) -> None:
    land, r = life.land, life.rng
    arena, office = land.in_town(), land.place()
    tables = [land.dines(18.5) for _ in range(2)]
    school, ground, old, shop = land.place(), land.by_itself(), land.place(), land.place()
    wash, pharmacy = land.place(), land.walkable(land.places[land.home])
    life.spots.update(ground=ground.door, arena=arena.door)

    def plan(day: int, _quiet: bool) -> list[Outing]:
        week, weekday = divmod(day, 7)
        if 78 <= day <= 80:  # the child is ill
            return [Outing(10.0, "foot", [Visit(pharmacy, 10)])] if day == 78 else []
        found, free = list[Outing](), day in AUTUMN
        work = Visit(office, until=15.9 + r.gauss(0, 0.3))
        if weekday < 5 and (weekday == 4 or (free and weekday < 3)):
            found.append(Outing(8.2 + r.gauss(0, 0.1), "bicycle", [work]))
        elif weekday in (1, 3) and not free:
            run = [Visit(school, r.uniform(3, 7)), work]
            found.append(Outing(7.7 + r.gauss(0, 0.1), "car", run))
            waits = Visit(ground, until=19.1 + r.gauss(0, 0.1))
            found.append(Outing(16.75 + r.gauss(0, 0.06), "car", [waits]))
        elif weekday in (0, 2):
            found.append(Outing(7.8 + r.gauss(0, 0.1), "ride", [work]))
        if weekday == 4 and r.random() < 0.9:
            meal = Visit(tables[r.random() < 0.4], r.uniform(50, 85), eats=True)
            found.append(Outing(18.0 + r.gauss(0, 0.2), "car", [meal]))
        if weekday == 5:
            visits = [Visit(shop, r.uniform(25, 50))]
            visits += [Visit(wash, r.uniform(4, 8))] if r.random() < 0.4 else []
            found.append(Outing(r.uniform(9.5, 11.5), "car", visits))
            if week % 2 == 1:
                found.append(Outing(15.5 + r.gauss(0, 0.4), "car", [Visit(old, 60)], home=False))
        if weekday == 6 and week % 2 == 1:
            return [Outing(14.5 + r.gauss(0, 0.4), "car", [])]
        if day == MATCH:
            found.append(Outing(14.0, "car", [Visit(arena, r.uniform(70, 100))]))
        return found

    def entries(day: int) -> list[Entry]:
        off = day in AUTUMN or 78 <= day <= 80
        found = [Entry(day, 0, 0, "School holidays")] if day in AUTUMN else []
        if day % 7 in (1, 3):
            found.append(Entry(day, 17.75, 1.25, "Football", ground, cancelled=off))
        return found

    life.outings, life.entries = plan, entries


def _fiancee(life: Days) -> None:
    land, r = life.land, life.rng
    tables = [land.dines(19.2) for _ in range(2)]
    other, office, gym, shop = (land.place() for _ in range(4))
    lunch, allotment, town = land.walkable(office), land.by_itself(), land.anywhere()

    def plan(day: int, _quiet: bool) -> list[Outing]:
        weekday = day % 7
        work = Visit(
            office, until=16.6 + r.gauss(0, 0.4), stroll=lunch if r.random() < 0.5 else None
        )
        leave = 8.1 + r.gauss(0, 0.15)
        if weekday == 0:
            return [Outing(leave, "bus", [work])]
        if weekday == 2:  # for the night, and to work from there
            return [Outing(leave, "car", [work, Visit(other, 60)], home=False)]
        if weekday in (1, 3, 4):
            visits = [work]
            visits += [Visit(gym, r.uniform(60, 90))] if weekday != 4 else []
            visits += [Visit(shop, r.uniform(15, 35))] if r.random() < 0.35 else []
            return [Outing(leave, "car", visits)]
        if weekday == 5:
            found = [Outing(r.uniform(10, 12), "bus", [Visit(town, r.uniform(40, 110))])]
            dinner = [Visit(r.choice(tables), r.uniform(60, 100), eats=True)]
            dinner = dinner if r.random() < 0.9 else []
            return [
                *found,
                Outing(18.7 + r.gauss(0, 0.2), "car", [*dinner, Visit(other, 30)], home=False),
            ]
        both = Outing(
            11.0 + r.gauss(0, 0.4), "ride", [Visit(allotment, 130), Visit(other, 30)], home=False
        )
        return [both, Outing(18.5 + r.gauss(0, 0.5), "car", [])]

    def entries(day: int) -> list[Entry]:
        found = [Entry(day, 9.5, 0.5, "Stand-up", None)] if day % 7 < 5 else []
        if day % 7 == 3:
            found.append(Entry(day, 13.5, 1.0, "Review"))
        return found

    life.outings, life.entries = plan, entries


MAKERS: dict[str, tuple[Callable[[Days], None], tuple[float, float, float], bool]] = {
    "cook": (_cook, (30.0, 300.0, 90.0), False),
    "supplier": (_supplier, (5.0, 120.0, 10.0), False),
    "volunteer": (_volunteer, (60.0, 600.0, 150.0), False),
    "medic": (_medic, (5.0, 300.0, 45.0), True),
    "father": (_father, (30.0, 300.0, 60.0), False),
    "fiancee": (_fiancee, (300.0, 300.0, 240.0), True),
}


def begun(kind: str, atlas: Atlas, seed: int) -> Days:
    """A person of that kind on that map, at the first night; nothing is lived yet. InputError where the map has no room."""
    rng = Random(f"a-fifth-description/{kind}/{seed}")
    land = Land(atlas, rng)
    maker, rhythm, electric = MAKERS[kind]
    phone = Pocket(rng, atlas, rhythm)
    life = Days(kind, land, rng, phone, electric)
    life.at, life.space = land.home, land.places[land.home].park
    life.now_s = life.unix(3 * HOUR_S)
    maker(life)
    phone.tunnels = land.tunnels()
    phone.sleeps(unix(FIRST_DAY, 0.0, land.middle), SPAN_DAYS)
    return life
