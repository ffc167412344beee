"""Two real nodes and a real student: the phone is killed again and again while it updates, and a model works each time."""

from __future__ import annotations

import hashlib
import random
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from tests.attack.conftest import Household, Running, make

from hearthway.app.launch import stop_all
from hearthway.mesh.state.shelf import Shelf
from hearthway.mesh.trust.certificates import load_certificate
from hearthway.mesh.trust.orders import open_order
from hearthway.records.releases import Order
from hearthway.student import header as h
from hearthway.student.format import read, write
from hearthway.student.rescale import table

TASK = "needs"
KILLS, BETWEEN_S = 3, (0.2, 2.0)
LIMIT_S = 60.0


def student(number: int) -> bytes:
    """A legal one of 1 MB, which takes a second to fetch, with its own content."""
    drawn, size = np.random.default_rng(number), 1000
    names = tuple(h.Feature(name=f"f{n}", unit="", offset=0.0, gain=1.0) for n in range(size))
    header = h.Header(
        task=TASK,
        about=h.About(title="Ballast", licence="Apache-2.0"),
        input=h.FeatureInput(steps_max=0, features=names),
        nodes=(
            h.Dense(name="wide", of="input", weight="w1", bias="b1", rescale="r1", relu=True),
            h.Dense(name="logits", of="wide", weight="w2", bias="b2"),
        ),
        outputs=("logits",),
        heads=(h.ValueHead(name="it", of="logits", unit="", scale=1.0),),
    )
    tensors = {
        "w1": drawn.integers(-99, 99, (size, size), np.int8),
        "b1": np.zeros(size, np.int32),
        "r1": table([1 / 4096] * size),
        "w2": drawn.integers(-99, 99, (1, size), np.int8),
        "b2": np.zeros(1, np.int32),
    }
    return write(header, tensors)


def left(node: Running, copy: Path) -> bytes | None:
    """What would serve there, looked up in a copy as the node does at its start."""

    def opened(signed: bytes) -> Order:
        root = load_certificate((node.paths.keys / "ca.pem").read_bytes(), "The root")
        return open_order(signed, root)

    shutil.copytree(node.paths.models, copy)
    found = Shelf(copy, lambda *_: None, lambda task: None, opened).load(TASK)
    return None if found is None else found[1]


def killed(node: Running) -> None:
    """kill -9, and its end of the leash is let go."""
    node.process.kill()
    node.process.stop()


def until_serves(node: Running, wanted: bytes) -> None:
    deadline, identity = time.monotonic() + LIMIT_S, hashlib.sha256(wanted).hexdigest()

    def serves() -> list[
        str
    ]:  # beside it stand the tasks that Hearthway brings a student along for
        rows = node.ask("models")["models"]
        return [row["serves"]["identity"] for row in rows if row["task"] == TASK]

    while serves() != [identity]:
        if time.monotonic() > deadline:
            pytest.fail(f"{node.name}: {node.ask('models')}, {node.said()}")
        time.sleep(0.05)


def test_killed_while_it_updates_a_model_works(tmp_path: Path) -> None:
    rng = random.Random(5)
    home, phone = make(tmp_path, "home"), make(tmp_path, "phone")
    house = Household(tmp_path, home, phone, phone, phone)
    files = []
    for number in range(KILLS + 2):
        files.append(tmp_path / f"{number}.student")
        files[-1].write_bytes(student(number))
    models = [file.read_bytes() for file in files]
    assert len({read(data).identity for data in models}) == len(models)
    try:
        for node in (home, phone):
            node.up()
        house.pair(phone)
        house.serves()
        home.ask("model-add", file=str(files[0]), own=True, task=TASK)
        until_serves(phone, models[0])  # the control: undisturbed it turns over
        until_serves(home, models[0])
        last = 0
        for number in range(1, KILLS + 1):
            home.ask("model-add", file=str(files[number]), own=True, task=TASK)
            time.sleep(rng.uniform(*BETWEEN_S))
            killed(phone)
            found = left(phone, tmp_path / f"left-{number}")
            assert found in models[last : number + 1], number
            home.ask("model-use", task=TASK, model=read(models[number]).identity)
            phone.up()
            last = models.index(found)
        until_serves(phone, models[KILLS])
        until_serves(home, models[KILLS])
        killed(home)  # the home as well, right after it ordered
        home.up()
        home.ask("model-add", file=str(files[-1]), own=True, task=TASK)
        killed(home)
        assert left(home, tmp_path / "left-home") in models[KILLS:]
        home.up()
        for node in (home, phone):
            until_serves(node, models[-1])
            assert "Traceback" not in node.said()
    finally:
        stop_all([home.process, phone.process])
