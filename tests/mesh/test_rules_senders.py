"""Who may say what: a guest's phone and one that is nobody's order nothing, and a phone speaks of its own person alone."""

from __future__ import annotations

import pytest

from hearthway.mesh.policy.rules import KEEPING_TOGETHER, TEMPLATES, Rules, template
from hearthway.records.errors import RuleError
from hearthway.records.household import Party, PersonKind, Rule

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
        let = rules.decide(key, sender, to, purpose, sender.person) is not None
        assert let == (purpose != "control" or sender is not KID)


def ruled(by: str, key: str = "Command.Home.*", purpose: str = "control") -> Rules:
    said = f'by = "{by}"\n' if by else ""
    return Rules.parse(
        f'version = 2\n[[rule]]\nid = "r"\nkeys = ["{key}"]\nfrom = "phone"\nto = ["home", "car"]\n'
        f'purpose = "{purpose}"\n{said}',
        "r",
    )


@pytest.mark.parametrize(
    ("by", "who"),
    [
        ("", (ANNA, ALONE)),  # a file that does not say: what acts is adults' to order
        ("adults", (ANNA, ALONE)),
        ("family", (ANNA, KID, ALONE)),
        ("everyone", (ANNA, KID, GUEST, ALONE)),
    ],
)
def test_the_owners_rules_say_whose_device_orders(by: str, who: tuple[Party, ...]) -> None:
    rules = ruled(by)
    for sender in (ANNA, KID, GUEST, NOBODYS, ALONE):
        for about in ("", sender.person):
            let = rules.decide("Command.Home.Lock", sender, HOME, "control", about)
            assert (let is not None) == (sender in who), (sender, about)
        if sender is not ALONE:
            assert rules.decide("Command.Home.Lock", sender, HOME, "control", "ben") is None


@pytest.mark.parametrize("purpose", ["share", "anticipate", "handoff", "household"])
def test_a_command_is_one_whatever_it_is_said_to_be_for(purpose: str) -> None:
    rules = ruled("", purpose=purpose)
    for sender in (KID, GUEST, NOBODYS):
        assert rules.decide("Command.Home.Lock", sender, HOME, purpose) is None
    assert rules.decide("Command.Home.Lock", ANNA, HOME, purpose) is not None
    other = ruled(
        "", "Setting.*", purpose
    )  # what acts on nothing is everybody's of the family, as before
    for sender in (ANNA, KID):
        assert other.decide("Setting.Speaker", sender, HOME, purpose) is not None


def test_what_is_to_control_is_adults_whatever_it_is_called() -> None:
    rules = ruled("", "Setting.Gate.Level", "control")
    assert rules.decide("Setting.Gate.Level", KID, HOME, "control", "kid") is None
    assert rules.decide("Setting.Gate.Level", ANNA, HOME, "control", "anna") is not None
    shared = ruled("", "Setting.Gate.Level", "share")  # the control: what is no order is let
    assert shared.decide("Setting.Gate.Level", KID, HOME, "share", "kid") is not None


def test_any_rule_may_say_by_whom() -> None:
    rules = ruled("adults", "Setting.*", "share")
    assert rules.decide("Setting.Speaker", ANNA, HOME, "share") is not None
    assert rules.decide("Setting.Speaker", KID, HOME, "share") is None
    for sender in (GUEST, NOBODYS):  # naming guests lets them set nothing of everybody's
        assert (
            ruled("everyone", "Setting.*", "share").decide("Setting.A", sender, HOME, "share")
            is None
        )


def test_a_car_that_all_share_orders_where_a_rule_lets_cars() -> None:
    rule = Rule(id="r", keys=("Command.*",), sender="car", receivers=("home",), purpose="control")
    kids_car = Party(role="car", device_id="kart", person="kid", kind=PersonKind.CHILD)
    assert Rules([rule]).decide("Command.Home.Gate", CAR, HOME, "control") is not None
    assert Rules([rule]).decide("Command.Home.Gate", kids_car, HOME, "control") is None


def test_the_templates_say_by_whom_and_leave_doors_and_car_to_adults() -> None:
    strict, family, open_ = (Rules.parse(template(n), n) for n in ("strict", "family", "open"))
    for rules in (strict, family, open_):
        assert rules.orders_by_default() == []
        for key, to in (("Command.Home.Lock", HOME), ("Command.Car.Charging.Start", CAR)):
            assert rules.decide(key, KID, to, "control") is None
            assert rules.decide(key, GUEST, to, "control") is None
            assert (rules.decide(key, ANNA, to, "control") is not None) == (rules is not strict)
    light = ("Command.Home.Light.OnOff", KID, HOME, "control")
    assert [r.decide(*light) is not None for r in (strict, family, open_)] == [False, False, True]
    assert open_.decide(light[0], GUEST, HOME, "control") is None


def test_a_file_that_does_not_say_is_pointed_at() -> None:
    assert [rule.id for rule in ruled("").orders_by_default()] == ["r"]
    assert ruled("family").orders_by_default() == []
    assert ruled("", "Setting.*", "share").orders_by_default() == []
    assert ruled("", "Command.Home.*", "share").orders_by_default() != []


@pytest.mark.parametrize(
    ("line", "words"),
    [('by = "kids"', "not known"), ("by = 3", "not a text"), ('by = ["adults"]', "not a text")],
)
def test_what_is_nobody_is_a_sentence(line: str, words: str) -> None:
    text = (
        'version = 2\n[[rule]]\nid = "r"\nkeys = ["A.B"]\nfrom = "phone"\nto = ["home"]\n'
        f'purpose = "control"\n{line}\n'
    )
    with pytest.raises(RuleError, match=rf"line 8: .*{words}"):
        Rules.parse(text, "r")


@pytest.mark.parametrize("purpose", KEEPING_TOGETHER)
def test_nobody_is_shut_out_of_what_keeps_the_household_together(purpose: str) -> None:
    with pytest.raises(RuleError, match=r"line 8: .*cannot stand"):
        ruled("adults", "Household.*", purpose)


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
