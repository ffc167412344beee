"""Walks people forward, one visit at a time: what each method would have said before each visit."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
from msgspec import Struct

from hearthway.context.next_place import NEW, Habits, Question, Visit
from hearthway.context.next_score import Model, Predictor, Scorer, softmax
from hearthway.records.localtime import DAY_S

from .next_fit import Asked, weighed
from .next_peers import MIX_NAME, Peers

TRAIN, VALID, TARGET = 0, 1, 2
WEEK_VISITS = 3
TOP = 3


class Person(Struct, frozen=True):
    """The visits of one person in order, and the part that each belongs to."""

    visits: list[Visit]
    parts: list[int]


class Outcome(Struct, frozen=True, kw_only=True):
    """What was said before one visit and what came. A rank is 1 for named first, 0 for not named."""

    who: int
    visit: int  # which visit of this person it was, from 1
    target: bool
    in_part: bool
    ours: int
    confidence: float
    shortlist: float
    peers: dict[str, int]
    mix_confidence: float


class Walk:
    """One person's questions, asked before every visit but the first; rank 0 means not named at all."""

    def __init__(self, who: int, person: Person) -> None:
        self.who = who
        self.peer_cpu_s = 0.0
        self.asked: list[Asked] = []
        self.places: list[int] = []
        self.mix: list[Asked] = []
        self.simple: list[dict[str, int]] = []
        self.parts = person.parts[1:]
        self.target = [_is_target(person, at) for at in range(1, len(person.visits))]
        habits, peers, seen = Habits(), Peers(), set[int]()
        for visit in person.visits:
            began = time.process_time()
            if seen:
                question, simple = peers.ask()
                self.mix.append(Asked(question, _row(question, visit.place)))
                self.simple.append(
                    {name: rank(order, visit.place) for name, order in simple.items()}
                )
            peers.learn(visit)
            self.peer_cpu_s += time.process_time() - began
            if seen:
                place = visit.place if visit.place in seen else NEW
                question = habits.ask()
                self.asked.append(Asked(question, _row(question, place)))
                self.places.append(place)
            habits.learn(visit)
            seen.add(visit.place)

    def train(self) -> list[Asked]:
        """The questions of the training part."""
        return [one for one, part in zip(self.asked, self.parts, strict=True) if part == TRAIN]

    def train_mix(self) -> list[Asked]:
        """The mix's questions of the training part."""
        return [one for one, part in zip(self.mix, self.parts, strict=True) if part == TRAIN]

    def validation(self) -> tuple[list[Asked], int]:
        """The questions up to the end of the validation part, and where that part begins."""
        known = sum(part <= VALID for part in self.parts)
        return self.asked[:known], sum(part < VALID for part in self.parts)


def walk_all(people: list[Person]) -> tuple[list[Walk], float]:
    """(the walk of each person, CPU seconds that the peers took of it)."""
    walks = [Walk(who, person) for who, person in enumerate(people)]
    return walks, sum(walk.peer_cpu_s for walk in walks)


def early_told(walks: list[Walk], model: Model, stays: int) -> list[tuple[int, float, bool]]:
    """(which visit, confidence in the first, was it right) over the first `stays` of these people."""
    told = []
    for walk in walks:
        said = _ours(walk, model, stays - 1)
        told += [(at, p, rank == 1) for at, (rank, p, _) in enumerate(said, 2)]
    return told


def outcomes(
    walks: list[Walk], model: Model, mix: Scorer, *, part: int
) -> tuple[list[Outcome], float]:
    """(what was said before each visit of these people, of which those in `part` are the targets, CPU seconds that our part of it took)."""
    out: list[Outcome] = []
    spent_s = 0.0
    for walk in walks:
        began = time.process_time()
        said = list(_ours(walk, model))
        spent_s += time.process_time() - began
        for at, (ours, confidence, shortlist) in enumerate(said):
            scores = mix.scores(walk.mix[at].question.rows)
            names = walk.mix[at].question.places[np.argsort(-scores, kind="stable")].tolist()
            truth = walk.places[at]
            out.append(
                Outcome(
                    who=walk.who,
                    visit=at + 2,
                    target=walk.target[at] and walk.parts[at] == part,
                    in_part=walk.parts[at] == part,
                    ours=ours,
                    confidence=confidence,
                    shortlist=shortlist,
                    peers={MIX_NAME: rank(names, truth), **walk.simple[at]},
                    mix_confidence=float(softmax(scores).max()),
                )
            )
    return out, spent_s


def _ours(walk: Walk, model: Model, most: int | None = None) -> Iterator[tuple[int, float, float]]:
    """(rank of the truth, confidence in the first, in the first three together) before each visit, but of the first `most` alone."""
    person = Predictor(model)
    asked = walk.asked[:most]
    scores = weighed(model, asked)
    for one, said, place in zip(asked, scores, walk.places[:most], strict=True):
        answer = person.answer(one.question, said)
        yield rank(answer.places.tolist(), place), float(answer.p[0]), float(answer.p[:TOP].sum())
        person.saw(one.question, said, place)


def rank(order: list[int], place: int) -> int:
    """1 for the first; 0 where it is not there."""
    return order.index(place) + 1 if place in order else 0


def _row(question: Question, place: int) -> int:
    at = np.flatnonzero(question.places == place)
    return int(at[0]) if len(at) else -1


def _is_target(person: Person, at: int) -> bool:
    """Three visits in the seven days before, within the part (as MHSA and LLM-Mob chose them)."""
    day = person.visits[at].start_s // DAY_S
    found = 0
    for before in range(at - 1, -1, -1):
        if person.parts[before] != person.parts[at] or found == WEEK_VISITS:
            break
        if person.visits[before].start_s // DAY_S < day - 7:
            break
        found += 1
    return found >= WEEK_VISITS
