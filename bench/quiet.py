"""Is it silent where nobody needs a word, and does it speak, once and in time, where somebody does?

    python bench/quiet.py --data ../shared/data

Maps: the bundled one, and every `*.osm.pbf` under DIR (with --split NAME only those whose name holds NAME, with --split bundled none). On each map five
generators make lives that nobody lived: `hearthway.synthetic` ("household": both adults), `bench/_lives.py`, written from
another description and sharing none of its code ("other": shift, pensioner, parent, technician, commuter,
homeworker, reader), `bench/_third.py` ("third": courier, student, couple, nights), which drives as `_lives` does but has places,
weeks and phones of its own, `bench/_fourth.py` ("fourth": carpool, teacher, clerk, salon, agent), likewise with its own, and
written without reading the code that judges it, and `bench/_fifth.py` ("fifth": cook, supplier, volunteer, medic, father, fiancee),
written so as well, which moves in its own way, also by bus, bicycle and on foot, and keeps calendars on its quiet days. What the third,
the fourth and the fifth have found since was mended (decisions 0032, 0037 and 0036).
A phone of the person (`hearthway.app.brain`, its settings as installed; venues told no waits) has kept 60 days. Then it lives
the next days as they come, fix by fix, looking every five seconds, until 30 days without a need are over. What is without need
the generator says, not the gate: nobody ate out that day, the charge brings the car home, and it stands where it always
does. Every word on such a day is a false interruption, but for one of parking on a drive of the fourth to where one has been once or
twice: there nobody parks at the door, and such drives have a row of their own. The peer, in the same looks, is the rule that a hand would write: at
mealtimes, on a drive that leads to a place near which one can eat, say so once a meal (on the same days).

Then every installed need has days of its own in lives of the other generators (and dinner the household's last drive, whose
driver has a choice of tables): what it speaks of is true then. Counted are the
days on which it is said exactly once, at a calm moment (driving load within the gate's bound), before it is too late and, but for
what is said before one leaves, on the drive that it is about; and those on which it is said otherwise or anything else is said; the rest are silent. A need without such a day is an error. Drives that are over before any word may
be said, the minute of setting off and the time that acting on a word takes, count among these days and have a row beside.
A life for which a map has no room (no road leads next door to a table, say) is a row of its own and counts nowhere else.
With --lives NAME only the lives of one description, or of one kind of person, are heard, on their quiet days and days of needs.
Returns 1 where anything false was said, or anything badly, where a need was told on none of its days, or no map had room for anybody. The last line is JSON for scripts/bench.
"""

from __future__ import annotations

import argparse
import heapq
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise, product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hearthway.app.calendar import import_calendar
from hearthway.app.config import Config, NodeTable
from hearthway.app.equipment import brain_for, gate_settings
from hearthway.app.looking import CALENDAR_LOOK_S
from hearthway.assist import needs
from hearthway.assist.engine import Proposal
from hearthway.assist.gate import SETTING_OFF_S, driving_load
from hearthway.assist.settings import GateSettings
from hearthway.assist.shape import AnyNeed
from hearthway.atlas.store import Atlas
from hearthway.mesh.policy.rules import Rules
from hearthway.mesh.state.store import Store
from hearthway.records.errors import HearthwayError, InputError
from hearthway.records.geo import distance_m
from hearthway.records.household import Role
from hearthway.records.localtime import local_day, local_second, utc_offset_s
from hearthway.records.poi import MEAL
from hearthway.records.signals import Fix, Signal
from hearthway.records.situation import Situation
from hearthway.records.suggestion import Suggestion
from hearthway.sense.catalogue import HOUSE, ODOMETER, SOC, normalise
from hearthway.sense.fixes import FixAssembler
from hearthway.synthetic.almanac import Calendar, Day
from hearthway.synthetic.drives import DrivePool
from hearthway.synthetic.household import SyntheticHousehold, generate
from hearthway.synthetic.settings import Settings

if TYPE_CHECKING:
    from bench import _fifth, _fifth_days, _fourth, _given, _house, _lives, _third
    from bench._ends import finish, refused, started
    from bench._lives import Leg, Lived
