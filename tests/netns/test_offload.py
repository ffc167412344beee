"""The phone goes amid a task, on two real nodes in namespaces: the car answers all the same, and soon."""

from __future__ import annotations

import hashlib
import signal
import time
from collections.abc import Iterator

import pytest
from bench._offload_node import compute, task_of
from bench._offload_world import World

from hearthway.app.namespaces import LanPlan
from hearthway.mesh.offload.placement import PROVEN

pytestmark = pytest.mark.netns
STOPS = 400


@pytest.fixture(scope="module")
def world(bridged: LanPlan) -> Iterator[World]:
    """Phone and car, neither slowed; the phone is proven."""
    with World(None) as built:
        built.relay.link(2.0, 200.0)
        for seed in range(3 * PROVEN):
            built.ask(40, seed)
        yield built


def expected(seed: int) -> str:
    return hashlib.sha256(compute(task_of(STOPS, seed))).hexdigest()


def test_both_compute_the_same(world: World) -> None:
    here, there = world.ask(STOPS, 101, "here"), world.ask(STOPS, 101, "phone")
    assert (here["by"], there["by"]) == ("car", "phone")
    assert here["digest"] == there["digest"] == expected(101)


@pytest.mark.parametrize("fault", ["stop", "cut", "kill"])
def test_the_answer_is_there_when_the_phone_is_not(world: World, fault: str) -> None:
    usual_s = world.ask(STOPS, 201, "here")["took_s"]
    seed = {"stop": 202, "cut": 203, "kill": 204}[fault]
    world.begin(STOPS, seed, "phone, or here", 60.0)
    time.sleep(0.01)
    if fault == "cut":
        world.relay.tell("cut phone")
    else:
        number = signal.SIGSTOP if fault == "stop" else signal.SIGKILL
        world.phone.process.send_signal(number)
    try:
        done = world.end()
    finally:
        if fault == "cut":
            world.relay.tell("heal phone")
        elif fault == "stop":
            world.phone.process.send_signal(signal.SIGCONT)
        else:
            world.phone.kill()
            world.phone = world.start("phone")
        world.reach()
    assert done["ok"], done
    assert (done["by"], done["digest"]) == ("car", expected(seed))
    assert done["took_s"] < 5.0 * usual_s + 5.0  # and not the minute that the phone had
    again = world.ask(STOPS, seed + 100, "phone")
    assert (again["by"], again["digest"]) == ("phone", expected(seed + 100))
