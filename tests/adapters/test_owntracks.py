"""OwnTracks' documented forms, and everything that only looks like them."""

from __future__ import annotations

import json
from base64 import b64encode
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearthway.adapters.owntracks import errors
from hearthway.adapters.owntracks.adapter import credentials, receive
from hearthway.adapters.owntracks.mapping import MAX_BYTES, MAX_MESSAGES, read
from hearthway.records.errors import HearthwayError
from hearthway.sense.catalogue import CATALOGUE

RECORDED = sorted((Path(__file__).parent / "owntracks").glob("*.json"))
NOW = 1_700_000_000.0


def body(**more: object) -> bytes:
    message = {"_type": "location", "lat": 60.17, "lon": 24.94, "tst": NOW - 60, **more}
    return json.dumps({k: v for k, v in message.items() if v is not ...}).encode()


def reading(data: bytes) -> Any:
    return read(data, now_s=NOW, source="owntracks/Aino/phone", person="Aino")


@pytest.mark.parametrize("file", RECORDED, ids=lambda file: file.stem)
def test_recorded_forms(file: Path) -> None:
    case = json.loads(file.read_text())
    expect = case["expect"]
    data = json.dumps(case["body"]).encode()
    if "error" in expect:
        with pytest.raises(getattr(errors, expect["error"])):
            reading(data)
        return
    found = reading(data)
    assert len(found.fixes) == expect["fixes"]
    assert len(found.signals) == expect["signals"]
    if "speed_mps" in expect:
        assert found.fixes[0].speed_mps == expect["speed_mps"]
    messages = case["body"] if isinstance(case["body"], list) else [case["body"]]
    assert all(words.endswith(".") for words in found.left_out)
    if messages and not found.fixes:
        assert found.left_out


def test_signals_stand_in_the_catalogue_and_keep_their_source() -> None:
    (signal,) = reading(body(batt=20)).signals
    assert signal.key in CATALOGUE
    assert (signal.unit, signal.source, signal.person) == (
        "percent",
        "owntracks/Aino/phone",
        "Aino",
    )


def test_history_comes_in_event_order_and_once() -> None:
    case = json.loads((Path(__file__).parent / "owntracks" / "location_buffered.json").read_text())
    times = [fix.time_s for fix in reading(json.dumps(case["body"]).encode()).fixes]
    assert times == sorted(set(times))


def test_years_old_history_is_taken() -> None:
    assert reading(body(tst=NOW - 10 * 365 * 86_400)).fixes


@pytest.mark.parametrize("ahead_s", [0, 3600, 86_399])
def test_a_clock_within_a_day_is_taken(ahead_s: float) -> None:
    assert reading(body(tst=NOW + ahead_s)).fixes


@pytest.mark.parametrize(("ahead_s", "dated_s"), [(60, 60), (61, 0), (7200, 0), (86_400, 0)])
def test_a_position_dated_after_now_is_dated_as_it_came(ahead_s: float, dated_s: float) -> None:
    found = reading(body(tst=NOW + ahead_s, batt=50))
    assert [fix.time_s for fix in found.fixes] == [NOW + dated_s]
    assert [signal.time_s for signal in found.signals] == [NOW + dated_s]
    assert [words for words in found.left_out if "after now" in words] == list(found.left_out)
    assert bool(found.left_out) == (dated_s == 0)


def test_of_several_dated_after_now_the_last_is_where_the_phone_is() -> None:
    """They came at once: one after the other within no time, they would tell of a speed that nobody had."""
    times = [NOW - 60, NOW + 7200, NOW + 7260, NOW + 7230]
    messages = [json.loads(body(tst=at, lat=60.0 + n / 100)) for n, at in enumerate(times)]
    fixes = reading(json.dumps(messages).encode()).fixes
    assert [(fix.time_s, fix.lat) for fix in fixes] == [(NOW - 60, 60.0), (NOW, 60.02)]


@pytest.mark.parametrize("ahead_s", [86_401, 1e9, 1e300])
def test_a_clock_further_ahead_is_refused(ahead_s: float) -> None:
    with pytest.raises(errors.ClockError, match=r"days after now.*clock"):
        reading(body(tst=NOW + ahead_s))


