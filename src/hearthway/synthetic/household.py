"""A synthetic household: two adults and a child, some weeks of their lives, and one recorded drive.

Nobody lived this. It is made from a seed and a map by a documented procedure:

- *ground* puts destinations on real POIs and roads of the map, home and work on roads of a larger map or off
  a smaller one; *almanac* draws the days (holidays, sick days, guests, dinners out, detours);
- *life* walks and drives three people through them; *diary* writes what a phone (jitter 5 to 10 m, a fix every
  20 to 60 s moving and every 5 min resting, holes, missed days) and a car (charge, odometer) would keep;
- *motion* has the speed profile, *drives* what SUMO and FASTSim simulated beforehand: drives on the Helsinki
  map, and a battery car's consumption on every map.

The final evening is the driver's usual pattern for that weekday: from work to the regular destination,
arriving `EARLY_S` before the mean dinner time, not having eaten. Variants change one fact:

- `drive_at`: the same drive, second for second, starts at that time of day;
- `ate_before`: the same drive at the same time, but on that day the driver drove to the destination earlier, dined
  at the favourite place, and was back at work for half an hour;
- `destination="new"`: the drive starts at the same place and arrives at the same time, but ends where nobody of
  the household ever was: at another destination of a larger map, beyond the edge of a small one;
- `driver="b"`: the same drive, with adult B's phone instead of A's.

Equal settings on an equal map give equal bytes; every random draw has a named stream of the seed.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from msgspec import Struct

from hearthway.records.codec import digest
from hearthway.records.count import count_of
from hearthway.records.geo import bearing_deg, distance_m, offset
from hearthway.records.poi import OpenState, Poi, PoiIndex, RoadGraph
from hearthway.records.signals import Fix, Signal

from .almanac import ADULTS, EPOCH, Calendar, Day
from .diary import OUTSIDE, SOC, SOURCE, Car, Diary, holes, without
from .drives import DrivePool, EnergyTable
from .ground import Ground, Site, survey, turn_deg
from .life import Life
from .motion import Motion, Piece, drive
from .settings import Settings, clock_s, clock_text
from .taste import Taste
from .ways import Spot, away

EARLY_S = 12 * 60.0
USUAL_DINNER_S = 19 * 3600.0  # where one goes does not depend on when one eats
NAMES = {
    "a": ("Alva", "Aaro", "Ada", "Anton", "Alma"),
    "b": ("Bea", "Bruno", "Britta", "Ben", "Bela"),
    "child": ("Cleo", "Caj", "Cilla", "Colin", "Cora"),
}
LAT, LON, SPEED = (
    "Vehicle.CurrentLocation.Latitude",
    "Vehicle.CurrentLocation.Longitude",
    "Vehicle.Speed",
)


class Member(Struct, frozen=True, kw_only=True):
    """One of the household: what their phone and car kept until the final drive."""

    person_id: str
    name: str
    role: str  # "adult" or "child"
    fixes: list[Fix]
    car_signals: list[Signal]


class Truth(Struct, frozen=True, kw_only=True):
    """What the generator knows of the final drive. For checks only; no part of Hearthway may read it."""

    destination: str  # name
    destination_osm_id: str
    lat: float
    lon: float
    arrive_s: float
    dinner_s: float
    ate_osm_id: str  # where they then ate
    ate_before: bool
    visited_before: bool


class RecordedDrive(Struct, frozen=True, kw_only=True):
    """The final drive as the car's signals, once a second."""

    start_s: float
    end_s: float
    ticks: list[tuple[float, tuple[Signal, ...]]]
    truth: Truth


class VenueWait(Struct, frozen=True, kw_only=True):
    """A place that follows Hearthway: what its operator types."""

    osm_id: str
    name: str
    wait_min: float


class SyntheticHousehold(Struct, frozen=True, kw_only=True):
    """Everything the generator made; a plain record that packs and prints as JSON."""

    settings: Settings
    people: list[Member]
    driver_id: str  # whose phone rides along on the final drive
    drive: RecordedDrive
    venues: list[VenueWait]
    words: list[str]

    def describe(self) -> list[str]:
        """Lines for people: that it is synthetic, what it has, and which physics it used."""
        return list(self.words)

    def person(self, person_id: str) -> Member:
        """The member with that id; KeyError where there is none."""
        return next(p for p in self.people if p.person_id == person_id)


