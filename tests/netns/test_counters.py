"""A node's own witness: what it sent to the internet, what was refused, and when it cannot know."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearthway.app import counters
from hearthway.app.counters import InternetWatch, is_household_host, read_counters
from hearthway.app.namespaces import Lan, LanPlan

WATCH = """
import json, socket, sys
from hearthway.app.counters import InternetWatch
watch = InternetWatch.start()
exec(sys.argv[1])
read = watch.read()
print(json.dumps([read.internet_bytes, read.internet_refused, read.attempts, read.seen, read.how]))
"""
UDP = """
for port in (9, 10):
    try:
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("192.0.2.1", port))
    except OSError:
        pass
"""
TCP = """
link = socket.socket()
link.settimeout(0.2)
try:
    link.connect(("192.0.2.1", 80))
except OSError:
    pass
"""
TCP6 = """
link = socket.socket(socket.AF_INET6)
link.settimeout(0.2)
try:
    link.connect(("2001:db8::1", 80))
except OSError:
    pass
"""
NAME = """
try:
    socket.getaddrinfo("tracker.example.com", 443)
except OSError:
    pass
"""
NATIVE = """
import subprocess
subprocess.run(["bash", "-c", "echo x > /dev/udp/192.0.2.1/9"], stderr=subprocess.DEVNULL)
"""
HOUSEHOLD = """
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for target in ("10.77.0.1", "127.0.0.1", "224.0.0.224"):
    sender.sendto(b"x" * 500, (target, 9))
socket.getaddrinfo("localhost", 80)
socket.getaddrinfo("8.8.8.8", 80)
"""


def _watch(lan: Lan, name: str, code: str) -> Any:
    argv = lan.command(name, [sys.executable, "-c", WATCH, code])
    done = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.netns
@pytest.mark.parametrize(
    ("code", "refused", "attempts", "seen"),
    [
        ("pass", 0, 0, []),
        (HOUSEHOLD, 0, 0, []),
        (UDP, 2, 2, ["192.0.2.1", "192.0.2.1"]),
        (TCP, 1, 1, ["192.0.2.1"]),
        (TCP6, 1, 1, ["2001:db8::1"]),
        (NATIVE, 1, 0, []),
    ],
    ids=["nothing", "household", "udp", "tcp", "tcp6", "native"],
)
def test_without_a_route_nothing_leaves_and_refusals_count(
    lan: Lan, code: str, refused: int, attempts: int, seen: list[str]
) -> None:
    read = _watch(lan, "car", code)
    assert read[:4] == [0, refused, attempts, seen]
    assert "no interface has a route beyond the household" in read[4]


@pytest.mark.netns
def test_a_name_lookup_counts_as_an_attempt(lan: Lan) -> None:
    sent, refused, attempts, seen, _ = _watch(lan, "car", NAME)
    assert (sent, attempts, seen) == (0, 1, ["tracker.example.com"])
    assert refused >= 1


@pytest.mark.netns
def test_with_a_route_the_bytes_are_counted_exactly_and_household_bytes_are_not(
    sink_lan: Lan,
) -> None:
    assert _watch(sink_lan, "car", HOUSEHOLD)[:4] == [0, 0, 0, []]
    sent, refused, attempts, _, how = _watch(sink_lan, "car", UDP)
    assert sent == 2 * (14 + 20 + 8 + 1)  # Ethernet, IPv4 and UDP headers and one byte
    assert (refused, attempts) == (0, 2)
    assert "out0" in how


@pytest.mark.netns
def test_a_route_in_another_table_is_seen(plan: LanPlan) -> None:
    with Lan.create(("phone",), plan=plan) as lan:
        assert not lan.counters("phone").outward_elsewhere
        for what in (["route", "add", "default", "dev", "eth0"], ["rule", "add"]):
            argv = lan.command("phone", ["ip", *what, "table", "77"])
            subprocess.run(argv, timeout=10, check=True)
        assert lan.counters("phone").outward_elsewhere


@pytest.mark.netns
def test_a_namespace_that_is_not_its_own_is_not_claimed(lan: Lan) -> None:
    env = {**os.environ, counters.NAMESPACE_VARIABLE: "net:[1]"}
    argv = [sys.executable, "-c", WATCH, "pass"]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=20, check=True)
    assert "shared with the rest of the machine" in json.loads(done.stdout)[4]


# ---- the kernel's tables, as files

DEV = """Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo: 10 1 0 0 0 0 0 0 10 1 0 0 0 0 0 0
 wlan0: 500 5 0 0 0 0 0 0 {sent} 7 0 0 0 0 0 0
