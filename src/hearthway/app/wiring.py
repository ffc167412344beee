"""Which role runs what. One table: the data path of the household, read from top to bottom.

car    sensors or replay -> Signal ----rules----> phone
phone  sense -> context -> assist -> learn; venue waits; page; OwnTracks
phone  Suggestion ----rules----> car's surface
home   household root, pairing, witness of every receipt chain
venue  says its wait, signed; never a member
"""

from __future__ import annotations

from importlib import import_module
from typing import cast

from hearthway.records.household import Role

from .ask.from_car import AskedFromCar
from .ask.part import Asking
from .backups import Backups
from .borrow import Borrower, Lender
from .config import Config
from .consents import Consenting
from .granting import Granting
from .handdown import HandingDown
from .handoff import Tasks
from .health import Health
from .keeping import Keeping
from .lending import Lending
from .links import Parking, Roaming
from .membership import Membership
from .models import Models
from .node import Node
from .pairing import Pairing
from .part import Part
from .paths import NodePaths
from .renewal import Renewal
from .routers import Routers
from .ruling import Ruling
from .state import State
from .wheel import AtWheel, SayDriver

# By name: a home need not hold what only a phone thinks with (maps, models), nor a phone what only a car or a home does.
ROLES: dict[Role, str] = {
    Role.PHONE: "phone.PhoneNode",
    Role.CAR: "car.CarNode",
    Role.HOME: "home.HomeNode",
    Role.VENUE: "venue.VenueNode",
}

PARTS: dict[Role, tuple[type[Part] | str, ...]] = {
    Role.PHONE: (
        Backups,  # what a killed backup left is gone
        Ruling,  # the owner's rules, first: other parts ask them
        "hearing.Hearing",  # what the car and its own sensors tell
        "looking.Looking",  # what that comes to
        "speaking.Speaking",  # what is said of it
        "answering.Answering",  # and answered
        "intake.Intake",  # files that come in
        Consenting,  # what people let one another have
        Keeping,  # deletes what they keep no longer
        State,  # settings and latest values, the same on every node
        Membership,  # who is in the household: people who left are erased here
        Renewal,  # its certificate, whose it is, where it is
        HandingDown,  # to somebody else, without what it holds
        Pairing,
        Granting,  # what the rules do not give, for a time
        Tasks,  # what goes along: navigation target, conversation, a suggestion that waits
        SayDriver,  # "I drive", in a shared car
        "company.Company",  # who rides along, and what they like to eat
        "tells_taste.TellsTaste",  # the same, for whoever drives its person
        Lender,  # its position, to a car that lost its own
        Lending,  # its processor, to the car
        Parking,  # a longer lease at rest
        Routers,  # what carries to another site
        Models,  # which student serves which task
        "ranking.Ranking",  # and which one ranks
        "charge_watch.ChargePlans",  # when to charge the car that is plugged in
        Asking,  # questions in plain words
        AskedFromCar,  # those that were asked in the car
        Health,  # for `hearthway status`
    ),
    Role.CAR: (
        Backups,
        Ruling,
        Consenting,
        Keeping,
        State,
        Membership,
        Renewal,
        HandingDown,
        Pairing,
        Granting,
        AtWheel,  # whose drive it is
        "aboard.RidesAlong",  # and who else is in it
        Tasks,
        Borrower,
        "offload.Offloading",  # lets the phone compute where that is sooner
        "stops.Stops",  # what is on the way
        "functions.Functions",  # those of the household's own
        Parking,
        Routers,
        Models,
        "ask.in_car.AskingInCar",  # questions in plain words: read here, answered by the driver's phone
        Health,
    ),
    Role.HOME: (
        Backups,
        Ruling,
        Consenting,
        Keeping,
        State,
        "household.Household",  # the root: who is let in, renewed, put out
        Membership,
        Pairing,
        Granting,
        Roaming,  # where the others are now
        Lending,
        "ask.house_orders.HouseOrders",  # what is ordered of lights and heating
        Asking,
        Routers,
        Models,
        "releasing.Releasing",  # what the household orders about them
        Health,
    ),
    Role.VENUE: (
        Backups,
        Pairing,
    ),
}


def build(paths: NodePaths, config: Config) -> Node:
    """The node of that role, with its parts."""
    role = config.node.role
    node = cast(type[Node], _named(ROLES[role]))(paths, config)
    node.parts = [_part(part)(node) for part in PARTS[role]]
    return node


def _part(part: type[Part] | str) -> type[Part]:
    return cast(type[Part], _named(part)) if isinstance(part, str) else part


def _named(where: str) -> object:
    module, _, name = where.rpartition(".")
    return getattr(import_module(f"{__package__}.{module}"), name)
