"""How the three of them spend a day: from the almanac to diaries.

Adult A drives to an office, adult B to another one across the same car park; both eat at a canteen at noon.
On their evenings they drive to a destination on the map instead of home, run an errand there and eat nearby
on foot, in an order that varies. The child goes to school on foot and to a hobby by car. Some weekends the
family eats out together or visits relatives.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from hearthway.records.geo import distance_m
from hearthway.records.poi import OpenState, Poi, PoiIndex

from .almanac import ADULTS, Calendar, Day, Evening
from .diary import Car, Diary
from .ground import Ground, Site
from .motion import Motion, Point, drive
from .taste import Taste
from .ways import Spot, away

FOOT_M = 90.0


class Life:
    """Lives the days of a household on its ground, one person after another."""

    def __init__(
        self,
        ground: Ground,
        calendar: Calendar,
        pois: PoiIndex,
        tastes: dict[str, Taste],
        cars: dict[str, Car],
        seed: int,
    ) -> None:
        self.ground = ground
        self.calendar = calendar
        self._pois = pois
        self._tastes = tastes
        self._cars = cars
        self._seed = seed
        self.meals: dict[str, list[tuple[float, float, Poi]]] = {}
        self.visited: list[Point] = []
        self.counts: dict[str, int] = {}
        self._shared: dict[str, Motion] = {}
        home, work = ground.home.point, ground.work.point
        self.school = away(home, 140.0 + seed % 90, 620.0)
        self.offices = {"a": away(work, 75.0, 75.0), "b": away(work, 255.0, 75.0)}
        self.canteen = away(work, 165.0, 280.0)
        self.far = Spot(
            key="cottage",
            point=away(ground.family.point, 20.0 + seed % 300, 52_000.0),
            mapped=False,
        )

    # -- moving ---------------------------------------------------------------------------------

    def motion(self, a: Spot, b: Spot, stream: str) -> Motion:
        """The journey from a to b on that occasion; the same occasion gives the same journey."""
        key = f"{self._seed}/{stream}/{a.key}/{b.key}"
        if key not in self._shared:
            rng = Random(key)
            self._shared[key] = drive(self.ground.ways.between(a, b, rng), rng, step_s=2.0)
        return self._shared[key]

    def ride(
        self,
        diary: Diary,
        a: Spot,
        b: Spot,
        stream: str,
        day: Day,
        car: str = "",
    ) -> None:
        """Drive (or, without `car`, be driven) from a to b now."""
        motion = self.motion(a, b, stream)
        begin_s = diary.time_s
        diary.play(motion)
        if car:
            self._cars[car].trip(
                motion,
                begin_s,
                self.calendar.temperature_c(day.number),
                home=b.key == "home",
            )

    def count(self, what: str) -> None:
        """One more of these, for the words that describe the household."""
        self.counts[what] = self.counts.get(what, 0) + 1

    # -- a day of an adult -----------------------------------------------------------------------

    def adult_day(self, who: str, diary: Diary, day: Day) -> None:
        """Live one day of an adult, up to the evening at home."""
        rng = Random(f"{self._seed}/life/{day.number}/{who}")
        unix = self._clock(day)
        home = self.ground.home
        if day.away:
            self._holiday(who, diary, day, rng)
            return
        working = (
            day.weekday < 5
            and not day.holiday
            and day.sick != who
            and not (day.sick == "child" and who == ("a", "b")[day.number % 2])
        )
        evening = day.evenings.get(who)
        if working:
            leave = 7.55 * 3600 if who == "a" else 8.1 * 3600
            diary.stand(unix(leave + rng.gauss(0.0, 8 * 60.0)))
            self.ride(diary, home, self.ground.work, f"out/{day.number}/{who}", day, who)
            diary.stroll(self.offices[who])
            self._lunch(diary, unix, rng)
        if evening is not None:
            self._evening(who, diary, day, evening, rng, self.ground.work if working else home)
        elif working:
            self._go_home(who, diary, day, rng)
        elif day.family_out is not None:
            self._family_out(who, diary, day)
        elif day.visit:
            self._visit(who, diary, day)
        elif day.weekday >= 5 and rng.random() < 0.5 and not day.sick:
            self._walk(diary, unix(rng.uniform(10.0, 15.0) * 3600), rng)
        if day.hobby_driver == who:
            self._hobby(who, diary, day)

    def _clock(self, day: Day) -> Callable[[float], float]:
        return lambda second: self.calendar.unix(day.number, second)

    def _lunch(self, diary: Diary, unix: Callable[[float], float], rng: Random) -> None:
        if rng.random() < 0.7:
            office = diary.at
            diary.stand(unix(rng.gauss(12.0 * 3600, 12 * 60.0)))
            diary.stroll(self.canteen)
            diary.stand(diary.time_s + rng.uniform(25.0, 40.0) * 60.0)
            diary.stroll(office)

    def _go_home(self, who: str, diary: Diary, day: Day, rng: Random) -> None:
        unix = self._clock(day)
        ends = 16.4 * 3600 if who == "b" else 16.9 * 3600
        if day.hobby_driver == who:
            ends = min(ends, 16.2 * 3600)
        diary.stand(unix(ends + rng.gauss(0.0, 20 * 60.0)))
        diary.stroll(self.ground.work.point)
        home = self.ground.home
        if day.detours.get(who):
            self.count("detours")
            stop = Spot(
                key=f"stop/{day.number}/{who}",
                point=away(home.point, rng.uniform(0.0, 360.0), rng.uniform(900.0, 2_500.0)),
                mapped=False,
            )
            if not home.mapped:
                self.ride(diary, self.ground.work, stop, "detour", day, who)
                diary.stand(diary.time_s + rng.uniform(4.0, 14.0) * 60.0)
                self.ride(diary, stop, home, "detour", day, who)
                return
        self.ride(diary, self.ground.work, home, f"back/{day.number}/{who}", day, who)

    def _evening(
        self, who: str, diary: Diary, day: Day, evening: Evening, rng: Random, origin: Spot
    ) -> None:
        """From work (or home) to a destination on the map, errand and dinner there, then home."""
        unix = self._clock(day)
        site = self.site(evening, f"{day.number}/{who}")
        poi = self.table(who, site, evening, unix(evening.dinner_s), rng)
        motion = self.motion(origin, site.park, f"go/{day.number}/{who}")
        on_foot_s = distance_m(*site.park.point, poi.lat, poi.lon) / 1.2
        ahead_s = on_foot_s + rng.uniform(30.0, 240.0)
        if evening.errand_first:
            ahead_s += evening.errand_s
        leave_s = unix(evening.dinner_s) - ahead_s - motion.duration_s
        if origin is self.ground.work:
            diary.stand(leave_s - 120.0)
            diary.stroll(origin.point)
        diary.stand(leave_s)
        self.ride(diary, origin, site.park, f"go/{day.number}/{who}", day, who)
        self.count("dinners out")
        if evening.errand_first:  # dinner has its own time: the errand lasts until then
            self._errand(diary, site, unix(evening.dinner_s) - on_foot_s)
        self.eat(who, diary, poi, evening.eat_s)
        if not evening.errand_first and rng.random() < 0.6:
            self._errand(diary, site, diary.time_s + evening.errand_s)
        diary.stroll(site.park.point)
        self.ride(diary, site.park, self.ground.home, f"home/{day.number}/{who}", day, who)

    def _errand(self, diary: Diary, site: Site, until_s: float) -> None:
        """From one shop to the next: nobody stands still for as long as a meal takes."""
        rng = diary.rng
        heading = rng.uniform(0.0, 360.0)
        here = site.inside
        while True:
            diary.stroll(here)
            if diary.time_s >= until_s:
                return
            diary.stand(
                min(until_s, diary.time_s + rng.uniform(6.0, 12.0) * 60.0),
                wander_m=8.0,
                spread_m=6.0,
            )
            heading += rng.uniform(140.0, 220.0)
            here = away(site.inside, heading, rng.uniform(45.0, 60.0))

    def eat(self, who: str, diary: Diary, poi: Poi, eat_s: float) -> None:
        """Walk to a table and sit at it."""
        diary.stroll((poi.lat, poi.lon))
        begin_s = diary.time_s
        diary.stand(begin_s + max(eat_s, 25 * 60.0), spread_m=4.0)
        self.meals.setdefault(who, []).append((begin_s, diary.time_s, poi))
        self.visited.append((poi.lat, poi.lon))

    def site(self, evening: Evening, stream: str) -> Site:
        """The destination of an evening; a new one is drawn near the usual ones."""
        if evening.site >= 0:
            return self.ground.sites[evening.site]
        known = self.ground.sites[0]
        rng = Random(f"{self._seed}/new/{stream}")
        unseen = self.ground.unseen
        foods = [
            p
            for p in self.ground.foods
            if 250.0 < distance_m(p.lat, p.lon, *known.park.point) < 6_000.0
            and (unseen is None or distance_m(p.lat, p.lon, *unseen.park.point) > 600.0)
        ]
        for _ in range(3):
            if not foods:
                break
            target = foods[rng.randrange(len(foods))]
            here = (target.lat, target.lon)
            road = self.ground.ways.road(known.park.point, here)
            back = road and self.ground.ways.road(road.points[-1], known.park.point)
            if road and back:
                self.count("evenings somewhere new")
                spot = Spot(key=f"park/{target.osm_id}", point=road.points[-1], mapped=True)
                return Site(
                    name=target.name, osm_id=target.osm_id, park=spot, inside=here, foods=[target]
                )
        return known

    def table(self, who: str, site: Site, evening: Evening, at_s: float, rng: Random) -> Poi:
        """Where this person eats near a site: a favourite that is not known to be closed, or a try."""
        taste = self._tastes[who]
        choice = taste.explore(site.foods, rng) if evening.explore else taste.pick(site, rng)
        for poi in choice:
            if self._pois.opening(poi, at_s + 900.0).state is not OpenState.CLOSED:
                return poi
        return choice[0]

    def _family_out(self, who: str, diary: Diary, day: Day) -> None:
        """Lunch or dinner together: A drives, B and the child ride along, A's taste is not asked."""
        evening = day.family_out
        if evening is None:
            return
        unix = self._clock(day)
        stream = f"family/{day.number}"
        site = self.site(evening, stream)
        rng = Random(f"{self._seed}/{stream}/table")
        host = ADULTS[day.number % 2]
        poi = self.table(host, site, evening, unix(evening.dinner_s), rng)
        motion = self.motion(self.ground.home, site.park, stream)
        ahead_s = motion.duration_s + distance_m(*site.park.point, poi.lat, poi.lon) / 1.2
        ahead_s += evening.errand_s if evening.errand_first else 240.0
        diary.stand(unix(evening.dinner_s) - ahead_s)
        self.ride(diary, self.ground.home, site.park, stream, day, "a" if who == "a" else "")
        if evening.errand_first:
            on_foot_s = distance_m(*site.park.point, poi.lat, poi.lon) / 1.2
            self._errand(diary, site, unix(evening.dinner_s) - on_foot_s)
        self.eat(who, diary, poi, evening.eat_s)
        diary.stroll(site.park.point)
        leave_s = unix(evening.dinner_s) + evening.eat_s + 15 * 60.0
        diary.stand(leave_s)
        self.ride(diary, site.park, self.ground.home, stream, day, "a" if who == "a" else "")
        if who == "a":
            self.count("family dinners out")

    def _visit(self, who: str, diary: Diary, day: Day) -> None:
        unix = self._clock(day)
        rng = Random(f"{self._seed}/visit/{day.number}")
        home, family = self.ground.home, self.ground.family
        stream = f"visit/{day.number}"
        diary.stand(unix(rng.uniform(11.0, 13.5) * 3600))
        self.ride(diary, home, family, stream, day, "b" if who == "b" else "")
        diary.stand(diary.time_s + rng.uniform(2.0, 4.0) * 3600.0)
        self.ride(diary, family, home, stream, day, "b" if who == "b" else "")

    def _walk(self, diary: Diary, at_s: float, rng: Random) -> None:
        """A walk around home."""
        home = self.ground.home.point
        diary.stand(at_s)
        for turn in (0.0, 110.0):
            diary.stroll(away(home, rng.uniform(0.0, 110.0) + turn, rng.uniform(300.0, 800.0)))
        diary.stroll(home)

    def _hobby(self, who: str, diary: Diary, day: Day) -> None:
        """Take the child to its hobby, wait there, and drive home together."""
        unix = self._clock(day)
        home, hobby = self.ground.home, self.ground.hobby
        stream = f"hobby/{day.number}"
        diary.stand(unix(17.75 * 3600))
        self.ride(diary, home, hobby, stream, day, who if who in ADULTS else "")
        diary.stand(max(diary.time_s + 3_000.0, unix(19.0 * 3600)))
        self.ride(diary, hobby, home, stream, day, who if who in ADULTS else "")

    def _holiday(self, who: str, diary: Diary, day: Day, rng: Random) -> None:
        """Away: out on the first day, back on the last, walks in between."""
        unix = self._clock(day)
        days = self.calendar.days
        at = day.number - self.calendar.first
        first = at == 0 or not days[at - 1].away
        last = at + 1 == len(days) or not days[at + 1].away
        car = "a" if who == "a" else ""
        if first:
            diary.stand(unix(10.5 * 3600))
            self.ride(diary, self.ground.home, self.far, f"away/{day.number}", day, car)
        elif last:
            diary.stand(unix(14.0 * 3600))
            self.ride(diary, self.far, self.ground.home, f"away/{day.number}", day, car)
        else:
            cottage = self.far.point
            diary.stand(unix(rng.uniform(10.0, 15.0) * 3600))
            diary.stroll(away(cottage, rng.uniform(0.0, 360.0), rng.uniform(300.0, 1_500.0)))
            diary.stand(diary.time_s + rng.uniform(600.0, 3_000.0))
            diary.stroll(cottage)

    # -- a day of the child ----------------------------------------------------------------------

    def child_day(self, diary: Diary, day: Day) -> None:
        """School on foot, hobby and outings by car, evenings at home."""
        rng = Random(f"{self._seed}/life/{day.number}/child")
        unix = self._clock(day)
        home = self.ground.home.point
        if day.away:
            self._holiday("child", diary, day, rng)
            return
        if day.weekday < 5 and not day.holiday and day.sick != "child":
            diary.stand(unix(7.6 * 3600 + rng.gauss(0.0, 240.0)))
            diary.stroll(self.school)
            diary.stand(unix(14.5 * 3600 + rng.gauss(0.0, 600.0)))
            diary.stroll(home)
            if day.hobby_driver:
                self._hobby("child", diary, day)
        elif day.family_out is not None:
            self._family_out("child", diary, day)
        elif day.visit:
            self._visit("child", diary, day)
