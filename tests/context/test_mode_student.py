"""The shipped student of trip modes: where it speaks and where it does not, what it is made of, and what reading it costs."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearthway.context import mode_judge
from hearthway.context.events import TripEnded
from hearthway.context.life import Life
from hearthway.context.mode_judge import DRIVES, IDENTITY, RARE_S, SHIPPED, SURE_P, joined, judged
from hearthway.context.modes import Judge, ModeFilter
from hearthway.distill.recipe import read_recipe, shipped_recipe
from hearthway.distill.tabular.modes import ModesSettings, part_of, true_mode
from hearthway.records.errors import StudentError
from hearthway.records.life import MODES, TravelMode, Trip
from hearthway.records.signals import Fix
from hearthway.sense.catalogue import normalise
from hearthway.student.cpu import Runtime
from hearthway.student.features import quantise
from hearthway.student.format import read, write
from hearthway.student.header import FeatureInput
from hearthway.student.reference import run
from hearthway.synthetic.travellers import Style, Traveller


class Written(Traveller):
    """A traveller whose phone writes in the given way."""

    def __init__(self, seed: int, every_s: float) -> None:
        super().__init__(seed)
        self.style = Style((every_s, every_s * 1.2), burst=False, told=0.0, spread_m=6.0, hole=0.0)


def somebody(number: int, every_s: float) -> Traveller:
    """Of numbers that the recipe's people do not have."""
    one = Written(7_000_000_000 + number, every_s)
    one.live(5)
    return one


def trips(one: Traveller, judge: Judge) -> list[Trip]:
    life, found = Life("a", judge=judge), list[Trip]()
    for item in one.items:
        events = (
            life.observe(item) if isinstance(item, Fix) else life.observe_signal(normalise(item))
        )
        found += [event.trip for event in events if isinstance(event, TripEnded)]
    return found


def right(one: Traveller, told: Sequence[Trip]) -> tuple[int, int]:
    """(told right, trips that were one of the ways)."""
    pairs = [(true_mode(trip, one.ways), trip.mode) for trip in told]
    return sum(t == m for t, m in pairs), sum(t is not None for t, _ in pairs)


@pytest.mark.parametrize("every_s", [30.0, 240.0])
def test_trips_are_told_better_than_by_the_filter(every_s: float) -> None:
    people = [somebody(number, every_s) for number in range(8)]
    ours = [right(one, trips(one, judged)) for one in people]
    alone = [right(one, trips(one, ModeFilter.trip)) for one in people]
    count = sum(of for _, of in ours)
    assert count > 60
    assert sum(r for r, _ in ours) / count > sum(r for r, _ in alone) / count + 0.05


def asked(one: Traveller, life: Life, monkeypatch: pytest.MonkeyPatch) -> tuple[int, int]:
    """(trips that the student is asked about, trips)."""
    ways: list[ModeFilter] = []

    def asking(_: object, way: ModeFilter) -> tuple[TravelMode, float]:
        ways.append(way)
        assert way.state.marks.step_s() < RARE_S
        assert way.trip()[1] < SURE_P
        assert way.before()[MODES.index("car")] <= DRIVES
        return "transit", 0.9

    monkeypatch.setattr(mode_judge, "said_by", asking)
    told = [
        event
        for item in one.items
        if isinstance(item, Fix)
        for event in life.observe(item)
        if isinstance(event, TripEnded)
    ]
    assert sum(event.trip.mode == "transit" for event in told) >= len(ways)
    return len(ways), len(told)


def test_a_way_seen_too_rarely_is_left_to_the_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    few, many = (asked(somebody(1, every_s), Life("a"), monkeypatch) for every_s in (2_400.0, 60.0))
    assert few[0] == 0
    assert many[0] > 2, "the control: of a phone that writes more often it is asked"


def test_who_mostly_drives_is_left_to_the_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Life("a")
    driver.state.modes.trips = [0.0, 0.0, 100.0, 0.0]
    few, count = asked(somebody(1, 60.0), driver, monkeypatch)
    many, same = asked(somebody(1, 60.0), Life("a"), monkeypatch)
    assert (few, count) == (0, same)
    assert many > 2, "the control"


def test_a_way_of_no_metres_has_no_mode() -> None:
    assert judged(ModeFilter(Life("a").state.modes)) == ("unknown", 0.0)


