"""A student as a task: the phone understands what the car would, by the same file or not at all."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from typing import Any

import pytest
from tests.student.small import text_student_file

from hearthway.app.lending import Lending
from hearthway.app.models import Models
from hearthway.app.offload import Offloading
from hearthway.app.offload_jobs import (
    FACTORY,
    STUDENT,
    TEXT_MAX,
    TEXTS_MAX,
    made,
    texts_asked,
    understood_of,
)
from hearthway.app.worker import Worker
from hearthway.mesh.offload.placement import HERE, PROVEN, Choice
from hearthway.records.codec import pack, unpack
from hearthway.records.errors import InputError, MeshError, StudentError, WireError
from hearthway.records.offload import Job
from hearthway.records.understanding import Understanding

TEXTS = ["Turn on the bed room light in the KITCHEN", "turn off the light", "xyzzy", ""]
KEYS = ("Ask.Question",)
FILE = text_student_file()
IDENTITY = hashlib.sha256(FILE).hexdigest()
ASKED = texts_asked(TEXTS)


def carry(node: Any, data: bytes = FILE) -> None:
    """The node holds that student, and it serves."""
    models = node.part(Models)
    identity = models.shelf.artefacts.put(data)
    serving = models.load
    models.load = lambda task: (identity, data) if task == "ask" else serving(task)


def test_the_phone_understands_what_the_car_would(household: Any) -> None:
    async def main() -> None:
        people = {"phone": ("anna", "adult")}
        async with household(people=people, phone="phone", car="car") as nodes:
            for name, part in (("phone", Lending), ("car", Offloading)):
                carry(nodes[name])
                nodes[name].part(part).worker = Worker(FACTORY, json.dumps({"atlas": "none"}))
            car: Offloading = nodes["car"].part(Offloading)

            async def ask(place: Any = None) -> Any:
                done = await car.run(
                    Job(STUDENT, IDENTITY),
                    ASKED,
                    size=float(sum(map(len, TEXTS))),
                    within_s=10.0,
                    keys=KEYS,
                    about="anna",
                    place=place,
                )
                return done.by, understood_of(ASKED, done.output)

            expected = understood_of(ASKED, made(Job(STUDENT, IDENTITY), FILE)(ASKED))
            assert expected[0].accepted
            assert await ask() == ("car", expected)
            await nodes.until(lambda: car.placement.knows_terms("phone", time.monotonic()))
            known = car.placement._devices["phone"].known(Job(STUDENT, IDENTITY))
            for _ in range(PROVEN):
                seen = known.same
                assert (await ask())[1] == expected
                await nodes.until(lambda seen=seen: known.same > seen)
            assert await ask(lambda c: Choice("phone", None, 9.0)) == ("phone", expected)
            done, found = await car.understand(IDENTITY, TEXTS, keys=KEYS, about="anna")
            assert found == expected
            assert done.choice.p95_s.keys() == {HERE, "phone"}
            with pytest.raises(MeshError, match="not the same student"):
                await car.understand("0" * 64, TEXTS, keys=KEYS, about="anna")

    asyncio.run(main())


def test_another_file_is_no_job() -> None:
    for wrong in (FILE + b"x", FILE[:-1], b"", b"x"):
        with pytest.raises(InputError, match="not the student"):
            made(Job(STUDENT, IDENTITY), wrong)
    with pytest.raises(InputError, match="No file makes"):
        made(Job("shell", IDENTITY), FILE)
    bad = b"no student"
    with pytest.raises(StudentError):
        made(Job(STUDENT, hashlib.sha256(bad).hexdigest()), bad)


def test_what_is_too_much_is_said_here_and_refused_there() -> None:
    for texts in (["a"] * (TEXTS_MAX + 1), ["a" * (TEXT_MAX + 1)]):
        with pytest.raises(InputError, match="too much text"):
            texts_asked(texts)
        with pytest.raises(WireError):
            made(Job(STUDENT, IDENTITY), FILE)(pack(texts))


def test_what_cannot_be_an_answer_is_none() -> None:
    good = made(Job(STUDENT, IDENTITY), FILE)(ASKED)
    assert len(understood_of(ASKED, good)) == len(TEXTS)
    found = unpack(good, list[Understanding])
    wrong = (
        b"",
        b"\xc1",
        pack(found[1:]),
        pack([_with(found[0], score=1.5), *found[1:]]),
        pack([_with(found[0], score=float("nan")), *found[1:]]),
        pack([found[1], found[0], *found[2:]]),  # the slots of another text
    )
    for output in wrong:
        with pytest.raises(WireError):
            understood_of(ASKED, output)


def _with(one: Understanding, **changes: Any) -> Understanding:
    from msgspec.structs import replace

    return replace(one, **changes)