else:  # run as a script, its own folder is on the path
    import _fifth
    import _fifth_days
    import _fourth
    import _given
    import _house
    import _lives
    import _third
    from _ends import finish, refused, started
    from _lives import Leg, Lived

LEARN_DAYS, QUIET_DAYS = 60, 30
WEEKS = 18  # of a household: on more than half of its days somebody eats out
LOW_PCT = 15.0
CONFIG = Config(node=NodeTable(id="phone", role=Role.PHONE))
MEALTIMES_S = ((11 * 3600, 13.5 * 3600), (17 * 3600, 20 * 3600))
PEER_REACH_M = 400.0
PEER_REPEAT_S = 2 * 3600.0
NO_ROOM = _given.NO_ROOM
FALSE = "false interruptions"
PARKING, PARKED = "parking", "where to park, on the second or third drive to somewhere"
TOLD, WRONG = (
    "told once, calmly, in time",
    "told twice, under load, too late or on another drive, or something else said",
)
SHORT = "drives over before any word may be said"
EARLY_S = 300.0  # between arriving and what stands in the calendar
Item = Fix | Signal


@dataclass
class Heard:
    """What was said in one life, and how often the phone looked."""

    said: list[Suggestion] = field(default_factory=list)
    peer_s: list[float] = field(default_factory=list)
    looks: int = 0


class Peer:
    """The hand's rule: a mealtime, a drive, and a table near where it leads."""

    def __init__(self, atlas: Atlas) -> None:
        self._atlas, self._last_s = atlas, float("-inf")

    def speaks(self, situation: Situation, settings: GateSettings) -> bool:
        """Would it say something now?"""
        if situation.mode != "driving" or situation.time_s - self._last_s < PEER_REPEAT_S:
            return False
        second = local_second(situation.time_s, situation.utc_offset_s)
        if not any(begin <= second < end for begin, end in MEALTIMES_S):
            return False
        goal = next(iter(situation.destinations), None)
        if goal is None or goal.p < settings.min_destination_p or goal.place.label == "home":
            return False
        if not self._atlas.near(goal.place.lat, goal.place.lon, PEER_REACH_M, MEAL):
            return False
        self._last_s = situation.time_s
        return True


def hear(
    path: Path,
    atlas: Atlas,
    learned: Iterable[Item],
    lived: Iterable[Item],
    calendar: str = "",
    until_s: float = float("-inf"),
) -> Heard:
    """A phone that has kept `learned` takes in `lived` as it comes, and says what it says.

    With a `calendar` (an .ics file's text, imported before `lived`) it also looks every minute while an entry is near and
    nothing comes, and after the last that comes until `until_s`: for where it is it may sleep, and not for the time.
    """
    heard, peer, settings = Heard(), Peer(atlas), gate_settings(CONFIG)
    with Store.open(path, node_id="phone") as store:
        person = store.add_person("Somebody")
        kept = list(learned)
        store.add_fixes(person.person_id, [i for i in kept if isinstance(i, Fix)], "recording")
        store.add_signals(person.person_id, [i for i in kept if isinstance(i, Signal)])
        brain = brain_for(store, person, CONFIG, atlas)

        def look(time_s: float) -> None:
            heard.looks += 1
            situation = brain.look(time_s)
            if peer.speaks(situation, settings):
                heard.peer_s.append(time_s)
            found = brain.propose(situation)
            outcome = brain.decide(found, {}) if isinstance(found, Proposal) else found
            if isinstance(outcome, Suggestion):
                heard.said.append(outcome)

        looked_s = max((item.time_s for item in kept), default=0.0)
        if calendar:
            file = path.with_suffix(".ics")
            file.write_text(calendar)
            import_calendar(store, file, brain.life, atlas, Rules(()), looked_s)

        def look_meanwhile(before_s: float) -> None:
            nonlocal looked_s
            while calendar and looked_s + CALENDAR_LOOK_S < before_s:
                looked_s += CALENDAR_LOOK_S
                if brain.expects(looked_s):
                    look(looked_s)

        for item in lived:
            look_meanwhile(item.time_s)
            looked_s = max(looked_s, item.time_s)
            if isinstance(item, Fix):
                brain.observe([item], [], "phone")
            else:
                brain.observe([], [item], item.source)
                if item.key.startswith(HOUSE):
                    continue  # a phone takes it in and does not look
            if brain.due(item.time_s):
                look(item.time_s)
        look_meanwhile(until_s)
    for file in path.parent.glob(f"{path.name}*"):
        file.unlink()
    return heard


