"""A phone's posts, over real HTTP, down to what the node is given."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

RECORDED = Path(__file__).parents[1] / "adapters" / "owntracks"


def signed(token: str, user: str = "Aino") -> dict[str, str]:
    return {
        "authorization": "Basic " + b64encode(f"{user}:{token}".encode()).decode(),
        "content-type": "application/json",
    }


def location(page: Any, **more: object) -> bytes:
    message = {"_type": "location", "lat": 60.17, "lon": 24.94, "tst": int(page.node.now_s()) - 60}
    return json.dumps({**message, **more}).encode()


@pytest.mark.parametrize("path", ["/owntracks", "/pub?u=Aino&d=phone"])
def test_a_position_is_taken_and_answered_with_an_empty_list(
    page: Any, token: str, path: str
) -> None:
    answer = page.ask(path, "POST", location(page, batt=71, vel=36), signed(token))
    assert (answer.status, answer.body) == (200, b"[]")
    ((person, (fix,), (battery,)),) = page.node.taken
    assert person == "Aino"
    assert (fix.lat, fix.lon, fix.speed_mps) == (60.17, 24.94, 10.0)
    assert (battery.key, battery.value, battery.person) == ("Person.Phone.Battery", 71.0, "Aino")


def test_the_token_is_asked_for_even_on_this_machine(page: Any) -> None:
    for headers in ({}, signed("not the token at all"), {"authorization": "Bearer x"}):
        assert page.ask("/owntracks", "POST", location(page), headers).status == 401
    assert page.node.taken == []


def test_another_sites_page_may_not_post_positions(page: Any, token: str) -> None:
    headers = {**signed(token), "origin": "http://elsewhere.example"}
    assert page.ask("/owntracks", "POST", location(page), headers).status == 403
    assert page.node.taken == []


def test_who_it_is_comes_from_the_address_then_the_headers(page: Any, token: str) -> None:
    headers = {**signed(token, "basic"), "x-limit-u": "limit", "x-limit-d": "pixel"}
    page.ask("/pub?u=query&d=fairphone", "POST", location(page), headers)
    page.ask("/pub", "POST", location(page), headers)
    page.ask("/pub", "POST", location(page), signed(token, "basic"))
    assert [person for person, _, _ in page.node.taken] == ["query", "limit", "basic"]


def test_a_strangers_phone_is_refused(page: Any, token: str) -> None:
    answer = page.ask("/pub?u=stranger", "POST", location(page), signed(token))
    assert answer.status == 400
    assert answer.json["error"] == "Nobody here is called stranger."


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"not json", 400),
        (b'{"_type":"location","lat":NaN,"lon":1,"tst":1}', 400),
        (b'{"_type":"location","lat":1e999,"lon":1,"tst":1}', 400),
        (b"[" * 200_000, 400),
        (b'{"a":' * 40_000 + b"1" + b"}" * 40_000, 400),
        (b'{"_type":"encrypted","data":"AAAA"}', 400),
        (b" " * 1_000_000, 413),
        (b" " * 6_000_000, 413),
    ],
)
def test_hostile_bodies_leave_a_sentence_and_nothing_else(
    page: Any, token: str, body: bytes, status: int
) -> None:
    try:
        answer = page.ask("/owntracks", "POST", body, signed(token))
    except (BrokenPipeError, ConnectionResetError):  # past what is read off, the line is cut
        assert len(body) > 4_000_000
    else:
        assert answer.status == status
        assert answer.json["error"].endswith(".")
        assert b"Traceback" not in answer.body
    assert page.node.taken == []
    assert page.ask("/healthz").status == 200


def test_every_recorded_form_is_taken_or_refused_as_its_file_says(page: Any, token: str) -> None:
    files = sorted(RECORDED.glob("*.json"))
    assert len(files) >= 10
    page.node.now_s = lambda: 1_700_000_000.0  # when they were recorded
    for file in files:
        case = json.loads(file.read_text())
        page.node.taken.clear()
        body = json.dumps(case["body"]).encode()
        answer = page.ask("/pub?u=Aino", "POST", body, signed(token))
        assert answer.status == case["expect"]["status"], file.name
        fixes = sum(len(fixes) for _, fixes, _ in page.node.taken)
        assert fixes == case["expect"]["fixes"], file.name
