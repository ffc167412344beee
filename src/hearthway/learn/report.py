"""What a backtest found: for programs as a struct, for people as lines."""

from __future__ import annotations

from msgspec import Struct

from .bootstrap import Interval

NEEDS_MAP = "needs a map"


class AtFraction(Struct, frozen=True, kw_only=True):
    """Destination prediction at one part of the trip's time; hits are within 300 m of the truth."""

    percent: int
    hit_rate: Interval | None
    baselines: dict[str, Interval | None]
    best_baseline: str
    gain: Interval | None  # ours minus the best baseline, paired by trip
    mean_log_loss: float | None
    ece: float | None
    mean_confidence: float | None


class CalibrationBin(Struct, frozen=True, kw_only=True):
    """Predictions of about the same confidence, at 50 % of the trip."""

    low: float
    high: float
    n: int
    confidence: float
    hit_rate: float


class PersonReport(Struct, frozen=True, kw_only=True):
    """One person's walk-forward backtest."""

    person: str
    fixes: int
    days: int
    stays: int
    places: int
    trips: int  # with at least one raw fix on the way: these are predicted
    trips_unrecorded: int  # recording holes from stay to stay: no truth, not predicted
    trips_with_hole: int  # of the predicted ones, how many have a hole of 15 min or more
    visited_before: (
        Interval | None
    )  # the ceiling of any prediction that names centres of known places
    fractions: tuple[AtFraction, ...]
    calibration: tuple[CalibrationBin, ...]
    ece_at_50: float | None
    spoken: int | str
    spoken_a_day: float | str
    rightly: Interval | str | None  # None: nothing was said


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
    format: int = 1


DEFINITIONS = {
    "stay": "at least 20 min within 200 m; a recording hole counts only if both ends lie within",
    "trip": "between two successive stays more than 500 m apart",
    "truth": "the trip's last raw fix before the destination stay",
    "fraction": "of the time from the trip's first raw fix to its last",
    "hit": "the point named lies within 300 m of the truth",
    "point named": "Hearthway: where most probability lies within 300 m; a baseline: the centre of its place",
    "visited before": "the truth lies within 300 m of a place known when the trip began",
    "rightly": "within 90 min of the suggestion, at least 20 min within 100 m of a suggested POI",
    "interval": "95 %, percentile bootstrap over trips, 2000 draws",
}


def report_lines(report: BacktestReport) -> list[str]:
    """The report as people read it."""
    out = []
    if report.read:
        out.append(report.read)
    for person in report.people:
        out += _person_lines(person)
    memory = report.measured.max_rss_mb
    out.append(
        f"cost: {report.measured.cpu_s:.1f} CPU seconds"
        + (f", {memory:.0f} MB at most" if memory is not None else "")
    )
    return out


def _person_lines(person: PersonReport) -> list[str]:
    who = person.person or "(no name in the file)"
    out = [
        "",
        (
            f"person {who}: {person.days} days, {person.trips} trips to predict, {person.stays} stays"
            f" at {person.places} places"
        ),
    ]
    if person.trips_unrecorded:
        out.append(
            f"  {person.trips_unrecorded} more trips were not recorded on the way: not predicted"
        )
    if not person.trips:
        out.append("  no trip between two stays: nothing to predict yet")
        return out
    out.append(f"  destinations visited before (the ceiling)  {_show(person.visited_before)}")
    out.append("  destination within 300 m, with 95 % intervals")
    header = "at".rjust(7) + "   " + "Hearthway".ljust(22)
    names = list(person.fractions[0].baselines)
    for name in names:
        header += name.ljust(max(22, len(name) + 2))
    out.append("  " + header + "ours - best peer")
    for at in person.fractions:
        row = f"{at.percent:>5} %   " + _show(at.hit_rate).ljust(22)
        for name in names:
            row += _show(at.baselines[name]).ljust(max(22, len(name) + 2))
        out.append("  " + row + _show(at.gain, sign=True))
    if person.ece_at_50 is not None:
        out.append(f"  calibration error at 50 %: {person.ece_at_50:.3f}")
    if isinstance(person.spoken_a_day, str):
        out.append(f"  would have spoken: {person.spoken_a_day}; rightly: {person.rightly}")
    else:
        right = (
            "nothing was said"
            if person.rightly is None or isinstance(person.rightly, str)
            else _show(person.rightly)
        )
        out.append(f"  would have spoken {person.spoken_a_day:.2f} times a day; rightly: {right}")
    return out


def _show(interval: Interval | None, *, sign: bool = False) -> str:
    if interval is None:
        return "-"
    form = "{:+.3f}" if sign else "{:.3f}"
    mean, low, high = (form.format(x) for x in (interval.mean, interval.low, interval.high))
    return f"{mean} [{low}, {high}]"
