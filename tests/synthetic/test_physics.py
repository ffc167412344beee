"""Motion, energy and the shipped pool: plausible, and read back as written."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hearthway.records.errors import MapError
from hearthway.records.geo import distance_m, offset
from hearthway.synthetic import drives
from hearthway.synthetic.drives import (
    DrivePool,
    EnergyTable,
    PackedDrive,
    PackedPool,
    pack_samples,
    unpack_samples,
)
from hearthway.synthetic.motion import Recorded, Ruled, drive, walk

START = (60.17, 24.94)


def straight(metres: float, limit_mps: float, stops_per_km: float = 0.0) -> Ruled:
    points = tuple(offset(*START, metres * i / 20, 0.0) for i in range(21))
    return Ruled(points=points, limits_mps=(limit_mps,) * 20, stops_per_km=stops_per_km)


@given(
    seed=st.integers(0, 10_000),
    metres=st.floats(60.0, 20_000.0),
    limit=st.floats(4.0, 33.0),
    stops=st.floats(0.0, 2.0),
    step=st.sampled_from([1.0, 2.0]),
)
@settings(max_examples=60, deadline=None)
def test_a_drive_ends_where_it_should_and_obeys_its_limits(
    seed: int, metres: float, limit: float, stops: float, step: float
) -> None:
    piece = straight(metres, limit, stops)
    motion = drive([piece], Random(seed), step_s=step)
    assert motion.distance_m == pytest.approx(metres, rel=0.01)
    assert distance_m(*motion.samples[-1][1:3], *piece.points[-1]) < 0.1
    for a, b in pairwise(motion.samples):
        assert b[0] > a[0]
        assert 0.0 <= b[3] <= limit * 1.05
        assert distance_m(a[1], a[2], b[1], b[2]) <= (limit * 1.05 + 1.0) * (b[0] - a[0]) + 1.0


def test_a_recorded_piece_is_played_as_it_is() -> None:
    trace = tuple((*offset(*START, 5_000.0 + 10.0 * i, 0.0), 10.0) for i in range(30))
    piece = straight(5_000.0, 20.0)
    motion = drive([piece, Recorded(samples=trace, battery_wh=(1.0,) * 7)], Random(1))
    first, last, energy = motion.recorded[0]
    assert [s[1:] for s in motion.samples[first : last + 1]] == list(trace)
    assert energy == (1.0,) * 7
    # it is entered at about its own speed, not from standstill
    assert motion.samples[first - 1][3] > 5.0


def test_walking_is_walking() -> None:
    motion = walk(START, offset(*START, 260.0, 0.0), Random(3))
    assert 260.0 / 1.6 < motion.duration_s < 260.0 / 1.0


def test_energy_is_plausible_and_winter_costs_more() -> None:
    table = EnergyTable.bundled()
    assert "simulated" in table.source
    motion = drive([straight(15_000.0, 22.0, 0.2)], Random(5))
    per_km = {t: table.trip_wh(motion, t) / 15.0 for t in (-30.0, -5.0, 5.0, 20.0, 45.0)}
    assert per_km[-30.0] == pytest.approx(table.trip_wh(motion, -10.0) / 15.0)
    assert per_km[-5.0] > per_km[5.0] > per_km[20.0]
    assert 70.0 < per_km[20.0] < 160.0
    assert per_km[-5.0] < 320.0


def test_stopping_costs_energy() -> None:
    table = EnergyTable.bundled()
    steady = drive([straight(8_000.0, 14.0)], Random(5))
    stopping = drive([straight(8_000.0, 14.0, 2.0)], Random(5))
    assert table.trip_wh(stopping, 20.0) > table.trip_wh(steady, 20.0)


def test_the_pool_reads_and_is_drivable() -> None:
    pool = DrivePool.bundled()
    assert len(pool.inbound) >= 40
    assert len(pool.outbound) >= 20
    assert "simulated" in pool.source
    assert len(pool.stops) >= 8
    temperatures = len(EnergyTable.bundled().temperatures_c)
    for one in [*pool.inbound, *pool.outbound]:
        assert len(one.battery_wh) == temperatures
        assert len(one.samples) >= 10
        for a, b in pairwise(one.samples):
            assert distance_m(a[0], a[1], b[0], b[1]) < 30.0
            assert 0.0 <= b[2] < 25.0
    for one in pool.inbound:
        assert one.samples[-1][2] < 0.5  # it ends parked
    for stop in pool.stops:
        assert pool.into(stop)
        assert pool.out_of(stop), stop


def test_shipped_files_are_small_and_carry_their_notice() -> None:
    data = Path(drives.__file__).parent / "data"
    assert sum(f.stat().st_size for f in data.iterdir()) < 1_000_000
    notice = (data / "NOTICE").read_text()
    assert "OpenStreetMap" in notice
    assert "simulated" in notice


@given(
    st.lists(
        st.tuples(st.floats(60.16, 60.18), st.floats(24.93, 24.955), st.floats(0.0, 40.0)),
        min_size=1,
        max_size=40,
    )
)
def test_samples_pack_to_a_microdegree(samples: list[tuple[float, float, float]]) -> None:
    lat, lon, data = pack_samples(samples)
    packed = PackedDrive(lat_e6=lat, lon_e6=lon, samples=data, battery_wh=(), inbound=True)
    for a, b in zip(samples, unpack_samples(packed), strict=True):
        assert a[0] == pytest.approx(b[0], abs=1e-6)
        assert a[1] == pytest.approx(b[1], abs=1e-6)
        assert a[2] == pytest.approx(b[2], abs=0.006)


@pytest.mark.parametrize("content", [b"", b"\x00garbage", b"\x83\xa4"])
def test_a_damaged_file_is_a_map_error(tmp_path: Path, content: bytes) -> None:
    broken = tmp_path / "drives.msgpack"
    broken.write_bytes(content)
    with pytest.raises(MapError, match="does not read"):
        drives._read(broken, PackedPool)
    with pytest.raises(MapError, match="missing"):
        drives._read(tmp_path / "none.msgpack", PackedPool)
