"""Google's Records.json and Timeline.json of Android and iOS: what is read, and what is said of the rest."""

from __future__ import annotations

import contextlib
import gzip
import json
import subprocess
import sys
import tracemalloc
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hearthway.context.stays import StayDetector
from hearthway.history.ordered import OrderedFixes
from hearthway.history.reader import History, open_history
from hearthway.records.errors import InputError
from hearthway.records.signals import Fix

NINE_S = datetime(2024, 3, 1, 9, tzinfo=UTC).timestamp()


def _history(tmp_path: Path, document: Any, name: str = "h.json") -> History:
    path = tmp_path / name
    path.write_bytes(document if isinstance(document, bytes) else json.dumps(document).encode())
    return open_history(path)


def _fixes(history: History) -> list[Fix]:
    return [fix for _, fix in history]


def _record(**given: Any) -> dict[str, Any]:
    point = {"latitudeE7": 601700000, "longitudeE7": 249400000, "timestamp": "2024-03-01T09:00:00Z"}
    return {key: value for key, value in {**point, **given}.items() if value is not None}


# Records.json -----------------------------------------------------------------------------------------------------


def test_a_record_of_each_age(tmp_path: Path) -> None:
    old = _record(timestamp=None, timestampMs="1709283600500", accuracy=20, velocity=-1)
    new = _record(timestamp="2024-03-01T11:00:01.25+02:00", velocity=12, deviceTag=-7)
    nested = {"type": "STILL", "confidence": 90}
    new["activity"] = [{"timestamp": "2024-03-01T09:00:00Z", "activity": [nested]}]
    fixes = _fixes(_history(tmp_path, {"locations": [old, new]}))
    assert fixes == [
        Fix(time_s=NINE_S + 0.5, lat=60.17, lon=24.94, accuracy_m=20.0),
        Fix(time_s=NINE_S + 1.25, lat=60.17, lon=24.94, speed_mps=12.0),
    ]


@settings(deadline=None)  # files, on a loaded disk
@example(-89.9, -179.9, 1_600_000_000_000, 0, 0, "wrapped")
@given(
    st.floats(-90, 90),
    st.floats(-180, 180),
    st.integers(315_532_801_000, 4_102_444_799_000),
    st.integers(0, 5_000),
    st.integers(-14 * 60, 14 * 60),
    st.sampled_from(["ms", "iso", "wrapped"]),
)
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory,
    lat: float,
    lon: float,
    time_ms: int,
    accuracy: int,
    offset_min: int,
    form: str,
) -> None:
    e7 = round(lat * 1e7), round(lon * 1e7)
    if e7 == (0, 0):
        return
    where = timezone(timedelta(minutes=offset_min))
    moment = datetime.fromtimestamp(time_ms / 1000, where)
    wrapped = form == "wrapped"
    record = _record(
        latitudeE7=e7[0] % 2**32 if wrapped else e7[0],
        longitudeE7=e7[1] % 2**32 if wrapped else e7[1],
        timestamp=moment.isoformat() if form == "iso" else None,
        timestampMs=None if form == "iso" else str(time_ms),
        accuracy=accuracy,
    )
    (fix,) = _fixes(_history(tmp_path_factory.mktemp("g"), {"locations": [record]}))
    assert fix.lat == pytest.approx(e7[0] / 1e7, abs=1e-9)
    assert fix.lon == pytest.approx(e7[1] / 1e7, abs=1e-9)
    assert fix.time_s == pytest.approx(time_ms / 1000, abs=1e-5)
    assert fix.accuracy_m == accuracy


def test_records_that_give_no_point_are_counted(tmp_path: Path) -> None:
    bad = [
        _record(latitudeE7=None),
        _record(timestamp=None),
        _record(latitudeE7=0, longitudeE7=0),
        _record(longitudeE7=10**400),
        _record(longitudeE7=2_000_000_000),
        _record(latitudeE7=True),
        _record(latitudeE7=[1]),
        _record(timestamp="then"),
        _record(timestamp={}),
        _record(timestamp="9" * 5_000),
        "no record",
        7,
    ]
    history = _history(tmp_path, {"locations": [_record(accuracy=1e300), *bad]})
    (fix,) = _fixes(history)
    assert fix.accuracy_m is None
    report = history.report
    assert (report.rows, report.kept) == (13, 1)
    assert report.skipped == {
        "missing": 2,
        "out of range": 2,
        "not a number": 3,
        "unparsable time": 3,
        "not JSON": 2,
    }
    assert "(first in entry 2)" in report.words()