def generate(
    settings: Settings,
    pois: PoiIndex,
    roads: RoadGraph,
    drives: DrivePool | None,
    name_of: Callable[[float, float], str | None],
) -> SyntheticHousehold:
    """Make a household; InputError where the map cannot carry one. `name_of` names a point, or not."""
    seed = settings.seed
    end = (settings.end - EPOCH).days
    ground = survey(pois, roads, drives, seed, end * 86_400.0 + USUAL_DINNER_S)
    calendar = Calendar(settings, ground.sites[0].park.point, len(ground.sites))
    energy = EnergyTable.bundled()
    taste_a = Taste(ground.sites, Random(f"{seed}/taste/a"))
    tastes = {"a": taste_a, "b": Taste(ground.sites, Random(f"{seed}/taste/b"), taste_a)}
    cars = {who: Car(energy, Random(f"{seed}/car/{who}")) for who in ADULTS}
    life = Life(ground, calendar, pois, tastes, cars, seed)
    start_s = calendar.unix(calendar.first, 0.0)
    diaries = {
        who: Diary(Random(f"{seed}/phone/{who}"), start_s, ground.home.point)
        for who in (*ADULTS, "child")
    }
    for day in calendar.days[:-1]:
        for who in ADULTS:
            life.adult_day(who, diaries[who], day)
        life.child_day(diaries["child"], day)
    final = _Final(settings, ground, calendar, life, tastes)
    last = calendar.days[-1]
    for who in ADULTS:
        final.day_before_drive(who, diaries[who], last)
    diaries["child"].stand(final.start_s)
    missed, windows = _missed(calendar, seed)
    people = [
        Member(
            person_id=digest(f"hearthway/synthetic/{seed}/{who}".encode(), size=8),
            name=NAMES[who][Random(f"{seed}/name/{who}").randrange(5)],
            role="child" if who == "child" else "adult",
            fixes=without([f for f in diary.fixes if f.time_s < final.start_s], windows[who]),
            car_signals=cars[who].signals if who in cars else [],
        )
        for who, diary in diaries.items()
    ]
    recorded = final.record(cars["a"], name_of)
    return SyntheticHousehold(
        settings=settings,
        people=people,
        driver_id=people[ADULTS.index(settings.driver)].person_id,
        drive=recorded,
        venues=_venues(ground, tastes, pois, recorded.end_s, seed),
        words=_words(settings, ground, calendar, life, energy, people, missed),
    )


