"""The moment as it is printed, the suggestion's fields behind it, and the explanation."""

from __future__ import annotations

import re
from math import fsum
from typing import Any

import msgspec
import pytest

from hearthway.assist.explain import p_needed, why
from hearthway.assist.moment import plain, render
from hearthway.assist.needs.meal.settings import EATEN_OFTEN
from hearthway.assist.settings import LEAST_P, Dial
from hearthway.records import codec
from hearthway.records.poi import OpenState
from hearthway.records.suggestion import Suggestion
from hearthway.records.venue import Likely, Wait

WAIT = {"node/1": Wait(osm_id="node/1", minutes=15, age_s=120, source="told by the place")}


@pytest.fixture(scope="module")
def moment(world: Any) -> Suggestion:
    memory = world.dining({"node/1": 20, "node/2": 4})
    result = world.assistant().consider(world.drive(), memory, WAIT)
    assert isinstance(result, Suggestion), result
    return result


def test_the_moment_reads_as_designed(moment: Suggestion) -> None:
    assert render(moment) == [
        "18:12:00  1.4 km before arrival · heading to Forum (p 0.81 of 214 places)",
        "          dinnertime for you is 17:45-19:15 (61 evenings) · 3 open when you arrive:",
        "          Ravintola A  on your way   · wait 15 min (told by the place, 2 min ago) (node/1)",
        "          Ravintola B  4 min on foot · wait unknown (node/2)",
        "          Ravintola C  6 min on foot · wait unknown (node/3)",
        "          battery 31 % -> home with 12 %",
        "          why · not now · never here",
    ]


def test_a_forecast_reads_as_one_and_counts_as_minutes(world: Any, moment: Suggestion) -> None:
    """The place's expectation for one's arrival is not shown as a wait of now; and the control: what was told is."""
    wait = Wait(
        osm_id="node/1",
        minutes=15,
        age_s=120,
        source="the place's own count",
        likely=Likely(low_min=7.6, high_min=25),
    )
    memory = world.dining({"node/1": 20, "node/2": 4})
    result = world.assistant().consider(world.drive(), memory, {"node/1": wait})
    assert isinstance(result, Suggestion)
    words = "wait about 15 min (8-25) when you arrive (the place's own count"
    assert f"{words}, 2 min ago)" in render(result)[2]
    assert "wait at Ravintola A: the place's own count, 2 min ago" in "\n".join(why(result))
    first, told = result.options[0], moment.options[0]
    assert first.utility == told.utility
    assert f"{words})" in next(r.words for r in first.reasons if r.feature == "wait")
    assert (
        next(r.words for r in told.reasons if r.feature == "wait")
        == "wait 15 min (told by the place)"
    )
    assert codec.unpack(codec.pack(result), Suggestion) == result


def test_without_a_forecast_the_bytes_are_as_before() -> None:
    """Ids are digests of the content: those of suggestions said before must stay."""
    fields = {"age_s": 120.0, "minutes": 15.0, "osm_id": "node/1", "source": "told", "why": ""}
    old = codec.pack(fields)
    wait = Wait(osm_id="node/1", minutes=15.0, age_s=120.0, source="told")
    assert codec.unpack(codec.pack(wait), dict) == codec.unpack(old, dict)
    assert codec.unpack(old, Wait) == wait


def test_every_option_line_carries_its_osm_id(moment: Suggestion) -> None:
    shown = [line for line in moment.lines if "wait" in line]
    assert len(shown) == len(moment.options) == 3
    for line, option in zip(shown, moment.options, strict=True):
        assert line.endswith(f"({option.poi.osm_id})")


def test_the_id_is_the_digest_of_the_content(world: Any, moment: Suggestion) -> None:
    bare = msgspec.structs.replace(moment, suggestion_id="")
    assert moment.suggestion_id == codec.digest(bare)
    again = world.assistant().consider(
        world.drive(), world.dining({"node/1": 20, "node/2": 4}), WAIT
    )
    assert again == moment
    later = world.assistant().consider(
        world.drive(time_s=world.drive().time_s + 1), world.dining({"node/1": 20, "node/2": 4})
    )
    assert isinstance(later, Suggestion)
    assert later.suggestion_id != moment.suggestion_id


def test_it_survives_the_store(moment: Suggestion) -> None:
    assert codec.unpack(codec.pack(moment), Suggestion) == moment


def test_a_synthetic_household_says_so(world: Any) -> None:
    result = world.assistant(synthetic=True).consider(world.drive(), world.dining({"node/1": 20}))
    assert isinstance(result, Suggestion)
    assert result.synthetic
    assert any("synthetic household" in line for line in render(result))
    assert any("synthetic household" in line for line in why(result))


def test_what_is_not_known_reads_unknown(world: Any) -> None:
    situation = world.drive(battery=None)
    result = world.assistant(name_of=None).consider(situation, world.dining({"node/4": 25}))
    assert isinstance(result, Suggestion)
    text = "\n".join(render(result))
    assert "heading to your regular place 1.4 km ahead (p 0.81 of 214 places)" in text
    assert "battery unknown" in text
    often = "hours unknown, you ate here 25 times at this hour"
    assert f"wait unknown · {often} (node/4)" in text
    battery = msgspec.structs.replace(world.drive().battery, at_home_pct=None)
    result = world.assistant().consider(world.drive(battery=battery), world.dining({"node/1": 20}))
    assert isinstance(result, Suggestion)
    assert "battery 31 % -> home unknown" in result.lines
    told = msgspec.structs.replace(
        world.drive().battery, at_home_low_pct=9.2, at_home_high_pct=14.3, trips=40, air_c=-3.2
    )
    result = world.assistant().consider(world.drive(battery=told), world.dining({"node/1": 20}))
    assert isinstance(result, Suggestion)
    assert "battery 31 % -> home with 12 % (9-15)" in result.lines
    assert any("consumption from 40 trips, -3 C outside" in line for line in why(result))


