"""A teacher behind an endpoint: a small real server answers; addresses beyond the household are told nothing."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from tests.ports import free_port

from hearthway.distill.outside.endpoint import Endpoint, EndpointSettings, labelled, named
from hearthway.mesh.links.chat import ANSWER_MAX_BYTES, Chat
from hearthway.mesh.links.own_network import at_address
from hearthway.records.errors import InputError, RuleDeniedError

LABELS = ("light_on", "light_off", "outside")


class Server(ThreadingHTTPServer):
    """Sorts by a word in the text, as a model would; `mode` makes it misbehave."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, mode: str) -> None:
        super().__init__(("127.0.0.1", free_port()), Handler)
        self.mode, self.asked = mode, list[dict[str, Any]]()
        self.over = threading.Event()

    @property
    def settings(self) -> EndpointSettings:
        return EndpointSettings(url=f"http://127.0.0.1:{self.server_port}/v1/", model="small")


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append(asked | {"path": self.path})
        text = asked["messages"][1]["content"]
        mode = self.server.mode
        said = "light_on" if " on" in text else "'Light_Off'.\nBecause" if "off" in text else "hm"
        body = json.dumps({"choices": [{"message": {"content": said}}]}).encode()
        status = 200
        if mode == "once" and len(self.server.asked) == 1:
            status = 503
        elif mode == "redirect":
            status = 307
        elif mode == "noise":
            body = b"<html>"
        elif mode == "long":
            body = b" " * (ANSWER_MAX_BYTES + 10)
        elif mode == "drip":
            body = body.ljust(1000)
        if mode == "drip head":
            while not self.server.over.wait(0.05):
                self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            return
        self.send_response(status)
        if mode == "redirect":
            self.send_header("Location", "http://example.com/v1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        for part in [body] if mode != "drip" else [body[at : at + 1] for at in range(len(body))]:
            self.wfile.write(part)
            if mode == "drip" and self.server.over.wait(0.05):
                break

    def log_message(self, *_: object) -> None: ...


@contextmanager
def served(mode: str = "") -> Iterator[Server]:
    server = Server(mode)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.over.set()
        server.shutdown()
        server.server_close()
        thread.join(10)


def test_it_asks_for_one_label_a_text_and_nothing_twice() -> None:
    texts = ["lights on", "off with it", "what is that", "lights on"]
    kept: dict[str, int] = {"off with it": 1}
    saved = []
    with served() as server:
        endpoint = Endpoint(server.settings)
        found = labelled(endpoint, texts, LABELS, kept, lambda: saved.append(len(kept)))
        assert found == [0, 1, -1, 0]
        assert [one["messages"][1]["content"] for one in server.asked] == [
            "lights on",
            "what is that",
        ]
        assert {one["path"] for one in server.asked} == {"/v1/chat/completions"}
        assert "light_on, light_off, outside" in server.asked[0]["messages"][0]["content"]
        assert saved[-1] == 3


def test_a_server_that_is_loading_is_asked_again() -> None:
    with served("once") as server:
        assert Endpoint(server.settings).label("off", LABELS) == 1
        assert len(server.asked) == 2


@pytest.mark.parametrize(
    ("mode", "words"),
    [("redirect", "307"), ("noise", "no OpenAI-compatible API"), ("long", "too long")],
)
def test_what_is_no_teacher_is_an_error(mode: str, words: str) -> None:
    with served(mode) as server, pytest.raises(InputError, match=words):
        Endpoint(server.settings).label("off", LABELS)


@pytest.mark.parametrize("mode", ["drip", "drip head"])
def test_an_answer_in_drops_is_not_waited_for(mode: str) -> None:
    with served(mode) as server:
        where = at_address(server.settings.url)
        chat = Chat(where=where, model="small", tokens_max=9, timeout_s=0.3)
        with pytest.raises(InputError, match=r"not whole after 0\.3 s"):
            chat.said("sort", "off")


def test_nobody_there_is_an_error() -> None:
    url = f"http://127.0.0.1:{free_port()}/v1"
    with pytest.raises(InputError, match="does not answer") as error:
        Endpoint(EndpointSettings(url=url, model="m")).label("off", LABELS)
    assert "127.0.0.1" in error.value.next_step


def test_an_address_beyond_the_household_is_told_nothing() -> None:
    with pytest.raises(RuleDeniedError, match="beyond the household"):
        Endpoint(EndpointSettings(url="http://8.8.8.8:8080/v1", model="m"))
    Endpoint(EndpointSettings(url="http://192.168.4.5:8080/v1", model="m"))


@pytest.mark.parametrize(
    ("said", "place"),
    [
        ("light_on", 0),
        (" `LIGHT_off`. \nI think", 1),
        ("", -1),
        ("light", -1),
        ("light_on or light_off", -1),
    ],
)
def test_a_label_counts_only_alone(said: str, place: int) -> None:
    assert named(said, LABELS) == place