class _Final:
    """The last day: everybody at work (or home) until the drive starts, and the drive itself."""

    def __init__(
        self,
        settings: Settings,
        ground: Ground,
        calendar: Calendar,
        life: Life,
        tastes: dict[str, Taste],
    ) -> None:
        self._settings, self._ground, self._life = settings, ground, life
        self._calendar = calendar
        self._tastes = tastes
        seed = settings.seed
        self._weekday = calendar.days[-1].weekday
        self.origin = ground.work if self._weekday < 5 else ground.home
        self.site = self._destination()
        rng = Random(f"{seed}/final")
        self.motion = drive(self._pieces(rng), rng)
        dinner_s = calendar.unix(calendar.last, settings.dinner_mean_s)
        if settings.drive_at is None:
            self.start_s = float(round(dinner_s - EARLY_S - self.motion.duration_s))
        else:
            at = clock_s(settings.drive_at, "The time of the drive")
            self.start_s = calendar.unix(calendar.last, at)

    def _destination(self) -> Site:
        if self._settings.destination is None:
            return self._ground.sites[0]
        if self._ground.unseen is not None:
            return self._ground.unseen
        # a small map has no place far from all others, so that the drive leads away from it: from the same
        # start, as far as usual, in the direction in which this household knows nothing
        begin = self.origin.point
        first = self._ground.sites[0].park.point
        known = [self._ground.home, self._ground.work, self._ground.hobby, self._ground.family]
        known_at = [bearing_deg(*begin, *first)] + [
            bearing_deg(*begin, *spot.point) for spot in known if spot is not self.origin
        ]
        heading = max(range(0, 360, 5), key=lambda h: (min(turn_deg(h, k) for k in known_at), -h))
        there = away(begin, heading, distance_m(*begin, *first))
        return Site(
            name="somewhere off the map",
            osm_id="",
            park=Spot(key="park/beyond", point=there, mapped=False),
            inside=there,
            foods=[],
        )

    def _pieces(self, rng: Random) -> tuple[Piece, ...]:
        return self._ground.ways.between(self.origin, self.site.park, rng)

    def day_before_drive(self, who: str, diary: Diary, day: Day) -> None:
        """From the night to the start of the drive; the driver may dine early."""
        life, ground, settings = self._life, self._ground, self._settings
        usual = ground.sites[0]
        early = settings.ate_before and who == settings.driver
        work = self.origin is ground.work
        busy_s = 45.0 * 60.0
        trips: dict[str, Motion] = {}
        if early:
            trips["there"] = life.motion(self.origin, usual.park, "early")
            trips["back"] = life.motion(usual.park, self.origin, "early")
            busy_s += 75.0 * 60.0 + trips["there"].duration_s + trips["back"].duration_s
        if work:
            out = life.motion(ground.home, ground.work, f"final/{who}")
            usual_s = self._calendar.unix(day.number, (7.55 if who == "a" else 8.1) * 3600)
            diary.stand(min(usual_s, self.start_s - busy_s - out.duration_s))
            life.ride(diary, ground.home, ground.work, f"final/{who}", day, who)
            diary.stroll(life.offices[who])
        if early:
            poi = self._tastes[who].favourites[usual.osm_id][0][0]
            foot_s = 2 * distance_m(*usual.park.point, poi.lat, poi.lon) / 1.1
            both_s = trips["there"].duration_s + trips["back"].duration_s
            diary.stand(self.start_s - 30 * 60.0 - 42 * 60.0 - foot_s - both_s)
            diary.stroll(self.origin.point)
            life.ride(diary, self.origin, usual.park, "early", day, who)
            life.eat(who, diary, poi, 40 * 60.0)
            diary.stroll(usual.park.point)
            life.ride(diary, usual.park, self.origin, "early", day, who)
            if work:
                diary.stroll(life.offices[who])
        diary.stand(self.start_s - 120.0)
        if work and who == settings.driver:
            diary.stroll(self.origin.point)
        diary.stand(self.start_s)

    def record(self, car: Car, name_of: Callable[[float, float], str | None]) -> RecordedDrive:
        """The drive at 1 Hz, parked for the last half minute."""
        settings, motion = self._settings, self.motion
        rng = Random(f"{settings.seed}/final/car")
        car.unplug(self.start_s)
        air_c = self._calendar.temperature_c(self._calendar.last)
        used_pct = 100.0 * car.energy.trip_wh(motion, air_c) / car.energy.usable_wh
        soc = max(used_pct + 6.0, car.soc_pct)
        ticks: list[tuple[float, tuple[Signal, ...]]] = []
        done_m, north, east = 0.0, 0.0, 0.0
        previous = motion.samples[0][1:3]
        samples = list(motion.samples)
        end = samples[-1]
        samples += [(end[0] + 1.0 + i, end[1], end[2], 0.0) for i in range(30)]
        for offset_s, lat, lon, mps in samples:
            done_m += distance_m(*previous, lat, lon)
            previous = (lat, lon)
            # a receiver's error wanders slowly, a metre or two
            north, east = 0.95 * north + rng.gauss(0.0, 0.4), 0.95 * east + rng.gauss(0.0, 0.4)
            seen = offset(lat, lon, north, east)
            share = min(1.0, done_m / motion.distance_m) if motion.distance_m else 1.0
            time_s = self.start_s + round(offset_s, 1)
            values = (
                (LAT, round(seen[0], 6), "degrees"),
                (LON, round(seen[1], 6), "degrees"),
                (SPEED, round(mps * 3.6, 1), "km/h"),
                (SOC, round(soc - used_pct * share, 1), "percent"),
                *(((OUTSIDE, round(air_c, 1), "celsius"),) if len(ticks) % 60 == 0 else ()),
            )
            ticks.append(
                (
                    time_s,
                    tuple(
                        Signal(key=k, value=v, time_s=time_s, unit=u, source=SOURCE)
                        for k, v, u in values
                    ),
                )
            )
        who = settings.driver
        arrive_s = self.start_s + motion.duration_s
        table = ""
        if self.site.foods:
            taste = self._tastes[who]
            table = taste.pick(self.site, Random(f"{settings.seed}/final/{who}"))[0].osm_id
        name = self.site.name if self.site.osm_id else name_of(end[1], end[2])
        return RecordedDrive(
            start_s=self.start_s,
            end_s=ticks[-1][0],
            ticks=ticks,
            truth=Truth(
                destination=name or self.site.name,
                destination_osm_id=self.site.osm_id,
                lat=end[1],
                lon=end[2],
                arrive_s=arrive_s,
                dinner_s=self._calendar.unix(self._calendar.last, settings.dinner_mean_s),
                ate_osm_id="" if settings.ate_before else table,
                ate_before=settings.ate_before,
                visited_before=settings.destination is None,
            ),
        )