def test_names_from_the_map_cannot_break_the_lines(world: Any) -> None:
    evil = "Evil\x1b[2J\nRavintola\u202e " + "x" * 80
    pois = [msgspec.structs.replace(p, name=evil) for p in world.pois]
    result = world.assistant(
        pois=world.town(pois, world.hours), name_of=lambda lat, lon: "Fo\nrum\x07"
    ).consider(world.drive(), world.dining({"node/1": 20}))
    assert isinstance(result, Suggestion)
    for line in (*render(result), *why(result)):
        assert line == "" or line.isprintable()
    assert len(plain(evil)) <= 40


@pytest.mark.parametrize("meals", [EATEN_OFTEN, EATEN_OFTEN - 1])
def test_the_usual_place_without_hours_is_not_behind_a_stranger_that_is_open(
    world: Any, meals: int
) -> None:
    """The control: fewer meals at this hour do not stand for its hours, and it comes last, as any other without."""
    hours = {**world.hours, "node/1": OpenState.UNKNOWN}
    eaten = {"node/1": meals, "node/2": 20 - meals}
    result = world.assistant(pois=world.town(world.pois, hours)).consider(
        world.drive(), world.dining(eaten)
    )
    assert isinstance(result, Suggestion)
    own = next(o for o in result.options if o.poi.osm_id == "node/1")
    assert own.opening.state is OpenState.UNKNOWN
    line = next(line for line in result.lines if "(node/1)" in line)
    often = f"hours unknown, you ate here {meals} times at this hour" in line
    strangers = [o for o in result.options if o.poi.osm_id not in eaten]
    assert any(o.opening.state is OpenState.OPEN for o in strangers)
    if meals == EATEN_OFTEN:
        assert often
        assert all(result.options.index(own) < result.options.index(o) for o in strangers)
        assert "hours unknown last" not in result.lines[0]
        assert result.lines[0].endswith(", 1 of unknown hours:")
    else:
        assert not often
        assert result.options[-1] is own
        assert "hours unknown last" in result.lines[0]
        assert "of unknown hours" not in result.lines[0]


def test_unknown_hours_alone_can_carry_a_moment_and_say_so(world: Any) -> None:
    """A map where hardly anybody tags hours: own visits and the prior carry it."""
    town = world.town(world.pois, {})
    result = world.assistant(pois=town).consider(world.drive(), world.dining({"node/1": 25}))
    assert isinstance(result, Suggestion)
    assert "0 known to be open; hours unknown:" in result.lines[0]
    assert all(o.opening.state is OpenState.UNKNOWN for o in result.options)
    assert all("hours unknown" in line for line in result.lines if "wait" in line)
    own = next(o for o in result.options if o.poi.osm_id == "node/1")
    other = next(o for o in result.options if o.poi.osm_id != "node/1")

    def doubt(reasons: Any) -> float:
        return float(next(r.weight for r in reasons if r.feature == "open"))

    assert doubt(own.reasons) > doubt(other.reasons), "own visits at that hour make it surer"


def test_the_gates_reasons_add_up(moment: Suggestion) -> None:
    assert moment.utility == fsum(r.weight for r in moment.reasons)
    assert moment.utility >= moment.threshold
    assert moment.propensity == 1.0
    assert 0 < moment.p_useful < 1


def test_why_names_what_weighed_most_and_the_age_of_the_data(moment: Suggestion) -> None:
    text = "\n".join(why(moment))
    assert "you have eaten here 20 times" in text
    assert "24 of them for a meal" in text
    assert "Vehicle.Speed from car-1, just now" in text
    assert "wait at Ravintola A: told by the place, 2 min ago" in text
    for option in moment.options:
        assert option.poi.osm_id in text
    first = moment.options[0]
    strongest = max(first.reasons, key=lambda r: abs(r.weight))
    block = why(moment)[why(moment).index(next(x for x in why(moment) if x.startswith("1. "))) :]
    assert strongest.words in block[1]


def test_why_is_right_about_what_would_change_it(world: Any, moment: Suggestion) -> None:
    text = "\n".join(why(moment))
    said = re.search(r"A wait above (\d+) min at Ravintola A would put Ravintola B first", text)
    assert said is not None
    memory = world.dining({"node/1": 20, "node/2": 4})

    def first(minutes: float) -> str:
        waits = {"node/1": Wait(osm_id="node/1", minutes=minutes)}
        result = world.assistant().consider(world.drive(), memory, waits)
        assert isinstance(result, Suggestion)
        return result.options[0].poi.osm_id

    assert first(float(said[1]) - 1) == "node/1"
    assert first(float(said[1]) + 1) == "node/2"
    needed = p_needed(moment)
    assert needed is not None
    assert LEAST_P[Dial.NORMAL] <= needed < moment.p_useful
