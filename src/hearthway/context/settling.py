"""Where one lives and where one works, and since when: a house is moved and a job is changed, a holiday is neither.

Each night, and the office hours of each weekday, speak for the place where they were spent, and what they said fades. That
alone takes a month to notice a change. So it is asked of each *run*, the days since the last one at home (at work), whether
it is a new life or time away:

    odds of a change = changes a year / times away a year / share of times away that are longer * what the days say

and what was before the run counts 1 - p. This is Bayesian online change-point detection (Adams & MacKay 2007), looked at for
the one run that matters, with how long people are away in place of a constant hazard. Who sleeps elsewhere and keeps his days
(goes to work from there, or where he went before) has moved sooner than who does not; and a place from which one came back
before must be stayed at for longer than then.

The constants are one project's judgement, each with its reason; none is fitted to a life.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from hearthway.records.localtime import DAY_S, weekday

from .day_kind import free_day

if TYPE_CHECKING:  # places hold one of these
    from .places import KnownPlace

HALF_LIFE_DAYS = 60.0
NIGHT_S = 22 * 3600.0, 30 * 3600.0  # of the local day on which it begins
OFFICE_S = 9 * 3600.0, 17 * 3600.0
MIN_HOME_S = 6 * 3600.0  # of night spent there before a place may be called home
MIN_WORK_DAYS = 3
MAX_FREE = 0.15  # weekend days there for each working day: a beach has never fewer than two for ten
USUAL_VISITS, USUAL_DAYS = 5, 14.0  # what one went to that often, from that long before a run
USUAL_ODDS = 3.0  # of a change, for each usual day in a run: who is away seldom has one
MAX_USUAL = 32
BACK_ODDS = 20.0  # of going back to where one was before a brief change: it was none
BRIEF_DAYS = 30  # who was somewhere for less was away there, once it is over
MAX_ELSEWHERE = 32  # places of one run, or come back from
MAX_CHANGES = 8
LEAST_S = 300.0  # what has faded to less says nothing any more
NOWHERE = -1  # no place


class Kind(Struct, frozen=True, kw_only=True):
    """Nights or working days: from when to when, the least that counts, and how lives change.

    Without a change one is away for longer than n days with probability (1 + n / scale)^-2.
    """

    what: str
    hours: tuple[float, float]  # local, of the day on which they begin
    least_s: float  # at the place where most of them was spent, for it to be a day there
    odds: float  # changes a year over times away a year
    scale_days: float


# A move in ten years; four times away a year, one in four for longer than a week.
HOME = Kind(what="home", hours=NIGHT_S, least_s=3 * 3600.0, odds=0.1 / 4.0, scale_days=7.0)
# A job in five years; a course or a customer twice a year, one in four for longer than a day.
WORK = Kind(what="work", hours=OFFICE_S, least_s=3_600.0, odds=0.2 / 2.0, scale_days=1.0)


class Spell(Struct):
    """What was spent at one place: since when (Unix), days, and seconds."""

    place: int
    since_s: float = 0.0
    days: int = 0
    seconds: float = 0.0
    free_days: int = 0  # of a weekend
    last_day: int = -1  # the local day that was counted last


class Change(Struct, frozen=True):
    """A home or a work is another place since a time, believed with probability `p` when it was noticed."""

    what: str  # "home", "work"
    before: int
    now: int
    since_s: float
    p: float


class Tally(Struct):
    """The nights, or the working days, of one person; places by index."""

    day: int = -1  # the local day that is being counted
    spent: list[Spell] = field(default_factory=list)  # seconds of it
    said: list[Spell] = field(default_factory=list)  # of all days; the seconds fade
    at: int = NOWHERE  # the home, or the work
    since_day: int = -1
    before: int = NOWHERE  # what it was before, and how much of what spoke for that was forgotten
    forgotten_s: float = 0.0
    run: list[Spell] = field(default_factory=list)  # since the last day at `at`, faded too
    longest: list[Spell] = field(default_factory=list)  # days of earlier runs one came back from


class Settling(Struct):
    """All that is kept of it."""

    nights: Tally = field(default_factory=Tally)
    office: Tally = field(default_factory=Tally)
    slept: int = NOWHERE  # where the last night was spent
    today: list[Spell] = field(default_factory=list)  # seconds since then
    usual: list[Spell] = field(
        default_factory=list
    )  # where most of the days of a run of nights were
    changes: list[Change] = field(default_factory=list)


class Settler:
    """Tells of one person's places which is home and which is work; counts what each stay says."""

    def __init__(self, kept: Settling, places: Sequence[KnownPlace]) -> None:
        """A state stored before this was kept is settled by what was spent so far."""
        self.kept, self._places = kept, places
        tallies = kept.nights, kept.office
        # Only then: whoever goes on from a stored state may settle nothing that was not settled before it was stored.
        if not any(tally.said or tally.day >= 0 for tally in tallies):
            kept.nights.said = [Spell(p.index, seconds=p.night_s) for p in places if p.night_s]
            kept.office.said = [
                Spell(p.index, days=p.office_days, seconds=p.office_s, last_day=p.last_office_day)
                for p in places
                if p.office_s
            ]
            self._settle_both()

    def learn(self, index: int, begin_s: float, end_s: float, zone_s: int) -> None:
        """A stay at a place is over; begin and end in local seconds, `zone_s` ahead of Unix time."""
        kept = self.kept
        for day in range(int(begin_s // DAY_S) - 1, int(end_s // DAY_S) + 1):
            office_s = _overlap(begin_s, end_s, day, OFFICE_S)
            night_s = _overlap(begin_s, end_s, day, NIGHT_S)
            free = free_day(weekday(day))  # without days off: whoever works on them has worked
            if office_s > 0.0 and not free:
                self._count(WORK, kept.office, day, index, office_s, zone_s)
            if office_s > WORK.least_s:
                said = _at(kept.office.said, index, None)
                if day != said.last_day:
                    said.last_day = day
                    said.days += not free
                    said.free_days += free
            if night_s > 0.0:
                self._count(HOME, kept.nights, day, index, night_s, zone_s)
        _at(kept.today, index).seconds += end_s - begin_s
        for kind, tally in ((WORK, kept.office), (HOME, kept.nights)):
            if end_s >= tally.day * DAY_S + kind.hours[1]:
                self._close(kind, tally, zone_s)
        self._settle_both()

    def is_home_so_far(self, index: int, begin_s: float, end_s: float) -> bool:
        """Would the place be the first home, were a stay that goes on there over? Local seconds, as `learn` takes them."""
        if self.kept.nights.at != NOWHERE:
            return False
        said_s = sum(one.seconds for one in self.kept.nights.said if one.place == index)
        for day in range(int(begin_s // DAY_S) - 1, int(end_s // DAY_S) + 1):
            said_s += _overlap(begin_s, end_s, day, NIGHT_S)
            if said_s >= MIN_HOME_S:
                return True
        return False

    def _count(
        self, kind: Kind, tally: Tally, day: int, index: int, spent_s: float, zone_s: int
    ) -> None:
        """So much of a day was spent there; a new day closes the one before, and all that was said fades."""
        if day != tally.day:
            self._close(kind, tally, zone_s)
            share = 0.5 ** (max(0, day - tally.day) / HALF_LIFE_DAYS) if tally.day >= 0 else 1.0
            for spell in (*tally.said, *tally.run):
                spell.seconds *= share
            tally.said = [one for one in tally.said if one.seconds >= LEAST_S]
            tally.forgotten_s *= share
            tally.day = day
        _at(tally.said, index, None).seconds += spent_s
        _at(tally.spent, index).seconds += spent_s

    def _close(self, kind: Kind, tally: Tally, zone_s: int) -> None:
        """A day is over: it speaks for the place where most of it was spent."""
        kept = self.kept
        spent, tally.spent = tally.spent, []
        if kind is WORK:
            spent = [one for one in spent if one.place not in (kept.nights.at, kept.slept)]
        most = max(spent, key=lambda one: (one.seconds, -one.place), default=None)
        if most is None or most.seconds < kind.least_s:
            return
        if kind is HOME:
            self._slept(tally, most.place)
        if most.place == tally.at:
            for spell in tally.run:
                before = _at(tally.longest, spell.place)
                before.days = max(spell.days, before.days)
            self._end_run(kind, tally)
        elif tally.at != NOWHERE:
            spell = _at(tally.run, most.place)
            if not spell.days:
                spell.since_s = tally.day * DAY_S + kind.hours[0] - zone_s
            spell.days += 1
            spell.seconds += most.seconds

    def _slept(self, tally: Tally, index: int) -> None:
        """A night is over; of the day before it, the place that was stayed at longest tells whether it was a usual one."""
        kept = self.kept
        kept.slept = index
        today = [one for one in kept.today if one.place not in (index, tally.at)]
        if today and index != tally.at:
            _at(kept.usual, max(today, key=lambda one: (one.seconds, -one.place)).place).days += 1
        kept.today = []

    def _end_run(self, kind: Kind, tally: Tally) -> None:
        tally.run = []
        if kind is HOME:
            self.kept.usual = []

    def _settle_both(self) -> None:
        """Home and work by what was spent, what was before a change counting less."""
        nights, office = self.kept.nights, self.kept.office
        homes = [one for one in nights.said if one.seconds >= MIN_HOME_S or one.place == nights.at]
        self._settle(HOME, nights, homes)
        if office.at == nights.at:
            office.at = NOWHERE
            self._end_run(WORK, office)
        works = [one for one in office.said if one.days >= MIN_WORK_DAYS]
        self._settle(WORK, office, [one for one in works if one.place != nights.at])

    def _settle(self, kind: Kind, tally: Tally, fit: Sequence[Spell]) -> None:
        spell = self._runner(kind, tally, fit)
        p = self._changed(kind, tally, spell)

        def weight(said: Spell) -> float:
            inside = spell.seconds if said.place == spell.place else 0.0
            return inside + (1.0 - p) * max(0.0, said.seconds - inside)

        best = max(fit, key=lambda said: (weight(said), -said.place), default=None)
        if best is None or best.place == tally.at:
            return
        self._become(kind, tally, best, spell if best.place == spell.place else None, p, weight)

    def _become(
        self,
        kind: Kind,
        tally: Tally,
        best: Spell,
        spell: Spell | None,
        p: float,
        weight: Callable[[Spell], float],
    ) -> None:
        """From now on this is the home, or the work; `spell` is the run that tells of it, where one does."""
        kept, before = self.kept, tally.at
        tenure = tally.day - tally.since_day
        brief = before != NOWHERE and tenure < BRIEF_DAYS
        if brief:
            left = _at(tally.longest, before)
            left.days = max(tenure, left.days)
        undone = brief and best.place == tally.before
        told = [c for c in kept.changes[-1:] if (c.before, c.now) == (best.place, before)]
        if undone:  # one was only away: what was forgotten counts again
            best.seconds += tally.forgotten_s
            kept.changes = kept.changes[: len(kept.changes) - len(told)]
            tally.before, tally.forgotten_s, tally.since_day = NOWHERE, 0.0, tally.day - BRIEF_DAYS
        elif spell is not None:
            tally.before, tally.forgotten_s = before, 0.0
            for said in tally.said:
                left_s = weight(said)
                if said.place == before:
                    tally.forgotten_s = said.seconds - left_s
                said.seconds = left_s
            if before != NOWHERE and tenure >= USUAL_DAYS:
                even = max(p, 0.5)  # it is likelier than not, whatever the run alone says
                kept.changes.append(Change(kind.what, before, best.place, spell.since_s, even))
                del kept.changes[:-MAX_CHANGES]
            tally.since_day = tally.day - max(0, spell.days - 1)
        else:
            tally.since_day = tally.day
        tally.at = best.place
        tally.longest = [one for one in tally.longest if one.place != best.place]
        self._end_run(kind, tally)

    def _runner(self, kind: Kind, tally: Tally, fit: Sequence[Spell]) -> Spell:
        """What the run spent where most of its days were; no place of free days is a work."""
        may = {one.place for one in fit if kind is HOME or one.free_days <= MAX_FREE * one.days}
        spells = [spell for spell in tally.run if spell.place in may]
        return max(spells, key=lambda one: (one.days, -one.place), default=Spell(NOWHERE))

    def _changed(self, kind: Kind, tally: Tally, spell: Spell) -> float:
        """The probability that the run is a change to there."""
        days = spell.days - sum(one.days for one in tally.longest if one.place == spell.place)
        if days <= 0:
            return 0.0
        usual = 0
        if kind is HOME:
            usual = sum(
                one.days
                for one in self.kept.usual
                if one.place not in (spell.place, tally.at) and self._is_usual(one.place, spell)
            )
        odds = kind.odds * (1.0 + days / kind.scale_days) ** 2
        odds *= USUAL_ODDS ** min(usual, days, MAX_USUAL)
        if tally.day - tally.since_day < BRIEF_DAYS and spell.place == tally.before:
            odds *= BACK_ODDS
        return odds / (1.0 + odds)

    def _is_usual(self, index: int, spell: Spell) -> bool:
        place = self._places[index]
        before = place.first_s < spell.since_s - USUAL_DAYS * DAY_S
        return index == self.kept.office.at or (before and place.visits >= USUAL_VISITS)


def renumber(kept: Settling, old: int, new: int) -> None:
    """What was at the place `old` was at `new`; it is forgotten where that is NOWHERE."""
    for tally in (kept.nights, kept.office):
        for spells in (tally.spent, tally.said, tally.run, tally.longest):
            _move(spells, old, new)
        tally.at = new if tally.at == old else tally.at
        tally.before = new if tally.before == old else tally.before
    for spells in (kept.today, kept.usual):
        _move(spells, old, new)
    kept.slept = new if kept.slept == old else kept.slept
    moved = [
        replace(
            change,
            before=new if change.before == old else change.before,
            now=new if change.now == old else change.now,
        )
        for change in kept.changes
    ]
    kept.changes = [c for c in moved if c.before != c.now and NOWHERE not in (c.before, c.now)]


def _move(spells: list[Spell], old: int, new: int) -> None:
    gone = next((one for one in spells if one.place == old), None)
    if gone is None:
        return
    spells.remove(gone)
    if new == NOWHERE:
        return
    into = _at(spells, new, None)
    into.since_s = min(into.since_s, gone.since_s) if into.days or into.seconds else gone.since_s
    into.days += gone.days
    into.seconds += gone.seconds
    into.free_days += gone.free_days
    into.last_day = max(into.last_day, gone.last_day)


def divide(kept: Settling, place: KnownPlace, other: KnownPlace) -> None:
    """`other` was divided from `place`: it takes its share of what was said, and home or work where that is more."""
    for tally, mine, theirs in (
        (kept.nights, place.night_s, other.night_s),
        (kept.office, place.office_s, other.office_s),
    ):
        whole = next((one for one in tally.said if one.place == place.index), None)
        if whole is None or theirs <= 0.0:
            continue
        share = theirs / (mine + theirs)
        part = _at(tally.said, other.index, None)
        part.seconds, part.last_day = whole.seconds * share, whole.last_day
        part.days, part.free_days = round(whole.days * share), round(whole.free_days * share)
        whole.seconds -= part.seconds
        whole.days, whole.free_days = whole.days - part.days, whole.free_days - part.free_days
        if tally.at == place.index and share > 0.5:
            tally.at = other.index


def _at(found: list[Spell], index: int, most: int | None = MAX_ELSEWHERE) -> Spell:
    """What is kept of a place, anew where there is nothing; of `most` the one with the fewest days makes room."""
    for one in found:
        if one.place == index:
            return one
    if most is not None and len(found) >= most:
        found.remove(min(found, key=lambda one: one.days))
    found.append(Spell(index))
    return found[-1]


def _overlap(begin_s: float, end_s: float, day: int, hours: tuple[float, float]) -> float:
    from_s, until_s = (day * DAY_S + hour for hour in hours)
    return max(0.0, min(end_s, until_s) - max(begin_s, from_s))
