"""The page's routes over real HTTP."""

from __future__ import annotations

import json
import socket
import time
from base64 import b64encode
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from hearthway.records.situation import Evidence
from hearthway.records.suggestion import AnswerKind
from hearthway.web.page import ASSETS, create_app
from hearthway.web.present import state_view

JSON = {"content-type": "application/json"}


def basic(password: str, user: str = "Aino") -> dict[str, str]:
    return {"authorization": "Basic " + b64encode(f"{user}:{password}".encode()).decode()}


@pytest.mark.parametrize("path", sorted(ASSETS))
def test_assets_come_from_the_package_and_are_checked_by_tag(page: Any, path: str) -> None:
    first = page.ask(path)
    assert first.status == 200
    assert len(first.body) > 100
    assert page.ask(path, headers={"if-none-match": first.headers["etag"]}).status == 304


def test_every_answer_carries_the_policy(page: Any) -> None:
    for path in ("/", "/api/state", "/api/student/ask", "/student.js", "/nothing", "/healthz"):
        headers = page.ask(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in headers


def test_only_the_students_worker_may_compile(page: Any) -> None:
    policies = {path: page.ask(path).headers["content-security-policy"] for path in ASSETS}
    allowed = {path for path, policy in policies.items() if "wasm-unsafe-eval" in policy}
    assert allowed == {"/student-worker.js"}
    worker = policies["/student-worker.js"]
    assert worker.startswith("default-src 'none'; script-src 'self' 'wasm-unsafe-eval';")
    assert "unsafe" not in worker.replace("'wasm-unsafe-eval'", "")


def test_the_student_comes_as_it_is_and_is_checked_by_its_identity(page: Any) -> None:
    assert page.ask("/api/student/ask").status == 204
    page.node.students["ask"] = ("ab12", b"the file")
    first = page.ask("/api/student/ask")
    assert (first.status, first.body, first.headers["etag"]) == (200, b"the file", '"ab12"')
    assert page.ask("/api/student/ask", headers={"if-none-match": '"ab12"'}).status == 304


def test_no_asset_names_another_host_or_an_inline_script(page: Any) -> None:
    for path in sorted(set(ASSETS) - {"/student.wasm"}):
        text = page.ask(path).body.decode()
        foreign = text.replace("http://www.w3.org/2000/svg", "")  # a name, never asked for
        assert "http://" not in foreign
        assert "https://" not in foreign
        if path == "/":
            assert "<script>" not in text
            assert " style=" not in text
            assert " onclick" not in text
        if path.endswith(".js"):
            assert "innerHTML" not in text


def test_state_says_why_nothing_is_said(page: Any) -> None:
    state = page.ask("/api/state").json
    assert state["moment"] is None
    assert state["silence"]["words"].startswith("It is not your dinnertime")
    assert state["synthetic"] is True
    assert [peer["role"] for peer in state["peers"]] == ["phone", "car", "home"]


def test_the_moment_as_the_page_gets_it(page: Any, moment_state: Any) -> None:
    page.push(moment_state, "moment")
    moment = wait_for(lambda: page.ask("/api/state").json["moment"])
    assert moment["before"] == "1.4 km before arrival"
    assert moment["title"] == "Heading to Forum"
    assert moment["odds"] == "p 0.81 of 214 places"
    assert moment["lines"] == [
        "Dinnertime for you is 18:05-19:40 (61 evenings) · 2 open when you arrive; hours unknown last"
    ]
    first, second, _ = moment["options"]
    assert [fact["words"] for fact in first["facts"]] == [
        "open until 22:00",
        "wait 15 min, told 2 min ago",
    ]
    assert first["reach"] == "2 min on foot"
    assert [fact["words"] for fact in second["facts"]] == ["hours unknown", "wait unknown"]
    assert second["reach"] == "3 min detour"
    assert moment["battery"]["words"] == "Battery 31 %, home with 12 %"


def test_why_merges_what_several_nodes_wrote_down(page: Any, moment_state: Any) -> None:
    page.push(moment_state, "moment")
    why = page.ask(f"/api/why/{moment_state.suggestion.suggestion_id}").json
    assert [crossing["nodes"] for crossing in why["crossings"]] == [["phone-1", "car-1"]] * 2
    phone, car = why["traffic"]
    assert (phone["internet"], phone["refused"]) == ("0 bytes", "0")
    assert car["internet"] == "not measurable here"
    assert why["reasons"][0]["words"] == "this is your dinnertime on 61 evenings"


def test_why_of_an_unknown_suggestion_says_so(page: Any) -> None:
    answer = page.ask("/api/why/nobody")
    assert answer.status == 404
    assert answer.json["next_step"]


def test_an_answer_reaches_the_node(page: Any, moment_state: Any) -> None:
    page.push(moment_state, "moment")
    body = {
        "suggestion_id": moment_state.suggestion.suggestion_id,
        "kind": "never-here",
        "osm_id": "node/12",
    }
    answer = page.ask("/api/answer", "POST", json.dumps(body).encode(), JSON)
    assert answer.status == 200
    assert page.node.answers == [(body["suggestion_id"], AnswerKind.NEVER_HERE, "node/12")]


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"", JSON, 400),
        (b"[" * 3000, JSON, 400),
        (b'{"suggestion_id":"x","kind":"loved-it"}', JSON, 400),
        (b'{"suggestion_id":"x","kind":"accept","more":1}', JSON, 400),
        (b'{"suggestion_id":"x","kind":"accept"}', JSON, 400),
        (b'{"suggestion_id":"x","kind":"accept"}', {"content-type": "text/plain"}, 415),
        (b'"' + b"x" * 5000 + b'"', JSON, 413),
        (b"{}", {**JSON, "origin": "http://elsewhere.example"}, 403),
        (b"{}", {**JSON, "origin": "null"}, 403),
        (b"{}", {**JSON, "sec-fetch-site": "cross-site"}, 403),
    ],
)
def test_bad_answers_are_refused_in_a_sentence(
    page: Any, body: bytes, headers: dict[str, str], status: int
) -> None:
    answer = page.ask("/api/answer", "POST", body, headers)
    assert answer.status == status
    assert answer.json["error"].endswith((".", "may."))
    assert page.node.answers == []


