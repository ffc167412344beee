"""What a backtest found: for programs as a struct, for people as lines."""

from __future__ import annotations

from msgspec import Struct

from hearthway.assist.moment import plain
from hearthway.records.count import count_of
from hearthway.records.life import MODES, TravelMode

from .bootstrap import Interval
from .dials import DialLogged, DialReplayed, log_lines, shown
from .foreseen import Error, Foreseen
from .mapped import LifeMap

NEEDS_MAP = "needs a map"


class PersonReport(Struct, frozen=True, kw_only=True):
    """One person's walk-forward backtest."""

    person: str
    fixes: int
    days: int
    stays: int
    places: int
    unseen: int  # places near which the recording only broke off or began
    trips: int  # legs, with at least one raw fix on the way: these are predicted
    trips_unrecorded: int  # recording holes from stay to stay: no truth, not predicted
    trips_with_hole: int  # of the whole trips, how many have a hole of 20 min or more
    legs: Foreseen
    whole: Foreseen  # the same, where a trip goes on through its holes
    spoken: int | str
    spoken_a_day: float | str
    rightly: Interval | str | None  # None: nothing was said
    dials: tuple[DialReplayed, ...] = ()  # each setting over the same days; empty without a map
    by_mode: dict[TravelMode, int] = {}  # trips from stay to stay, by what one went by
    log: tuple[
        DialLogged, ...
    ] = ()  # each setting on what was said and answered; empty where nothing was
    places_on_map: int | None = None  # of `places`; None without a map
    map: LifeMap | None = (
        None  # where this life was lived; None where no place and no trip is known
    )


class Measured(Struct, frozen=True, kw_only=True):
    """Values of this machine and run; the only part that may differ between two runs."""

    cpu_s: float
    max_rss_mb: float | None = None


class BacktestReport(Struct, frozen=True, kw_only=True):
    """The whole report. Everything but `measured` is a function of the history, the map and the seed."""

    people: tuple[PersonReport, ...]
    seed: int
    read: str  # how the file was read, in words
    source: str
    definitions: dict[str, str]
    measured: Measured
    format: int = 2


DEFINITIONS = {
    "stay": "at least 20 min within 200 m; a recording hole counts only if both ends lie within",
    "trip": "from a stay, or 20 min without a fix, to the next, more than 500 m away",
    "whole trip": "between two successive stays more than 500 m apart, whatever was not recorded between",
    "truth": "the trip's last raw fix",
    "fraction": "of the time from the trip's first raw fix to its last",
    "hit": "the point named lies within 300 m of the truth",
    "point named": "Hearthway: where most probability lies within 300 m; a baseline: the centre of its place",
    "visited before": "the truth lies within 300 m of a place known when the trip began: a stay, or where the recording broke off or began",
    "error": "metres from the point named to the truth; where none can be named, from where one is",
    "rightly": "within 90 min of the suggestion, at least 20 min within 100 m of a suggested POI; on a phone's own days first its answer, where it was said there too, then what its need's facts tell",
    "dial": "quiet, normal, eager: each walks forward over the same days with what it would have said itself",
    "kept": "words said and answered here that this setting would have said at their moments too",
    "led there": "the place a predicted trip led to, as it is known at the end of the history; wherever the last raw fix was",
    "region": "what a map shows: as many of the stays as its size is worth; up to three, of a tenth of all stays or more",
    "interval": "95 %, percentile bootstrap over days, 2000 draws; of rightly Wilson's score interval",
}


def report_lines(report: BacktestReport) -> list[str]:
    """The report as people read it."""
    out = []
    if report.read:
        out.append(report.read)
    for person in report.people:
        out += person_lines(person)
    memory = report.measured.max_rss_mb
    out.append(
        f"cost: {report.measured.cpu_s:.1f} CPU seconds"
        + (f", {memory:.0f} MB at most" if memory is not None else "")
    )
    return out


def _mode_lines(by_mode: dict[TravelMode, int]) -> list[str]:
    """What one went by, the most usual first; nothing where there was no trip."""
    words = {
        "foot": "on foot",
        "bicycle": "by bicycle",
        "car": "by car",
        "transit": "by bus or train",
    }
    known = sorted((-count, MODES.index(mode)) for mode, count in by_mode.items() if mode in MODES)
    parts = [f"{-count} {words[MODES[at]]}" for count, at in known if count]
    unknown = by_mode.get("unknown", 0)
    parts += [f"{unknown} nobody can tell"] if unknown else []
    return [f"  from stay to stay: {', '.join(parts)}"] if parts else []


