"""One private link: nodes reach one another and nothing else; cables can be pulled; nothing is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from hearthway.app.counters import own_namespace_id
from hearthway.app.namespaces import Lan, LanKind, LanPlan, Loopback, open_lan
from hearthway.records.errors import ConfigError, MeshError

pytestmark = pytest.mark.netns

Run = Callable[..., str]

ECHO = """
import socket, sys
server = socket.socket()
server.bind((sys.argv[1], 7000))
server.listen()
server.settimeout(15)
print("up", flush=True)
while True:
    peer, _ = server.accept()
    peer.sendall(peer.recv(16))
"""
ASK = """
import socket, sys, time
end = time.monotonic() + float(sys.argv[2])
answer = "unreachable"
while answer == "unreachable" and time.monotonic() < end:
    try:
        with socket.create_connection((sys.argv[1], 7000), 0.4) as link:
            link.sendall(b"hello")
            answer = link.recv(16).decode()
    except OSError:
        time.sleep(0.02)
print(answer)
"""
DATAGRAM = """
import socket, sys
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
try:
    sender.sendto(b"x", (sys.argv[1], 9))
    print("sent")
except OSError as error:
    print(error.strerror)
"""
KEEP = """
import sys
from hearthway.app.namespaces import Lan
lan = Lan.create(["phone", "car"], sink=True)
print(*[holder.pid for holder in lan._holders.values()], flush=True)
sys.stdin.read()
"""


@pytest.fixture
def echo(lan: Lan) -> object:
    """An echo server on the phone."""
    argv = lan.command("phone", [sys.executable, "-I", "-S", "-c", ECHO, lan.address("phone")])
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == "up\n"
        yield server
        server.kill()


def _namespaces() -> set[str]:
    """Every network namespace some process holds."""
    found = set()
    for link in Path("/proc").glob("[0-9]*/ns/net"):
        found.add(own_namespace_id(link.parts[2]))
    return found - {""}


def _children() -> set[str]:
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = stat.read_text().rpartition(")")[2].split()[1]
        except OSError:
            continue
        if parent == str(os.getpid()):
            found.add(stat.parent.name)
    return found


def _named() -> str:
    argv = ["ip", "netns", "list"]
    return subprocess.run(argv, capture_output=True, text=True, timeout=5, check=True).stdout


def _wait(done: Callable[[], bool], limit_s: float = 5.0) -> bool:
    end = time.monotonic() + limit_s
    while not done():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def _gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_no_default_route_and_no_ipv6(lan: Lan, run: Run) -> None:
    assert Lan.why_not() == ""
    for name in lan.names:
        seen = lan.counters(name)
        assert seen.outward == ()
        assert seen.household == ("eth0",)
        assert sorted(seen.interfaces) == ["eth0", "lo"]
        inet6 = run(lan, name, "print(open('/proc/self/net/if_inet6').read())")
        assert inet6 == ""


def test_nodes_reach_one_another(lan: Lan, run: Run, echo: object) -> None:
    for name in ("car", "home", "venue", "phone"):
        assert run(lan, name, ASK, lan.address("phone"), "5") == "hello"


def test_addresses_are_distinct_and_private(lan: Lan) -> None:
    addresses = [lan.address(name) for name in lan.names]
    assert len(set(addresses)) == 4
    assert all(address.startswith("10.77.0.") for address in addresses)


def test_a_cut_cable_carries_nothing_and_a_joined_one_does(
    lan: Lan, run: Run, echo: object
) -> None:
    lan.cut("car")
    assert run(lan, "car", ASK, lan.address("phone"), "1") == "unreachable"
    assert run(lan, "home", ASK, lan.address("phone"), "5") == "hello"
    lan.join("car")
    assert run(lan, "car", ASK, lan.address("phone"), "5") == "hello"


def test_a_cut_cable_is_no_refused_attempt_at_the_internet(lan: Lan, run: Run) -> None:
    before = lan.counters("car").no_route
    lan.cut("car")
    try:
        run(lan, "car", DATAGRAM, lan.address("phone"))
        assert lan.counters("car").no_route == before
    finally:
        lan.join("car")


def test_the_internet_is_refused_and_counted(lan: Lan, run: Run) -> None:
    before = lan.counters("home").no_route
    assert run(lan, "home", DATAGRAM, "192.0.2.1") == "Network is unreachable"
    assert lan.counters("home").no_route == before + 1


def test_multicast_stays_on_the_link(lan: Lan, run: Run) -> None:
    before = lan.counters("home")
    assert run(lan, "home", DATAGRAM, "224.0.0.224") == "sent"
    after = lan.counters("home")
    assert after.no_route == before.no_route
    assert after.interfaces["eth0"].tx_packets > before.interfaces["eth0"].tx_packets


def test_the_sink_counts_nothing_of_the_household(sink_lan: Lan, run: Run) -> None:
    for name in sink_lan.names:
        assert sink_lan.counters(name).outward == ("out0",)
    for target in ("phone", "venue"):
        run(sink_lan, "car", DATAGRAM, sink_lan.address(target))
    run(sink_lan, "car", DATAGRAM, "10.77.0.200")  # on the link, though nobody has it
    run(sink_lan, "car", DATAGRAM, "224.0.0.224")
    sink_lan.cut("car")
    run(sink_lan, "car", DATAGRAM, sink_lan.address("phone"))
    time.sleep(0.5)
    assert sink_lan.sink_packets() == 0
    assert sink_lan.sink_log() == ()


def test_the_sink_counts_and_names_a_planted_datagram(sink_lan: Lan, run: Run) -> None:
    assert run(sink_lan, "car", DATAGRAM, "192.0.2.1") == "sent"
    assert _wait(lambda: sink_lan.sink_packets() == 1)
    (entry,) = sink_lan.sink_log()
    assert (entry.name, entry.destination, entry.protocol, entry.port, entry.packets) == (
        "car",
        "192.0.2.1",
        "udp",
        9,
        1,
    )


def test_the_sink_counts_a_connection_attempt(sink_lan: Lan, run: Run) -> None:
    assert run(sink_lan, "venue", ASK, "198.51.100.7", "0.1") == "unreachable"
    assert (sink_lan.sink_packets() or 0) >= 1
    assert {entry.destination for entry in sink_lan.sink_log()} == {"198.51.100.7"}


def test_two_links_at_once_do_not_meet(lan: Lan, run: Run, echo: object, plan: LanPlan) -> None:
    with Lan.create(lan.names, plan=plan) as other:
        assert run(other, "car", ASK, other.address("phone"), "0.5") == "unreachable"
        assert run(lan, "car", ASK, lan.address("phone"), "5") == "hello"


def test_making_a_link_is_quick(plan: LanPlan) -> None:
    best_s = 60.0
    for _ in range(3):
        start_s = time.monotonic()
        with Lan.create(("phone", "car", "home", "venue"), sink=True, plan=plan):
            best_s = min(best_s, time.monotonic() - start_s)
    assert best_s < 0.5


def test_without_a_bridge_the_switch_routes(plan: LanPlan, run: Run) -> None:
    with Lan.create(("phone", "car"), plan=LanPlan(kind=plan.kind, bridge=False)) as routed:
        argv = routed.command(
            "phone", [sys.executable, "-I", "-S", "-c", ECHO, routed.address("phone")]
        )
        with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            server.stdout.readline()
            try:
                assert run(routed, "car", ASK, routed.address("phone"), "5") == "hello"
                routed.cut("phone")
                assert run(routed, "car", ASK, routed.address("phone"), "0.5") == "unreachable"
                routed.join("phone")
                assert run(routed, "car", ASK, routed.address("phone"), "5") == "hello"
                assert run(routed, "car", DATAGRAM, "192.0.2.1") == "Network is unreachable"
            finally:
                server.kill()


def test_closing_leaves_nothing(plan: LanPlan) -> None:
    lan = Lan.create(("phone", "car"), sink=True, plan=plan)
    pids = [holder.pid for holder in lan._holders.values()]
    made = {own_namespace_id(pid) for pid in pids}
    assert len(made) == 4
    assert made <= _namespaces()
    lan.close()
    lan.close()
    assert all(_gone(pid) for pid in pids)
    assert not made & _namespaces()
    with pytest.raises(MeshError):
        lan.counters("phone")


def test_killing_the_parent_leaves_nothing(plan: LanPlan) -> None:
    before = _named()
    with subprocess.Popen(
        [sys.executable, "-c", KEEP], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(pids) == 4
        held = {own_namespace_id(pid) for pid in pids}
        assert len(held) == 4
        parent.send_signal(signal.SIGKILL)
    assert _wait(lambda: all(_gone(pid) for pid in pids))
    assert not held & _namespaces()
    assert _named() == before


def test_a_lost_holder_is_said(plan: LanPlan) -> None:
    with Lan.create(("phone", "car"), plan=plan) as lan:
        lan._holders["car"].kill()
        lan._holders["car"].wait()
        with pytest.raises(MeshError, match="namespace of car is gone"):
            lan.command("car", ["true"])


def test_a_link_that_cannot_be_built_says_why_and_leaves_nothing(
    plan: LanPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = _children()
    monkeypatch.setattr("hearthway.app.namespaces.SUBNET", "no.such.net")
    with pytest.raises(MeshError, match=r"could not be set up.*no\.such\.net"):
        Lan.create(("phone", "car"), sink=True, plan=plan)
    assert _children() == before


def test_many_links_one_after_the_other(plan: LanPlan, run: Run) -> None:
    for _ in range(8):
        with Lan.create(("phone", "car"), sink=True, plan=plan) as lan:
            assert run(lan, "car", DATAGRAM, lan.address("phone")) == "sent"
            assert lan.sink_packets() == 0


@pytest.mark.parametrize("names", [[], ["car", "car"], ["switch"], ["sink"], ["a b"], ["Car"]])
def test_bad_names_are_refused(names: list[str]) -> None:
    with pytest.raises(ConfigError):
        Loopback(names, "test")
    with pytest.raises(ConfigError):
        Lan.create(names, plan=LanPlan(kind=LanKind.ROOT))


def test_an_unknown_name_is_refused(lan: Lan) -> None:
    with pytest.raises(ConfigError, match="no node fridge"):
        lan.address("fridge")


def test_missing_tools_lead_to_loopback_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    joined = open_lan(["phone", "car"])
    assert isinstance(joined, Loopback)
    assert "ip, unshare, nsenter, sh, env is missing" in joined.why
    assert "Install iproute2" in Lan.plan().next_step
    assert joined.address("car") == "127.0.0.1"
    assert joined.command("car", ["true"]) == ["true"]
    assert joined.prefix("car") == []
    assert Lan.why_not() == joined.why
    assert joined.sink_packets() is None
    with pytest.raises(MeshError, match="no cable"):
        joined.cut("car")
    with pytest.raises(MeshError, match="Install iproute2"):
        Lan.create(["phone"])


def test_other_systems_lead_to_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    assert "Linux only" in Lan.plan().why


def test_a_refusal_names_the_reason_and_what_would_help(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hearthway.app.namespaces._PROBE_VETH", "echo no such right >&2; exit 1")
    why = Lan.why_not()
    assert why.endswith("network namespaces in a user namespace refused: no such right")
    with pytest.raises(MeshError, match=r"no such right\. Run as root, or allow unprivileged"):
        Lan.create(["phone"])
