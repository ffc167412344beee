"""The one shape of a need: what the engine asks of every folder in `needs`, in this order, the cheap questions first.

Could it matter now? Does it know what it must? What would it be about, and how probably would that help? Until when
can that be acted on? What are the candidates? And, with the waits known, what are the words? Whether they are worth
an interruption is not for a need to say: the gate weighs all of them alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from msgspec import UNSET, Struct, UnsetType

from hearthway.records.company import Companion
from hearthway.records.geo import distance_m
from hearthway.records.life import Place
from hearthway.records.poi import PoiIndex, RoadGraph, Route
from hearthway.records.situation import Destination, Planned, Situation
from hearthway.records.suggestion import Option
from hearthway.records.venue import Wait

from .deeds import Became, Happened
from .memory import Memory, Said
from .ranker import Ranker
from .settings import AREA_M, GateSettings
from .way import eta_s, turn_m

NameOf = Callable[[float, float], "str | None"]


class Scene:
    """What a need may look at: the situation, what was learned of the person, and the map (None: there is none).

    A way is looked up once however many needs ask for it.
    """

    def __init__(
        self,
        situation: Situation,
        memory: Memory,
        settings: GateSettings,
        *,
        pois: PoiIndex | None = None,
        roads: RoadGraph | None = None,
        name_of: NameOf | None = None,
        ranker: Ranker | None = None,
        company: Sequence[Companion] = (),
    ) -> None:
        self.situation = situation
        self.memory = memory
        self.settings = settings
        self.pois = pois
        self.roads = roads
        self.name_of = name_of
        self.ranker = ranker
        self.company = tuple(company)  # who is in the car with a taste that is known
        self._ways: dict[tuple[float, float], tuple[float, Route]] = {}

    @property
    def heading_known(self) -> bool:
        """Is it known well enough where this drive leads?"""
        sure = self.situation.p_new <= 1.0 - self.settings.min_destination_p
        return bool(self.situation.destinations) and sure

    def around(self, place: Place) -> tuple[Destination, ...]:
        """See `around`."""
        return around(self.situation.destinations, place)

    def way(self, place: Place) -> tuple[float, Route]:
        """Seconds from here to `place`, and the way."""
        there = place.lat, place.lon
        if there not in self._ways:
            self._ways[there] = eta_s(self.situation, place, self.roads)
        return self._ways[there]

    def turn_s(self, within_s: float) -> float | None:
        """Seconds to the next turn of the way to where this drive probably leads; None where none is so near or known."""
        situation = self.situation
        mps = situation.speed_mps or 0.0
        if situation.mode != "driving" or not situation.destinations or mps <= 0.0:
            return None
        _, route = self.way(situation.destinations[0].place)
        metres = turn_m(route, within_s * mps)
        return None if metres is None or metres > within_s * mps else metres / mps


class Unfit(Struct, frozen=True, kw_only=True):
    """Why a need has nothing to say: a code of its own table or of the gate's, and what is to be added to its words."""

    code: str
    detail: str = ""


class Fact(Struct, frozen=True, kw_only=True):
    """Something a need must know, and the code it gives for its silence as long as it does not."""

    name: str  # "where you are heading"
    code: str
    known: Callable[[Scene], bool]


def around(destinations: Sequence[Destination], place: Place) -> tuple[Destination, ...]:
    """The probable destinations within `AREA_M` of `place`: they share what is near."""
    return tuple(
        d
        for d in destinations
        if distance_m(d.place.lat, d.place.lon, place.lat, place.lon) <= AREA_M
    )


class Aim(Struct, frozen=True, kw_only=True):
    """What a word would be about. Needs add fields of their own."""

    topic: str  # one of the need's topics
    p_useful: float  # that it would help, before the person's own offset
    at_most_min: float  # no option is worth more: what the gate is asked before the map is
    about: str = ""  # of several things under one topic the one meant: each is said once
    p_way: float | None = (
        None  # that this drive leads where that is: the doubt that the way resolves; None: all of it
    )


class Offer(Struct, frozen=True, kw_only=True):
    """Candidates, before any wait is known. Needs add fields of their own."""

    topic: str
    p_useful: float
    lead_s: float
    at_best_min: float  # the best option's own minutes with no wait at all
    about: str = ""  # as in the aim
    p_way: float | None = None  # likewise
    arrivals: dict[str, float] = {}  # POIs whose waits to fetch -> when one would be there (Unix s)


class Saying(Struct, frozen=True, kw_only=True):
    """The words, and what they are worth beyond `Need.early_min`."""

    headline: str
    lines: tuple[str, ...]
    options: tuple[Option, ...] = ()
    worth_min: float
    worth_words: str
    p_words: str = ""  # what `p_useful` was concluded from
    until_s: float | UnsetType = UNSET  # from then on it is over, whatever else happens (Unix s)
    phone_only: bool = False  # said because of the calendar: it goes to no other device
    heading: tuple[Place, ...] = ()  # where one is said to be heading: to one of these


class Enquiry(Struct, frozen=True, kw_only=True):
    """What somebody asks of a need's matter, whatever the moment."""

    place: Place | None = None  # about there; None: about whatever the situation has
    wanted: str = ""  # a kind of option alone
    without: str = ""  # anything but that kind


class Known(Struct, frozen=True, kw_only=True):
    """What a need knows to say to an enquiry; each need gives what its matter has."""

    p: float | None = None  # the probability of what it would warn of
    planned: Planned | None = None  # the calendar's entry it is about
    by_s: float | None = None  # until when to act (Unix seconds)
    words: str = ""  # what that is made of
    arrivals: dict[
        str, float
    ] = {}  # POIs whose waits to fetch, and when one would be there (Unix s)
    options: Callable[[Mapping[str, Wait]], tuple[Option, ...]] | None = (
        None  # once the waits are there
    )
    left_out: int = 0  # options of the kind that was not wanted
    closed: int = 0


AimT = TypeVar("AimT", bound=Aim)
OfferT = TypeVar("OfferT", bound=Offer)


class Need(Struct, Generic[AimT, OfferT], frozen=True, kw_only=True):
    """One need. `need.py` of its folder has it as `NEED`; nothing else in the tree names it."""

    name: str  # the folder's
    topics: tuple[str, ...]  # what is remembered as said, and answered
    order: (
        int  # of two needs that came equally far without speaking, the lower one's reason is shown
    )
    early_min: float  # minutes won by knowing it now and not on arrival, where it is useful at all
    early_words: str  # "deciding early": what wins them
    useful_words: str  # "you were heading there to eat": what `p_useful` is the probability of
    silences: Mapping[
        str, str
    ]  # its own codes and words; words here replace the gate's for the same code
    must_know: tuple[Fact, ...]
    could_matter: Callable[[Scene], Unfit | None]  # cheap: no map
    aim: Callable[[Scene], AimT | Unfit]
    lead_s: Callable[[Scene, AimT], float]  # seconds until it is too late to act on
    propose: Callable[[Scene, AimT], OfferT | Unfit]
    decide: Callable[[Scene, OfferT, Mapping[str, Wait]], Saying | Unfit]
    enquire: Callable[[Scene, Enquiry], Known | Unfit] | None = (
        None  # asked in words about its matter
    )
    became: Callable[[Said, Happened], Sequence[Became]] | None = (
        None  # what facts tell of what became of a word of it
    )
    by_company: bool = False  # does it go by who rides along?
    repeat_s: float | None = (
        None  # the same topic (about the same thing) again after so long; None: as the gate has it
    )


AnyNeed = Need[Any, Any]