# -- days without a need -----------------------------------------------------------------------------------------------


@dataclass
class Life:
    """A life to be heard: what was kept, what comes, and which local days hold no need."""

    name: str
    learned: list[Item]
    lived: list[Item]
    quiet: set[int]
    offset: Callable[[float], int]  # local day of a time
    calendar: str = ""  # of what comes, as a file
    # drives on which where to park is a question, whatever day it is: began and ended
    parks: list[tuple[float, float]] = field(default_factory=list)

    def false(self, said: Suggestion) -> bool:
        """Was this one said on a day that holds nothing it could be about?"""
        return self.offset(said.time_s) in self.quiet and not asked_where_to_park(said, self.parks)


def asked_where_to_park(said: Suggestion, parks: Iterable[tuple[float, float]]) -> bool:
    """Is it about parking, on one of the drives (began and ended) on which that is a question?"""
    during = any(begun_s <= said.time_s <= over_s for begun_s, over_s in parks)
    return said.need == PARKING and during


@dataclass
class NoRoom:
    """A life for which a map has no room, and what it lacks."""

    name: str
    why: str


def household_of(settings: Settings, atlas: Atlas) -> SyntheticHousehold | str:
    """A household of the first generator; why not where the map has no room for one."""
    try:
        return generate(settings, atlas, atlas, DrivePool.bundled(), atlas.place_name)
    except InputError as why:
        return why.message


def households(atlas: Atlas, seed: int) -> Iterator[Life | NoRoom]:
    """Both adults of a household of the first generator."""
    settings = Settings(seed=seed, weeks=WEEKS)
    made = household_of(settings, atlas)
    if isinstance(made, str):
        yield NoRoom(HOUSEHOLD, made)
        return
    calendar = Calendar(settings, middle(atlas), 1)
    begin_s = calendar.unix(calendar.first + LEARN_DAYS, 3 * 3600.0)
    for who, member in zip("ab", made.people, strict=False):
        signals = [normalise(signal) for signal in member.car_signals]
        low = {
            day
            for day in (on_day(calendar, s.time_s) for s in signals if low_charge(s))
            if day is not None
        }
        quiet = [
            day.number
            for day in calendar.days[LEARN_DAYS:-1]
            if without_need(day, who) and not low & {day.number - 1, day.number}
        ][:QUIET_DAYS]
        if len(quiet) < QUIET_DAYS:
            raise InputError(
                f"Adult {who} of household {seed} has {len(quiet)} days without a need.",
                "Raise WEEKS in bench/quiet.py.",
            )
        fixes: Iterable[Item] = member.fixes
        items = list(heapq.merge(signals, fixes, key=lambda item: item.time_s))
        end_s = calendar.unix(quiet[-1] + 1, 0.0)
        yield Life(
            f"household, {who}",
            [i for i in items if i.time_s < begin_s],
            [i for i in items if begin_s <= i.time_s < end_s],
            set(quiet),
            lambda time_s: on_day(calendar, time_s),
        )


def middle(atlas: Atlas) -> tuple[float, float]:
    """Of the map."""
    south, west, north, east = atlas.bounds
    return (south + north) / 2, (west + east) / 2


def low_charge(signal: Signal) -> bool:
    """Is it a charge that may not bring one home?"""
    value = signal.value
    return signal.key == SOC and isinstance(value, float) and value < LOW_PCT