def _missed(
    calendar: Calendar, seed: int
) -> tuple[dict[str, int], dict[str, list[tuple[float, float]]]]:
    """Per person: days without a single fix, and all windows without fixes. The last two days are whole."""
    count: dict[str, int] = {}
    windows: dict[str, list[tuple[float, float]]] = {}
    begin_s = calendar.unix(calendar.first, 0.0)
    end_s = calendar.unix(calendar.last - 1, 0.0)
    for who in (*ADULTS, "child"):
        rng = Random(f"{seed}/holes/{who}")
        days = [d for d in range(calendar.first + 1, calendar.last - 1) if rng.random() < 0.035]
        count[who] = len(days)
        windows[who] = holes(rng, begin_s, max(begin_s, end_s)) + [
            (calendar.unix(d, 0.0), calendar.unix(d + 1, 0.0)) for d in days
        ]
    return count, windows


def _venues(
    ground: Ground, tastes: dict[str, Taste], pois: PoiIndex, at_s: float, seed: int
) -> list[VenueWait]:
    """One or two places near the regular destination whose operators type a wait."""
    rng = Random(f"{seed}/venues")
    site = ground.sites[0]
    ordered = [poi for who in ADULTS for poi, _ in tastes[who].favourites[site.osm_id]]
    likely: list[Poi] = []
    for poi in [*ordered[:1], *ordered[1:], *site.foods]:
        if poi not in likely and pois.opening(poi, at_s).state is not OpenState.CLOSED:
            likely.append(poi)
    waits = rng.sample((5.0, 10.0, 15.0, 20.0), 2)
    return [
        VenueWait(osm_id=poi.osm_id, name=poi.name, wait_min=wait)
        for poi, wait in zip(likely[:2], waits, strict=False)
    ]


def _words(
    settings: Settings,
    ground: Ground,
    calendar: Calendar,
    life: Life,
    energy: EnergyTable,
    people: list[Member],
    missed: dict[str, int],
) -> list[str]:
    days = calendar.days
    counts = life.counts
    dinners = sum(len(meals) for who, meals in sorted(life.meals.items()) if who in ADULTS)
    lines = [
        f"SYNTHETIC household, seed {settings.seed}: nobody lived this. "
        + ", ".join(
            f"{p.name} ({p.role}, {count_of(len(p.fixes), 'fix', 'fixes')})" for p in people
        ),
        (
            f"{count_of(settings.weeks, 'week')} to {settings.end_day}: "
            f"{count_of(sum(d.away for d in days), 'day')} away, "
            f"{count_of(sum(d.holiday for d in days), 'public holiday')}, "
            f"{count_of(sum(bool(d.sick) for d in days), 'sick day')}, "
            f"{count_of(sum(d.guests for d in days), 'evening')} with guests, "
            f"{count_of(counts.get('detours', 0), 'detour')}, "
            f"{count_of(sum(missed.values()), 'missed day')} of a phone"
        ),
        (
            f"{count_of(dinners, 'meal')} out of two adults around {settings.dinner_mean} "
            f"(spread {settings.dinner_sd_min:g} min); usually at {ground.sites[0].name}"
        ),
        *(f"{note[0].upper()}{note[1:]}" for note in ground.notes),
        f"Energy: {energy.source} ({energy.vehicle}), tabulated",
    ]
    changed = []
    if settings.drive_at is not None:
        changed.append(f"the final drive starts at {clock_text(clock_s(settings.drive_at, ''))}")
    if settings.ate_before:
        changed.append("the driver has dined before the final drive")
    if settings.destination == "new":
        changed.append("the final drive ends somewhere never visited")
    if settings.driver == "b":
        changed.append("the second adult's phone rides along")
    if changed:
        lines.append("Changed on the final day: " + "; ".join(changed))
    return lines
