"""Which addresses are one's own, and that nothing is sent to any other."""

from __future__ import annotations

import socket

import pytest

from hearthway.mesh.links.own_network import at_address, is_here, is_own, looked_up
from hearthway.records.errors import InputError, RuleDeniedError


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "::1",
        "192.168.1.5",
        "10.1.2.3",
        "172.31.0.1",
        "fd00::1",
        "fe80::1%eth0",
        "::ffff:10.0.0.1",
    ],
)
def test_one_s_own(host: str) -> None:
    assert is_own(host)


@pytest.mark.parametrize(
    "host",
    [
        "8.8.8.8",
        "::ffff:8.8.8.8",
        "2001:4860:4860::8888",
        "0.0.0.0",
        "::",
        "169.254.169.254",
        "100.64.0.1",
        "172.32.0.1",
        "224.0.0.1",
        "api.openai.com",
        "localhost.evil.example",
        "",
    ],
)
def test_anybody_else_s(host: str) -> None:
    assert not is_own(host)
    if host:
        shown = f"[{host}]" if ":" in host else host
        with pytest.raises(InputError, match="no address of your own network") as why:
            at_address(f"http://{shown}:80/v1")
        assert "ADDRESS:PORT" in why.value.next_step


def test_a_url_is_taken_apart() -> None:
    where = at_address("http://127.0.0.1:11434/v1/")
    assert (where.address, where.port, where.path, where.here) == ("127.0.0.1", 11434, "/v1", True)
    assert at_address("http://localhost/v1").port == 80
    assert at_address("http://[fd00::5]:8080").words == "[fd00::5]:8080"
    assert not at_address("http://192.168.1.5:8080/v1").here


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/v1",
        "ftp://127.0.0.1",
        "127.0.0.1:80",
        "http://",
        "http://u:p@127.0.0.1",
        "http://127.0.0.1:99999",
        "http://127.0.0.1:0/v1",
        "http://[::1",
        "http://127.0.0.1/vä",
        "http://küche.lan/v1",
        "http://127.0.0.1/v1?key=1",
        "http://127.0.0.1/v1#a",
        "",
    ],
)
def test_what_is_no_endpoint_is_refused(url: str) -> None:
    for look in (at_address, looked_up):
        with pytest.raises(InputError, match="is no endpoint of a household"):
            look(url)


@pytest.mark.parametrize(
    "url", ["http://me:hunter2@127.0.0.1/v1", "https://me:hun@ter2@127.0.0.1/v1"]
)
def test_a_password_is_not_said_again(url: str) -> None:
    with pytest.raises(InputError) as refused:
        at_address(url)
    assert "ter2" not in refused.value.message
    assert "@127.0.0.1/v1" in refused.value.message


def test_a_name_counts_by_what_it_leads_to(monkeypatch: pytest.MonkeyPatch) -> None:
    told = {"box.lan": ["192.168.1.7"], "both.example": ["192.168.1.7", "8.8.8.8"]}

    def asked(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        if host not in told:
            raise socket.gaierror(-2, "Name or service not known")
        return [(2, 1, 6, "", (one, port)) for one in told[host]]

    monkeypatch.setattr(socket, "getaddrinfo", asked)
    where = looked_up("http://box.lan:8080/v1")
    assert (where.address, where.words) == ("192.168.1.7", "box.lan:8080")
    with pytest.raises(RuleDeniedError, match=r"both\.example \(8\.8\.8\.8\) is beyond"):
        looked_up("http://both.example:8080/v1")
    with pytest.raises(InputError, match="not known here"):
        looked_up("http://nowhere.lan/v1")


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("localhost", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("192.168.1.7", False),
        ("fe80::1%eth0", False),
        ("kitchen.local", False),
        ("", False),
    ],
)
def test_what_is_this_machine_itself(host: str, here: bool) -> None:
    assert is_here(host) == here
