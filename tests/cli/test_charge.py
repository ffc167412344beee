"""`hearthway charge plan` as a person meets it: a table, a sentence that is true, JSON, and refusals."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from math import pi, sin
from pathlib import Path
from typing import Any

import pytest

Hearthway = Callable[..., Any]

TARIFF = """\
zone = "Europe/Helsinki"
currency = "EUR"
buy = 0.30
sell = 0.05

[[window]]
from = "22:00"
to = "07:00"
buy = 0.10
"""
CAR = ("--battery", "60", "--charge", "20", "--charger", "11", "--now", "2026-11-28T18:05")


@pytest.fixture
def tariff(tmp_path: Path) -> Path:
    path = tmp_path / "tariff.toml"
    path.write_text(TARIFF)
    return path


def house(path: Path, days: int = 10, minutes: int = 15) -> Path:
    """Until 2026-11-28 16:00 UTC: 0.5 kW all day, a sun of 6 kW at noon in UTC."""
    lines = ["time,load_w,pv_w"]
    moment = datetime(2026, 11, 28, 16, tzinfo=UTC) - timedelta(days=days)
    while moment < datetime(2026, 11, 28, 16, tzinfo=UTC):
        hour = moment.hour + moment.minute / 60
        pv = max(0.0, 6_000 * sin((hour - 6) / 12 * pi))
        lines.append(f"{moment.isoformat()},500,{pv:.0f}")
        moment += timedelta(minutes=minutes)
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_night_is_planned(hearthway: Hearthway, tariff: Path) -> None:
    done = hearthway(
        "charge", "plan", "--tariff", tariff, "--departure", "07:10", "--target", "80", *CAR
    )
    assert done.code == 0
    assert done.out.splitlines()[1].split() == [
        "22:00", "01:45", "40.00", "10.67", "0.1000", "80", "%",
    ]  # fmt: skip
    assert done.out.splitlines()[-1] == (
        "80 % by 01:45 (departure 07:10), 8.00 EUR cheaper than charging at once (4.00 instead of 12.00)."
    )


def test_json_is_all_that_is_written(tariff: Path) -> None:
    """Also by the solver, which writes past Python."""
    words = ("charge", "plan", "--tariff", str(tariff), "--departure", "07:10", *CAR, "--json")
    run = [sys.executable, "-m", "hearthway", *words]
    done = subprocess.run(run, capture_output=True, text=True, check=True, timeout=30)
    told = json.loads(done.stdout)
    assert done.stderr == ""
    assert told["departure"] == "2026-11-29T07:10:00+02:00"
    assert sum(slot["kwh"] for slot in told["slots"]) == pytest.approx(48.0 / 0.9)
    cost = sum(slot["kwh"] * slot["buy"] for slot in told["slots"])
    assert told["reading"]["cost"] == pytest.approx(cost)
    assert told["reading"]["cheaper"] == pytest.approx(told["reading"]["at_once_cost"] - cost)
    assert told["slots"][0]["begin"] == "2026-11-28T18:05:00+02:00"
    assert told["sentence"].startswith("Full by 03:00 (departure 07:10)")


def test_the_houses_sun_is_waited_for(hearthway: Hearthway, tariff: Path, tmp_path: Path) -> None:
    """Each kWh comes from a surplus that would have earned 0.05, and none from the night at 0.10."""
    begin = ("charge", "plan", "--tariff", tariff, "--departure", "2026-11-29T17:00", *CAR)
    words = (*begin, "--target", "35", "--json")
    dark = json.loads(hearthway(*words).out)
    lit = json.loads(hearthway(*words, "--house", house(tmp_path / "house.csv")).out)
    assert dark["reading"]["cost"] == pytest.approx(1.0)
    assert lit["reading"]["cost"] == pytest.approx(0.5)
    assert all(slot["kwh"] <= max(0.0, min(slot["surplus_kw"])) / 4 + 1e-6 for slot in lit["slots"])
    assert sum(slot["kwh"] > 0.01 for slot in dark["slots"]) == 4
    assert "about 2.06 EUR cheaper" in lit["sentence"]


def test_the_connection_holds_for_both(hearthway: Hearthway, tariff: Path, tmp_path: Path) -> None:
    begin = ("charge", "plan", "--tariff", tariff, "--departure", "07:10", *CAR)
    words = (*begin, "--house", house(tmp_path / "house.csv", minutes=60), "--json")
    free = json.loads(hearthway(*words).out)
    bound = json.loads(hearthway(*words, "--connection", "4").out)
    assert max(slot["kwh"] for slot in free["slots"]) == pytest.approx(11 / 4)
    drawn = [slot["kwh"] - min(slot["surplus_kw"]) / 4 for slot in bound["slots"]]
    assert max(drawn) == pytest.approx(1.0)
    assert max(s["kwh"] - min(s["surplus_kw"]) / 4 for s in free["slots"]) > 2.8
    assert bound["sentence"].startswith("Not full: only 95 % by 07:10")


def test_told_prices_go_until_they_end(hearthway: Hearthway, tmp_path: Path) -> None:
    path = tmp_path / "told.toml"
    path.write_text('zone = "Europe/Helsinki"\ncurrency = "EUR"\nprices = "day.csv"\n')
    lines = ["time,buy,sell"]
    for hour in range(24):
        lines.append(f"2026-11-28T{hour:02d}:00+02:00,{0.01 * hour:.2f},0.0")
    (tmp_path / "day.csv").write_text("\n".join(lines) + "\n")
    words = ("charge", "plan", "--tariff", path, *CAR, "--target", "22")
    done = hearthway(*words, "--departure", "23:50")
    assert done.code == 0
    assert "80 % by" not in done.out
    assert "22 % by 18:15" in done.out
    hearthway(*words, "--departure", "00:10").refuses("no price for 2026-11-29 00:00")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--departure", "7.10"), "no date and time"),
        (("--departure", "27:10"), "no time of day"),
        (("--departure", "2026-11-27T07:10"), "not after now"),
        (("--departure", "2027-11-27T07:10"), "more than 10 days away"),
        (("--departure", "07:10", "--charge", "120"), "The state of charge cannot be 120 %"),
        (("--departure", "07:10", "--charge", "nan"), "The state of charge cannot be nan"),
        (("--departure", "07:10", "--target", "90", "--full", "80"), "above the battery's limit"),
        (("--departure", "07:10", "--charger", "0"), "The charger cannot be 0 kW"),
        (("--departure", "07:10", "--connection", "9"), "--connection needs"),
        (("--departure", "07:10", "--house", "nowhere.csv"), "no file nowhere.csv"),
        (("--departure", "2027-03-28T03:30", "--now", "2027-03-27T20:00"), "does not exist"),
        (("--departure", "07:10", "--now", "soon"), "--now: 'soon' is no date and time"),
        (("--departure", "0001-01-01T00:00"), "in the year 1"),
        (("--departure", "07:10", "--now", "0001-01-01T00:00+14:00"), "in the year 1"),
        (("--departure", "07:10", "--now", "9999-12-31T23:59"), "in the year 9999"),
        (("--departure", "9" * 30 + ":00"), "no time of day"),
        (("--departure", "9" * 5000 + ":00"), "no time of day"),
    ],
)
def test_what_cannot_be_is_refused(
    hearthway: Hearthway, tariff: Path, words: tuple[str, ...], said: str
) -> None:
    hearthway("charge", "plan", "--tariff", tariff, *CAR, *words).refuses(said)


def test_an_hour_that_comes_twice_is_the_earlier(hearthway: Hearthway, tariff: Path) -> None:
    words = ("charge", "plan", "--tariff", tariff, *CAR, "--json")
    done = hearthway(*words, "--departure", "03:30", "--now", "2026-10-24T20:00")
    assert json.loads(done.out)["departure"] == "2026-10-25T03:30:00+03:00"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("zone = 1", "tariff.toml: "),
        ("zone =", "is not TOML"),
        ('zone = "Nowhere/Here"\ncurrency = "EUR"\nbuy = 0.1', "no time zone 'Nowhere/Here'"),
        ('zone = "../etc"\ncurrency = "EUR"\nbuy = 0.1', "no time zone '../etc'"),
        ('zone = "UTC"\ncurrency = "EUR"', "names no price"),
        ('zone = "UTC"\ncurrency = "EUR"\nbuy = 0.1\nbye = 0.1', "unknown field `bye`"),
        ('zone = "UTC"\ncurrency = "EUR"\nbuy = nan', "a price is beyond"),
        (TARIFF.replace("22:00", "22:10"), "'22:10' is no full quarter"),
        (TARIFF.replace("22:00", "07:00"), "is empty"),
        (TARIFF.replace("buy = 0.10", "buy = 5000"), "a price is beyond"),
        (TARIFF + 'days = ["someday"]', "someday"),
        ('zone = "UTC"\ncurrency = "EUR"\nprices = "none.csv"', "no file"),
        ("\x00" * 10, "is not TOML"),
        ('zone = "UTC"\ncurrency = "EUR"\nbuy = ' + "9" * 5000, "is not TOML: a number"),
        ('zone = "UTC"\ncurrency = "EUR"\nprices = "a\\u0000b"', "cannot be a file's name"),
        ('zone = "UTC"\ncurrency = ""\nbuy = 0.1', "'' is no currency"),
        ('zone = "UTC"\ncurrency = "E\\u001b[2J"\nbuy = 0.1', "is no currency"),
        (TARIFF.replace("22:00", "9" * 5_000 + ":00"), "no full quarter"),
        (TARIFF + "days = []", "has no day"),
        ("a." * 400 + "b = 1", "is not TOML: line 1 has more than 300 dots"),
    ],
)
def test_a_tariff_that_is_none_is_refused(
    hearthway: Hearthway, tmp_path: Path, text: str, said: str
) -> None:
    path = tmp_path / "tariff.toml"
    path.write_text(text)
    hearthway("charge", "plan", "--tariff", path, "--departure", "07:10", *CAR).refuses(said)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no column time and buy"),
        ("time,buy\n", "holds no price"),
        ("time,buy\nnoon,1\n", "line 2 does not begin with a time"),
        ("time,buy\n2026-11-28T18:00,1\n", "line 2 does not begin with a time and its UTC offset"),
        ("time,buy\n2026-11-28T18:00Z,dear\n", "line 2: a price is no number"),
        ("time,buy\n2026-11-28T18:00Z\n", "line 2: a price is no number"),
        ("time,buy\n2026-11-28T18:07Z,1\n", "full quarter"),
        ("time,buy\n2026-11-28T18:00Z,1\n2026-11-28T17:00Z,1\n", "do not follow each other"),
        ("time,buy\n2026-11-28T18:00Z,1\n2026-11-28T20:00Z,1\n", "do not follow each other"),
        ("time,buy\n2026-11-28T18:00Z,inf\n", "a price is beyond"),
        ('time,buy\n2026-11-28T18:00Z,"' + "1" * 200_000 + '"\n', "is no table"),
    ],
)
def test_prices_that_are_none_are_refused(
    hearthway: Hearthway, tmp_path: Path, text: str, said: str
) -> None:
    path = tmp_path / "tariff.toml"
    path.write_text('zone = "UTC"\ncurrency = "EUR"\nprices = "day.csv"')
    (tmp_path / "day.csv").write_text(text)
    hearthway("charge", "plan", "--tariff", path, "--departure", "07:10", *CAR).refuses(said)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("time,load_w\n", "no column pv_w"),
        ("time,load_w,pv_w\n", "tells too little"),
        ("time,load_w,pv_w\n2026-11-28T10:00,1,1\n", "line 2 does not begin"),
        ("time,load_w,pv_w\n2026-11-28T10:00Z,much,1\n", "'much' is no power"),
        ("time,load_w,pv_w\n2026-11-28T10:00Z,inf,1\n", "'inf' is no power"),
        ("time,load_w,pv_w\n2026-11-28T10:00Z,1,1\n2026-11-28T10:00Z,1,1\n", "is not later"),
        ('time,load_w,pv_w\n2026-11-28T10:00Z,"' + "1" * 200_000 + '"\n', "is no table"),
    ],
)
def test_a_house_that_is_none_is_refused(
    hearthway: Hearthway, tariff: Path, tmp_path: Path, text: str, said: str
) -> None:
    path = tmp_path / "house.csv"
    path.write_text(text)
    words = ("charge", "plan", "--tariff", tariff, "--departure", "07:10", *CAR, "--house", path)
    hearthway(*words).refuses(said)


def test_binary_files_are_refused(hearthway: Hearthway, tariff: Path, tmp_path: Path) -> None:
    path = tmp_path / "house.csv"
    path.write_bytes(bytes(range(256)))
    words = ("charge", "plan", "--departure", "07:10", *CAR)
    hearthway(*words, "--tariff", path).refuses("is not UTF-8 text")
    hearthway(*words, "--tariff", tmp_path).refuses("is a directory")
    hearthway(*words, "--tariff", tariff, "--house", path).refuses("is not UTF-8 text")


def test_what_never_ends_is_read_to_the_bound_only(hearthway: Hearthway) -> None:
    words = ("charge", "plan", "--departure", "07:10", *CAR, "--tariff", "/dev/zero")
    hearthway(*words).refuses("/dev/zero is larger than 64 MB")


def test_a_table_of_several_days_names_them(hearthway: Hearthway, tariff: Path) -> None:
    tariff.write_text(TARIFF + 'days = ["mon"]')
    begin = ("charge", "plan", "--tariff", tariff, *CAR, "--target", "80", "--departure")
    lines = hearthway(*begin, "2026-12-01T09:00").out.splitlines()
    assert "grid EUR/kWh" in lines[0]
    assert lines[1].startswith("  Mon 30 Nov 22:00  Tue 01 Dec 01:45  ")
    assert lines[0].index("to") == lines[1].index("Tue")
    assert hearthway(*begin, "07:10").out.splitlines()[1].startswith("  18:05  21:45  ")


def test_two_days_of_a_house_are_too_little(
    hearthway: Hearthway, tariff: Path, tmp_path: Path
) -> None:
    words = ("charge", "plan", "--tariff", tariff, "--departure", "07:10", *CAR, "--house")
    hearthway(*words, house(tmp_path / "two.csv", days=2)).refuses("at least 3 of the 28 days")
    assert hearthway(*words, house(tmp_path / "four.csv", days=4)).code == 0


def test_without_the_solver_it_is_said_what_to_install(
    hearthway: Hearthway, tariff: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "highspy", None)
    words = ("charge", "plan", "--tariff", tariff, "--departure", "07:10", *CAR)
    hearthway(*words).refuses("hearthway[charging]", codes=(2,))