def test_a_question_reaches_the_node_and_its_reply_the_page(page: Any) -> None:
    body = json.dumps({"text": "is the house warm", "language": "en"}).encode()
    reply = page.ask("/api/ask", "POST", body, JSON)
    assert reply.status == 200
    assert page.node.asked == [("is the house warm", "en")]
    assert (reply.json["line"], reply.json["outcome"]) == ("19.2 °C at home.", "answered")
    assert reply.json["sources"][0]["rule"] == "r"


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"", JSON, 400),
        (b"[" * 3000, JSON, 400),
        (b'{"text": 7}', JSON, 400),
        (b'{"text": " "}', JSON, 400),
        (b'{"text": "x", "person": "sam"}', JSON, 400),  # nobody asks there in another's name
        (b'{"text": "\xff"}', JSON, 400),
        (b'{"text": "x"}', {"content-type": "text/plain"}, 415),
        (b'{"text": "' + b"x" * 5000 + b'"}', JSON, 413),
        (b'{"text": "x"}', {**JSON, "origin": "http://elsewhere.example"}, 403),
    ],
)
def test_what_is_no_question_does_not_reach_it(
    page: Any, body: bytes, headers: dict[str, str], status: int
) -> None:
    answer = page.ask("/api/ask", "POST", body, headers)
    assert answer.status == status
    assert answer.json["error"]
    assert page.node.asked == []


def test_the_pages_own_origin_may_answer(page: Any, moment_state: Any) -> None:
    page.push(moment_state, "moment")
    own = f"http://127.0.0.1:{page.server.port}"
    body = json.dumps({"suggestion_id": moment_state.suggestion.suggestion_id, "kind": "not-now"})
    headers = {**JSON, "origin": own, "sec-fetch-site": "same-origin"}
    assert page.ask("/api/answer", "POST", body.encode(), headers).status == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "localhost.evil"])
def test_a_name_that_is_not_ours_is_refused(page: Any, host: str) -> None:
    answer = page.ask("/api/state", headers={"host": host})
    assert answer.status in (400, 421)
    assert b"Forum" not in answer.body


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
def test_this_machine_needs_no_token(page: Any, host: str) -> None:
    assert page.ask("/api/state", headers={"host": f"{host}:{page.server.port}"}).status == 200


def test_other_machines_need_the_token(open_page: Any, token: str) -> None:
    with open_page(hosts=("phone.home.arpa",)) as page:
        for host in ("phone.home.arpa", "192.0.2.7"):
            from_afar = {"host": host}
            for path in ("/", "/api/state", "/events", "/api/map", "/api/why/x"):
                refused = page.ask(path, headers=from_afar)
                assert refused.status == 401, path
                assert refused.headers["www-authenticate"].startswith("Basic")
            assert page.ask("/api/state", headers={**from_afar, **basic("wrong")}).status == 401
            assert page.ask("/api/state", headers={**from_afar, **basic(token)}).status == 200
            assert page.ask("/healthz", headers=from_afar).status == 200


