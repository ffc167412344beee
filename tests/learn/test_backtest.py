"""The backtest looks only back, counts what it says it counts, and gives the same report every time."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from hearthway.context.life import Life
from hearthway.learn.backtest import backtest, backtest_file
from hearthway.learn.baselines import (
    MARKOV,
    MOST_FREQUENT,
    SAME_HOUR,
    Leaving,
    Went,
    WentBefore,
    baselines,
)
from hearthway.learn.bootstrap import mean_interval
from hearthway.learn.report import NEEDS_MAP, BacktestReport, report_lines
from hearthway.learn.trips import Peers, find_trips
from hearthway.records.codec import to_json
from hearthway.records.errors import InputError
from hearthway.records.geo import distance_m, offset
from hearthway.records.life import TravelMode
from hearthway.records.poi import Opening, OpenState, Poi, PoiIndex
from hearthway.records.signals import Fix
from hearthway.records.situation import Situation
from hearthway.records.suggestion import Option, Silence, Suggestion
from hearthway.records.venue import Wait

HOME = (60.20, 24.90)
SPOTS = [HOME, offset(*HOME, 500, 5_000), offset(*HOME, 4_000, 800), offset(*HOME, -3_000, 1_500)]
SHARED = Path(__file__).parents[2].parent / "shared" / "data"


def _days(days: int, seed: int = 1) -> Iterator[Fix]:
    """Synthetic: out in the morning to one of two places by weekday, back in the evening."""
    pick = random.Random(seed)
    at = HOME
    for day in range(days):
        midnight = 1_709_510_400.0 + day * 86_400.0
        goal = SPOTS[1 + (day % 7 > 3) + (pick.random() < 0.15)]
        for hour, to in ((8.0, goal), (17.0, HOME)):
            leave = midnight + hour * 3600.0 + pick.gauss(0, 600)
            steps = int(distance_m(*at, *to) / 100)
            for i in range(1, steps):
                part = i / steps
                yield Fix(
                    time_s=leave + 10.0 * i,
                    lat=at[0] + (to[0] - at[0]) * part,
                    lon=at[1] + (to[1] - at[1]) * part,
                )
            at = to
            for i in range(60):
                lat, lon = offset(*to, pick.gauss(0, 8), pick.gauss(0, 8))
                yield Fix(time_s=leave + 10.0 * steps + 60.0 * i, lat=lat, lon=lon)


def _fixes() -> list[Fix]:
    return list(_days(28))


def _run(fixes: list[Fix]) -> BacktestReport:
    return backtest({"ada": lambda: fixes})


def _same(report: BacktestReport) -> dict[str, object]:
    plain: dict[str, object] = json.loads(to_json(report))
    plain.pop("measured")
    return plain


class _RoadAt:
    """A map whose nearest road is always so far away."""

    def __init__(self, metres: float) -> None:
        self._metres = metres

    def road_m(self, lat: float, lon: float) -> float | None:
        return self._metres

    def ways_m(
        self, start: tuple[float, float], ends: Sequence[tuple[float, float]]
    ) -> list[float | None]:
        return [None for _ in ends]


@pytest.mark.parametrize(
    ("metres", "mode", "doing"), [(5.0, "car", "driving"), (250.0, "transit", "riding")]
)
def test_what_one_goes_by_is_told_with_the_roads_a_node_has(
    two_houses: PoiIndex, metres: float, mode: TravelMode, doing: str
) -> None:
    fixes, roads, seen = list(_days(14)), _RoadAt(metres), Counter[str]()

    def speaker(situation: Situation, _: Life) -> Silence:
        seen[situation.mode] += 1
        return Silence(code="calm", words="Nothing.", time_s=situation.time_s, person="ada")

    report = backtest(
        {"ada": lambda: fixes}, pois=two_houses, roads=roads, speakers={"normal": speaker}
    )
    node = Life("ada", pois=two_houses, roads=roads)
    for fix in fixes:
        node.observe(fix)
    by_mode = report.people[0].by_mode
    assert by_mode == node.trips_by_mode()
    assert by_mode[mode] > 0.9 * sum(by_mode.values()) > 0
    assert seen[doing] > 0.9 * (seen["driving"] + seen["riding"])


def test_a_regular_life_is_foreseen_from_the_route() -> None:
    person = _run(_fixes()).people[0]
    assert person.whole.trips == 55
    assert (
        person.trips == person.legs.trips == 56
    )  # the recording begins with a way, not with a stay
    assert person.trips_with_hole == person.unseen == 0
    assert [at.percent for at in person.legs.fractions] == [0, 25, 50, 75]
    half = person.legs.fractions[2]
    ceiling = person.legs.visited_before
    assert half.hit_rate is not None
    assert half.gain is not None
    assert ceiling is not None
    assert half.hit_rate.mean > 0.9 * ceiling.mean
    assert half.gain.mean > 0.1
    assert half.hit_rate.low <= half.hit_rate.mean <= half.hit_rate.high
    for at in person.legs.fractions:
        best = max(x.mean for x in at.baselines.values() if x is not None)
        named = at.baselines[at.best_baseline]
        assert named is not None
        assert named.mean == best
        assert at.hit_rate is not None
        assert at.gain is not None
        assert at.gain.mean == pytest.approx(at.hit_rate.mean - best, abs=2e-6)
        assert at.hit_rate.mean <= ceiling.mean
        assert at.gain_from_start is not None
        start = person.legs.fractions[0].hit_rate
        assert start is not None
        assert at.gain_from_start.mean == pytest.approx(at.hit_rate.mean - start.mean, abs=2e-6)
        assert sum(b.n for b in at.calibration) == person.trips
        assert at.error.median_m <= 300.0 or at.hit_rate.mean < 0.5


def test_the_future_does_not_change_the_past() -> None:
    fixes = _fixes()
    cut = 3 * len(fixes) // 4
    early, late = find_trips("ada", fixes[:cut]).legs, find_trips("ada", fixes).legs
    assert late[: len(early)] == early
    seen: dict[int, list[bytes]] = {}
    for which, data in enumerate((fixes[:cut], fixes)):
        life = Life("ada")
        for i, fix in enumerate(data[:cut]):
            life.observe(fix)
            if i % 500 == 0:
                seen.setdefault(i, []).append(to_json(life.situation(fix.time_s)))
        assert which in (0, 1)
    assert all(a == b for a, b in seen.values())


def test_each_question_is_asked_with_past_fixes_only(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[float, float]] = []
    plain = Life.situation

    def watched(self: Life, now_s: float) -> Situation:
        last = self.state.last
        assert last is not None
        asked.append((now_s, last.time_s))
        return plain(self, now_s)

    monkeypatch.setattr(Life, "situation", watched)
    fixes = _fixes()
    found = find_trips("ada", fixes)
    _run(fixes)
    assert len(asked) == 4 * (len(found.legs) + len(found.whole)) > 200
    times = [fix.time_s for fix in fixes]
    for now_s, newest_s in asked:
        assert newest_s <= now_s
        assert newest_s == max(t for t in times if t <= now_s)


def test_the_same_report_under_any_hash_seed() -> None:
    code = (
        "import importlib.util, json, sys\n"
        "from hearthway.learn.backtest import backtest\n"
        "from hearthway.records.codec import to_json\n"
        f"spec = importlib.util.spec_from_file_location('t', {str(Path(__file__))!r})\n"
        "t = importlib.util.module_from_spec(spec); spec.loader.exec_module(t)\n"
        "print(json.dumps(t._same(t._run(list(t._days(14)))), sort_keys=True))\n"
    )
    out = [
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    ]
    assert out[0] == out[1]
    assert len(out[0]) > 500


def test_without_a_map_there_is_no_number() -> None:
    report = _run(list(_days(10)))
    person = report.people[0]
    assert (person.spoken, person.spoken_a_day, person.rightly) == (NEEDS_MAP,) * 3
    text = "\n".join(report_lines(report))
    assert "would have spoken: needs a map; rightly: needs a map" in text


def test_too_little_history_says_so() -> None:
    report = _run(list(_days(1))[:30])
    assert report.people[0].trips == 0
    assert report.people[0].legs.visited_before is None
    assert report.people[0].legs.fractions == ()
    assert "nothing to predict yet" in "\n".join(report_lines(report))


def test_a_trip_that_was_not_recorded_is_counted_not_predicted() -> None:
    at, to = HOME, SPOTS[1]
    fixes = [Fix(time_s=1e9 + 60.0 * i, lat=at[0], lon=at[1]) for i in range(40)]
    fixes += [Fix(time_s=1e9 + 9000 + 60.0 * i, lat=to[0], lon=to[1]) for i in range(40)]
    person = _run(fixes).people[0]
    assert (person.trips, person.trips_unrecorded, person.stays) == (0, 1, 2)


def _way(start_s: float, at: tuple[float, float], to: tuple[float, float]) -> list[Fix]:
    """At 10 m/s, a fix each 10 s."""
    steps = int(distance_m(*at, *to) / 100)
    return [
        Fix(
            time_s=start_s + 10.0 * i,
            lat=at[0] + (to[0] - at[0]) * i / steps,
            lon=at[1] + (to[1] - at[1]) * i / steps,
        )
        for i in range(1, steps + 1)
    ]


def test_a_hole_ends_a_leg_and_a_whole_trip_goes_on_through_it() -> None:
    home, shop, work = SPOTS[0], SPOTS[2], SPOTS[1]
    fixes = [Fix(time_s=1e9 + 60.0 * i, lat=home[0], lon=home[1]) for i in range(40)]
    out = _way(1e9 + 2400.0, home, shop)
    # Half an hour in the shop, where there is no reception; the phone wakes 400 m farther on.
    on = _way(out[-1].time_s + 1800.0, offset(*shop, 0, 400), work)
    there = [Fix(time_s=on[-1].time_s + 60.0 * i, lat=work[0], lon=work[1]) for i in range(1, 40)]
    fixes += [*out, *on, *there]
    found = find_trips("ada", fixes)
    first, second = found.legs
    assert (first.end_s, second.start_s) == (out[-1].time_s, on[0].time_s)
    (whole,) = found.whole
    assert (whole.start_s, whole.end_s) == (first.start_s, second.end_s)
    assert len(found.life.places()) == 2
    person = _run(fixes).people[0]
    assert (person.trips, person.whole.trips, person.trips_with_hole) == (2, 1, 1)
    assert (person.places, person.unseen) == (2, 2)
    brief = [f for f in fixes if f.time_s <= out[-1].time_s] + [
        Fix(time_s=f.time_s - 900.0, lat=f.lat, lon=f.lon) for f in (*on, *there)
    ]
    assert len(find_trips("ada", brief).legs) == 1  # a quarter of an hour is no stay


def test_people_of_one_file_are_apart(tmp_path: Path) -> None:
    path = tmp_path / "two.csv"
    rows = ["lat,lng,datetime,uid"]
    for fix in _days(8):
        rows.append(f"{fix.lat},{fix.lon},{fix.time_s},ada")
        rows.append(f"{fix.lat + 5},{fix.lon},{fix.time_s},bo")
    path.write_text("\n".join(rows))
    report = backtest_file(path)
    assert [person.person for person in report.people] == ["ada", "bo"]
    assert report.people[0].trips == report.people[1].trips > 10
    alone = _run(list(_days(8))).people[0]
    assert report.people[0].legs.fractions[2].hit_rate == alone.legs.fractions[2].hit_rate


def test_shuffled_and_doubled_rows_change_nothing_but_their_count(tmp_path: Path) -> None:
    rows = [f"{fix.lat},{fix.lon},{fix.time_s},ada" for fix in _days(8)]
    tidy, wild = tmp_path / "tidy.csv", tmp_path / "wild.csv"
    tidy.write_text("\n".join(["lat,lng,datetime,uid", *rows]))
    mixed = [*rows, *rows[:50]]
    random.Random(1).shuffle(mixed)
    wild.write_text("\n".join(["lat,lng,datetime,uid", *mixed]))
    assert backtest_file(tidy).people == backtest_file(wild).people
    assert "50 duplicates" in backtest_file(wild).read


def test_a_bad_file_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        backtest_file(tmp_path / "none.csv")


@pytest.mark.parametrize(("detained", "right"), [(1500.0, 1), (900.0, 0)])
def test_rightly_means_twenty_minutes_within_a_hundred_metres(
    two_houses: PoiIndex, detained: float, right: int
) -> None:
    poi = Poi(osm_id="node/9", kind="restaurant", name="C", lat=SPOTS[1][0], lon=SPOTS[1][1])
    spoken: list[float] = []

    def speaker(situation: Situation, life: Life) -> Suggestion | Silence:
        if spoken or situation.trip_distance_m < 2_000.0:
            return Silence(time_s=situation.time_s, person="ada", code="x", words="x")
        spoken.append(situation.time_s)
        option = Option(
            poi=poi,
            utility=1.0,
            opening=Opening(state=OpenState.UNKNOWN),
            arrive_s=0.0,
            detour_s=0.0,
            walk_m=0.0,
            wait=Wait(osm_id="node/9"),
        )
        return Suggestion(
            suggestion_id="s",
            need="dinner",
            person="ada",
            time_s=situation.time_s,
            utc_offset_s=0,
            headline="",
            lines=(),
            options=(option,),
            reasons=(),
            p_useful=0.5,
            utility=1.0,
            threshold=0.0,
            propensity=1.0,
            situation=situation,
        )

    fixes = [Fix(time_s=1e9 + 60.0 * i, lat=HOME[0], lon=HOME[1]) for i in range(40)]
    start = fixes[-1].time_s
    for i in range(1, 100):
        lat = HOME[0] + (SPOTS[1][0] - HOME[0]) * i / 100
        lon = HOME[1] + (SPOTS[1][1] - HOME[1]) * i / 100
        fixes.append(Fix(time_s=start + 5.0 * i, lat=lat, lon=lon))
    arrived = fixes[-1].time_s
    for i in range(int(detained // 60)):
        fixes.append(Fix(time_s=arrived + 60.0 * (i + 1), lat=poi.lat, lon=poi.lon))
    away = offset(*SPOTS[1], 150, 0)
    for i in range(40):
        fixes.append(Fix(time_s=arrived + detained + 60.0 * (i + 1), lat=away[0], lon=away[1]))
    report = backtest({"ada": lambda: fixes}, pois=two_houses, speakers={"normal": speaker})
    person = report.people[0]
    assert person.spoken == 1
    assert not isinstance(person.rightly, str)
    assert person.rightly is not None
    assert person.rightly.mean == right


def test_each_setting_is_asked_at_the_same_moments_and_told_apart(two_houses: PoiIndex) -> None:
    asked: dict[str, list[float]] = {"quiet": [], "eager": []}

    def speaker(dial: str) -> Callable[[Situation, Life], Suggestion | Silence]:
        def silent(situation: Situation, life: Life) -> Suggestion | Silence:
            asked[dial].append(situation.time_s)
            return Silence(time_s=situation.time_s, person="ada", code="x", words="x")

        return silent

    speakers = {dial: speaker(dial) for dial in asked}
    report = backtest({"ada": _fixes}, pois=two_houses, speakers=speakers, dial="eager")
    assert asked["quiet"] == asked["eager"]
    assert len(asked["quiet"]) > 100
    dials = report.people[0].dials
    assert [(one.dial, one.spoken, one.rightly) for one in dials] == [
        ("quiet", 0, None),
        ("eager", 0, None),
    ]
    with pytest.raises(ValueError, match="no speaker for the dial at normal"):
        backtest({"ada": _fixes}, pois=two_houses, speakers=speakers)


def test_places_that_were_joined_are_one_for_the_peers_too() -> None:
    life = Life("ada")
    peers = Peers(life)
    at = [offset(60.2, 24.9, 3_000.0, east_m) for east_m in (-115.0, 115.0) * 2]
    at += [offset(60.2, 24.9, 3_000.0, east_m) for east_m in (-45.0, 45.0) * 4]
    home, way = (60.2, 24.9), (60.21, 24.9)
    for day, there in enumerate(at):
        midnight_s = 1_709_510_400.0 + day * 86_400.0
        for minute in range(0, 121, 5):
            lat, lon = home if minute < 60 else way if minute == 60 else there
            fix = Fix(time_s=midnight_s + minute * 60.0, lat=lat, lon=lon)
            peers.listen(life.observe(fix), fix)
    assert [(p.blank, p.into) for p in life.state.places] == [(False, -1), (False, -1), (True, 1)]
    assert {went.destination for went in peers._past.trips} == {1, 2}
    assert set(peers.named().values()) <= {0, 1}
    assert {went.destination for went in peers._past.trips} == {1}


def test_baselines_never_name_where_one_is() -> None:
    life = Life("ada")
    for fix in _days(8):
        life.observe(fix)
    places = life.state.places
    home = 0
    named = baselines(Leaving(home, 0.0, 3600.0, 2), places, WentBefore())
    assert set(named) == {MOST_FREQUENT, MARKOV, SAME_HOUR}
    assert all(index not in (home, None) for index in named.values())
    went = [Went(Leaving(home, float(i), 8 * 3600.0, 2), 2 if i < 5 else 1) for i in range(9)]
    now = baselines(Leaving(home, 9.0, 8.5 * 3600.0, 2), places, WentBefore(went))
    assert now[MARKOV] == 2  # five against four
    assert now[SAME_HOUR] == 1  # the latest


def test_intervals_are_seeded_and_cover_the_mean() -> None:
    values = [1.0, 0.0, 1.0, 1.0]
    assert mean_interval(values, seed=3) == mean_interval(values, seed=3)
    assert mean_interval([], seed=3) is None
    sure = mean_interval([1.0] * 9, seed=3)
    assert sure is not None
    assert (sure.low, sure.mean, sure.high, sure.n) == (1.0, 1.0, 1.0, 9)


@pytest.mark.data
def test_a_real_person_is_foreseen_better_than_by_any_baseline() -> None:
    path = SHARED / "mobility" / "geolife_raw_001.csv.gz"
    if not path.exists():
        if os.environ.get("CI") == "true":
            pytest.fail(f"{path} is absent")
        pytest.skip("../shared/data is absent")
    person = backtest_file(path).people[0]
    half = person.legs.fractions[2]
    assert person.fixes == 108_607
    assert half.hit_rate is not None
    assert half.gain is not None
    assert half.gain.mean > 0.03
    late = person.legs.fractions[3]
    assert late.hit_rate is not None
    assert late.gain_from_start is not None
    assert late.hit_rate.mean >= 0.70
    assert late.gain_from_start.mean >= 0.10


@pytest.mark.parametrize(
    ("north", "on_map", "says"),
    [
        (90.0, 2, ""),
        (HOME[0] + 0.01, 1, "1 of these 2 places is on this map"),
        (-90.0, 0, "none of these places is on this map"),
    ],
)
def test_a_map_that_does_not_hold_the_life_says_so(north: float, on_map: int, says: str) -> None:
    """On another country's map it never spoke: that tells nothing of it."""

    class Cut:
        def covers(self, lat: float, lon: float) -> bool:
            return lat <= north

        def near(self, *_: object) -> list[Poi]:
            return []

    far = offset(*HOME, 5_000.0, 0.0)
    fixes = [
        Fix(time_s=1e9 + 60.0 * i, lat=at[0], lon=at[1])
        for i, at in enumerate([HOME] * 40 + [far] * 40 + [HOME] * 40)
    ]
    quiet = Silence(time_s=0.0, person="ada", code="x", words="x")
    report = backtest(
        {"ada": lambda: fixes},
        pois=Cut(),  # type: ignore[arg-type]  # as far as it is asked
        speakers={"normal": lambda *_: quiet},
    )
    assert (report.people[0].places, report.people[0].places_on_map) == (2, on_map)
    lines = "\n".join(report_lines(report))
    assert (says in lines) if says else ("on this map" not in lines)
