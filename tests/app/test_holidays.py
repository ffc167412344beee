"""`hearthway import FILE.ics --holidays`: what is off is learned by anew, running or not, and said where it was used."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from hearthway.app.brain import feed
from hearthway.app.calendar import CALENDAR_KEY, days_off_of
from hearthway.app.config import Config, NodeTable
from hearthway.app.equipment import brain_for
from hearthway.cli.main import main
from hearthway.context.life import Life
from hearthway.mesh.policy.rules import Rules, default_rules
from hearthway.mesh.state.store import Store
from hearthway.records.household import Role
from hearthway.records.life import LIFE_MODEL
from hearthway.records.signals import Fix

HOME, WORK = (60.17, 24.94), (60.21, 24.94)
CONFIG = Config(node=NodeTable(id="phone", role=Role.PHONE))


def last_monday(now: datetime) -> date:
    return (now - timedelta(days=now.weekday() + 7)).date()


def fixes(first: date, days: int) -> list[Fix]:
    """At home, from 8 to 16 UTC at work, 12 minutes of way, a fix every two minutes."""
    found = []
    begin_s = datetime(first.year, first.month, first.day, tzinfo=UTC).timestamp()
    for minute in range(0, days * 1440, 2):
        of_day = minute % 1440
        share = min(1.0, max(0.0, (of_day - 480) / 12.0)) - min(
            1.0, max(0.0, (of_day - 960) / 12.0)
        )
        lat = HOME[0] + (WORK[0] - HOME[0]) * share
        found.append(Fix(time_s=begin_s + 60.0 * minute, lat=lat, lon=HOME[1]))
    return found


def ics(*days: date, name: str = "Finland") -> str:
    events = "".join(
        f"BEGIN:VEVENT\r\nUID:{day}\r\nDTSTART;VALUE=DATE:{day:%Y%m%d}\r\nSUMMARY:Holiday-{day}\r\nEND:VEVENT\r\n"
        for day in days
    )
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nX-WR-CALNAME:{name}\r\n{events}END:VCALENDAR\r\n"


def day_no(day: date) -> int:
    return (day - date(1970, 1, 1)).days


@pytest.fixture
def hearthway(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    def run(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["hearthway", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return run


def test_with_the_phone_not_running(hearthway: Any, tmp_path: Path) -> None:
    root, now = tmp_path / "phone", datetime.now(UTC)
    root.mkdir()
    (root / "node.toml").write_text('[node]\nid = "phone"\nrole = "phone"\n[map]\natlas = "none"\n')
    monday = last_monday(now)
    with Store.open(root / "node.db", node_id="phone") as store:
        store.add_person("Anna", "anna")
        store.add_fixes("anna", fixes(monday, 7), "t")
    tomorrow = now.date() + timedelta(days=1)
    file = tmp_path / "finland.ics"
    file.write_text(ics(monday + timedelta(days=1), tomorrow), newline="")
    code, out, err = hearthway("import", file, "--person", "Anna", "--holidays", "--data", root)
    assert code == 0, err
    assert out == "2 entries kept\ndays off known: 2; learned anew by them\n"
    assert f"Holiday-{tomorrow} · day off (Finland)" in hearthway("calendar", "--data", root)[1]
    assert hearthway("import", file, "--person", "Anna", "--holidays", "--data", root)[1] == (
        "2 entries kept\n"
    )
    school = tmp_path / "school.ics"  # a day off by both is one day
    school.write_text(ics(tomorrow, name="School").replace("UID:", "UID:s"), newline="")
    out = hearthway("import", school, "--person", "Anna", "--holidays", "--data", root)[1]
    assert out == "1 entry kept\ndays off known: 2; learned anew by them\n"
    assert hearthway("import", school, "--person", "Anna", "--data", root)[0] == 0
    with Store.open(root / "node.db", node_id="phone") as store:
        model = store.model("anna", LIFE_MODEL)
        assert model is not None
        off = days_off_of(store, "anna")
        learned = Life.load(model.data, days_off=off)
        # the same as whoever knew it all along
        live, rules = Life("anna", days_off=off), Rules.parse(default_rules(), "default")
        for fix in fixes(monday, 7):
            feed(live, fix, rules)
        assert learned.dump() == live.dump()
        tuesday = {t.off for t in learned.trips if t.weekday == 1}
        assert (tuesday, {t.off for t in learned.trips if t.weekday != 1}) == ({1}, {0})
        person = store.person("Anna")
        situation = brain_for(store, person, CONFIG, None).situation(fixes(monday, 2)[-300].time_s)
        assert [e.source for e in situation.evidence if e.key == CALENDAR_KEY] == ["Finland"]
        later = brain_for(store, person, CONFIG, None).situation(fixes(monday, 3)[-300].time_s)
        assert [e for e in later.evidence if e.key == CALENDAR_KEY] == []
    # taken back
    code, out, _ = hearthway("import", file, "--person", "Anna", "--data", root)
    assert (code, "learned anew by them" in out) == (0, True)
    with Store.open(root / "node.db", node_id="phone") as store:
        model = store.model("anna", LIFE_MODEL)
        assert model is not None
        plain = Life("anna")
        for fix in fixes(monday, 7):
            feed(plain, fix, rules)
        assert Life.load(model.data).dump() == plain.dump()


def test_what_is_no_calendar_is_told(hearthway: Any, tmp_path: Path) -> None:
    root = tmp_path / "phone"
    root.mkdir()
    (root / "node.toml").write_text('[node]\nid = "phone"\nrole = "phone"\n[map]\natlas = "none"\n')
    code, _, err = hearthway(
        "import", tmp_path / "h.csv", "--person", "Anna", "--holidays", "--data", root
    )
    assert code == 2
    assert "is no calendar" in err
    assert ".ics" in err


def test_a_running_phone_learns_anew(household: Any) -> None:
    async def main() -> None:
        async with household(phone="phone") as nodes:
            phone = nodes["phone"]
            now = datetime.fromtimestamp(phone.clock.now_s(), UTC)
            monday = last_monday(now)
            phone.store.add_person("Anna", "anna")
            phone.store.add_fixes("anna", fixes(monday, 7), "t")
            file = nodes.path / "a.ics"
            file.write_text(ics(monday), newline="")
            kept = await nodes.ask("phone", "import", file=str(file), name="Anna", holidays=True)
            assert (kept["entries"], kept["days_off"], kept["learn"]) == (1, 1, True)
            assert phone.brain is not None
            assert phone.brain.life.days_off == {day_no(monday): 1}
            assert {t.off for t in phone.brain.life.trips if t.weekday == 0} == {1}
            before = phone.brain
            kept = await nodes.ask("phone", "import", file=str(file), name="Anna", holidays=True)
            assert not kept["learn"]
            assert phone.brain is before
            assert not phone.brain.expects(phone.clock.now_s())  # nothing to get ready for
            there = now.astimezone(ZoneInfo("Europe/Helsinki")).date()  # of HOME
            tomorrow = there + timedelta(days=1)
            over = await nodes.ask("phone", "ask", text="is today a holiday")
            assert (over["intent"], over["outcome"]) == ("day_off", "unknown")
            file.write_text(ics(monday, there + timedelta(days=500)), newline="")
            await nodes.ask("phone", "import", file=str(file), name="Anna", holidays=True)
            file.write_text(ics(monday, tomorrow), newline="")
            none = await nodes.ask("phone", "ask", text="is today a holiday")
            assert (none["intent"], none["outcome"]) == ("day_off", "answered")
            assert none["line"].startswith("Today: no day off in Finland.")
            await nodes.ask("phone", "import", file=str(file), name="Anna", holidays=True)
            asked = await nodes.ask("phone", "ask", text="is tomorrow a holiday")
            following = await nodes.ask("phone", "ask", text="when is the next holiday")
            assert asked["line"].endswith(f": Holiday-{tomorrow} (Finland).")
            assert following["line"] == asked["line"]

    asyncio.run(main())
