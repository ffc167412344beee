"""`drive HISTORY` and `backtest` on small histories: people apart, holes and clock changes borne, the same twice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hearthway.atlas.store import BUNDLED
from hearthway.history.reader import open_history
from hearthway.learn.backtest import backtest_file, report_lines
from hearthway.mesh.state.store import Store
from hearthway.records.geo import offset
from hearthway.records.situation import Situation
from hearthway.records.suggestion import Answer, AnswerKind, Reason, Suggestion

Hearthway = Callable[..., Any]
HOME, WORK = (60.20, 24.80), (60.17, 24.94)


def _days(
    count: int, *, start: datetime, shift_m: float = 0.0
) -> list[tuple[datetime, float, float]]:
    """Home at night, work by day, a fix every five minutes at rest and every minute on the way."""
    rows: list[tuple[datetime, float, float]] = []
    home, work = offset(*HOME, shift_m, 0.0), offset(*WORK, shift_m, 0.0)
    for day in range(count):
        morning = start + timedelta(days=day)
        if day % 9 == 4:
            continue  # a hole: the phone was off
        plan = [(0, 450, home, home), (450, 475, home, work), (475, 960, work, work)]
        plan += [(960, 985, work, home), (985, 1440, home, home)]
        for begin, end, a, b in plan:
            step = 5 if a == b else 1
            for minute in range(begin, end, step):
                share = 0.0 if a == b else (minute - begin) / (end - begin)
                lat, lon = a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share
                rows.append((morning + timedelta(minutes=minute), lat, lon))
    return rows


@pytest.fixture(scope="module")
def two_people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three weeks over the end of summer time, rows of two people mixed."""
    start = datetime(2025, 10, 12, 21, 0, tzinfo=UTC)
    rows = [(t, la, lo, "anna") for t, la, lo in _days(24, start=start)]
    rows += [(t, la, lo, "ben") for t, la, lo in _days(24, start=start, shift_m=5000.0)]
    rows.sort(key=lambda row: row[0])
    file = tmp_path_factory.mktemp("history") / "two.csv"
    lines = [f"{la:.6f},{lo:.6f},{t:%Y-%m-%d %H:%M:%S},{who}" for t, la, lo, who in rows]
    file.write_text("\n".join(["lat,lng,datetime,uid", *lines]) + "\n")
    return file


def test_a_result_is_not_written_over_what_it_is_made_from(
    hearthway: Hearthway, two_people: Path, tmp_path: Path
) -> None:
    mine = tmp_path / "mine.csv"
    mine.write_bytes(two_people.read_bytes())
    other = tmp_path / "x.json"
    for verb, words in (
        ("backtest", ("--html", mine)),
        ("backtest", ("--json", mine)),
        ("drive", ("--json", mine)),
        ("backtest", ("--html", other, "--json", other)),
    ):
        hearthway(verb, mine, *words).refuses("would be written over")
    assert mine.read_bytes() == two_people.read_bytes()
    assert not other.exists()
    assert hearthway("backtest", mine, "--html", tmp_path / "x.html", "--json", other).code == 0


def test_a_name_in_a_file_cannot_write_to_the_terminal(tmp_path: Path) -> None:
    row = "60.1,24.9,2024-01-01 10:00:00,an\x1b[2Jna"
    file = tmp_path / "one.csv"
    file.write_text(f"lat,lng,datetime,uid\n{row}\n")
    lines = report_lines(backtest_file(file))
    assert any(line.startswith("person an [2Jna: ") for line in lines)
    assert all("\x1b" not in line for line in lines)


def test_two_people_in_one_file(
    hearthway: Callable[..., Any], two_people: Path, tmp_path: Path
) -> None:
    """Each person apart; without a map "rightly" needs a map and is no number."""
    out = tmp_path / "out.json"
    done = hearthway("drive", two_people, "--json", out)
    assert done.code == 0, done.err
    assert "needs a map" in done.out
    report = json.loads(out.read_bytes())
    text = json.dumps(report)
    assert "anna" in text
    assert "ben" in text
    assert out.stat().st_mode & 0o777 == 0o600
    people = report["people"]
    assert len(people) == 2
    for person in people:
        assert person["trips"] >= 30
    assert hearthway("backtest", two_people).out.split("CPU")[0].count("anna") >= 1


def test_the_same_under_another_hash_seed(two_people: Path, tmp_path: Path) -> None:
    reports = []
    for seed in ("1", "777"):
        out = tmp_path / f"{seed}.json"
        subprocess.run(
            [sys.executable, "-m", "hearthway", "drive", str(two_people), "--json", str(out)],
            env={**os.environ, "PYTHONHASHSEED": seed},
            stdout=subprocess.DEVNULL,
            check=True,
            timeout=100,
        )
        report = json.loads(out.read_bytes())
        report.pop("measured", None)
        reports.append(json.dumps(report, sort_keys=True))
    assert reports[0] == reports[1]


