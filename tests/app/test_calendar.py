"""`hearthway import FILE.ics` and `hearthway calendar`: places are looked up and never guessed; the owner's rules hold."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from hearthway.app.brain import IGNORED_AFTER_S
from hearthway.app.calendar import calendar_lines, coming, import_calendar
from hearthway.app.handoff import Tasks
from hearthway.atlas.store import Atlas
from hearthway.cli.main import main
from hearthway.context.life import Life
from hearthway.mesh.policy.rules import Rules, template
from hearthway.mesh.state.calendar import entries
from hearthway.mesh.state.store import Store
from hearthway.records.errors import HearthwayError, InputError
from hearthway.records.life import PlaceWord
from hearthway.records.poi import FOOD
from hearthway.records.signals import Fix

NOW_S = datetime(2025, 10, 1, 9, tzinfo=UTC).timestamp()
CENTRE = (60.1699, 24.9384)


def ics(*events: tuple[str, ...], start: str = "20251110T180000Z") -> bytes:
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0"]
    for number, event in enumerate(events):
        lines += ["BEGIN:VEVENT", f"UID:{number}", f"DTSTART:{start}", *event, "END:VEVENT"]
    return "\r\n".join([*lines, "END:VCALENDAR", ""]).encode()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "node.db", node_id="phone") as opened:
        opened.add_person("Anna", "anna")
        yield opened


@pytest.fixture
def atlas() -> Iterator[Atlas]:
    bundled = Atlas.bundled()
    yield bundled
    bundled.close()


def life(labels: tuple[str, ...] = ("Gran",)) -> Life:
    """A life of one place in the centre for each label, a kilometre apart."""
    found = Life("anna")
    for number, _ in enumerate(labels):
        for minute in range(0, 60, 5):
            time_s = NOW_S - 86_400.0 + number * 7200.0 + minute * 60.0
            found.observe(Fix(time_s=time_s, lat=CENTRE[0] + 0.01 * number, lon=CENTRE[1]))
    for place, label in zip(found.places(), labels, strict=True):
        found.hear(PlaceWord(kind="name", time_s=NOW_S, lat=place.lat, lon=place.lon, name=label))
    return found


def taken(
    store: Store,
    tmp_path: Path,
    lived: Life,
    atlas: Atlas | None,
    *events: tuple[str, ...],
    start: str = "20251110T180000Z",
) -> dict[str, Any]:
    file = tmp_path / "a.ics"
    file.write_bytes(ics(*events, start=start))
    return import_calendar(store, file, lived, atlas, Rules(()), NOW_S)


def test_an_own_place_by_its_label(store: Store, tmp_path: Path) -> None:
    lived = life()
    found = taken(store, tmp_path, lived, None, ("LOCATION:GRAN",), ("LOCATION:gran\\, 2nd floor",))
    for entry in entries(store, "anna"):
        assert (entry.lat, entry.lon) == (lived.places()[0].lat, lived.places()[0].lon)
        assert entry.place_from == "own place"
    assert (found["entries"], found["coming"], found["place_unknown"]) == (2, 2, 0)


def test_two_own_places_of_one_name_are_not_guessed_between(store: Store, tmp_path: Path) -> None:
    taken(store, tmp_path, life(("Gran", "Gran")), None, ("LOCATION:Gran",))
    assert entries(store, "anna")[0].lat is None


def test_the_maps_name_where_there_is_one_and_no_other(
    store: Store, tmp_path: Path, atlas: Atlas
) -> None:
    named = [p for p in atlas.near(*CENTRE, 3000.0, FOOD) if p.name and "," not in p.name]
    count = {p.name.casefold(): 0 for p in named}
    for poi in named:
        count[poi.name.casefold()] += 1
    one = next(
        p for p in named if len(atlas.named(p.name, *CENTRE, 50_000.0)) == 1 and p.name.isascii()
    )
    chain = next(name for name, number in sorted(count.items()) if number > 1)
    taken(
        store,
        tmp_path,
        life(),
        atlas,
        (f"LOCATION:{one.name}\\, some street 3",),
        (f"LOCATION:{chain}",),
        ("LOCATION:no such house",),
        ("LOCATION:no such house", "GEO:60.2;24.9"),
    )
    first, twice, unknown, geo = entries(store, "anna")
    assert (first.lat, first.lon, first.place_from) == (one.lat, one.lon, one.osm_id)
    assert (twice.lat, twice.place_from) == (None, "")
    assert (unknown.lat, unknown.place_from) == (None, "")
    assert (geo.lat, geo.lon, geo.place_from) == (60.2, 24.9, "calendar")


def test_rules_that_do_not_collect_it_keep_it_out(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "a.ics"
    file.write_bytes(ics(("SUMMARY:x",)))
    strict = Rules.parse(template("strict"), "strict")
    with pytest.raises(InputError, match="collect no calendar") as refused:
        import_calendar(store, file, life(), None, strict, NOW_S)
    assert "Person.Calendar" in refused.value.next_step
    assert entries(store, "anna") == []
    family = Rules.parse(template("family"), "family")
    assert import_calendar(store, file, life(), None, family, NOW_S)["entries"] == 1


def test_without_any_position_times_are_not_guessed(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "a.ics"
    file.write_bytes(ics(("SUMMARY:x",)))
    with pytest.raises(InputError, match="where this person lives") as refused:
        import_calendar(store, file, Life("anna"), None, Rules(()), NOW_S)
    assert refused.value.next_step


def test_the_lines(store: Store, tmp_path: Path) -> None:
    taken(
        store,
        tmp_path,
        life(),
        None,
        ("SUMMARY:Dinner", "DURATION:PT2H", "LOCATION:Gran"),
        ("SUMMARY:Call", "LOCATION:online"),
        ("DTEND:20251110T190000Z", "GEO:60.2;24.9"),
    )
    assert calendar_lines(entries(store, "anna"), CENTRE) == [
        "Mon 10 Nov  20:00-22:00  Dinner · Gran (own place)",
        "Mon 10 Nov  20:00-20:00  Call · online (place unknown)",
        "Mon 10 Nov  20:00-21:00  without a title · 60.20000, 24.90000 (calendar)",
    ]


def test_a_pipe_is_no_calendar(store: Store, tmp_path: Path) -> None:
    """Whoever opens one waits without end, and a node has few threads to wait in."""
    os.mkfifo(tmp_path / "a.ics")
    with pytest.raises(InputError, match="is not a file"):
        import_calendar(store, tmp_path / "a.ics", life(), None, Rules(()), NOW_S)


def test_what_ends_on_another_day_says_on_which(store: Store, tmp_path: Path) -> None:
    """Over a night it needs no day; over two it does. The last day of whole days is the one before DTEND."""
    rows = [
        ("SUMMARY:Party", "DTEND:20251111T010000Z"),
        ("SUMMARY:Conference", "DTEND:20251112T150000Z"),
        ("SUMMARY:To midnight", "DTEND:20251110T220000Z"),
    ]
    whole = [("SUMMARY:Day", "20251111", "20251112"), ("SUMMARY:Fair", "20251111", "20251113")]
    file = tmp_path / "a.ics"
    text = ics(*rows).decode()
    days = "".join(
        f"BEGIN:VEVENT\r\nUID:{title}\r\nDTSTAMP:20251101T000000Z\r\n{title}\r\n"
        f"DTSTART;VALUE=DATE:{first}\r\nDTEND;VALUE=DATE:{end}\r\nEND:VEVENT\r\n"
        for title, first, end in whole
    )
    file.write_text(text.replace("END:VCALENDAR", days + "END:VCALENDAR"), newline="")
    import_calendar(store, file, life(), None, Rules(()), NOW_S)
    assert sorted(calendar_lines(entries(store, "anna"), CENTRE)) == [
        "Mon 10 Nov  20:00 until Wed 12 Nov 17:00  Conference · place unknown",
        "Mon 10 Nov  20:00-00:00  To midnight · place unknown",
        "Mon 10 Nov  20:00-03:00  Party · place unknown",
        "Tue 11 Nov  all day      Day · place unknown",
        "Tue 11 Nov  all day, until Wed 12 Nov  Fair · place unknown",
    ]


@pytest.fixture
def hearthway(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Callable[..., tuple[int, str, str]]:
    def run(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["hearthway", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return run


def test_the_verbs_from_end_to_end(hearthway: Any, tmp_path: Path) -> None:
    root = tmp_path / "phone"
    root.mkdir()
    (root / "node.toml").write_text('[node]\nid = "phone"\nrole = "phone"\n[map]\natlas = "none"\n')
    code, _, err = hearthway("calendar", "--data", root)
    assert (code, "Nobody lives on this phone yet" in err) == (2, True)
    tomorrow = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    calendar = tmp_path / "a.ics"
    calendar.write_bytes(
        ics(("SUMMARY:Dentist-Xyzzy", "GEO:60.2;24.9"), start=f"{tomorrow:%Y%m%dT%H%M%SZ}")
    )
    code, _, err = hearthway("import", calendar, "--person", "Anna", "--data", root)
    assert code == 2
    assert "Import a location history with --person first" in err
    assert b"Anna" not in (root / "node.db").read_bytes()
    history = tmp_path / "h.csv"
    rows = [
        f"60.17,24.94,{datetime(2025, 10, 1, 8, m, tzinfo=UTC):%Y-%m-%d %H:%M:%S}"
        for m in range(40)
    ]
    history.write_text("\n".join(["lat,lng,datetime", *rows]) + "\n")
    assert hearthway("import", history, "--person", "Anna", "--data", root)[0] == 0
    code, out, err = hearthway("import", calendar, "--person", "Anna", "--data", root)
    assert code == 0, err
    assert out == "1 entry kept\nto come: 1, of which 0 without a known place\n"
    code, out, _ = hearthway("calendar", "--data", root)
    assert "Dentist-Xyzzy · 60.20000, 24.90000 (calendar)" in out
    code, out, _ = hearthway("calendar", "--json", "--data", root)
    assert json.loads(out)[0]["title"] == "Dentist-Xyzzy"
    with Store.open(root / "node.db", node_id="phone") as store:
        store.add_person("Bert")  # what lies there of somebody else does not make it a question
    assert hearthway("calendar", "--data", root)[1].count("Dentist-Xyzzy") == 1
    assert hearthway("calendar", "--person", "Bert", "--data", root)[1] == (
        "nothing in the next 7 days\n"
    )
    assert hearthway("forget", "60.2,24.9", "--yes", "--data", root)[0] == 0
    code, out, _ = hearthway("calendar", "--data", root)
    assert out == "nothing in the next 7 days\n"
    assert b"Xyzzy" not in (root / "node.db").read_bytes()
    code, _, err = hearthway("calendar", "--person", "Bo", "--data", root)
    assert code == 2
    assert "There is no 'Bo'" in err


def _between_two_places(now_s: float) -> Iterator[Fix]:
    """Four days to and fro, each way 20 min, a fix a minute; since 50 min at the first place."""
    far = (CENTRE[0] + 0.08, CENTRE[1])
    begin_s = now_s - 50 * 60.0 - 4 * 86_400.0
    for day in range(4):
        for minute in range(0, 1440, 1):
            share = 0.0 if minute < 600 else min(1.0, (minute - 600) / 20.0)
            if minute >= 1000:
                share = max(0.0, 1.0 - (minute - 1000) / 20.0)
            lat = CENTRE[0] + (far[0] - CENTRE[0]) * share
            yield Fix(time_s=begin_s + day * 86_400.0 + minute * 60.0, lat=lat, lon=CENTRE[1])
    for minute in range(50):
        yield Fix(time_s=begin_s + 4 * 86_400.0 + minute * 60.0, lat=CENTRE[0], lon=CENTRE[1])


def test_a_phone_at_rest_looks_by_itself(household: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """No signal comes after the import: the minute alone, shortened here, makes the phone look and speak, once."""
    monkeypatch.setattr("hearthway.app.looking.CALENDAR_LOOK_S", 0.05)
    monkeypatch.setattr("hearthway.app.brain.CONSIDER_EVERY_S", 0.05)  # as a look later

    async def main() -> None:
        async with household(phone="phone") as nodes:
            phone = nodes["phone"]
            now_s = phone.clock.now_s()
            phone.store.add_person("Anna", "anna")
            phone.store.add_fixes("anna", _between_two_places(now_s), "t")
            # 18 min of travel and 15 for door and shoes: it is time, by day and by night
            start = datetime.fromtimestamp(now_s + 33.5 * 60.0, UTC)
            file = nodes.path / "a.ics"
            event = ("SUMMARY:Concert", f"GEO:{CENTRE[0] + 0.08};{CENTRE[1]}", "LOCATION:Hall")
            file.write_bytes(ics(event, start=f"{start:%Y%m%dT%H%M%SZ}"))
            kept = await nodes.ask("phone", "import", file=str(file), name="Anna")
            assert (kept["entries"], kept["coming"], kept["place_unknown"]) == (1, 1, 0)
            await nodes.until(lambda: phone.suggestion is not None)
            assert phone.suggestion.need == "leave"
            assert "to be at Hall at" in phone.suggestion.headline
            await nodes.until(lambda: phone.silence is not None)
            assert phone.silence.code == "said-already"
            assert phone.part(Tasks).held() == []  # nothing of it waits to go to a car
            said = phone.store.suggestions("anna")
            assert len(said) == 1
            await nodes.ask("phone", "answer", id=said[0].suggestion_id, kind="accept")
            assert phone.suggestion is not None
            long_ago_s = phone.suggestion.time_s - IGNORED_AFTER_S - 1.0
            phone.suggestion = replace(phone.suggestion, time_s=long_ago_s)
            await nodes.until(lambda: phone.suggestion is None)  # what is over is shown no more
            with pytest.raises(HearthwayError, match="nothing to choose"):
                await nodes.ask("phone", "answer", id=said[0].suggestion_id, kind="never-here")

    asyncio.run(main())


def test_a_whole_day_is_that_day_wherever_one_is(store: Store, tmp_path: Path) -> None:
    """Read in Helsinki, asked in New York, seven hours behind, and in Auckland, eleven ahead; the control: a time of day stays."""
    taken(
        store,
        tmp_path,
        life(),
        None,
        ("SUMMARY:Fair", "DTEND;VALUE=DATE:20251012"),
        start="20251010",
    )
    call = ics(("SUMMARY:Call",), start="20251010T120000Z").replace(b"UID:0", b"UID:call")
    (tmp_path / "b.ics").write_bytes(call)
    import_calendar(store, tmp_path / "b.ics", life(), None, Rules(()), NOW_S)
    (anna,) = store.persons()
    for zone, here, hour, line in (
        ("Europe/Helsinki", CENTRE, -3, "15:00-15:00"),
        ("America/New_York", (40.7128, -74.006), 4, "08:00-08:00"),
        ("Pacific/Auckland", (-36.85, 174.76), -13, "01:00-01:00"),
    ):
        fair, called = sorted(coming(store, anna, NOW_S, 14, zone), key=lambda one: not one.all_day)
        begin_s = datetime(2025, 10, 10, tzinfo=UTC).timestamp() + hour * 3600.0
        assert (fair.start_s, fair.end_s) == (begin_s, begin_s + 2 * 86_400.0)
        (told,) = calendar_lines([fair], here)
        assert told.startswith("Fri 10 Oct  all day, until Sat 11 Oct")
        assert line in calendar_lines([called], here)[0]
    over_s = datetime(2025, 10, 12, 2, tzinfo=UTC).timestamp()  # the evening of its last day there
    assert coming(store, anna, over_s, 1, "Europe/Helsinki") == []
    assert [one.title for one in coming(store, anna, over_s, 1, "America/New_York")] == ["Fair"]
