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

from hearthway.distill.outside.endpoint import (
    ANSWER_MAX_BYTES,
    Endpoint,
    EndpointSettings,
    labelled,
    named,
)
from hearthway.records.errors import InputError, RuleDeniedError

LABELS = ("light_on", "light_off", "outside")


class Server(ThreadingHTTPServer):
    """Sorts by a word in the text, as a model would; `mode` makes it misbehave."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, mode: str) -> None:
        super().__init__(("127.0.0.1", free_port()), Handler)
        self.mode, self.asked = mode, list[dict[str, Any]]()

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
        self.send_response(status)
        if mode == "redirect":
            self.send_header("Location", "http://example.com/v1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


@contextmanager
def served(mode: str = "") -> Iterator[Server]:
    server = Server(mode)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def test_it_asks_for_one_label_a_text_and_nothing_twice() -> None:
    texts = ["lights on", "off with it", "what is that", "lights on"]
    kept: dict[str, int] = {"off with it": 1}
    saved = []
    with served() as server:
        endpoint = Endpoint(server.settings)
        assert endpoint.this_machine
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


def test_nobody_there_is_an_error() -> None:
    url = f"http://127.0.0.1:{free_port()}/v1"
    with pytest.raises(InputError, match="does not answer") as error:
        Endpoint(EndpointSettings(url=url, model="m")).label("off", LABELS)
    assert "127.0.0.1" in error.value.next_step


@pytest.mark.parametrize(
    "host",
    [
        "8.8.8.8",
        "[2001:4860:4860::8888]",
        "169.254.169.254",
        "0.0.0.0",
        "100.64.0.1",
        "224.0.0.1",
        "172.32.0.1",
    ],
)
def test_an_address_beyond_the_household_is_told_nothing(host: str) -> None:
    with pytest.raises(RuleDeniedError, match="beyond the household"):
        Endpoint(EndpointSettings(url=f"http://{host}:8080/v1", model="m"))


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "10.1.2.3", "172.31.0.1", "192.168.4.5", "[::1]", "[fd00::5]"]
)
def test_private_addresses_are_let(host: str) -> None:
    endpoint = Endpoint(EndpointSettings(url=f"http://{host}:8080/v1", model="m"))
    assert endpoint.this_machine == (host in ("127.0.0.1", "[::1]"))


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/v1",
        "ftp://127.0.0.1",
        "127.0.0.1:80",
        "http://",
        "http://u:p@127.0.0.1",
        "http://127.0.0.1:99999",
    ],
)
def test_what_is_no_url_of_one_is_refused(url: str) -> None:
    with pytest.raises(InputError, match="no endpoint of a household"):
        Endpoint(EndpointSettings(url=url, model="m"))


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