def test_a_track_with_holes(hearthway: Callable[..., Any], tmp_path: Path) -> None:
    """GPX: segments, points without time and out of range are counted and left out."""
    points = [
        f'<trkpt lat="{la:.6f}" lon="{lo:.6f}"><time>{t:%Y-%m-%dT%H:%M:%SZ}</time></trkpt>'
        for t, la, lo in _days(12, start=datetime(2025, 3, 25, 22, 0, tzinfo=UTC))
    ]
    half = len(points) // 2
    bad = '<trkpt lat="60.1" lon="24.9"/><trkpt lat="95" lon="24.9"><time>2025-03-27T00:00:00Z</time></trkpt>'
    file = tmp_path / "walk.gpx"
    file.write_text(
        '<?xml version="1.0"?><gpx version="1.1" creator="t" xmlns="http://www.topografix.com/GPX/1/1">'
        f"<trk><trkseg>{''.join(points[:half])}{bad}</trkseg>"
        f"<trkseg>{''.join(points[half:])}</trkseg></trk></gpx>"
    )
    done = hearthway("drive", file)
    assert done.code == 0, done.err
    history = open_history(file)
    assert sum(1 for _ in history) == len(points)


def test_import_then_backtest(
    hearthway: Callable[..., Any], two_people: Path, tmp_path: Path
) -> None:
    """Of two people the named one comes in; twice adds nothing; the backtest of what is held knows that life."""
    root = tmp_path / "phone"
    root.mkdir()
    (root / "node.toml").write_text('[node]\nid = "phone"\nrole = "phone"\n[map]\natlas = "none"\n')
    unclear = hearthway("import", two_people, "--person", "Carl", "--data", root)
    unclear.refuses("anna, ben")
    first = hearthway("import", two_people, "--person", "anna", "--data", root)
    assert first.code == 0, first.err
    again = hearthway("import", two_people, "--person", "anna", "--data", root)
    assert "0 fixes are new" in again.out
    page = tmp_path / "anna.html"
    told = hearthway("backtest", "--data", root, "--html", page)
    assert told.code == 0, told.err
    assert "anna" in told.out
    assert "<h2>anna</h2>" in page.read_text()
    assert page.stat().st_mode & 0o777 == 0o600
    nowhere = tmp_path / "nowhere" / "anna.html"
    hearthway("backtest", "--data", root, "--html", nowhere).refuses("no directory")
    hearthway("backtest", "--data", root, "--html", "-").refuses("Name a file")
    assert hearthway("export", "anna", "--to", tmp_path / "ex", "--data", root).code == 0
    assert hearthway("forget", "anna", "--yes", "--data", root).code == 0
    hearthway("backtest", "--data", root).refuses("nobody")
    assert b"anna" not in (root / "node.db").read_bytes()


def _central(file: Path) -> Path:
    """A life within the bundled map of central Helsinki."""
    rows = []
    for t, la, _ in _days(12, start=datetime(2025, 10, 12, 21, 0, tzinfo=UTC)):
        share = (la - HOME[0]) / (WORK[0] - HOME[0])
        rows.append(
            f"{60.1685 + 0.008 * share:.6f},{24.938 + 0.012 * share:.6f},{t:%Y-%m-%d %H:%M:%S},me"
        )
    file.write_text("\n".join(["lat,lng,datetime,uid", *rows]) + "\n")
    return file


def test_the_page_has_a_map_over_the_streets_of_the_households_map(
    hearthway: Hearthway, tmp_path: Path
) -> None:
    """Streets and their licence where the map covers the life; a sentence where it does not, or where there is none."""
    file, page, out = _central(tmp_path / "me.csv"), tmp_path / "me.html", tmp_path / "me.json"
    done = hearthway("backtest", file, "--map", BUNDLED, "--html", page, "--json", out)
    assert done.code == 0, done.err
    shown = page.read_text("utf-8")
    assert 'class="street"' in shown
    assert "© OpenStreetMap contributors" in shown
    drawn = json.loads(out.read_bytes())["people"][0]["map"]
    assert [place["called"] for place in drawn["places"]] == ["home", "work"]
    assert all(place["on_map"] for place in drawn["places"])
    for place in drawn["places"]:
        trips = f"{place['named']} of {place['led']} trips there named half way"
        assert f"<title>{place['called']}: {place['stays']} stays, {trips}</title>" in shown
    assert hearthway("backtest", file, "--html", page).code == 0
    bare = page.read_text("utf-8")
    assert "No map was at hand" in bare
    assert "OpenStreetMap" not in bare
    far = tmp_path / "far.csv"
    far.write_text(file.read_text().replace("\n60.", "\n50."))
    assert hearthway("backtest", far, "--map", BUNDLED, "--html", page).code == 0
    assert "The map does not cover this ground" in page.read_text("utf-8")
    assert "OpenStreetMap" not in page.read_text("utf-8")