def test_two_devices_are_said(tmp_path: Path) -> None:
    history = _history(tmp_path, {"locations": [_record(deviceTag=1), _record(deviceTag=2)]})
    assert len(_fixes(history)) == 2
    assert "points of 2 devices" in history.report.words()
    single = _history(tmp_path, {"locations": [_record(deviceTag=1), _record()]})
    assert len(_fixes(single)) == 2
    assert "devices" not in single.report.words()


def test_newest_first_is_sorted_and_repeats_are_kept_once(tmp_path: Path) -> None:
    times = ["2024-03-01T09:00:02Z", "2024-03-01T09:00:01Z", "2024-03-01T09:00:02.000Z"]
    history = _history(tmp_path, {"locations": [_record(timestamp=time) for time in times]})
    ordered = OrderedFixes.collect(history)
    assert [fix.time_s - NINE_S for fix in ordered.of("")] == [1.0, 2.0]
    assert (ordered.duplicates, history.report.out_of_order) == (1, 1)


# Timeline.json ----------------------------------------------------------------------------------------------------

HOME, SHOP = "60.2000000°, 24.8000000°", "60.1700000°, 24.9400000°"


def _segment(start: str, end: str, **part: Any) -> dict[str, Any]:
    return {
        "startTime": f"2024-03-01T{start}.000+02:00",
        "endTime": f"2024-03-01T{end}.000+02:00",
        **part,
    }


def _visit(place: Any, **given: Any) -> dict[str, Any]:
    return {"topCandidate": {"placeLocation": place, "semanticType": "HOME"}, **given}


ANDROID: dict[str, Any] = {
    "semanticSegments": [
        _segment("01:00:00", "08:00:00", visit=_visit({"latLng": HOME}, hierarchyLevel=0)),
        _segment(
            "08:00:00",
            "08:30:00",
            activity={"start": {"latLng": HOME}, "end": {"latLng": SHOP}, "distanceMeters": 9_000},
        ),
        _segment(
            "08:00:00",
            "10:00:00",
            timelinePath=[
                {"point": "60.19°, 24.85°", "time": "2024-03-01T08:10:00.000+02:00"},
                {"point": "no point", "time": "2024-03-01T08:11:00.000+02:00"},
                {"time": "2024-03-01T08:12:00.000+02:00"},
                "nothing",
            ],
        ),
        _segment("08:30:00", "09:30:00", visit=_visit({"latLng": SHOP}, hierarchyLevel=0)),
        _segment("08:40:00", "09:00:00", visit=_visit({"latLng": SHOP}, hierarchyLevel=1)),
        _segment("08:00:00", "10:00:00", timelineMemory={"trip": {}}),
        _segment("08:00:00", "10:00:00"),
    ],
    "rawSignals": [
        {"activityRecord": {"probableActivities": []}},
        {
            "position": {
                "LatLng": "60.1701°, 24.9401°",
                "accuracyMeters": 13,
                "timestamp": "2024-03-01T08:31:00.000+02:00",
                "speedMetersPerSecond": 0.5,
            }
        },
        {"position": {"accuracyMeters": 13, "timestamp": "2024-03-01T08:31:00.000+02:00"}},
        {"wifiScan": {"devicesRecords": [{"mac": 1, "rawRssi": -50}]}},
    ],
    "userLocationProfile": {"frequentPlaces": [{"placeLocation": HOME, "label": "HOME"}]},
}


def test_a_timeline_of_android(tmp_path: Path) -> None:
    history = _history(tmp_path, ANDROID, "Timeline.json")
    ordered = OrderedFixes.collect(history)
    fixes = list(ordered.of(""))
    clock = [datetime.fromtimestamp(fix.time_s, UTC).strftime("%H:%M") for fix in fixes]
    assert clock == ["23:00", "06:00", "06:10", "06:30", "06:31", "07:30"]
    assert (fixes[4].accuracy_m, fixes[4].speed_mps) == (13.0, 0.5)
    report = history.report
    assert (report.rows, report.kept, report.inferred) == (14, 8, 6)
    assert ordered.duplicates == 2  # where the visit ends, the activity begins
    assert report.skipped == {"missing": 4, "not a number": 1, "visits inside a visit": 1}
    assert "6 of them are the exporter's inference" in report.words()


