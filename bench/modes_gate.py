"""Of which ways the student of trip modes is asked: chosen on people who are not those of bench/modes.py's figures.

    python bench/modes_gate.py [--student FILE] [--people N] [--days N] [--seed N]

The people are of the descriptions that bench/modes.py judges by, with a seed of their own (500): who goes by everything, with each
kind of phone, and who only drives, as the phones write and with a fix in five minutes. The student learned from none of them, and
from no such description; nobody lived them. Three bounds say of which ways it is asked: how sure the filter is, the seconds between two
steps, this person's share of ways by car. Of those with which no group of drivers has fewer trips told right than by the filter
alone, those with the most trips right are best. The figures are those of the shipped bounds; with the seed of bench/modes.py's figures
(101) nothing is chosen. The last line is JSON for scripts/bench.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from hearthway.atlas.store import Atlas
from hearthway.context import mode_judge
from hearthway.context.modes import ModeFilter
from hearthway.records.errors import HearthwayError, InputError
from hearthway.records.geo import distance_m
from hearthway.records.life import TravelMode
from hearthway.student.plain import PlainStudent

if TYPE_CHECKING:
    from bench._ends import finish, refused, started
    from bench._modes import STYLES, Mixed
    from bench.modes import Item, Walk, drivers, household, rarely, truth_of
else:  # run as a script, its own folder is on the path
    from _ends import finish, refused, started
    from _modes import STYLES, Mixed
    from modes import Item, Walk, drivers, household, rarely, truth_of

SURE_P = (0.7, 0.8, 0.85, 0.9, 0.95, 2.0)
RARE_S = (60.0, 150.0, 300.0, 400.0, 450.0, 500.0, float("inf"))
DRIVES = (0.5, 0.6, 0.7, 0.75, 0.8, 0.9, 1.0)
Bounds = tuple[float, float, float]  # how sure the filter is, seconds of a step, share by car
Said = tuple[float, float, float, str, str]  # the same, by the student, by the filter
ANY: Bounds = (2.0, float("inf"), 1.0)
NONE: Bounds = (0.0, 0.0, 0.0)


class Seen(Struct, frozen=True):
    """One trip: by what it was, and what is said of it."""

    truth: TravelMode
    sure_p: float
    step_s: float
    drives: float
    student: str
    filtered: str

    def told(self, bounds: Bounds) -> str:
        """With these bounds."""
        sure_p, rare_s, drives = bounds
        asked = self.sure_p < sure_p and self.step_s < rare_s and self.drives <= drives
        return self.student if asked else self.filtered


def walked(
    one: PlainStudent, items: Iterable[Item], roads: Atlas | None
) -> tuple[Walk, list[Said]]:
    """A life, and what was said of each of its trips."""
    noted: list[Said] = []

    def note(way: ModeFilter) -> tuple[TravelMode, float]:
        said = way.trip()
        by_student = mode_judge.said_by(one, way) if mode_judge.is_for(way, *ANY) else said
        step_s, drives = way.state.marks.step_s(), way.before()[2]
        noted.append((said[1], step_s, drives, by_student[0], said[0]))
        return said

    walk = Walk(roads, note)
    for item in items:
        walk.take(item)
    return walk, noted


def mixed(one: PlainStudent, style: str, people: int, days: int, seed: int) -> Iterator[Seen]:
    """Trips of people who go by everything."""
    for number in range(people):
        someone = Mixed(seed + number, style, tells=number % 2 == 1)
        someone.live(days)
        walk, noted = walked(one, someone.items(), None)
        for (trip, _), said in zip(walk.trips, noted, strict=True):
            truth = truth_of(trip, someone.ways)
            if truth is not None:
                yield Seen(truth, *said)


def driven(
    one: PlainStudent, lives: Sequence[tuple[list[Item], float]], roads: Atlas
) -> Iterator[Seen]:
    """Trips of people who only drive, those farther than their metres."""
    for items, least_m in lives:
        walk, noted = walked(one, items, roads)
        for (trip, _), said in zip(walk.trips, noted, strict=True):
            a, b = trip.origin, trip.destination
            if distance_m(a.lat, a.lon, b.lat, b.lon) >= least_m:
                yield Seen("car", *said)


def right(seen: Sequence[Seen], bounds: Bounds) -> int:
    """Trips told right."""
    return sum(trip.told(bounds) == trip.truth for trip in seen)


def best(mixes: Mapping[str, list[Seen]], drives: Mapping[str, list[Seen]]) -> Bounds:
    """The best bounds."""

    def fits(bounds: Bounds) -> bool:
        return all(right(seen, bounds) >= right(seen, NONE) for seen in drives.values())

    everything = [*mixes.values(), *drives.values()]
    found = [bounds for bounds in product(SURE_P, RARE_S, DRIVES) if fits(bounds)]
    return max(found, key=lambda bounds: sum(right(seen, bounds) for seen in everything))


def rows(groups: Mapping[str, list[Seen]], bounds: Bounds) -> Iterator[dict[str, Any]]:
    """One line a group."""
    for words, seen in groups.items():
        ours, theirs = right(seen, bounds) / len(seen), right(seen, NONE) / len(seen)
        yield {
            "case": f"{words}, {len(seen)} trips",
            "metric": "trips told right",
            "unit": "share",
            "ours": round(ours, 4),
            "peer": "the filter alone",
            "theirs": round(theirs, 4),
            "ratio": round(ours / theirs, 4) if theirs else None,
        }


def main() -> int:
    """Chooses, measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", help="not needed here: everything is made")
    parser.add_argument("--student", type=Path, default=mode_judge.SHIPPED)
    parser.add_argument("--people", type=int, default=4, help="for each kind of phone")
    parser.add_argument("--days", type=int, default=14)
    parser.add_argument("--seed", type=int, default=500)
    given = parser.parse_args()
    try:
        one = mode_judge.fitting(given.student.read_bytes(), str(given.student))
    except HearthwayError as why:
        return refused(why)
    except OSError as why:
        return refused(
            InputError(
                f"{given.student} cannot be read.", f"{why.strerror}: name a student's file."
            )
        )
    atlas = Atlas.bundled()
    mixes = {
        f"{style} phone": list(mixed(one, style, given.people, given.days, given.seed))
        for style in STYLES
    }
    drives: dict[str, list[Seen]] = {}
    for words, made in (("household", household), ("other drivers", drivers)):
        lives = [(list(items), least_m) for items, least_m in made(given.seed, atlas)]
        drives[words] = list(driven(one, lives, atlas))
        seldom = [(list(rarely(items)), least_m) for items, least_m in lives]
        drives[f"{words}, rare phone"] = list(driven(one, seldom, atlas))
    print(f"best here (p, seconds, share): {best(mixes, drives)}")
    shipped = mode_judge.SURE_P, mode_judge.RARE_S, mode_judge.DRIVES
    found = [*rows(mixes | drives, shipped)]
    for each in found:
        print(*(str(value) for value in each.values() if value not in (None, "")), sep="  ")
    finish("modes_gate", found)
    return 0


if __name__ == "__main__":
    started(main)
