"""The household's own language model: it reads a question and says nothing of its own; where it may not be, it is not asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from tests.ports import free_port

from hearthway.app.ask.endpoint import Endpoint
from hearthway.app.config import parse_config
from hearthway.assist.ask.intents import TABLE
from hearthway.records.ask import Names
from hearthway.records.errors import ConfigError

NAMES = Names(lights=(("hall", "hall"), ("Grandma's lamp", "grandmas_lamp")))
Serve = Callable[[bytes, int], tuple[str, list[dict[str, Any]]]]


def content(said: object) -> bytes:
    text = said if isinstance(said, str) else json.dumps(said)
    return json.dumps({"choices": [{"message": {"content": text}}]}).encode()


@pytest.fixture
def serve() -> Iterator[Serve]:
    """serve(body, status): the URL of a model that always says that, and what it was asked."""
    servers: list[HTTPServer] = []

    def start(body: bytes, status: int = 200) -> tuple[str, list[dict[str, Any]]]:
        heard: list[dict[str, Any]] = []

        class Model(BaseHTTPRequestHandler):
            def do_POST(self) -> None:  # the handler's form
                heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        server = HTTPServer(("127.0.0.1", free_port()), Model)
        threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        ).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/v1", heard

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_it_gives_a_meaning_and_is_given_the_question_alone(serve: Serve) -> None:
    url, heard = serve(content('Sure! {"intent": "light_off", "slots": {"light": "hall"}}'), 200)
    (found,) = Endpoint(url, "tiny", NAMES).readings("make the hall dark", "en")
    assert (found.intent, found.slots, found.by, found.of) == (
        "light_off",
        {"light": "hall"},
        "model",
        "tiny",
    )
    told = json.dumps(heard)
    assert "make the hall dark" in told
    assert "Grandma" not in told, "no name of a thing goes along"
    assert all(name in told for name in TABLE)


def test_a_slot_that_was_not_said_is_not_taken(serve: Serve) -> None:
    said = {
        "intent": "wait_at",
        "slots": {"venue": "Noma", "evil": "dark", "near": 7, "period": ""},
    }
    url, _ = serve(content(said), 200)
    (found,) = Endpoint(url, "tiny", NAMES).readings("is there a queue at that place", "en")
    assert found.slots == {}


def test_a_kind_and_a_time_are_what_the_words_give(serve: Serve) -> None:
    slots = {"cuisine": "indisches", "period": "letzte woche", "near": "forum"}
    url, _ = serve(content({"intent": "find_food", "slots": slots}), 200)
    text = "etwas indisches wie letzte Woche beim Forum"
    (found,) = Endpoint(url, "tiny", NAMES).readings(text, "de")
    known = {"cuisine": "indian", "period": "last-week", "near": "forum"}
    assert {slot: found.slots[slot] for slot in known} == known


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (content({"intent": "none"}), 200),
        (content({"intent": "format_disk"}), 200),
        (content({"intent": ["battery"]}), 200),
        (content("I think the battery has 80 %."), 200),
        (content([1, 2]), 200),
        (content(None), 200),
        (b"", 200),
        (b"{", 200),
        (b"[]", 200),
        (b'{"choices": []}', 200),
        (b"[" * 100_000, 200),
        (b"x" * 200_000, 200),
        (content({"intent": "battery"}), 500),
    ],
)
def test_what_is_no_meaning_is_none(serve: Serve, body: bytes, status: int) -> None:
    url, _ = serve(body, status)
    assert list(Endpoint(url, "tiny", NAMES).readings("how full", "en")) == []


def test_a_model_that_is_not_there_is_none() -> None:
    assert (
        list(Endpoint(f"http://127.0.0.1:{free_port()}/v1", "tiny", NAMES).readings("x", "en"))
        == []
    )


@pytest.mark.parametrize(
    "line",
    [
        'model_url = "https://api.openai.com/v1"',
        'model_url = "http://8.8.8.8/v1"',
        'model_url = "ftp://127.0.0.1/"',
        'model_url = "http://127.0.0.1:99999/v1"',
        'model_url = "http://[::1"',
        'voice = "8.8.8.8:10700"',
        'voice = "0.0.0.0:10700"',
        'voice = "10700"',
        'language = "fr"',
        'voice_person = " "',
        'lanquage = "de"',
    ],
)
def test_a_setting_that_cannot_be_is_named(line: str) -> None:
    text = f'[node]\nid = "phone"\nrole = "phone"\n[ask]\n{line}\n'
    with pytest.raises(ConfigError) as why:
        parse_config(text, "node.toml")
    assert why.value.next_step
    own = '[ask]\nmodel_url = "http://192.168.1.5:11434/v1"\nvoice = "192.168.1.4:10700"\nlanguage = "de"\n'
    assert (
        parse_config('[node]\nid = "phone"\nrole = "phone"\n' + own, "node.toml").ask.language
        == "de"
    )


@pytest.mark.anyio
async def test_another_machine_is_asked_only_under_a_rule(house: Any) -> None:
    from msgspec.structs import replace

    async with house() as own:
        node = own.nodes["phone"]
        notes: list[str] = []
        node.note = notes.append
        away = replace(node.config.ask, model_url="http://10.255.255.1:9/v1")
        node.config = replace(node.config, ask=away)
        assert (await own.ask("colourless green ideas sleep furiously"))[
            "outcome"
        ] == "not-understood"
        assert [note for note in notes if "no rule lets Ask.Question go" in note]


@pytest.mark.anyio
async def test_what_the_model_read_is_answered_from_local_state(house: Any, serve: Serve) -> None:
    from msgspec.structs import replace

    url, heard = serve(content({"intent": "house_warm", "slots": {}}), 200)
    async with house() as own:
        await own.tell({"Home.Climate.Temperature": 19.2})
        node = own.nodes["phone"]
        node.config = replace(
            node.config, ask=replace(node.config.ask, model_url=url, model="tiny")
        )
        reply = await own.ask("am I going to freeze when I come in")
        assert (reply["line"], reply["by"], reply["of"]) == ("19.2 °C at home.", "model", "tiny")
        assert "19.2" not in json.dumps(heard)
        denied = await own.ask("am I going to freeze when I come in", "sam")
        assert denied["outcome"] == "denied", "the rules do not ask who understood it"
        assert (await own.ask("is the house warm"))["by"] == "sentences", (
            "and what is exact goes first"
        )
