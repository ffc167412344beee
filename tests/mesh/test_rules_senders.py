"""Who may say what: a guest's phone and one that is nobody's order nothing, and a phone speaks of its own person alone."""

from __future__ import annotations

import pytest

from hearthway.mesh.policy.rules import TEMPLATES, Rules, template
from hearthway.records.household import Party, PersonKind

HOME, CAR = Party(role="home", device_id="home"), Party(role="car", device_id="car")
ANNA = Party(role="phone", device_id="anna", person="anna", kind=PersonKind.ADULT)
KID = Party(role="phone", device_id="kid", person="kid", kind=PersonKind.CHILD)
GUEST = Party(role="phone", device_id="guest", person="gus", kind=PersonKind.GUEST)
NOBODYS = Party(role="phone", device_id="new")
ALONE = Party(role="phone", device_id="new", alone=True)

ORDERS = (
    ("Command.Home.Lock", HOME, "control"),
    ("Command.Car.Climate", CAR, "control"),
    ("Setting.Gate.Level", HOME, "share"),
    ("Forget.Order", HOME, "forget"),
    ("Car.AtWheel", CAR, "anticipate"),
    ("Task.Offer", CAR, "handoff"),
    ("Person.Location.Latitude", CAR, "borrow"),
)


@pytest.mark.parametrize(("key", "to", "purpose"), ORDERS)
def test_a_guest_and_nobody_order_nothing(key: str, to: Party, purpose: str) -> None:
    rules = Rules.parse(template("family"), "family")
    for sender, about in ((GUEST, ""), (GUEST, "anna"), (NOBODYS, ""), (NOBODYS, "anna")):
        assert rules.decide(key, sender, to, purpose, about) is None
    for sender in (ANNA, KID, ALONE):  # the control: for those it was written
        assert rules.decide(key, sender, to, purpose, sender.person) is not None


def test_a_guest_orders_nothing_in_its_own_name_either() -> None:
    rules = Rules.parse(template("family"), "family")
    for key, to, purpose in ORDERS:
        if purpose in ("control", "forget"):
            assert rules.decide(key, GUEST, to, purpose, "gus") is None


@pytest.mark.parametrize("name", sorted(TEMPLATES))
def test_what_keeps_the_household_together_still_goes(name: str) -> None:
    rules = Rules.parse(template(name), name)
    for sender in (GUEST, NOBODYS, ANNA):
        assert rules.decide("Household.Renew", sender, HOME, "household") is not None


def test_a_phone_speaks_of_its_own_person_alone() -> None:
    rules = Rules.parse(template("family"), "family")
    said = ("Person.Location.Latitude", KID, CAR, "borrow")
    assert rules.decide(*said, "kid") is not None
    assert rules.decide(*said, "anna") is None
    assert rules.decide(said[0], ALONE, CAR, "borrow", "anna") is not None  # everybody's there
