"""The same link without being root, where the kernel allows user namespaces."""

from __future__ import annotations

import os
import subprocess
import traceback
from collections.abc import Callable

import pytest

from hearthway.app.namespaces import Lan, LanKind, LanPlan

pytestmark = pytest.mark.netns

NOBODY = 65534
CONNECT = (
    "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); "
    "print(s.connect_ex(('192.0.2.1', 9)), s.connect_ex(('10.77.0.1', 9)))"
)


def _user_plan() -> LanPlan:
    """Unprivileged namespaces, or skip with the reason."""
    probe = ["unshare", "-U", "-r", "-n", "--", "ip", "link", "add", "b0", "type", "bridge"]
    setpriv = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    argv = [*setpriv, *probe] if os.geteuid() == 0 else probe
    done = subprocess.run(argv, capture_output=True, text=True, timeout=10, check=False)
    if done.returncode != 0:
        pytest.skip(f"no unprivileged user namespaces here: {done.stderr.strip()}")
    return LanPlan(kind=LanKind.USER)


def test_a_user_namespace_carries_the_same_link(plan: LanPlan, run: Callable[..., str]) -> None:
    with Lan.create(("phone", "car"), sink=True, plan=_user_plan()) as lan:
        assert run(lan, "car", CONNECT) == "0 0"
        assert lan.sink_packets() == 0
        lan.cut("car")
        lan.join("car")
        sent = "import socket; socket.socket(2, 2).sendto(b'x', ('192.0.2.1', 9))"
        run(lan, "car", sent)
        assert lan.sink_packets() == 1
        assert [entry.destination for entry in lan.sink_log()] == ["192.0.2.1"]


def test_an_ordinary_user_gets_a_link(plan: LanPlan) -> None:
    """In a child that gives up root for good: its plan, its link, its counters."""
    _user_plan()
    if os.geteuid() != 0:
        assert plan.kind is LanKind.USER
        return
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(reader)
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
            os.chdir("/")
            os.write(writer, _drive_as_nobody().encode())
            status = 0
        except BaseException:  # noqa: BLE001  # a child must end here whatever happens
            os.write(writer, traceback.format_exc().encode())
        os._exit(status)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        said = pipe.read()
    _, status = os.waitpid(child, 0)
    assert status == 0, said
    assert said == "network namespaces in a user namespace 1 0 ()"


def _drive_as_nobody() -> str:
    found = Lan.plan()
    code = "echo x > /dev/udp/192.0.2.1/9 || echo refused"
    with Lan.create(("phone", "car"), plan=found) as lan:
        argv = lan.command("car", ["bash", "-c", code])
        done = subprocess.run(argv, capture_output=True, text=True, timeout=10, check=False)
        if done.stdout != "refused\n":
            return done.stdout + done.stderr
        seen = lan.counters("car")
        return f"{found.kind} {seen.no_route} {lan.counters('phone').no_route} {seen.outward}"
