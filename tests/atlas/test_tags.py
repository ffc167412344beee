"""What tags mean: speeds, directions, access."""

from __future__ import annotations

import pytest

from hearthway.atlas.tags import barrier_blocks, clean, maxspeed_kmh, power_kw, road


@pytest.mark.parametrize(
    ("value", "kmh"),
    [
        ("50", 50),
        ("30 mph", 48),
        ("50 km/h", 50),
        ("none", 130),
        ("walk", 7),
        ("FI:urban", 50),
        ("DE:rural", 80),
        ("CH:zone30", 30),
        ("50;30", 30),
        ("signals", None),
        ("", None),
        ("0", None),
        ("999", None),
        ("fast", None),
    ],
)
def test_maxspeed(value: str, kmh: int | None) -> None:
    assert maxspeed_kmh(value) == kmh


@pytest.mark.parametrize(
    ("tags", "directions"),
    [
        ({"highway": "residential"}, (True, True)),
        ({"highway": "residential", "oneway": "yes"}, (True, False)),
        ({"highway": "residential", "oneway": "-1"}, (False, True)),
        ({"highway": "motorway"}, (True, False)),
        ({"highway": "motorway", "oneway": "no"}, (True, True)),
        ({"highway": "tertiary", "junction": "roundabout"}, (True, False)),
        ({"highway": "residential", "oneway": "yes", "oneway:motor_vehicle": "no"}, (True, True)),
        ({"highway": "primary", "oneway": "reversible"}, None),
        ({"highway": "footway"}, None),
        ({"highway": "construction"}, None),
        ({"highway": "residential", "access": "private"}, None),
        ({"highway": "residential", "access": "no", "motor_vehicle": "yes"}, (True, True)),
        ({"highway": "residential", "motor_vehicle": "no"}, None),
        ({"highway": "residential", "motorcar": "no", "motor_vehicle": "yes"}, None),
        ({"highway": "service", "access": "customers"}, (True, True)),
        ({"highway": "track"}, None),
        ({"highway": "track", "motor_vehicle": "yes"}, (True, True)),
        ({"highway": "service", "area": "yes"}, None),
        ({"route": "ferry"}, None),
        ({"route": "ferry", "motor_vehicle": "yes"}, (True, True)),
        ({"highway": "ferry"}, None),
        ({}, None),
    ],
)
def test_who_may_drive_where(tags: dict[str, str], directions: tuple[bool, bool] | None) -> None:
    found = road(tags)
    assert (None if found is None else tuple(found.direction)) == directions


def test_a_limit_bounds_the_speed() -> None:
    for tags in ({"highway": "motorway"}, {"highway": "residential", "maxspeed": "30"}):
        found = road(tags)
        assert found is not None
        assert 0 < found.speed_dkmh <= 10 * (maxspeed_kmh(tags.get("maxspeed", "")) or 120)


def test_barriers() -> None:
    assert barrier_blocks({"barrier": "bollard"})
    assert barrier_blocks({"barrier": "gate", "access": "private"})
    assert not barrier_blocks({"barrier": "gate"})
    assert not barrier_blocks({"barrier": "bollard", "motor_vehicle": "yes"})
    assert not barrier_blocks({"highway": "crossing"})


def test_names_keep_their_script_and_lose_their_tricks() -> None:
    assert clean("می\u200cخواهم") == "می\u200cخواهم"  # a joiner that Persian needs
    assert clean("a\x1b[31m\u202eb\n c\u2028d") == "a [31mb c d"
    assert len(clean("x" * 10_000)) == 200


@pytest.mark.parametrize(
    ("told", "kw"),
    [
        ({"socket:type2:output": "22 kW"}, 22.0),
        ({"socket:type2:output": "22kw", "socket:type2_combo:output": "150 kW"}, 150.0),
        ({"charging_station:output": "11000 W"}, 11.0),
        ({"socket:type2:output": "11 kW;22 kW"}, 22.0),
        ({"socket:type2:output": "22"}, None),  # without a unit nobody knows
        ({"socket:type2:output": "22 kVA"}, None),
        ({"socket:type2:output": "fast"}, None),
        ({"socket:type2:output": "22000 kW"}, None),
        ({"socket:type2:output": "0 kW"}, None),
        ({"socket:type2": "2", "capacity": "4"}, None),
        ({"socket:type2:output:note": "22 kW"}, None),
        ({"socket:type2:output": "9" * 5000 + " kW"}, None),
    ],
)
def test_power(told: dict[str, str], kw: float | None) -> None:
    assert power_kw(told) == kw