@given(
    st.lists(st.floats(0.0, 1.0), min_size=4, max_size=4).filter(lambda p: sum(p) > 0.01),
    st.lists(st.floats(-5.0, 1e6), min_size=4, max_size=4).filter(lambda m: sum(m) > 1.0),
)
def test_two_pieces_of_evidence_are_probabilities(p: list[float], metres: list[float]) -> None:
    both = joined([one / sum(p) for one in p], metres)
    assert sum(both) == pytest.approx(1.0)
    assert min(both) >= 0.0
    even = joined([0.25] * 4, metres)
    assert max(range(4), key=even.__getitem__) == max(range(4), key=metres.__getitem__)


def test_the_file_says_what_it_is_made_from_and_is_the_one_whose_hash_is_known() -> None:
    data = SHIPPED.read_bytes()
    student = read(data)
    recipe = read_recipe(shipped_recipe("modes"))
    about = student.header.about
    assert hashlib.sha256(data).hexdigest() == student.identity == IDENTITY
    assert len(data) < 100_000
    assert (about.title, about.licence) == (recipe.name, "Apache-2.0")
    assert about.attribution == (
        "hearthway.synthetic.travellers (Apache-2.0): nobody lived these ways",
    )
    assert about.recipe["seed"] == str(recipe.seed)
    for table in ("corpus", "teacher", "student"):
        for key, value in getattr(recipe, table).items():
            assert about.recipe[f"{table}.{key}"] == str(
                tuple(value) if isinstance(value, list) else value
            )


def test_another_file_in_its_place_is_never_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = SHIPPED.read_bytes()
    mode_judge.check()
    other = tmp_path / "modes.student"
    monkeypatch.setattr(mode_judge, "SHIPPED", other)
    with pytest.raises(StudentError, match="cannot be read") as error:
        mode_judge.check()
    assert "Reinstall" in error.value.next_step
    for damaged in (data[:-1], data[:-1] + bytes([data[-1] ^ 1]), b""):
        other.write_bytes(damaged)
        with pytest.raises(StudentError, match="not the file that was shipped"):
            mode_judge.check()
    other.write_bytes(data)
    assert mode_judge.check() == data


def test_a_student_of_other_numbers_is_refused() -> None:
    student = read(SHIPPED.read_bytes())
    head = msgspec.structs.replace(student.header.heads[0], labels=MODES[::-1])
    header = msgspec.structs.replace(student.header, heads=(head,))
    other = write(header, dict(student.tensors))
    with pytest.raises(StudentError, match="another version"):
        mode_judge.fitting(other, "it")
    assert mode_judge.fitting(SHIPPED.read_bytes(), "it").identity == IDENTITY


def test_every_runtime_says_the_same_of_real_rows() -> None:
    rows: list[list[float]] = []

    def noting(way: ModeFilter) -> tuple[TravelMode, float]:
        rows.append(way.row())
        return way.trip()

    trips(somebody(2, 300.0), noting)
    student, plain = read(SHIPPED.read_bytes()), mode_judge.shipped()
    runtime = Runtime(student)
    assert isinstance(student.header.input, FeatureInput)
    assert rows
    for row in rows:
        given = quantise(student.header.input, row)
        wanted = run(student, given)["logits"].tolist()
        assert plain.logits(row) == runtime.run(given)["logits"].tolist() == wanted


def test_no_person_is_in_two_parts() -> None:
    settings = ModesSettings(people=20)
    parts = [part_of(number, settings) for number in range(20)]
    assert parts == sorted(parts)
    assert [parts.count(part) for part in (0, 1, 2)] == [16, 2, 2]


PROGRAM = """
import sys
from hearthway.context.life import Life
from hearthway.records.signals import Fix
names = ("numpy", "hearthway.student.plain")
life, now_s = Life("a"), 1_790_000_000.0
def rest(lat, seconds):
    global now_s
    for _ in range(int(seconds / 600)):
        now_s += 600.0
        life.observe(Fix(time_s=now_s, lat=lat, lon=24.9))
def ride(lat, mps, every_s):
    global now_s
    for part in range(1, int(12_000.0 / (10.0 * every_s)) + 1):
        now_s += every_s
        life.observe(Fix(time_s=now_s, lat=lat + part * mps * every_s / 111_195.0, lon=24.9))
    return lat + 12_000.0 * mps / 10.0 / 111_195.0
rest(60.2, 7200)
rest(ride(60.2, 10.0, 60.0), 7200)
print(sum(life.trips_by_mode().values()), *(name in sys.modules for name in names))
from hearthway.context.mode_judge import shipped
shipped().probabilities([0.0] * len(shipped().features))
print(*(name in sys.modules for name in names))
"""


def test_only_doubt_reads_it_and_never_the_numbers_library() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.split("\n")[:2] == ["1 False False", "False True"]
