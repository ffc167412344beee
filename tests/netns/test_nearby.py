"""Near and far by a real kernel's routes: neighbours on one link, and what only a gateway leads to."""

from __future__ import annotations

import subprocess
import sys

import pytest

from hearthway.app.namespaces import Lan

pytestmark = pytest.mark.netns

LOOK = """
import sys
from hearthway.mesh.links.nearby import Nearby
nearby = Nearby()
print(*(int(nearby(host)) for host in sys.argv[1:]))
"""


def look(lan: Lan, *hosts: str) -> list[int]:
    argv = lan.command("car", [sys.executable, "-c", LOOK, *hosts])
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    return [int(word) for word in done.stdout.split()]


def test_the_phone_on_the_cars_link_is_near_and_nothing_beyond_it(lan: Lan) -> None:
    hosts = (lan.address("phone"), "127.0.0.1", "198.51.100.7")
    assert look(lan, *hosts) == [1, 1, 0]


def test_what_a_gateway_leads_to_is_not_near(sink_lan: Lan) -> None:
    assert look(sink_lan, sink_lan.address("phone"), "198.51.100.7") == [1, 0]
