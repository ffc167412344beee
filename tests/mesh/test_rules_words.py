"""Rules in sentences: what explain says is what is decided, and no opening hides from a diff."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hearthway.mesh.policy.consent import ConsentState
from hearthway.mesh.policy.rules import TEMPLATES, Rules, template
from hearthway.mesh.policy.rules_words import diff, explain
from hearthway.records.household import (
    CollectRule,
    Consent,
    KeepRule,
    Party,
    PersonKind,
    Rule,
    TrainRule,
)

ANNA = Party(role="phone", device_id="anna-phone", person="anna", kind="adult")
BEN = Party(role="phone", device_id="ben-phone", person="ben", kind="adult")
CAR, HOME = Party(role="car", device_id="car"), Party(role="home", device_id="home")
HOUSEHOLD = [ANNA, BEN, CAR, HOME]
LAT = "Vehicle.CurrentLocation.Latitude"
OPEN, FAMILY, STRICT = (Rules.parse(template(n), n) for n in ("open", "family", "strict"))
CATALOGUE = (LAT, "Vehicle.CurrentLocation.Longitude", "Vehicle.Speed", "Person.Presence.Home")


def agreed(state: str = "in force") -> ConsentState:
    consent = Consent(giver="anna", receiver="ben", keys=("Vehicle.*",), purpose="share")
    return ConsentState(consent_id="0" * 16, consent=consent, state=state)


def test_explain_says_who_gets_what_and_why() -> None:
    found = explain(OPEN, LAT, HOUSEHOLD, ["anna", "ben"], [], about="the car's latitude")
    said = "\n".join(found.sentences)
    for words in (
        f"{LAT}: the car's latitude.",
        "phone (collect-on-phone), car (collect-in-car)",
        "rule car-signals, purpose anticipate",
        "as a cell of 500 m",
        "Consent is missing",
        "may be learned from (learn-a-life)",
        "until the owner forgets it",
    ):
        assert words in said, words
    assert found.kept_days is None
    to_ben = [c for c in found.crossings if c.device == "ben-phone" and c.about == "anna"]
    assert [(c.rule, c.consent) for c in to_ben] == [("car-to-adults", "missing")]


def test_explain_knows_the_consents() -> None:
    found = explain(OPEN, LAT, HOUSEHOLD, ["anna", "ben"], [agreed()])
    assert "Both have consented." in "\n".join(found.sentences)
    for state in ("waiting", "revoked", "over"):
        without = explain(OPEN, LAT, HOUSEHOLD, ["anna", "ben"], [agreed(state)])
        assert "Both have consented." not in "\n".join(without.sentences)


def test_explain_says_what_is_not() -> None:
    found = explain(STRICT, "Vehicle.Cabin.Microphone", HOUSEHOLD, ["anna"], [])
    said = "\n".join(found.sentences)
    assert "Taken in nowhere" in said
    assert "It leaves no node" in said
    assert "Nothing is learned from it" in said
    assert "deleted after 90 days (weeks-of-life)" in said
    assert found.crossings == ()
    nobody = explain(FAMILY, LAT, [CAR, HOME], [], [])
    assert "lists nobody" in nobody.sentences[-1]
    old = explain(Rules.parse("version = 1\n", "old"), LAT, HOUSEHOLD, [], [])
    assert "limits nothing" in old.sentences[1]


@pytest.mark.parametrize(
    ("key", "days"),
    [
        (LAT, 90),
        ("Suggestion.Show", 90),
        ("Answer.Given", 90),
        ("Receipt.Head", 365),
        ("Vehicle.Speed", 90),
    ],
)
def test_explain_says_how_long(key: str, days: int) -> None:
    assert explain(STRICT, key, HOUSEHOLD, [], []).kept_days == days


@pytest.mark.parametrize("name", sorted(TEMPLATES))
@pytest.mark.parametrize("key", [*CATALOGUE, "Suggestion.Show", "Household.Consent"])
def test_explain_is_what_is_decided(name: str, key: str) -> None:
    """Every crossing it names happens, and no other does."""
    plain = Rules.parse(template(name), name)
    rules = plain.with_consents(lambda giver, receiver, key, purpose: giver == "anna")
    consent = Consent(giver="anna", receiver="ben", keys=(key,), purpose="share")
    state = ConsentState(consent_id="0" * 16, consent=consent, state="in force")
    found = explain(plain, key, HOUSEHOLD, ["anna", "ben"], [state])
    named = {
        (c.sender, c.device, c.purpose, c.about, c.rule, c.precision)
        for c in found.crossings
        if c.consent != "missing"
    }
    decided = set()
    purposes = sorted({rule.purpose for rule in plain.rules})
    for sender, party, purpose, about in product(
        ("phone", "car", "home"), HOUSEHOLD, purposes, ("", "anna", "ben")
    ):
        teller = Party(role=sender)
        if sender == "phone":  # a phone speaks of its own person alone
            teller = Party(role=sender, person=about or "anna", kind="adult")
        decision = rules.decide(key, teller, party, purpose, about)
        if decision is not None:
            at = (sender, party.device_id, purpose, about)
            decided.add((*at, decision.rule, decision.precision))
    assert named == decided


# diff -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(TEMPLATES))
def test_the_same_rules_change_nothing(name: str) -> None:
    rules = Rules.parse(template(name), name)
    other = Rules.parse(template(name).replace('id = "', 'id = "x-'), name)
    turned = Rules(reversed(rules.rules), collect=rules.collect, train=rules.train, keep=rules.keep)
    for same in (rules, other, turned):
        assert diff(rules, same, CATALOGUE) == []


def test_opened_lines_come_first_and_say_what_was() -> None:
    changes = diff(STRICT, OPEN, CATALOGUE)
    assert changes
    assert all(change.opened for change in changes)
    words = "\n".join(change.words for change in changes)
    assert "another adult's phone" in words
    assert "as a cell of 500 m once both have consented; before: not at all" in words
    assert "kept until forgotten; before: deleted after 90 days" in words
    assert "Home.*: a home takes it in" in words
    both = diff(STRICT, Rules.parse(template("family").replace("car-signals", "z"), "z"), CATALOGUE)
    assert [c.opened for c in both] == sorted((c.opened for c in both), reverse=True)
    assert not any(change.opened for change in diff(OPEN, STRICT, CATALOGUE))


def test_a_file_of_version_1_limited_nothing_and_the_diff_says_so() -> None:
    old = Rules(FAMILY.rules)
    closes = diff(old, FAMILY, CATALOGUE)
    assert closes
    assert not any(change.opened for change in closes)
    assert any("(any other key)" in change.words for change in closes)
    assert all(change.opened for change in diff(FAMILY, old, CATALOGUE))


def test_coarser_closes_and_finer_opens() -> None:
    fine = Rules.parse(template("open").replace('precision = "500m"', 'precision = "exact"'), "f")
    assert {c.opened for c in diff(OPEN, fine, CATALOGUE)} == {True}
    assert {c.opened for c in diff(fine, OPEN, CATALOGUE)} == {False}


KID = Party(role="phone", device_id="kid-phone", person="kid", kind="child")
GUS = Party(role="phone", device_id="gus-phone", person="gus", kind="guest")


def ordering(by: str, key: str = "Command.Home.*") -> Rules:
    return Rules(
        [
            Rule(
                id="orders",
                keys=(key,),
                sender="phone",
                receivers=("home",),
                purpose="control",
                by=by,
            )
        ]
    )


def test_explain_says_whose_device_orders() -> None:
    """The same as what is decided, for each kind of person, and whom the rule leaves out."""
    key, who = "Command.Home.Lock", [ANNA, KID, GUS, HOME]
    for by, out in (("", "child's|guest's"), ("family", "guest's"), ("everyone", "")):
        rules = ordering(by)
        found = explain(rules, key, who, ["anna", "kid", "gus"], [])
        said = "\n".join(found.sentences)
        for phone, kind in ((ANNA, "adult"), (KID, "child"), (GUS, "guest")):
            let = rules.decide(key, phone, HOME, "control", phone.person) is not None
            assert (f"From {'an' if kind == 'adult' else 'a'} {kind}'s phone" in said) == let
            assert {c.by for c in found.crossings} >= ({kind} if let else set())
        assert ("Not from " in said) == bool(out)
        for words in filter(None, out.split("|")):
            assert words in said.partition("Not from ")[2]
    free = explain(FAMILY, "Setting.Speaker", who, ["anna", "kid"], [])
    assert {c.by for c in free.crossings} == {""}
    assert "From the phone" in "\n".join(free.sentences)


def test_a_diff_says_to_whom_ordering_is_opened() -> None:
    (opened,) = diff(ordering("adults"), ordering("family"), ())
    assert opened.opened
    assert "from a child's phone to a shared home" in opened.words
    assert "before: not at all" in opened.words
    assert "adult's phone to" not in opened.words
    (closed,) = diff(ordering("family"), ordering(""), ())
    assert not closed.opened
    assert diff(ordering(""), ordering("adults"), ()) == []


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_whatever_by_opens_is_always_said(data: st.DataObject) -> None:
    """For phones and cars of every kind of person, and for orders as for anything else."""
    keys = st.sampled_from(["Command.A", "Command.*", "A.B", "A.*"])
    rule = st.builds(
        Rule,
        id=st.just("r"),
        keys=st.tuples(keys),
        sender=st.sampled_from(["phone", "car"]),
        receivers=st.just(("home",)),
        purpose=st.sampled_from(["control", "share"]),
        whose=st.sampled_from(["own", "family", "everyone"]),
        by=st.sampled_from(["", "adults", "family", "everyone"]),
    )
    old, new = (Rules(data.draw(st.lists(rule, max_size=3))) for _ in range(2))

    def lets(rules: Rules) -> set[tuple[str, ...]]:
        tellers = [
            Party(role=role, person="x", kind=kind)
            for role in ("phone", "car")
            for kind in PersonKind
        ]
        return {
            (key, teller.role, teller.kind, purpose, about, party.kind)
            for key, teller, purpose, about, party in product(
                ("Command.A", "Command.B", "A.B", "A.C"),
                [*tellers, Party(role="car")],
                ("control", "share"),
                ("", "x"),
                [HOME, Party(role="home", person="x", kind="adult")],
            )
            if rules.decide(key, teller, party, purpose, about) is not None
        }

    changes, before, after = diff(old, new, ()), lets(old), lets(new)
    assert any(c.opened for c in changes) or not after - before
    assert any(not c.opened for c in changes) or not before - after


_keys = st.sampled_from(["A.B", "A.C", "A.*", "A.B.C", "A.*.C", "D.*"])
_roles = st.sampled_from(["phone", "car", "home"])
_rules = st.lists(
    st.builds(
        Rule,
        id=st.just("r"),
        keys=st.lists(_keys, min_size=1, max_size=2).map(tuple),
        sender=_roles,
        receivers=st.lists(_roles, min_size=1, max_size=2).map(tuple),
        purpose=st.sampled_from(["share", "household"]),
        whose=st.sampled_from(["own", "adults", "family", "everyone"]),
        precision=st.sampled_from(["exact", "500m", "city"]),
    ),
    max_size=3,
)
_books = st.builds(
    lambda rules, collect, train, keep: Rules(rules, collect=collect, train=train, keep=keep),
    _rules,
    st.none()
    | st.lists(
        st.builds(CollectRule, id=st.just("c"), keys=st.tuples(_keys), at=st.tuples(_roles)),
        max_size=2,
    ),
    st.none() | st.lists(st.builds(TrainRule, id=st.just("t"), keys=st.tuples(_keys)), max_size=1),
    st.lists(
        st.builds(KeepRule, id=st.just("k"), keys=st.tuples(_keys), days=st.sampled_from([1, 30])),
        max_size=1,
    ),
)
CONCRETE = ("A.B", "A.C", "A.X", "A.B.C", "A.X.C", "A.X.Y", "D.E")
PARTIES = [Party(role=role) for role in ("phone", "car", "home")] + [
    Party(role=role, person="x", kind=kind)
    for role in ("phone", "car", "home")
    for kind in PersonKind
]
RANK = {"city": 1, "500m": 2, "exact": 3}


def _got(rules: Rules, agreed: bool) -> dict[tuple[str, ...], int]:
    """What every kind of device gets of every key: a rank of precision."""
    asked = rules.with_consents(lambda *_: agreed)
    got: dict[tuple[str, ...], int] = {}
    for key, sender, party, purpose, about in product(
        CONCRETE, ("phone", "car", "home"), PARTIES, ("share", "household"), ("", "x", "y")
    ):
        if party.person == about == "x" and party.kind != PersonKind.ADULT:
            continue  # to whom something is one's own is the same for every kind
        decision = asked.decide(key, Party(role=sender), party, purpose, about)
        at = (key, sender, party.role, party.person, party.kind, purpose, about)
        got[at] = 0 if decision is None else RANK[decision.precision]
    return got


def _opens(old: Rules, new: Rules) -> bool:
    for agreed_ in (False, True):
        before, after = _got(old, agreed_), _got(new, agreed_)
        if any(after[at] > before[at] for at in before):
            return True
    for key, role in product(CONCRETE, ("phone", "car", "home")):
        if new.collects(key, role) > old.collects(key, role):
            return True
    for key in CONCRETE:
        was, will = old.kept(key=key), new.kept(key=key)
        if new.trains(key=key) > old.trains(key=key):
            return True
        if was is not None and (will is None or will.days > was.days):
            return True
    return False


@settings(max_examples=150, deadline=None)
@given(_books, _books)
def test_what_a_change_opens_is_always_said(old: Rules, new: Rules) -> None:
    changes = diff(old, new, CONCRETE)
    assert not _opens(old, new) or any(change.opened for change in changes)
    assert not _opens(new, old) or any(not change.opened for change in changes) or changes
    if not changes:
        assert not _opens(old, new)
        assert not _opens(new, old)
