"""History files: what is read, what is skipped, and what is said about files that are none."""

from __future__ import annotations

import contextlib
import gzip
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hearthway.history.point import read_time
from hearthway.history.reader import open_history
from hearthway.records.errors import InputError

HEAD = "lat,lng,datetime,uid\n"
ROWS = "39.98,116.31,2008-10-23 05:53:05,001\n39.99,116.32,2008-10-23 05:53:10,001\n"
GPX = """<?xml version="1.0"?><gpx xmlns="http://www.topografix.com/GPX/1/1"><trk><trkseg>
<trkpt lat="60.1" lon="24.9"><ele>3</ele><time>2024-03-01T10:00:00Z</time></trkpt>
<trkpt lat="60.2" lon="24.9"></trkpt>
<trkpt lat="60.2"><time>2024-03-01T10:00:10Z</time></trkpt>
<trkpt lat="91" lon="24.9"><time>2024-03-01T10:00:20Z</time></trkpt>
<trkpt lat="60.3" lon="24.9"><time>then</time></trkpt>
<trkpt lat="60.4" lon="24.9"><time>2024-03-01T12:01:00+02:00</time><speed>13.5</speed></trkpt>
</trkseg></trk></gpx>"""


def _write(tmp_path: Path, data: str | bytes, name: str = "h.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def _fails(path: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        list(open_history(path))
    assert caught.value.next_step
    return caught.value


def test_csv_without_a_zone_is_utc(tmp_path: Path) -> None:
    history = open_history(_write(tmp_path, HEAD + ROWS))
    (uid, first), (_, second) = list(history)
    assert uid == "001"
    assert first.time_s == 1224741185.0
    assert (second.lat, second.lon) == (39.99, 116.32)
    assert (history.report.rows, history.report.kept) == (2, 2)


def test_gzip_and_plain_read_alike(tmp_path: Path) -> None:
    plain = _write(tmp_path, HEAD + ROWS)
    packed = _write(tmp_path, gzip.compress((HEAD + ROWS).encode()), "h.csv.gz")
    assert list(open_history(plain)) == list(open_history(packed))


@pytest.mark.parametrize(
    "text",
    [
        "uid;timestamp;longitude;latitude\nA;1224741185;116.31;39.98\n",
        "User,Time,Lon,Lat\nA,1224741185000,116.31,39.98\n",
        "User,Time,Lon,Lat\nA,1224741185000000,116.31,39.98\n",
        '\ufeff"user","time","lng","lat"\r\n"A","2008-10-23T05:53:05Z","116.31","39.98"\r\n',
        "lat,lon,time,user,extra\n39.98,116.31,2008-10-23T07:53:05+02:00,A,x\n",
    ],
)
def test_csv_headers_in_the_wild(tmp_path: Path, text: str) -> None:
    ((uid, fix),) = list(open_history(_write(tmp_path, text)))
    assert (uid, fix.time_s, fix.lat, fix.lon) == ("A", 1224741185.0, 39.98, 116.31)


def test_bad_rows_are_counted_by_reason(tmp_path: Path) -> None:
    bad = "95,1,2008-10-23 05:00:00,1\n0,0,2008-10-23 05:00:00,1\n,,2008-10-23 05:00:00,1\nx,1,2008-10-23 05:00:00,1\n1,nan,2008-10-23 05:00:00,1\n1,1,soon,1\n1,1\n\n"
    history = open_history(_write(tmp_path, HEAD + ROWS + bad + '"'))
    assert len(list(history)) == 2
    report = history.report
    assert report.skipped == {
        "out of range": 2,
        "missing": 3,
        "not a number": 2,
        "unparsable time": 1,
    }
    assert report.first_bad_line == 4
    assert "first in line 4" in report.words()


def test_gpx_with_holes(tmp_path: Path) -> None:
    history = open_history(_write(tmp_path, GPX, "t.gpx"))
    fixes = [fix for _, fix in history]
    assert [fix.lat for fix in fixes] == [60.1, 60.4]
    assert fixes[1].time_s - fixes[0].time_s == 60.0
    assert fixes[1].speed_mps == 13.5
    assert history.report.skipped == {"missing": 2, "out of range": 1, "unparsable time": 1}
    assert history.report.first_bad_line == 3


def test_gpx_refuses_entities(tmp_path: Path) -> None:
    laughs = (
        '<?xml version="1.0"?><!DOCTYPE gpx [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><gpx>&b;</gpx>'
    )
    assert "entities" in _fails(_write(tmp_path, laughs, "t.gpx")).message


def test_gpx_cut_off_keeps_what_was_read(tmp_path: Path) -> None:
    history = open_history(_write(tmp_path, GPX[: GPX.index("</trkseg>")], "t.gpx"))
    assert len(list(history)) == 2
    assert history.report.truncated
    assert "breaks off" in history.report.words()


def test_xml_that_is_no_gpx(tmp_path: Path) -> None:
    assert "no GPX" in _fails(_write(tmp_path, "<html></html>", "t.gpx")).message


def test_plt_of_geolife(tmp_path: Path) -> None:
    folder = tmp_path / "007" / "Trajectory"
    folder.mkdir(parents=True)
    head = "Geolife trajectory\nWGS 84\nAltitude is in Feet\nReserved 3\n0,2,255,My Track,0,0,2,8421376\n0\n"
    row = "39.98,116.31,0,492,39744.24,2008-10-23,05:53:05\n"
    ((uid, fix),) = list(open_history(_write(folder, head + row, "a.plt")))
    assert (uid, fix.time_s) == ("007", 1224741185.0)


def test_truncated_gzip_keeps_what_was_read_and_says_so(tmp_path: Path) -> None:
    rows = "".join(f"39.{i:06d},116.31,{1224741185 + 5 * i},001\n" for i in range(50_000))
    data = gzip.compress((HEAD + rows).encode())
    history = open_history(_write(tmp_path, data[: len(data) // 2], "h.csv.gz"))
    count = sum(1 for _ in history)
    assert 0 < count < 50_000
    assert history.report.truncated
    assert "cut off" in history.report.words()


def test_two_people_in_one_file(tmp_path: Path) -> None:
    text = HEAD + ROWS + "39.98,116.31,2008-10-23 05:53:07,002\n"
    history = open_history(_write(tmp_path, text))
    assert [uid for uid, _ in history] == ["001", "001", "002"]
    assert history.report.out_of_order == 0


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty"),
        (b"  \n \n", "empty"),
        (gzip.compress(b"", mtime=0), "empty"),
        (gzip.compress(b"lat,lng", mtime=0)[:8], "damaged"),
        (b"\x00\x01\x02\x03", "binary"),
        (b"\xff\xfel\x00a\x00", "UTF-16"),
        (b"hello world", "known"),
        (b"a,b,c\n1,2,3\n", "no column for lat"),
        ((HEAD + "39,116,soon,1\n").encode(), "no usable point"),
        (HEAD.encode(), "no usable point"),
        (HEAD.encode() + b"39.98,116.31,2008-10-23 05:53:05,\xe9\n", "UTF-8 text (line 2)"),
        (HEAD.encode() + b"1" * 200_000, "UTF-8 text"),
    ],
)
def test_what_is_no_history(tmp_path: Path, data: bytes, said: str) -> None:
    assert said in _fails(_write(tmp_path, data)).message


@pytest.mark.parametrize(
    ("row", "next_step"),
    [
        ("39.9,116.3,03/04/2026 08:00,1", "Times are like"),
        ("39.9,116.3,1971-01-01 08:00:00,1", "from 1980 to 2100"),
        ('"39,9","116,3",2008-10-23 05:53:05,1', "degrees with a point"),
        ("116.3,39.9,2008-10-23 05:53:05,1", "which column is which"),
        (",,2008-10-23 05:53:05,1", "needs a latitude"),
        ("", "Readable are"),
    ],
)
def test_where_no_point_is_left_the_reason_says_what_to_do(
    tmp_path: Path, row: str, next_step: str
) -> None:
    refused = _fails(_write(tmp_path, (HEAD + row).encode()))
    assert "no usable point" in refused.message
    assert next_step in refused.next_step


def test_a_directory_and_a_missing_file(tmp_path: Path) -> None:
    assert "directory" in _fails(tmp_path).message
    assert "no file" in _fails(tmp_path / "none.csv").message


def test_no_permission(tmp_path: Path) -> None:
    path = _write(tmp_path, HEAD + ROWS)
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("root reads everything")
    assert "permission" in _fails(path).message


@settings(deadline=None)  # files, on a loaded disk
@given(st.binary(max_size=400))
def test_any_bytes_give_fixes_or_an_input_error(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.mktemp("x") / "h.csv"
    path.write_bytes(HEAD.encode() + data)
    with contextlib.suppress(InputError):
        list(open_history(path))


@settings(deadline=None)  # files, on a loaded disk
@given(st.floats(min_value=315_532_800, max_value=4_102_444_800))
def test_epoch_times_read_back(time_s: float) -> None:
    assert read_time(repr(time_s)) == time_s
    assert read_time("nan") is None
    assert read_time(repr(time_s + 5e9)) is None
