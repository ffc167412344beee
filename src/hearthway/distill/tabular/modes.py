"""What the trip-mode student is taught from: synthetic people's trips, as a phone's own filter saw them, and the truth."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
from msgspec import Struct

from hearthway.context.events import TripEnded
from hearthway.context.life import Life
from hearthway.context.mode_marks import FEATURES
from hearthway.context.modes import ModeFilter
from hearthway.distill.own import Origin
from hearthway.distill.sources import Reads
from hearthway.records.life import MODES, TravelMode, Trip
from hearthway.records.signals import Fix, Signal
from hearthway.sense.catalogue import normalise
from hearthway.synthetic.travellers import Traveller, Way

from .arrays import TEST, TRAIN, VALID, Rows
from .export import Feature
from .making import Peer, Tabular

PARTS = (0.8, 0.1)  # of the people: trained on, chosen by; the rest is for the figures


class ModesSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many people live how long."""

    people: int = 120
    days: int = 8


Seen = tuple[list[float], TravelMode, TravelMode]  # the row, the truth, what the filter said


def corpus(settings: ModesSettings, seed: int, tell: Callable[[str], None]) -> tuple[Rows, Peer]:
    """The trips of all people, and what the filter alone said of each."""
    x, y, part, said = [], [], [], []
    for number in range(settings.people):
        tell(f"person {number + 1} of {settings.people}")
        one = person(number, settings, seed)
        mine = part_of(number, settings)
        for row, truth, filtered in trips_of(one.items, one.ways):
            x.append(row)
            y.append(MODES.index(truth))
            part.append(mine)
            said.append(MODES.index(filtered) if filtered in MODES else -1)
    rows = Rows(
        x=np.array(x, dtype=np.float64),
        y=np.array(y, dtype=np.int64),
        part=np.array(part, dtype=np.int64),
    )
    return rows, Peer("the filter alone", np.array(said, dtype=np.int64))


def person(number: int, settings: ModesSettings, seed: int) -> Traveller:
    """One of the corpus's people, who has lived."""
    one = Traveller(seed * 1_000_003 + number)
    one.live(settings.days)
    return one


def part_of(number: int, settings: ModesSettings) -> int:
    """TRAIN, VALID or TEST: no person is in two of them."""
    share = number / settings.people
    return TRAIN if share < PARTS[0] else VALID if share < sum(PARTS) else TEST


def trips_of(items: Iterable[Fix | Signal], ways: Sequence[Way]) -> Iterator[Seen]:
    """Every trip that a life learns from `items` and that was on one of the `ways`."""
    notes: list[list[float]] = []

    def note(one: ModeFilter) -> tuple[TravelMode, float]:
        notes.append(one.row())
        return one.trip()

    life = Life("synthetic", judge=note)
    for item in items:
        events = (
            life.observe(item) if isinstance(item, Fix) else life.observe_signal(normalise(item))
        )
        for event in events:
            if isinstance(event, TripEnded):
                truth = true_mode(event.trip, ways)
                if truth is not None:
                    yield notes[-1], truth, event.trip.mode


def true_mode(trip: Trip, ways: Sequence[Way]) -> TravelMode | None:
    """The mode of the way that shares most of the trip's time; None where none does."""
    best, most_s = None, 0.0
    for way in ways:
        shared_s = min(way.end_s, trip.end_s) - max(way.start_s, trip.start_s)
        if shared_s > most_s:
            best, most_s = way.mode, shared_s
    return best


TASK = Tabular(
    task="modes",
    features=tuple(Feature(name, unit) for name, unit in FEATURES),
    labels=MODES,
    corpus=corpus,
    corpus_settings=ModesSettings,
    corpus_revision=4,
    reads=(
        Reads(
            name="hearthway.synthetic.travellers",
            licence="Apache-2.0",
            origin=Origin.SYNTHETIC,
            attribution="nobody lived these ways",
        ),
    ),
)