def person_lines(person: PersonReport) -> list[str]:
    """One person's part of the report as people read it."""
    who = plain(person.person) or "(no name in the file)"
    out = [
        "",
        (
            f"person {who}: {count_of(person.days, 'day')}, {count_of(person.trips, 'trip')} to predict,"
            f" {count_of(person.stays, 'stay')} at {count_of(person.places, 'place')}"
        ),
    ]
    if person.trips_unrecorded:
        were = "trip was" if person.trips_unrecorded == 1 else "trips were"
        out.append(
            f"  {person.trips_unrecorded} more {were} not recorded on the way: not predicted"
        )
    out += _mode_lines(person.by_mode)
    if not person.trips:
        out.append("  no trip between two stays: nothing to predict yet")
        return out + _map_lines(person) + _dial_lines(person)
    out += _foreseen_lines(person.legs)
    if person.trips_with_hole:
        out.append(
            f"  from stay to stay, {person.trips_with_hole} of {person.whole.trips} going on through a hole"
        )
        out += _foreseen_lines(person.whole)
    if isinstance(person.spoken_a_day, str):
        out.append(f"  would have spoken: {person.spoken_a_day}; rightly: {person.rightly}")
    else:
        right = (
            "nothing was said"
            if person.rightly is None or isinstance(person.rightly, str)
            else _show(person.rightly)
        )
        out.append(f"  would have spoken {person.spoken_a_day:.2f} times a day; rightly: {right}")
    return out + _map_lines(person) + _dial_lines(person)


def _map_lines(person: PersonReport) -> list[str]:
    """That a map holds only a part of this life, or nothing: what would have been said on another is not known."""
    on_map = person.places_on_map
    if on_map is None or on_map >= person.places:
        return []
    if not on_map:
        return ["  none of these places is on this map: what would have been said needs another"]
    return [
        f"  {on_map} of these {count_of(person.places, 'place')} {'is' if on_map == 1 else 'are'} on this map: beyond it nothing is said"
    ]


def _dial_lines(person: PersonReport) -> list[str]:
    out = []
    if person.dials:
        out.append("  dial      times a day   said   rightly")
        out += [
            f"  {one.dial:<8}  {one.spoken_a_day:11.2f}  {one.spoken:5}   {shown(one)}"
            for one in person.dials
        ]
    return out + list(log_lines(person.log))


def _foreseen_lines(found: Foreseen) -> list[str]:
    out = [
        f"  destinations visited before (the ceiling of known places)  {_show(found.visited_before)}"
    ]
    if not found.fractions:
        return out
    out.append("  destination within 300 m, with 95 % intervals")
    header = "at".rjust(7) + "   " + "Hearthway".ljust(22)
    names = list(found.fractions[0].baselines)
    for name in names:
        header += name.ljust(max(22, len(name) + 2))
    out.append("  " + header + "ours - best peer")
    for at in found.fractions:
        row = f"{at.percent:>5} %   " + _show(at.hit_rate).ljust(22)
        for name in names:
            row += _show(at.baselines[name]).ljust(max(22, len(name) + 2))
        out.append("  " + row + _show(at.gain, sign=True))
    out.append(
        "       at   over 0 %                to known places       first half            second half           "
        "median and mean error   best peer's             calibration error"
    )
    for at in found.fractions:
        row = f"{at.percent:>5} %   " + _show(at.gain_from_start, sign=True).ljust(24)
        for interval in (at.hit_rate_known, *at.halves):
            row += _show(interval).ljust(22)
        row += _metres(at.error).ljust(24) + _metres(at.baseline_errors[at.best_baseline]).ljust(24)
        out.append("  " + row + f"{at.ece:.3f}")
    return out


def _metres(error: Error) -> str:
    return f"{error.median_m:,.0f} m, {error.mean_m:,.0f} m"


def _show(interval: Interval | None, *, sign: bool = False) -> str:
    if interval is None:
        return "-"
    form = "{:+.3f}" if sign else "{:.3f}"
    mean, low, high = (form.format(x) for x in (interval.mean, interval.low, interval.high))
    return f"{mean} [{low}, {high}]"
