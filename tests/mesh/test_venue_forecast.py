"""A venue's forecast: taken at one's own arrival, from a venue that may lie about itself and about nothing else."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET
from msgspec.structs import asdict, replace

from hearthway.mesh.state.store import Store
from hearthway.mesh.trust.signing import public_bytes
from hearthway.mesh.venues import forecast as forecasts
from hearthway.mesh.venues import venue_seal
from hearthway.mesh.venues.desk import VenueDesk
from hearthway.mesh.venues.forecast import at_arrival, sign_forecast
from hearthway.mesh.venues.venue import ask, sign_wait
from hearthway.mesh.venues.venue_link import Said, VenueServer
from hearthway.mesh.venues.venue_seal import Answerer, Asker
from hearthway.records.codec import pack, unpack
from hearthway.records.errors import InputError, WireError
from hearthway.records.venue import (
    Ahead,
    Followed,
    ForecastStatement,
    SignedForecast,
    SignedWait,
    Told,
    Wait,
    WaitStatement,
)

KEY = Ed25519PrivateKey.from_private_bytes(b"v" * 32)
OTHER = Ed25519PrivateKey.from_private_bytes(b"o" * 32)
CONTEXT = b"hearthway venue forecast 1\0"
CURVE = (Ahead(0, 10, 5, 20), Ahead(10, 20, 10, 30), Ahead(30, 0, 0, 10))
WAIT = WaitStatement(
    osm_id="node/42", name="R", wait_min=10.0, issued_s=1000.0, valid_until_s=1600.0, serial=7
)
AHEAD = ForecastStatement(
    osm_id="node/42", issued_s=1000.0, valid_until_s=1600.0, serial=7, size=2, curve=CURVE
)
FOLLOWED = Followed(osm_id="node/42", name="R", address="127.0.0.1:1", key=public_bytes(KEY))


@pytest.fixture
def phone(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "phone.db", node_id="phone") as opened:
        yield opened


def told_by(phone: Store, said: object, now_s: float = 1060.0) -> Told:
    """What the phone makes of it, over the real link."""
    server = VenueServer("127.0.0.1", 0, KEY, "node/42", lambda: said)  # type: ignore[arg-type,return-value]  # hostile
    server.start()
    try:
        return ask(phone, replace(FOLLOWED, address=f"127.0.0.1:{server.port}"), now_s, 2.0)
    finally:
        server.stop()


def signed_raw(content: Any, key: Ed25519PrivateKey = KEY, context: bytes = CONTEXT) -> Any:
    """Signed by the venue even where `sign_forecast` would refuse: a hostile venue may."""
    data = pack(content)
    return SignedForecast(statement=data, signature=key.sign(context + data))


def test_each_arrival_takes_its_own_point(phone: Store) -> None:
    told = told_by(phone, (sign_wait(KEY, WAIT), sign_forecast(KEY, AHEAD)))
    assert told.forecast == AHEAD
    assert phone.last_serial("node/42") == 7
    for in_min, minutes, low, high in ((0, 10, 5, 20), (5, 15, 7.5, 25), (10, 20, 10, 30), (20, 10, 5, 20), (30, 0, 0, 10)):  # fmt: skip
        wait = at_arrival(told, 1000.0 + 60 * in_min, 1000.0)
        assert wait.likely is not UNSET
        assert (wait.minutes, wait.likely.low_min, wait.likely.high_min) == (minutes, low, high)
        assert (wait.source, wait.age_s) == ("the place's own count", 60.0)
    assert at_arrival(told, 900.0, 1000.0).minutes == 10  # there already
    late = at_arrival(told, 1000.0 + 60 * 31, 1060.0)
    assert (late.minutes, late.likely) == (None, UNSET)
    assert "looks 30 min ahead" in late.why
    assert at_arrival(told, math.nan, 1060.0).minutes in (None, 11.0)
    assert "expired" in at_arrival(told, 1700.0, 1600.0).why


def test_what_was_typed_is_shown_as_told_of_now(phone: Store) -> None:
    told = told_by(phone, (sign_wait(KEY, WAIT), None))
    assert at_arrival(told, 1000.0 + 3_000.0, 1060.0) == told.wait
    assert (told.wait.minutes, told.wait.likely) == (10.0, UNSET)


def changed(**fields: object) -> dict[str, object]:
    return {**asdict(AHEAD), **fields}


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (signed_raw(changed(curve=[])), "0 points"),
        (signed_raw(changed(curve=[[n, 1, 1, 1] for n in range(17)])), "17 points"),
        (signed_raw(changed(curve=[[0, math.nan, 1, 1]])), "does not decode"),
        (signed_raw(changed(curve=[[0, math.inf, 1, 1]])), "does not decode"),
        (signed_raw(changed(curve=[[0, 1.5, 1, 2]])), "does not decode"),
        (signed_raw(changed(curve=[[0, -5, -5, 1]])), "absurd"),
        (signed_raw(changed(curve=[[0, 10, 0, 1441]])), "absurd"),
        (signed_raw(changed(curve=[[0, 2**63, 0, 2**63]])), "absurd"),
        (signed_raw(changed(curve=[[0, 10, 11, 12]])), "absurd"),
        (signed_raw(changed(curve=[[-1, 1, 1, 1]])), "absurd"),
        (signed_raw(changed(curve=[[0, 1, 1, 1], [241, 1, 1, 1]])), "absurd"),
        (signed_raw(changed(curve=[[10, 1, 1, 1], [0, 1, 1, 1]])), "not in order"),
        (signed_raw(changed(curve=[[10, 1, 1, 1], [10, 9, 9, 9]])), "not in order"),
        (signed_raw(changed(size=0)), "absurd"),
        (signed_raw(changed(osm_id="node/43")), "another place"),
        (signed_raw(changed(serial=8)), "another moment"),
        (signed_raw(changed(issued_s=1001.0)), "another moment"),
        (signed_raw(changed(valid_until_s=math.inf)), "absurd"),
        (signed_raw(changed(issued_s=math.nan)), "absurd"),
        (signed_raw({"x": 1}), "does not decode"),
        (signed_raw(asdict(AHEAD), key=OTHER), "does not fit"),
        (signed_raw(asdict(AHEAD), context=b""), "does not fit"),
        (SignedForecast(statement=b"", signature=b""), "does not fit"),
        ({"x": 1}, "does not decode"),
    ],
)
def test_a_hostile_forecast_is_an_unknown_wait(phone: Store, said: Any, why: str) -> None:
    told = told_by(phone, (sign_wait(KEY, WAIT), said))
    assert (told.wait.minutes, told.forecast) == (None, None)
    assert why in told.wait.why, told.wait.why
    assert phone.last_serial("node/42") is None


def test_a_newer_venue_may_say_more_than_we_know(phone: Store) -> None:
    more = signed_raw(changed(by_size=[1, 2, 3]))
    told = told_by(phone, (sign_wait(KEY, WAIT), more))
    assert told.forecast == AHEAD


def test_a_forecast_is_no_wait_and_a_wait_is_no_forecast(phone: Store) -> None:
    data = pack(AHEAD)
    as_wait = SignedWait(statement=data, key=public_bytes(KEY), signature=KEY.sign(data))
    assert "does not decode" in told_by(phone, (as_wait, None)).wait.why
    assert "does not decode" in told_by(phone, (sign_wait(KEY, WAIT), signed_raw(WAIT))).wait.why


@pytest.mark.parametrize(
    "curve", [(), (Ahead(0, -1, 0, 0),), (Ahead(5, 1, 1, 1), Ahead(0, 1, 1, 1))]
)
def test_an_impossible_forecast_is_not_published(curve: tuple[Ahead, ...]) -> None:
    with pytest.raises(InputError, match="cannot be published"):
        sign_forecast(KEY, replace(AHEAD, curve=curve))


@given(st.floats(allow_nan=True, allow_infinity=True), st.floats(0.0, 5_000.0))
def test_no_arrival_reads_outside_the_curve(arrive_s: float, now_s: float) -> None:
    told = Told(wait=Wait(osm_id="node/42", minutes=10.0, age_s=0.0), forecast=AHEAD)
    wait = at_arrival(told, arrive_s, now_s)
    if wait.minutes is None:
        assert wait.why
    else:
        assert wait.likely is not UNSET
        assert 0 <= wait.likely.low_min <= wait.minutes <= wait.likely.high_min <= 30


# --- the form: older phones and older venues --------------------------------------------------


def read_as_before(sealed_plain: bytes) -> bytes:
    """How an asker that knows no parts read an answer, word for word."""
    size = int.from_bytes(sealed_plain[:2], "big")
    assert len(sealed_plain) >= 2 + size
    return sealed_plain[2 : 2 + size]


def test_an_older_phone_reads_the_wait_of_now(monkeypatch: pytest.MonkeyPatch) -> None:
    asker = Asker(public_bytes(KEY))
    answerer = Answerer(KEY, asker.hello)
    answerer.question(asker.question(answerer.hello, "node/42"))
    content = b"+" + pack(sign_wait(KEY, WAIT))
    sealed = answerer.answer(content, {venue_seal.PART_FORECAST: pack(sign_forecast(KEY, AHEAD))})
    plain = venue_seal._unseal(asker._keys.answer, sealed, asker._keys.transcript)
    assert read_as_before(plain) == content
    assert unpack(read_as_before(plain)[1:], SignedWait) == sign_wait(KEY, WAIT)
    assert len(sealed) <= 4096 + 512 + 16  # what it took at most


def test_with_or_without_a_forecast_as_much_is_sent() -> None:
    name = "Ravintola " + "Ä" * 60
    wait = b"+" + pack(sign_wait(KEY, replace(WAIT, name=name, osm_id="relation/12345678901")))
    points = tuple(Ahead(10 * n, 1_000, 999, 1_440) for n in range(forecasts.MAX_POINTS))
    ahead = pack(sign_forecast(KEY, replace(AHEAD, osm_id="relation/12345678901", curve=points)))
    asker = Asker(public_bytes(KEY))
    lengths = set()
    for content, parts in ((b"0", {}), (wait, {}), (wait, {1: ahead})):
        lengths.add(len(Answerer(KEY, asker.hello).answer(content, parts)))
    assert lengths == {1024 + 16}


@given(
    st.binary(max_size=600),
    st.dictionaries(st.integers(1, 255), st.binary(max_size=300), max_size=4),
)
def test_parts_come_through_whole(content: bytes, parts: dict[int, bytes]) -> None:
    asker = Asker(public_bytes(KEY))
    answerer = Answerer(KEY, asker.hello)
    asker.question(answerer.hello, "node/42")
    assert asker.answer(answerer.answer(content, parts)) == (content, parts)


@pytest.mark.parametrize("rest", [b"\x01\xff\xff" + bytes(50), b"\x01\x00\x09" + b"x" * 8])
def test_a_part_that_is_cut_is_refused(rest: bytes) -> None:
    with pytest.raises(WireError):
        venue_seal._parts(rest)
    assert venue_seal._parts(b"\x01\x00\x02ab" + bytes(9)) == {1: b"ab"}  # the control


def test_an_answer_that_would_not_fit_is_not_sent() -> None:
    with pytest.raises(WireError, match="too long"):
        Answerer(KEY, Asker(public_bytes(KEY)).hello).answer(b"+", {1: bytes(4096)})


# --- the desk ---------------------------------------------------------------------------------


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[VenueDesk]:
    with Store.open(tmp_path / "venue.db", node_id="venue") as opened:
        yield VenueDesk(opened, KEY, osm_id="node/42", name="R")


def test_serials_go_on_over_what_is_typed_and_what_is_counted(
    desk: VenueDesk, phone: Store
) -> None:
    said: list[Said] = [desk.expect(CURVE, 2, 1000.0)]
    assert told_by(phone, said[0], 1010.0).forecast is not None
    said.append((desk.tell(15.0, 1100.0), None))
    assert told_by(phone, said[1], 1110.0).wait.minutes == 15.0
    said.append(desk.expect(CURVE, 2, 1200.0))
    assert desk.typed(1200.0) == said[1][0]  # what was typed is kept as it was
    assert desk.typed(1100.0 + 1_800.0) is None
    assert told_by(phone, said[2], 1210.0).wait.minutes == 10.0
    serials = [unpack(signed.statement, WaitStatement).serial for signed, _ in said]
    assert serials == [1, 2, 3]
    assert "sent again" in told_by(phone, said[0], 1220.0).wait.why