@pytest.mark.parametrize(
    "more",
    [
        {"acc": -1},
        {"acc": "12"},
        {"acc": 1e12},
        {"acc": None},
        {"vel": -1},
        {"vel": True},
        {"vel": [1]},
        {"vel": 1e9},
        {"batt": 101},
        {"batt": -1},
        {"batt": "full"},
    ],
)
def test_an_odd_optional_value_reads_unknown(more: dict[str, object]) -> None:
    found = reading(body(**more))
    (fix,) = found.fixes
    assert (fix.accuracy_m, fix.speed_mps, found.signals) == (None, None, ())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe\x00",
        b"null",
        b"1",
        b'"location"',
        b"[1]",
        b"[[]]",
        b"{}",
        b'{"_type":1}',
        b'{"_type":"location"}',
        body(lat=...),
        body(lat="60.17"),
        body(lon=None),
        body(lon=True),
        body(tst="1699999000"),
        body(tst=0),
        body(tst=-1e300),
        body(lat=90.001),
        body(lon=-180.5),
        b'{"_type":"location","lat":NaN,"lon":24.9,"tst":1699999000}',
        b'{"_type":"location","lat":Infinity,"lon":24.9,"tst":1699999000}',
        b'{"_type":"location","lat":1e999,"lon":24.9,"tst":1699999000}',
        b'{"_type":"location","lat":1' + b"0" * 400 + b',"lon":24.9,"tst":1699999000}',
        b'{"_type":"location","lat":60.1,"lon":24.9,"tst":1699999000',
        b'{"_type":"location","lat":60.1,"lon":24.9,"tst":1699999000}trailing',
        b"[" * 100_000,
        b'{"a":' * 40_000,
        b" " * (MAX_BYTES + 1),
        json.dumps([{"_type": "lwt"}] * (MAX_MESSAGES + 1)).encode(),
    ],
)
def test_what_no_healthy_app_sends_is_refused_in_a_sentence(data: bytes) -> None:
    with pytest.raises(errors.PayloadError) as caught:
        reading(data)
    assert caught.value.message.endswith((".", ")."))
    assert caught.value.next_step
    assert len(str(caught.value)) < 400


def test_one_bad_message_refuses_the_whole_body() -> None:
    good = json.loads(body())
    with pytest.raises(errors.PayloadError):
        reading(json.dumps([good, {**good, "lat": 400}]).encode())


@given(st.binary(max_size=300))
def test_any_bytes_give_a_reading_or_a_refusal(data: bytes) -> None:
    with suppress(HearthwayError):
        reading(data)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(
    st.dictionaries(
        st.sampled_from(["lat", "lon", "tst", "acc", "vel", "batt", "topic", "t", "more"]), _json
    ),
    st.sampled_from(["location", "transition", "waypoint", "card", ""]),
)
def test_any_values_give_sound_fixes_or_a_refusal(fields: dict[str, Any], kind: str) -> None:
    try:
        found = reading(json.dumps({**fields, "_type": kind}).encode())
    except HearthwayError:
        return
    for fix in found.fixes:
        assert -90 <= fix.lat <= 90
        assert -180 <= fix.lon <= 180
        assert 0 < fix.time_s <= NOW + 60


@given(st.binary(max_size=60))
def test_any_authorization_header_is_read(data: bytes) -> None:
    credentials(data.decode("latin-1"))
    credentials("Basic " + data.decode("latin-1"))
    credentials("basic " + b64encode(data).decode())


def test_credentials_keep_a_colon_of_the_password() -> None:
    found = credentials("Basic " + b64encode(b"Aino:a:b").decode())
    assert (found.user, found.password) == ("Aino", "a:b")


def test_the_senders_name_from_the_topic_where_http_says_none() -> None:
    delivery = receive(body(topic="owntracks/Aino/pixel"), now_s=NOW)
    assert (delivery.person, delivery.device) == ("Aino", "pixel")
    assert delivery.reading.fixes


@pytest.mark.parametrize("name", ["", "a/b", "x" * 65, "new\nline", "+", "#"])
def test_a_sender_without_a_usable_name_is_refused(name: str) -> None:
    with pytest.raises(errors.SenderError, match="whose"):
        receive(body(topic="owntracks/http/ai"), now_s=NOW, query_user=name)