def test_a_forwarded_header_does_not_make_a_machine_this_one(open_page: Any) -> None:
    with open_page() as page:
        headers = {
            "host": "192.0.2.7",
            "x-forwarded-for": "127.0.0.1",
            "forwarded": "for=127.0.0.1",
        }
        assert page.ask("/api/state", headers=headers).status == 401


def test_another_sites_page_may_not_read_data_but_may_link_here(page: Any) -> None:
    assert page.ask("/api/state", headers={"sec-fetch-site": "cross-site"}).status == 403
    link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert page.ask("/", headers=link).status == 200


def test_a_short_token_is_refused_at_the_start() -> None:
    from hearthway.records.errors import ConfigError

    with pytest.raises(ConfigError, match="at least 16"):
        create_app(object(), token="short")  # type: ignore[arg-type]  # refused before it is used


@pytest.mark.parametrize(
    "box",
    [
        "",
        "south=60&west=24&north=61",
        "south=nan&west=24&north=61&east=25",
        "south=61&west=24&north=60&east=25",
        "south=60&west=24&north=60.1&east=inf",
        "south=0&west=0&north=40&east=40",
        "south=60&west=24&north=60.1&east=240",
    ],
)
def test_a_map_box_that_is_none_is_refused(page: Any, box: str) -> None:
    answer = page.ask(f"/api/map?{box}")
    assert answer.status == 400
    assert answer.json["error"]


def test_the_map_brings_roads_and_its_licence_line(page: Any) -> None:
    shapes = page.ask("/api/map?south=60.16&west=24.92&north=60.18&east=24.95").json
    assert shapes["attribution"].startswith("© OpenStreetMap contributors")
    assert [level for level, _ in shapes["roads"]] == sorted(level for level, _ in shapes["roads"])
    assert {level for level, _ in shapes["roads"]} == {0, 1, 2}
    assert all(
        59 < lat < 61 and 24 < lon < 26 for _, points in shapes["roads"] for lat, lon in points
    )
    assert len(shapes["pois"]) > 100


def test_unknown_paths_and_methods(page: Any) -> None:
    assert page.ask("/nothing").status == 404
    assert page.ask("/../../etc/passwd").status == 404
    assert page.ask("/api/answer").status == 405
    assert page.ask("/", "DELETE").status == 405


def test_an_error_of_the_node_shows_no_traceback(
    page: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("a secret of the inside")

    monkeypatch.setattr(page.node, "why", broken)
    answer = page.ask("/api/why/x")
    assert answer.status == 500
    assert b"secret" not in answer.body
    assert b"Traceback" not in answer.body


def test_a_request_that_is_no_http_does_not_stop_the_page(page: Any) -> None:
    with socket.create_connection(("127.0.0.1", page.server.port), timeout=5) as line:
        line.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        line.recv(4096)
    assert page.ask("/healthz").json == {"ok": True}


def test_a_track_of_any_length_is_sent_short(page: Any) -> None:
    long = tuple((60.0 + i * 1e-5, 24.0) for i in range(50_000))
    page.push(msgspec.structs.replace(page.node.state, track=long))
    track = wait_for(
        lambda: (t := page.ask("/api/state").json["map"]["track"])[0] == [60.0, 24.0] and t
    )
    assert len(track) <= 402
    assert track[-1] == [60.49999, 24.0]


def wait_for(look: Any, timeout_s: float = 5.0) -> Any:
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError("it did not come")


def test_a_parked_phone_shows_where_one_goes_next(parked_state: Any, moment_state: Any) -> None:
    view = state_view(parked_state)
    assert view["onward"] == "Next, around 18:42: probably home (p 0.81)"
    assert view["doing"] == "Staying"
    assert state_view(moment_state)["onward"] == ""


@pytest.mark.parametrize(
    ("age_s", "says"),
    [
        (590.0, "Staying"),
        (1200.0, "Staying, by a position of 20 min ago"),
        (432_000.0, "Staying, by a position of 5 days ago"),
    ],
)
def test_an_old_position_says_that_it_is(parked_state: Any, age_s: float, says: str) -> None:
    seen = Evidence(key="Person.Location.Latitude", source="own", age_s=age_s, person="anna")
    situation = replace(parked_state.situation, evidence=(seen,))
    assert state_view(replace(parked_state, situation=situation))["doing"] == says