"""
SNMP = "Ip: Forwarding OutNoRoutes\nIp: 2 {refused}\nIcmp: InMsgs\nIcmp: 0\n"
ROUTES = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
little_endian = pytest.mark.skipif(sys.byteorder == "big", reason="recorded on little-endian")
DEFAULT = "wlan0\t00000000\t0102A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
LINK = "wlan0\t0002A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
HALF = "tun0\t00000080\t00000000\t0001\t0\t0\t0\t00000080\t0\t0\t0\n"
REJECT = "*\t00000000\t00000000\t0200\t0\t0\t0\t00000000\t0\t0\t0\n"


def _proc(folder: Path, routes: str, *, sent: int = 0, refused: int = 0) -> Path:
    (folder / "dev").write_text(DEV.format(sent=sent))
    (folder / "snmp").write_text(SNMP.format(refused=refused))
    (folder / "route").write_text(ROUTES + routes)
    return folder


@little_endian
@pytest.mark.parametrize(
    ("routes", "outward", "household"),
    [
        ("", (), ()),
        (LINK, (), ("wlan0",)),
        (DEFAULT + LINK, ("wlan0",), ("wlan0",)),
        (HALF + LINK, ("tun0",), ("wlan0",)),
        (REJECT + LINK, (), ("wlan0",)),
    ],
)
def test_routes_are_told_apart(
    tmp_path: Path, routes: str, outward: tuple[str, ...], household: tuple[str, ...]
) -> None:
    found = read_counters(_proc(tmp_path, routes))
    assert (found.outward, found.household) == (outward, household)


@little_endian
def test_ipv6_routes_and_refusals_count_too(tmp_path: Path) -> None:
    _proc(tmp_path, LINK, refused=1)
    zero = "0" * 32
    (tmp_path / "ipv6_route").write_text(
        f"{zero} 00 {zero} 00 fe80{'0' * 28} 00000400 1 0 00000003 wlan0\n"
        f"{zero} 00 {zero} 00 {zero} ffffffff 1 0 00200200 lo\n"
    )
    (tmp_path / "snmp6").write_text("Ip6InReceives                   \t4\nIp6OutNoRoutes\t2\n")
    found = read_counters(tmp_path)
    assert (found.outward, found.no_route) == (("wlan0",), 3)


@little_endian
def test_an_interface_that_carries_both_is_not_measurable(tmp_path: Path) -> None:
    watch = InternetWatch.start(own_namespace=True, proc_net=_proc(tmp_path, DEFAULT + LINK))
    _proc(tmp_path, DEFAULT + LINK, sent=9000, refused=3)
    read = watch.read()
    assert (read.internet_bytes, read.internet_refused) == (None, 3)
    assert "wlan0 carries household traffic too" in read.how


@little_endian
def test_a_shared_machine_says_so(tmp_path: Path) -> None:
    watch = InternetWatch.start(own_namespace=False, proc_net=_proc(tmp_path, DEFAULT))
    _proc(tmp_path, DEFAULT, sent=9000, refused=3)
    read = watch.read()
    assert (read.internet_bytes, read.internet_refused) == (None, 0)
    assert "shared with the rest of the machine" in read.how


@little_endian
@pytest.mark.parametrize(
    ("kind", "destination", "measured"),
    [("UNICAST", "0.0.0.0", None), ("UNREACHABLE", "0.0.0.0", 0), ("UNICAST", "10.0.0.0", 0)],
)
def test_a_further_routing_table_is_not_overlooked(
    tmp_path: Path, kind: str, destination: str, measured: int | None
) -> None:
    prefix = "/0" if destination == "0.0.0.0" else "/8"
    (tmp_path / "fib_trie").write_text(
        f"Id 51820:\n  |-- {destination}\n     {prefix} link {kind}\n"
        "Main:\n  |-- 192.168.2.0\n     /24 link UNICAST\n"
    )
    read = InternetWatch.start(own_namespace=True, proc_net=_proc(tmp_path, LINK)).read()
    assert read.internet_bytes == measured


def test_without_kernel_counters_only_attempts_are_known(tmp_path: Path) -> None:
    read = InternetWatch.start(proc_net=tmp_path / "absent").read()
    assert (read.internet_bytes, read.internet_refused) == (None, 0)
    assert "no kernel counters" in read.how


def test_a_broken_table_is_no_crash(tmp_path: Path) -> None:
    (_proc(tmp_path, "") / "snmp").write_text("Ip: x\nIp: y\n")
    assert InternetWatch.start(proc_net=tmp_path).read().internet_bytes is None


@pytest.mark.parametrize(
    "host",
    [
        "10.77.0.3",
        "127.0.0.1",
        "192.168.1.4",
        "172.31.0.1",
        "169.254.3.4",
        "224.0.0.224",
        "255.255.255.255",
        "0.0.0.0",
        "::1",
        "fe80::1%eth0",
        "fd12::1",
        "ff02::1",
        "::ffff:10.0.0.1",
        "localhost",
        "",
        "car",
        "home.local",
        "hub.home.arpa.",
        "Hub.Lan",
    ],
)
def test_the_household_is_not_the_internet(host: str) -> None:
    assert is_household_host(host)


@pytest.mark.parametrize(
    "host",
    [
        "192.0.2.1",
        "8.8.8.8",
        "100.64.0.1",
        "172.32.0.1",
        "2001:db8::1",
        "::ffff:8.8.8.8",
        "example.com",
        "local.example.com",
        "10.0.0.1.example.com",
    ],
)
def test_the_internet_is_not_the_household(host: str) -> None:
    assert not is_household_host(host)


@given(st.text(max_size=300))
def test_any_host_gets_an_answer(host: str) -> None:
    assert is_household_host(host) in (True, False)