IOS = [
    {
        "endTime": "2024-03-01T08:00:00.000+02:00",
        "startTime": "2024-03-01T01:00:00.000+02:00",
        "visit": {
            "hierarchyLevel": "0",
            "topCandidate": {"placeLocation": "geo:60.200000,24.800000", "probability": "0.46"},
            "probability": "0.89",
        },
    },
    {
        "endTime": "2024-03-01T08:30:00.000+02:00",
        "startTime": "2024-03-01T08:00:00.000+02:00",
        "activity": {"end": "geo:60.170000,24.940000", "start": "geo:60.200000,24.800000"},
    },
    {
        "endTime": "2024-03-01T08:00:00.000Z",
        "startTime": "2024-03-01T06:00:00.000Z",
        "timelinePath": [
            {"point": "geo:60.190000,24.850000", "durationMinutesOffsetFromStartTime": "10"},
            {
                "point": "geo:60.180000,24.850000",
                "durationMinutesOffsetFromStartTime": "2024-01-01",
            },
            {"point": "geo:60.180000,24.850000"},
        ],
    },
    {
        "endTime": "2024-03-01T09:30:00.000+02:00",
        "startTime": "2024-03-01T08:31:00.000+02:00",
        "visit": {
            "hierarchyLevel": "0",
            "isTimelessVisit": "true",
            "topCandidate": {"placeLocation": "geo:60.170000,24.940000"},
        },
    },
]


def test_a_timeline_of_ios(tmp_path: Path) -> None:
    history = _history(tmp_path, IOS, "location-history.json")
    fixes = list(OrderedFixes.collect(history).of(""))
    clock = [datetime.fromtimestamp(fix.time_s, UTC).strftime("%H:%M") for fix in fixes]
    assert clock == ["23:00", "06:00", "06:10", "06:30"]
    assert (fixes[2].lat, fixes[2].lon) == (60.19, 24.85)
    assert history.report.skipped == {
        "missing": 1,
        "unparsable time": 1,
        "visits without a time": 1,
    }


def test_a_visit_is_learned_as_a_stay(tmp_path: Path) -> None:
    """Nothing lies between its two ends: the night at home is a stay all the same, of Google's length."""
    detector = StayDetector()
    ended = [
        outcome.ended
        for fix in OrderedFixes.collect(_history(tmp_path, ANDROID)).of("")
        if (outcome := detector.feed(fix)).ended is not None
    ]
    assert [round((stay.end_s - stay.start_s) / 3600, 2) for stay in ended if stay] == [7.0]
    last = detector.current()
    assert last is not None
    assert last.end_s - last.start_s == 3600.0


def test_a_stray_position_does_not_end_a_visit(tmp_path: Path) -> None:
    """Four kilometres off by the tower of a cell, in a path that stands before the visit; the way there is kept."""
    strays = [
        {"point": "60.2400°, 24.8000°", "time": "2024-03-01T04:00:00.000+02:00"},
        {"point": "60.2010°, 24.8000°", "time": "2024-03-01T05:00:00.000+02:00"},
        {"point": "60.2400°, 24.8000°", "time": "2024-03-01T08:10:00.000+02:00"},
    ]
    signal = {"LatLng": "60.24°, 24.80°", "timestamp": "2024-03-01T04:30:00.000+02:00"}
    document = {
        "semanticSegments": [
            _segment("00:00:00", "09:00:00", timelinePath=strays),
            *ANDROID["semanticSegments"],
        ],
        "rawSignals": [{"position": signal}],
    }
    history = _history(tmp_path, document)
    fixes = list(OrderedFixes.collect(history).of(""))
    assert [fix.lat for fix in fixes[:4]] == [60.2, 60.201, 60.2, 60.24]
    assert history.report.skipped["away from the visit they lie in"] == 2
    detector = StayDetector()
    ended = [one.ended for one in map(detector.feed, fixes) if one.ended is not None]
    assert ended[0].end_s - ended[0].start_s == 7 * 3600.0
    alone = _history(tmp_path, [_segment("00:00:00", "09:00:00", timelinePath=strays)], "b.json")
    assert len(_fixes(alone)) == 3  # without a visit nothing says that they are astray


@pytest.mark.parametrize(
    ("text", "point"),
    [
        ("60.17°, 24.94°", (60.17, 24.94)),
        ("geo:-33.85,-151.2", (-33.85, -151.2)),
        ("51.5Â°,-1.0E-4Â°", (51.5, -1e-4)),
        ("60.17, 24.94", (60.17, 24.94)),
        ("geo:60.17,24.94;u=35", (60.17, 24.94)),
    ],
)
def test_coordinates_as_text(tmp_path: Path, text: str, point: tuple[float, float]) -> None:
    (fix, _) = _fixes(_history(tmp_path, [_segment("01:00:00", "02:00:00", visit=_visit(text))]))
    assert (fix.lat, fix.lon) == point


@pytest.mark.parametrize(
    "text", ["60,17°, 24,94°", "60.17", "", "geo:", "1.2.3,4", "9" * 200, "nan,nan"]
)
def test_coordinates_that_are_none(tmp_path: Path, text: str) -> None:
    history = _history(tmp_path, [_segment("01:00:00", "02:00:00", visit=_visit(text))])
    with pytest.raises(InputError, match="no usable point"):
        _fixes(history)
    assert history.report.inferred == 0