def on_day(calendar: Calendar, time_s: float) -> int:
    """The calendar's local day of a time."""
    day = int(time_s // 86_400.0)
    return day + 1 if time_s >= calendar.unix(day + 1, 0.0) else day


def without_need(day: Day, who: str) -> bool:
    """Does this adult eat at home, and the car stand where it always does?"""
    return who not in day.evenings and day.family_out is None and not day.away


def begun(kind: str, atlas: Atlas, seed: int) -> Lived:
    """A person of that kind, of whichever description has it."""
    if kind in _third.KINDS:
        return _third.begun(kind, atlas, seed)
    if kind in _fourth.KINDS:
        return _fourth.begun(kind, atlas, seed)
    if kind in _fifth.KINDS:
        return _fifth.begun(kind, atlas, seed)
    return _lives.begun(kind, atlas, seed)


def with_room(kind: str, atlas: Atlas, seed: int) -> Lived | str:
    """Likewise; why not where the map has no room for that life: that is told, and another seed or map may have some."""
    try:
        return begun(kind, atlas, seed)
    except InputError as why:
        return why.message


def described(name: str, kinds: Iterable[str], atlas: Atlas, seed: int) -> Iterator[Life | NoRoom]:
    """The people of one description."""
    for kind in kinds:
        life = with_room(kind, atlas, seed)
        if isinstance(life, str):
            yield NoRoom(f"{name}, {kind}", life)
            continue
        begin_s = life.now_s
        life.live(LEARN_DAYS, quiet=False)
        middle_s, first = life.now_s, life.day
        life.live(QUIET_DAYS, quiet=True)
        if any(leg.eats or leg.low or leg.new for leg in life.legs if leg.start_s >= middle_s):
            raise InputError(f"The quiet days of {kind} hold a need.", "Mend its description.")
        who = f"{kind}/{seed}"
        for house in (_house.told, _house.tags):
            life.hears(house(begin_s, life.now_s, life.monday_s(), who, life.away()))
        yield Life(
            f"{name}, {kind}",
            list(life.items(begin_s, middle_s)),
            list(life.items(middle_s, life.now_s)),
            set(range(first, life.day + 1)),
            day_of(life),
            life.calendar(first, QUIET_DAYS) if isinstance(life, _fifth_days.Days) else "",
            parks_of(life, kind, middle_s),
        )


def parks_of(life: Lived, kind: str, from_s: float) -> list[tuple[float, float]]:
    """Began and ended: the drives since then on which where to park is a question, whatever day it is."""
    if kind not in _fourth.KINDS:
        return []
    return [(leg.start_s, leg.end_s) for leg in _fourth.parks_anew(life, from_s)]


def day_of(life: Lived) -> Callable[[float], int]:
    """Local days of that life's map."""
    at = life.town.middle
    return lambda time_s: local_day(time_s, utc_offset_s(*at, time_s))


# -- days of a need ----------------------------------------------------------------------------------------------------


def usual_meal(life: Lived) -> Leg:
    """The next of the days on which this person has always eaten out, and does again."""
    before = len(life.legs)
    while not any(leg.eats for leg in life.legs[before:]):
        life.live(1, quiet=False)
    return next(leg for leg in life.legs[::-1] if leg.eats)


def to_the_pool(life: Lived) -> Leg:
    """Saturday: nobody plugged the car in. It gets to the pool, and not home again."""
    life.live(1, quiet=True)
    life.rest(life.unix(10 * 3600.0))
    pool, home = life.spots["pool"], life.town.home
    rate = _lives.USES_PCT_PER_KM / 1000.0
    there_m, back_m = (
        sum(distance_m(*a, *b) for a, b in pairwise(way))
        for way in (life.town.way(home, pool), life.town.way(pool, home))
    )
    life.soc_pct = 5.0 + rate * (there_m + 0.4 * back_m)
    leg = life.go(pool)
    life.rest(life.now_s + 1.5 * 3600.0)
    leg.low = life.soc_pct < 5.0 + rate * back_m
    return leg


def before_monday(life: Lived) -> Leg:
    """Sunday: the pool, and home again, but not to work on Monday: there the car is charged, and never at home."""
    life.live(2, quiet=True)
    life.rest(life.unix(10 * 3600.0))
    pool, home, town = life.spots["pool"], life.town.home, life.town
    ways = ((home, pool), (pool, home), (home, life.spots["daycare"]))
    legs = (*ways, (life.spots["daycare"], life.spots["work"]))
    there_m, back_m, *monday_m = (
        sum(distance_m(*a, *b) for a, b in pairwise(town.way(*leg))) for leg in legs
    )
    rate = _lives.USES_PCT_PER_KM / 1000.0
    life.soc_pct = 5.0 + rate * (there_m + back_m + 0.25 * sum(monday_m))
    leg = life.go(pool)
    life.rest(life.now_s + 1.5 * 3600.0)
    home_pct = life.soc_pct - rate * back_m
    leg.low = 0.0 < home_pct < 5.0 + rate * sum(monday_m)
    return leg


def to_an_appointment(life: Lived, spot: str = "pool") -> Leg:
    """Saturday: something there stands in the calendar, and the person leaves in time for it."""
    life.live(1, quiet=True)
    life.rest(life.unix(10 * 3600.0))
    leg = life.go(life.spots[spot])
    leg.planned = True
    life.rest(life.now_s + 3600.0)
    return leg


def in_calendar(leg: Leg) -> str:
    """The appointment that a leg leads to, as a calendar program writes it; nothing for another leg."""
    if not leg.planned:
        return ""
    begin = datetime.fromtimestamp(leg.end_s + EARLY_S, UTC)
    event = (
        "BEGIN:VEVENT",
        "UID:swim",
        f"DTSTART:{begin:%Y%m%dT%H%M%SZ}",
        "SUMMARY:Swimming lesson",
        f"GEO:{leg.to[0]:.6f};{leg.to[1]:.6f}",
        "END:VEVENT",
    )
    return "\r\n".join(("BEGIN:VCALENDAR", "VERSION:2.0", *event, "END:VCALENDAR", ""))


def to_the_fair(life: Lived, spot: str = "fair", hour: float = 14.0) -> Leg:
    """Sunday: where one has been twice in two months, and knows no street thereabouts."""
    life.live(2, quiet=True)
    life.rest(life.unix(hour * 3600.0))
    there = life.spots[spot]
    known = {leg.to for leg in life.legs if distance_m(*leg.to, *there) < _lives.ALONE_M}
    leg = life.go(there, new=known <= {there})
    life.rest(life.now_s + 3600.0)
    return leg


def to_a_cold_house(life: Lived) -> Leg:
    """Saturday: all left at ten and turned the heating down; one comes home in the evening."""
    begin_s = life.signals[0].time_s
    life.live(1, quiet=True)
    life.rest(life.unix(10 * 3600.0))
    left_s = life.now_s
    life.go(life.spots["pool"])
    life.rest(life.unix(18 * 3600.0))
    leg = life.go(life.town.home)
    leg.cold = True
    house = _house.told(begin_s, life.now_s, life.monday_s(), life.kind, life.away(), left_s)
    life.hears(house)
    life.rest(life.now_s + 3600.0)
    return leg


def without_the_bag(life: Lived) -> Leg:
    """The next working day: what goes along each morning stays at home."""
    begin_s, before = life.signals[0].time_s, len(life.legs)
    while not life.legs[before:]:
        life.live(1, quiet=True)
    leg = life.legs[before]
    leg.left = True
    tags = _house.tags(
        begin_s, life.now_s, life.monday_s(), life.kind, life.away(), stays_s=leg.start_s
    )
    life.hears(tags)
    return leg


# Each need's own days: what is true then, and who lives them after 60 days of such a life; day 60 is a Friday.
NEEDS_OF_MAP = {
    "battery": "charger",
    "parking": "parking",
}  # of a map without these nobody can be told
HOUSEHOLD, EVENINGS = "household", ("meal",)  # needs of which its last drive is a day as well
DESCRIPTIONS: dict[str, tuple[str, ...]] = {
    "other": (*_lives.KINDS, *_lives.WITH_COFFEE),
    "third": _third.KINDS,
    "fourth": _fourth.KINDS,
    "fifth": _fifth.KINDS,
}
OWN_DAYS: dict[str, tuple[str, dict[str, Callable[[Lived], Leg]]]] = {
    "meal": (
        "eats",
        dict.fromkeys(
            (
                *("shift", "pensioner", "parent", "reader"),
                *("student", "couple", "nights"),
                *("carpool", "teacher", "clerk"),
                *("cook", "supplier", "medic", "father", "fiancee"),
            ),
            usual_meal,
        ),
    ),
    "battery": ("low", {"parent": to_the_pool, "commuter": before_monday, "nights": to_the_pool}),
    "parking": (
        "new",
        {
            "parent": to_the_fair,
            "student": partial(to_the_fair, spot="hall", hour=20.0),
            "father": partial(to_the_fair, spot="arena"),
        },
    ),
    "leave_now": (
        "planned",
        {
            "parent": to_an_appointment,
            "couple": partial(to_an_appointment, spot="doctor"),
            "medic": partial(to_an_appointment, spot="physio"),
            "father": partial(to_an_appointment, spot="ground"),
        },
    ),
    "home_ready": ("cold", {"parent": to_a_cold_house}),
    "forgotten": ("left", {"parent": without_the_bag}),
}


@dataclass
class OwnDay:
    """How a need did on its day: its words, anybody else's, and of its one word the driving load and the time left."""

    words: int
    others: int
    load: float = 1.0
    lead_s: float = 0.0
    drive_s: float = float(
        "inf"
    )  # how long the drive truly lasted; without end where the word comes before it

    def too_short(self, settings: GateSettings) -> bool:
        """Was it over before a calm moment at which a word can still be acted on?"""
        return self.drive_s < SETTING_OFF_S + settings.min_lead_s

    def fits(self, settings: GateSettings) -> bool:
        """Once, calm, not too late, and not on an earlier drive of that day, which led elsewhere?"""
        calm = self.load <= settings.max_load
        in_time = settings.min_lead_s <= self.lead_s <= self.drive_s
        return (self.words, self.others) == (1, 0) and calm and in_time


def days_of(need: AnyNeed) -> tuple[str, dict[str, Callable[[Lived], Leg]]]:
    """What is true on its own days, and these; InputError where it has none."""
    if need.name not in OWN_DAYS:
        raise InputError(
            f"The need {need.name} has no day of its own.", "Add one to OWN_DAYS in bench/quiet.py."
        )
    return OWN_DAYS[need.name]


def own_day(need: AnyNeed, kind: str, atlas: Atlas, seed: int, path: Path) -> OwnDay | NoRoom:
    """One own day of a need, in the life of somebody of that kind."""
    fact, days = days_of(need)
    life = with_room(kind, atlas, seed)
    if isinstance(life, str):
        return NoRoom(kind, life)
    begin_s = life.now_s
    life.live(LEARN_DAYS, quiet=False)
    leg = days[kind](life)
    middle_s = _lives.unix(day_of(life)(leg.start_s), 0.0, life.town.middle)
    if not getattr(leg, fact):
        raise InputError(f"The day of {need.name} holds no such need.", "Mend bench/quiet.py.")
    learned, lived = life.items(begin_s, middle_s), life.items(middle_s, life.now_s)
    heard = hear(path, atlas, learned, lived, in_calendar(leg), life.now_s)
    if PARKING not in need.topics:
        parks = parks_of(life, kind, middle_s)
        heard.said = [said for said in heard.said if not asked_where_to_park(said, parks)]
    if leg.planned:
        return judged(need, heard, leg.start_s)
    return judged(need, heard, leg.end_s, leg.end_s - leg.start_s)


def judged(need: AnyNeed, heard: Heard, until_s: float, drive_s: float = float("inf")) -> OwnDay:
    """How a need did on a day on which one leaves, or is there after `drive_s`, at `until_s`."""
    mine = [s for s in heard.said if s.need in need.topics]
    found = OwnDay(len(mine), len(heard.said) - len(mine), drive_s=drive_s)
    if mine:
        found.load = driving_load(mine[0].situation)
        found.lead_s = until_s - mine[0].time_s
    return found


def evening_out(need: AnyNeed, atlas: Atlas, seed: int, path: Path) -> OwnDay | NoRoom:
    """The last drive of a household of the first generator: to dinner, where its driver sits now here, now there."""
    made = household_of(Settings(seed=seed), atlas)
    if isinstance(made, str):
        return NoRoom(HOUSEHOLD, made)
    member, assembler = made.person(made.driver_id), FixAssembler()
    lived: list[Item] = []
    for _, signals in made.drive.ticks:
        plain = [normalise(signal) for signal in signals]
        lived += [s for s in plain if s.key in (SOC, ODOMETER)]
        lived += [located.fix for located in assembler.feed_all(plain)]
    learned: list[Item] = [*member.fixes, *(normalise(s) for s in member.car_signals)]
    heard = hear(path, atlas, learned, lived)
    return judged(need, heard, lived[-1].time_s, lived[-1].time_s - lived[0].time_s)


# -- the table ---------------------------------------------------------------------------------------------------------


def row(case: str, metric: str, unit: str, ours: float, peer: str, theirs: float) -> dict[str, Any]:
    """One line."""
    return {
        "case": case,
        "metric": metric,
        "unit": unit,
        "ours": round(ours, 3),
        "peer": peer,
        "theirs": round(theirs, 3),
        "ratio": round(ours / theirs, 3) if theirs else None,
    }


def no_room_row(name: str, none: NoRoom) -> dict[str, Any]:
    """The row of a life that was not lived."""
    return _given.no_room_row(f"{name}, {none.name}", none.why)


def quiet_rows(
    name: str, lives: Iterable[Life | NoRoom], atlas: Atlas, path: Path
) -> Iterator[dict[str, Any]]:
    """What was said in these lives on days without a need: one row of each."""
    for life in lives:
        if isinstance(life, NoRoom):
            yield no_room_row(name, life)
            continue
        heard = hear(path, atlas, life.learned, life.lived, life.calendar)
        false = [s for s in heard.said if life.false(s)]
        for said in false:
            print(f"false: {name}, {life.name}: {said.need}: {said.headline}", file=sys.stderr)
        peer = sum(life.offset(time_s) in life.quiet for time_s in heard.peer_s)
        case = f"{name}, {life.name}: {QUIET_DAYS} quiet days, {heard.looks} looks"
        print(f"{case}: false {len(false)}, the hand's rule {peer}", flush=True)
        yield row(case, FALSE, "words", len(false), "hand rule", peer)
        if life.parks:
            parked = sum(s.need == PARKING and not life.false(s) for s in heard.said)
            yield row(case, PARKED, "words", parked, "such drives", len(life.parks))


def need_rows(
    name: str, atlas: Atlas, seeds: range, path: Path, only: str = ""
) -> Iterator[dict[str, Any]]:
    """Each need's own days on this map, in the lives of `only`."""
    settings = gate_settings(CONFIG)
    for need in needs.found():
        kinds, evening = asked(need, only)
        if not (kinds or evening):
            continue
        kind_of_poi = NEEDS_OF_MAP.get(need.name)
        if kind_of_poi is not None and not atlas.near(*middle(atlas), 1e6, (kind_of_poi,)):
            print(f"{name}: no day of {need.name}: the map has no {kind_of_poi}", flush=True)
            continue
        case = f"{name}, days of {need.name}"
        days: list[OwnDay] = []
        for kind, seed in product((*kinds, *evening), seeds):
            day = (
                evening_out(need, atlas, seed, path)
                if kind == HOUSEHOLD
                else own_day(need, kind, atlas, seed, path)
            )
            if isinstance(day, NoRoom):
                yield no_room_row(f"{case}, seed {seed}", day)
                continue
            days.append(day)
            print(
                f"{case}: {kind}, seed {seed}: {day.words} words (others: {day.others}), load {day.load:.2f}, "
                f"{day.lead_s:.0f} s before it is too late"
                + (f"; the drive lasted {day.drive_s:.0f} s" if day.too_short(settings) else ""),
                flush=True,
            )
        right = [day for day in days if day.fits(settings)]
        wrong = [day for day in days if (day.words or day.others) and not day.fits(settings)]
        yield row(case, TOLD, "days", len(right), "days", len(days))
        yield row(case, WRONG, "days", len(wrong), "asked", 0)
        short = sum(day.too_short(settings) for day in days)
        yield row(case, SHORT, "days", short, "days", len(days))
        if right:
            load = max(day.load for day in right)
            lead_s = min(day.lead_s for day in right)
            yield row(case, "highest load", "0-1", load, "bound", settings.max_load)
            yield row(case, "least time left", "s", lead_s, "bound", settings.min_lead_s)


def within(only: str, description: str, kinds: Iterable[str]) -> tuple[str, ...]:
    """Of these kinds those that `only` names: all ("", or their description), one of them, or none."""
    return tuple(kind for kind in kinds if only in ("", description, kind))


def asked(need: AnyNeed, only: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Whose days of a need `only` names, and whether the household's drive is one of them."""
    days = days_of(need)[1]
    kinds = [k for name, of in DESCRIPTIONS.items() for k in within(only, name, of)]
    evening = need.name in EVENINGS and only in ("", HOUSEHOLD)
    return tuple(k for k in days if k in kinds), (HOUSEHOLD,) if evening else ()


def on_map(
    name: str, atlas: Atlas, seeds: range, folder: Path, only: str = ""
) -> Iterator[dict[str, Any]]:
    """All rows of one map, or those of `only`."""
    path = folder / "quiet.db"
    for seed in seeds:
        if only in ("", HOUSEHOLD):
            yield from quiet_rows(f"{name}, seed {seed}", households(atlas, seed), atlas, path)
        for told, kinds in DESCRIPTIONS.items():
            lives = described(told, within(only, told, kinds), atlas, seed)
            yield from quiet_rows(f"{name}, seed {seed}", lives, atlas, path)
    yield from need_rows(name, atlas, seeds, path, only)


def measured(data: Path, split: str, seeds: range, only: str = "") -> list[dict[str, Any]]:
    """All rows, or those of `only`; InputError where nobody is called so."""
    known = {"", HOUSEHOLD, *DESCRIPTIONS, *(k for kinds in DESCRIPTIONS.values() for k in kinds)}
    if only not in known:
        raise InputError(
            f"There are no lives called {only}.", f"Take one of {', '.join(sorted(known)[1:])}."
        )
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as scratch:
        for name, atlas in _given.maps_under(data, split, _given.BUNDLED):
            rows += on_map(name, atlas, seeds, Path(scratch), only)
    return rows


def failed(rows: list[dict[str, Any]], only: str = "") -> bool:
    """Was anything false said, or badly, or was a need told on none of its days (of those asked for), or nobody heard?"""
    told = {need.name: 0 for need in needs.found() if any(asked(need, only))}
    for each in rows:
        if each["metric"] == TOLD:
            told[each["case"].rsplit(" ", 1)[1]] += each["ours"]
    bad = any(r["ours"] > 0 for r in rows if r["metric"] in (FALSE, WRONG))
    heard = any(r["metric"] in (FALSE, TOLD) for r in rows)  # not where no map had room for anybody
    return bad or not heard or not all(told.values())


def main() -> int:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", default="")
    parser.add_argument("--seeds", type=int, default=1, help="of each generator, on each map")
    parser.add_argument("--lives", default="", help="only of this description, or this kind")
    given = parser.parse_args()
    try:
        if given.seeds < 1:
            raise InputError("No life was asked for.", "Give --seeds 1 or more.")
        rows = measured(given.data, given.split, range(1, given.seeds + 1), given.lives)
    except HearthwayError as why:
        return refused(why)
    finish("quiet", rows)
    return 1 if failed(rows, given.lives) else 0


if __name__ == "__main__":
    started(main)