def test_the_owners_name_of_a_place_stands_on_the_page(
    hearthway: Hearthway, two_people: Path, tmp_path: Path
) -> None:
    (tmp_path / "node.toml").write_text(
        '[node]\nid = "phone"\nrole = "phone"\n[map]\natlas = "bundled"\n'
    )
    done = hearthway("import", two_people, "--person", "anna", "--data", tmp_path)
    assert done.code == 0, done.err
    named = hearthway("places", "name", "work", "The <mill>", "--data", tmp_path)
    assert named.code == 0, named.err
    page = tmp_path / "anna.html"
    told = hearthway("backtest", "--data", tmp_path, "--html", page)
    assert told.code == 0, told.err
    shown = page.read_text("utf-8")
    assert ">The &lt;mill&gt;</text>" in shown
    assert ">home</text>" in shown
    assert "<mill>" not in shown


def test_a_phone_that_was_answered_tells_what_each_setting_would_have_kept(
    hearthway: Callable[..., Any], two_people: Path, tmp_path: Path
) -> None:
    (tmp_path / "node.toml").write_text(
        '[node]\nid = "phone"\nrole = "phone"\n[map]\natlas = "none"\n'
    )
    done = hearthway("import", two_people, "--person", "anna", "--data", tmp_path)
    assert done.code == 0, done.err
    before = hearthway("backtest", "--data", tmp_path)
    assert "answered here" not in before.out
    with Store.open(tmp_path / "node.db", node_id="phone") as store:
        person = store.persons()[0].person_id
        for number, (p, kind) in enumerate(((0.6, AnswerKind.DISMISS), (0.9, AnswerKind.ACCEPT))):
            store.add_suggestion(_word(person, number, p))
            store.add_answer(
                Answer(suggestion_id=f"s{number}", person=person, kind=kind, time_s=2e9 + number)
            )
    out = tmp_path / "out.json"
    told = hearthway("backtest", "--data", tmp_path, "--json", out)
    assert told.code == 0, told.err
    assert "of 2 words said and answered here" in told.out
    log = json.loads(out.read_bytes())["people"][0]["log"]
    assert [(one["dial"], one["kept"]) for one in log] == [
        ("quiet", 1),
        ("normal", 2),
        ("eager", 2),
    ]
    assert [one["worth_min"] for one in log] == [12.5, 2.5, 2.5]


def _word(person: str, number: int, p: float) -> Suggestion:
    """Said at normal, standing still: 25 minutes to win, 20 to lose."""
    situation = Situation(
        time_s=2e9 + number, utc_offset_s=0, person=person, mode="driving", lat=60.2, lon=24.8
    )
    return Suggestion(
        suggestion_id=f"s{number}",
        need="dinner",
        person=person,
        time_s=situation.time_s,
        utc_offset_s=0,
        headline="",
        lines=(),
        options=(),
        reasons=(
            Reason(feature="deciding-early", weight=p * 25.0, words=""),
            Reason(feature="interruption", weight=(p - 1.0) * 20.0, words=""),
        ),
        p_useful=p,
        utility=p * 25.0 - (1.0 - p) * 20.0,
        threshold=1.0,
        propensity=1.0,
        situation=situation,
    )


def test_a_timeline_of_google(hearthway: Callable[..., Any], tmp_path: Path) -> None:
    """The reference's own example, as a file and in a zip: backtested and imported, the inference said."""
    page = Path(__file__).parents[2] / "docs" / "reference" / "histories.md"
    example = page.read_text("utf-8").partition("<<'END'\n")[2].partition("\nEND\n")[0]
    file = tmp_path / "Timeline.json"
    file.write_text(example, "utf-8")
    packed = tmp_path / "takeout.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("Takeout/Timeline.json", example)
        out.writestr("Takeout/archive_browser.html", "<html></html>")
    said = "5 of 5 points read; 4 of them are the exporter's inference, not measured"
    for one in (file, packed):
        for verb in ("drive", "backtest"):
            done = hearthway(verb, one)
            assert done.code == 0, done.err
            assert said in done.out
            assert "2 stays at 2 places" in done.out
    root = tmp_path / "phone"
    root.mkdir()
    (root / "node.toml").write_text('[node]\nid = "phone"\nrole = "phone"\n[map]\natlas = "none"\n')
    first = hearthway("import", packed, "--person", "anna", "--data", root)
    assert first.code == 0, first.err
    assert said in first.out
    assert "5 fixes are new" in first.out
    assert "0 fixes are new" in hearthway("import", file, "--person", "anna", "--data", root).out