# what is none, or half ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"type": "FeatureCollection", "features": []}, "it holds type, features"),
        ({}, "it holds nothing"),
        ({"timelineObjects": [{}]}, "Semantic Location History"),
        ({"locations": []}, "no usable point"),
        ({"locations": {"a": 1}}, "no usable point"),
        ([], "no usable point"),
        ([[1, 2], "x"], "2 not JSON"),
        (b'{"locations": [{"latitudeE7"', "not well-formed JSON"),
        (b'{"locations"', "not well-formed JSON"),
        (b"{" * 100_000, "not well-formed JSON"),
        (b'{"locations": [' + b"[" * 100_000, "not well-formed JSON"),
        (b'{"locations": [' + b"[" * 2_000_000, "deeper than"),
        (json.dumps({"locations": [_record()]}).encode("utf-16"), "UTF-16"),
        (json.dumps({"locations": [_record()]}).encode("utf-16-be"), "binary"),
    ],
)
def test_what_is_no_google_history(tmp_path: Path, document: Any, said: str) -> None:
    with pytest.raises(InputError) as caught:
        list(_history(tmp_path, document))
    assert said in caught.value.message
    assert caught.value.next_step


def test_a_cut_keeps_what_was_read(tmp_path: Path) -> None:
    text = json.dumps({"locations": [_record() for _ in range(3)]}).encode()
    history = _history(tmp_path, text[:-40])
    assert len(_fixes(history)) == 2
    assert history.report.truncated
    assert "breaks off after entry 2" in history.report.words()


def test_a_cut_gzip_is_said_once(tmp_path: Path) -> None:
    text = json.dumps({"locations": [_record(accuracy=at) for at in range(20_000)]}).encode()
    packed = gzip.compress(text)
    history = _history(tmp_path, packed[: len(packed) // 2], "h.json.gz")
    assert 0 < len(_fixes(history)) < 20_000
    assert len(history.report.notes) == 1


def test_a_latin_1_title_costs_nothing_that_is_read(tmp_path: Path) -> None:
    text = json.dumps({"locations": [_record(place="caf@")]}).encode().replace(b"@", b"\xe9")
    assert len(_fixes(_history(tmp_path, text))) == 1
    bad = json.dumps({"locations": [_record(), _record(timestamp="caf@")]}).encode()
    history = _history(tmp_path, bad.replace(b"@", b"\xe9"))
    assert len(_fixes(history)) == 1
    assert history.report.skipped == {"not JSON": 1}


@settings(deadline=None)  # files, on a loaded disk
@given(st.binary(max_size=300))
def test_any_bytes_give_fixes_or_an_input_error(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.mktemp("x") / "h.json"
    for head in (b'{"locations":[', b'{"semanticSegments":[{', b'[{"visit":{'):
        path.write_bytes(head + data)
        with contextlib.suppress(InputError):
            list(open_history(path))


# memory -----------------------------------------------------------------------------------------------------------


def _write_records(path: Path, size_mb: float) -> int:
    """A Records.json as Takeout writes it, indented, of about this size; the points in it."""
    count = int(size_mb * 1e6 / 250)
    with path.open("w") as out:
        out.write('{\n  "locations": [')
        for at in range(count):
            moment = datetime.fromtimestamp(1_400_000_000 + 10 * at, UTC)
            record = _record(
                latitudeE7=601_700_000 + at % 9_999, timestamp=moment.isoformat(), source="WIFI"
            )
            record["activity"] = [{"activity": [{"type": "STILL", "confidence": 100}]}]
            out.write(("," if at else "") + json.dumps(record, indent=2))
        out.write("]\n}\n")
    return count


def test_the_reader_holds_little(tmp_path: Path) -> None:
    path = tmp_path / "Records.json"
    count = _write_records(path, 4.0)
    assert path.stat().st_size > 4e6
    history = open_history(path)
    tracemalloc.start()
    try:
        assert sum(1 for _ in history) == count
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1.5e6  # pieces of 64 KB and the minutes remembered


@pytest.mark.slow
def test_a_large_file_needs_no_more(tmp_path: Path) -> None:
    path = tmp_path / "Records.json"
    count = _write_records(path, 60.0)
    assert path.stat().st_size > 60e6
    code = """
import resource, sys
from pathlib import Path
from hearthway.history.reader import open_history
history = open_history(Path(sys.argv[1]))
rows = iter(history)
next(rows)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(1 + sum(1 for _ in rows), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        capture_output=True,
        text=True,
        check=True,
        timeout=100,
    )
    found, grown_kb = map(int, done.stdout.split())
    assert found == count
    assert grown_kb < 8_000
