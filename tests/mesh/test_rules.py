"""The owner's rules: what they let, what they never let, and what a typo says."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearthway.mesh.policy.rules import (
    KEEPING_TOGETHER,
    PURPOSES,
    TEMPLATES,
    Rules,
    compile_pattern,
    default_rules,
    may_say,
    read_file,
    template,
)
from hearthway.records.errors import InputError, RuleError
from hearthway.records.household import Party, Role, Rule

RULE = '[[rule]]\nid = "a"\nkeys = ["Vehicle.Speed"]\nfrom = "car"\nto = ["phone"]\npurpose = "advise"\n'
DEFAULTS = Rules.parse(default_rules(), "default")
ROLES = [str(r) for r in Role]


@pytest.mark.parametrize(
    ("key", "sender", "receiver", "purpose"),
    [
        ("Vehicle.CurrentLocation.Latitude", "car", "phone", "anticipate"),
        ("Vehicle.Speed", "car", "phone", "anticipate"),
        ("Vehicle.TraveledDistance", "car", "phone", "anticipate"),
        ("Vehicle.Powertrain.TractionBattery.StateOfCharge.Current", "car", "phone", "anticipate"),
        ("Suggestion.Moment", "phone", "car", "advise"),
        ("Answer.Given", "car", "phone", "learn"),
        ("Receipt.Head", "phone", "home", "witness"),
        ("Receipt.Head", "car", "home", "witness"),
        ("Receipt.Countersign", "home", "phone", "witness"),
        ("Receipt.Countersign", "home", "car", "witness"),
        *(("Replay.Step", a, b, "replay") for a in ROLES[:3] for b in ROLES[:3] if a != b),
        ("Venue.WaitRequest", "phone", "venue", "wait"),
        ("Forget.Range", "phone", "car", "forget"),
        ("Forget.Range", "phone", "home", "forget"),
        ("Home.Presence.Anna", "home", "phone", "anticipate"),
    ],
)
def test_the_defaults_let_the_story_happen_and_no_neighbour_of_it(
    key: str, sender: str, receiver: str, purpose: str
) -> None:
    assert DEFAULTS.allows(key, sender, receiver, purpose) is not None
    for other in ROLES:
        if other != sender and purpose not in ("replay", "witness"):
            assert DEFAULTS.allows(key, other, receiver, purpose) is None
    for other in PURPOSES:
        if other != purpose:
            computed = key.startswith("Vehicle.CurrentLocation.") and other == "offload"
            assert (DEFAULTS.allows(key, sender, receiver, other) is not None) == computed
    assert DEFAULTS.allows("X" + key, sender, receiver, purpose) is None
    assert DEFAULTS.allows(key.lower(), sender, receiver, purpose) is None
    assert DEFAULTS.allows(key, sender, sender, purpose) is None


@pytest.mark.parametrize(
    ("key", "sender", "receiver"),
    [
        ("Vehicle.Cabin.Microphone", "car", "phone"),
        ("Vehicle.Speed", "car", "home"),
        ("Vehicle.SpeedLimit", "car", "phone"),
        ("Vehicle.CurrentLocation", "car", "phone"),
        ("Person.Location", "phone", "home"),
        ("Suggestion.Moment", "phone", "home"),
        ("Suggestion.Moment", "phone", "venue"),
        ("", "car", "phone"),
    ],
)
def test_the_defaults_let_nothing_else(key: str, sender: str, receiver: str) -> None:
    assert not any(DEFAULTS.allows(key, sender, receiver, purpose) for purpose in PURPOSES)


def test_purposes_in_the_text_are_the_purposes() -> None:
    text = default_rules()
    for name, words in PURPOSES.items():
        assert f"#   {name:<11} {words}\n" in text
    assert {rule.purpose for rule in DEFAULTS.rules} == set(PURPOSES)


@pytest.mark.parametrize(
    ("pattern", "fits", "fails"),
    [
        ("A.B", ["A.B"], ["A", "A.B.C", "AxB", "a.b"]),
        ("A.*", ["A.B", "A.B.C"], ["A", "A.", "B.A.C", "A..B"]),
        ("A.*.C", ["A.B.C"], ["A.C", "A.B.B.C", "A.B.C.D"]),
        ("A.*.*", ["A.B.C", "A.B.C.D"], ["A.B"]),
    ],
)
def test_patterns(pattern: str, fits: list[str], fails: list[str]) -> None:
    compiled = compile_pattern(pattern)
    assert [k for k in fits + fails if compiled.fullmatch(k)] == fits


@pytest.mark.parametrize(
    "pattern", ["", "*", "*.A", "A.", ".A", "A.**", "A.B*", "A B", "A.[a]", "A\n"]
)
def test_what_is_no_pattern(pattern: str) -> None:
    with pytest.raises(RuleError):
        compile_pattern(pattern)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("version = 3\n", 1, "version"),
        ("", 1, "version"),
        ("\n\nversion = true\n", 3, "version"),
        ("version = 1\nrules = 3\n", 2, '"rules"'),
        ("version = 1\n[[rules]]\nid = 'a'\n", 2, '"rules"'),
        ("version = 1\nrule = 3\n", 2, "tables"),
        ("version = 1\n" + RULE + "until = 3\n", 8, '"until"'),
        ("version = 1\n" + RULE.replace('purpose = "advise"\n', ""), 2, '"purpose"'),
        ("version = 1\n" + RULE.replace("advise", "advize"), 7, '"advize" is not a purpose'),
        ("version = 1\n" + RULE.replace('"car"', '"kar"'), 5, '"kar" is not a role'),
        ("version = 1\n" + RULE.replace('["phone"]', '["phone", "tv"]'), 6, '"tv" is not a role'),
        ("version = 1\n" + RULE.replace('["phone"]', '["car"]'), 6, "itself"),
        ("version = 1\n" + RULE.replace('["phone"]', '"phone"'), 6, "list of texts"),
        ("version = 1\n" + RULE.replace('["phone"]', "[]"), 6, "list of texts"),
        ("version = 1\n" + RULE.replace('"car"', '["car"]'), 5, "not a text"),
        ("version = 1\n" + RULE.replace("Vehicle.Speed", "*"), 4, "not a key pattern"),
        ("version = 1\n" + RULE.replace('"a"', '"A b"'), 3, "cannot be an id"),
        ("version = 1\n" + RULE + "\n" + RULE, 10, "line 3 already"),
        ("version = 1\n" + RULE + RULE.replace('"a"', '"b"').replace("car", "kar"), 11, '"kar"'),
    ],
)
def test_a_wrong_rules_file_names_the_line(text: str, line: int, words: str) -> None:
    with pytest.raises(RuleError) as caught:
        Rules.parse(text, "rules.toml")
    assert f"rules.toml, line {line}:" in caught.value.message
    assert words in caught.value.message
    assert caught.value.next_step


def test_broken_toml_names_the_line() -> None:
    with pytest.raises(RuleError, match="line 2"):
        Rules.parse("version = 1\nid = \n", "rules.toml")


def test_a_missing_or_binary_file_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(RuleError, match="cannot be read: No such file"):
        Rules.load(tmp_path / "rules.toml")
    (tmp_path / "rules.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RuleError, match="cannot be read: it is not UTF-8 text"):
        Rules.load(tmp_path / "rules.toml")
    (tmp_path / "rules.toml").write_text(default_rules())
    assert Rules.load(tmp_path / "rules.toml").rules == DEFAULTS.rules


def test_no_rules_let_nothing() -> None:
    assert Rules.parse("version = 1\n", "rules.toml").receivers("A.B", "car", "learn") == []


def test_receivers_are_ordered_and_named() -> None:
    found = DEFAULTS.receivers("Replay.Step", "home", "replay")
    assert [(role, rule.id) for role, rule in found] == [
        ("phone", "replay-from-home"),
        ("car", "replay-from-home"),
    ]


def test_answers_are_cached_and_the_cache_is_bounded() -> None:
    rules = Rules.parse(default_rules(), "default")
    for n in range(20_000):
        rules.allows(f"Vehicle.X{n}", "car", "phone", "anticipate")
    assert len(rules._matching) <= 4_096
    start_s = time.perf_counter()
    for _ in range(10_000):
        rules.allows("Vehicle.Speed", "car", "phone", "anticipate")
    assert (time.perf_counter() - start_s) / 10_000 < 100e-6  # a look-up, not a search


_names = st.sampled_from(["A", "B", "C"])
_keys = st.lists(_names, min_size=1, max_size=4).map(".".join)
_patterns = st.tuples(_names, st.lists(st.sampled_from(["A", "B", "C", "*"]), max_size=3)).map(
    lambda t: ".".join([t[0], *t[1]])
)


def _fits(pattern: list[str], key: list[str]) -> bool:
    """The definition, written the slow way."""
    if not pattern or not key:
        return not pattern and not key
    if pattern == ["*"]:
        return True
    return pattern[0] in ("*", key[0]) and _fits(pattern[1:], key[1:])


@given(_patterns, _keys)
def test_patterns_mean_what_the_definition_says(pattern: str, key: str) -> None:
    assert bool(compile_pattern(pattern).fullmatch(key)) == _fits(
        pattern.split("."), key.split(".")
    )


@given(st.lists(_patterns, min_size=1, max_size=3), _keys, st.sampled_from(ROLES), st.booleans())
def test_a_rule_lets_exactly_its_own_crossings(
    patterns: list[str], key: str, asked: str, same_purpose: bool
) -> None:
    rule = Rule(id="a", keys=tuple(patterns), sender="car", receivers=("phone",), purpose="learn")
    purpose = "learn" if same_purpose else "advise"
    expected = (
        same_purpose
        and asked == "phone"
        and any(_fits(p.split("."), key.split(".")) for p in patterns)
    )
    rules = Rules([rule])
    assert (rules.allows(key, "car", asked, purpose) is not None) == expected
    assert (rules.allows(key, "car", asked, purpose) is not None) == expected  # cached
    assert rules.allows(key, "home", asked, purpose) is None


# version 2 ------------------------------------------------------------------------------------------------------

COLLECT = '[[collect]]\nid = "c"\nkeys = ["Vehicle.*"]\nat = ["car"]\n'
TRAIN = '[[train]]\nid = "t"\nkeys = ["Vehicle.Speed"]\nkinds = ["fix"]\n'
KEEP = '[[keep]]\nid = "k"\nkinds = ["fix"]\ndays = 30\n'
V2 = "version = 2\n"


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("version = 1\n" + COLLECT, 2, '"collect" needs version 2'),
        (V2 + COLLECT.replace('"car"', '"kar"'), 5, '"kar" is not known'),
        (V2 + COLLECT.replace("at = ", "in = "), 5, 'has no "in"'),
        (V2 + COLLECT.replace('at = ["car"]\n', ""), 2, 'has no "at"'),
        (V2 + COLLECT + COLLECT, 7, "line 3 already"),
        (V2 + COLLECT + KEEP.replace('"k"', '"c"'), 7, "line 3 already"),
        (V2 + TRAIN.replace('"fix"', '"dream"'), 5, '"dream" is not known'),
        (V2 + '[[train]]\nid = "t"\n', 2, "neither keys nor kinds"),
        (V2 + KEEP.replace("30", "0"), 5, "number of days"),
        (V2 + KEEP.replace("30", "-1"), 5, "number of days"),
        (V2 + KEEP.replace("30", "true"), 5, "number of days"),
        (V2 + KEEP.replace("30", "36501"), 5, "number of days"),
        (V2 + KEEP.replace("30", '"30"'), 5, "number of days"),
        (V2 + KEEP.replace("days = 30\n", ""), 2, 'has no "days"'),
        (V2 + RULE + 'whose = "all"\n', 8, '"all" is not known'),
        (V2 + RULE + 'precision = "1m"\n', 8, '"1m" is not known'),
        (V2 + RULE + 'hours = "08:00-20:00"\n', 8, 'has no "hours"'),
        (V2 + "keep = 3\n", 2, '"keep" is not a list of tables'),
    ],
)
def test_a_wrong_file_of_version_2_names_the_line(text: str, line: int, words: str) -> None:
    with pytest.raises(RuleError) as caught:
        Rules.parse(text, "rules.toml")
    assert f"rules.toml, line {line}:" in caught.value.message
    assert words in caught.value.message
    assert caught.value.next_step


def test_version_2_is_default_deny_for_everything() -> None:
    nothing = Rules.parse(V2, "rules.toml")
    assert not nothing.collects("Vehicle.Speed", "car")
    assert not nothing.trains(key="Vehicle.Speed")
    assert not nothing.trains(kind="fix")
    assert nothing.kept(kind="fix") is None
    before = Rules.parse("version = 1\n", "rules.toml")
    assert before.collects("Vehicle.Speed", "car")
    assert before.trains(key="Vehicle.Speed")
    assert before.trains(kind="fix")


def test_each_table_lets_what_it_names_and_no_neighbour() -> None:
    rules = Rules.parse(
        V2 + COLLECT + TRAIN + KEEP + KEEP.replace('"k"', '"l"').replace("30", "7"), "r"
    )
    assert rules.collected_by("Vehicle.Speed", "car") == "c"
    assert rules.collected_by("Vehicle.Speed", "phone") == ""
    assert rules.collected_by("Person.Location.Latitude", "car") == ""
    assert rules.trained_by(key="Vehicle.Speed") == rules.trained_by(kind="fix") == "t"
    assert rules.trained_by(key="Vehicle.IsMoving") == rules.trained_by(kind="answer") == ""
    assert rules.trained_by() == ""
    shortest = rules.kept(kind="fix")
    assert shortest is not None
    assert (shortest.id, shortest.days) == ("l", 7)
    assert rules.kept(kind="signal") is None
    assert rules.kept(key="Vehicle.Speed") is None
    assert rules.with_consents(lambda *_: True).book == rules.book


def test_a_role_may_send_to_its_own_kind_from_version_2_on() -> None:
    among = V2 + RULE.replace('"car"', '"phone"')
    assert Rules.parse(among, "r").allows("Vehicle.Speed", "phone", "phone", "advise")
    with pytest.raises(RuleError, match="itself"):
        Rules.parse(among.replace("version = 2", "version = 1"), "r")


@pytest.mark.parametrize("name", sorted(TEMPLATES))
def test_templates_hold_together_and_say_what_may_be_written(name: str) -> None:
    text = template(name)
    rules = Rules.parse(text, name)
    for purpose, words in PURPOSES.items():
        assert f"#   {purpose:<11} {words}\n" in text
    assert {"household", "witness", "replay", "forget"} <= {rule.purpose for rule in rules.rules}
    others = [rule for rule in rules.rules if rule.whose != "own"]
    assert bool(others) == (name == "open")
    assert all(
        rule.precision == "500m" for rule in others if any("Location" in key for key in rule.keys)
    )
    for key in ("Vehicle.Cabin.Microphone", "Home.Camera"):
        assert not rules.collects(key, "car")
    assert bool(rules.keep) == (name == "strict")


def test_no_template_of_that_name() -> None:
    with pytest.raises(InputError, match="no template") as caught:
        template("../../etc/passwd")
    assert caught.value.next_step == "Use strict, family, open."


# people ---------------------------------------------------------------------------------------------------------

CAR = Party(role="car", device_id="car")
PHONES = {
    kind: Party(role="phone", device_id=kind, person=kind, kind=kind)
    for kind in ("adult", "child", "guest")
}
NOBODYS = Party(role="phone", device_id="new")
LONELY = Party(role="phone", device_id="only", alone=True)


def _rules(whose: str, purpose: str = "share", precision: str = "exact") -> Rules:
    rule = Rule(
        id="a",
        keys=("A.B",),
        sender="car",
        receivers=("phone", "home"),
        purpose=purpose,
        whose=whose,
        precision=precision,
    )
    return Rules([rule])


@pytest.mark.parametrize(
    ("whose", "kinds"),
    [
        ("own", set()),
        ("adults", {"adult"}),
        ("family", {"adult", "child"}),
        ("everyone", {"adult", "child", "guest"}),
    ],
)
@pytest.mark.parametrize("agreed", [False, True])
def test_whose_and_consent(whose: str, kinds: set[str], agreed: bool) -> None:
    rules = _rules(whose).with_consents(lambda *_: agreed)
    for kind, phone in PHONES.items():
        assert rules.decide("A.B", CAR, phone, "share", kind)  # what is about its own person
        of_another = rules.decide("A.B", CAR, phone, "share", "somebody")
        assert bool(of_another) == (agreed and kind in kinds)
        about_nobody = rules.decide("A.B", CAR, phone, "share")
        assert bool(about_nobody) == (kind in (kinds or {"adult", "child"}))
    assert rules.decide("A.B", CAR, Party(role="home"), "share", "somebody")  # shared
    assert not rules.decide("A.B", CAR, NOBODYS, "share")
    assert not rules.decide("A.B", CAR, NOBODYS, "share", "somebody")
    assert rules.decide("A.B", CAR, LONELY, "share", "somebody")


@pytest.mark.parametrize("purpose", KEEPING_TOGETHER)
def test_every_phone_gets_what_keeps_the_household_together(purpose: str) -> None:
    rules = _rules("own", purpose)
    for phone in (*PHONES.values(), NOBODYS):
        assert rules.decide("A.B", CAR, phone, purpose)
        assert not rules.decide("A.B", CAR, phone, purpose, "somebody")


def test_the_first_rule_that_lets_it_counts() -> None:
    own = Rule(id="own", keys=("A.B",), sender="car", receivers=("phone",), purpose="share")
    adults = Rule(
        id="adults",
        keys=("A.*",),
        sender="car",
        receivers=("phone",),
        purpose="share",
        whose="adults",
        precision="500m",
    )
    rules = Rules([own, adults], lambda *_: True)
    mine = rules.decide("A.B", CAR, PHONES["adult"], "share", "adult")
    assert mine is not None
    assert (mine.rule, mine.precision) == ("own", "exact")
    other = rules.decide("A.B", CAR, PHONES["adult"], "share", "somebody")
    assert other is not None
    assert (other.rule, other.precision) == ("adults", "500m")
    assert rules.decide("A.B", CAR, PHONES["child"], "share", "somebody") is None


def test_a_consent_is_asked_anew_though_the_decision_is_kept() -> None:
    agreed = [True]
    asked: list[tuple[str, str, str, str]] = []

    def consents(giver: str, receiver: str, key: str, purpose: str) -> bool:
        asked.append((giver, receiver, key, purpose))
        return agreed[0]

    rules = _rules("adults").with_consents(consents)
    assert rules.decide("A.B", CAR, PHONES["adult"], "share", "somebody")
    agreed[0] = False
    assert rules.decide("A.B", CAR, PHONES["adult"], "share", "somebody") is None
    assert asked == [("somebody", "adult", "A.B", "share")] * 2


def test_decisions_are_kept_in_bounds_and_take_microseconds() -> None:
    rules = Rules.parse(template("open"), "open").with_consents(lambda *_: True)
    for n in range(20_000):
        rules.decide(f"Vehicle.X{n}", CAR, PHONES["adult"], "share", "somebody")
        rules.collects(f"Vehicle.X{n}", "car")
    assert len(rules._decided) <= 16_384
    assert len(rules._collected) <= 16_384
    key = "Vehicle.CurrentLocation.Latitude"
    assert rules.decide(key, CAR, PHONES["adult"], "share", "somebody")
    rounds = []
    for _ in range(5):
        start_s = time.process_time()
        for _ in range(20_000):
            rules.decide(key, CAR, PHONES["adult"], "share", "somebody")
        rounds.append((time.process_time() - start_s) / 20_000)
    assert min(rounds) < 5e-6


# limits and neighbours ------------------------------------------------------------------------------------------


def test_a_file_may_have_a_million_bytes_and_no_more(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_bytes(b"#" * 1_000_000)
    assert len(read_file(path)) == 1_000_000
    path.write_bytes(b"#" * 1_000_001)
    with pytest.raises(RuleError, match="too large") as caught:
        read_file(path)
    assert caught.value.next_step
    with pytest.raises(RuleError) as missing:
        read_file(tmp_path / "none.toml")
    assert "--template family" in missing.value.next_step


def test_the_book_is_what_was_read() -> None:
    rules = Rules.parse(V2 + RULE + COLLECT + TRAIN + KEEP, "r")
    book = rules.book
    assert [one.id for one in book.rules] == ["a"]
    assert [one.id for one in book.collect or ()] == ["c"]
    assert [one.id for one in book.train or ()] == ["t"]
    assert [one.id for one in book.keep] == ["k"]
    again = rules.with_consents(lambda *_: True)
    assert again.book == book
    before = Rules.parse("version = 1\n" + RULE, "r").book
    assert (before.collect, before.train, before.keep) == (None, None, ())


def test_the_first_of_two_rules_that_name_a_crossing_is_told() -> None:
    both = Rules.parse(V2 + RULE + RULE.replace('"a"', '"b"'), "r")
    found = both.allows("Vehicle.Speed", "car", "phone", "advise")
    assert found is not None
    assert found.id == "a"
    assert [rule.id for _, rule in both.receivers("Vehicle.Speed", "car", "advise")] == ["a"]
    assert both.allows("Vehicle.Speed", "car", "phone", "learn") is None


def test_what_may_be_learned_from_and_kept_is_found_by_key_or_kind() -> None:
    keep_keys = '[[keep]]\nid = "{}"\nkeys = ["{}"]\ndays = {}\n'
    rules = Rules.parse(
        V2
        + '[[train]]\nid = "kinds"\nkinds = ["fix"]\n'
        + '[[train]]\nid = "keys"\nkeys = ["Vehicle.*"]\n'
        + keep_keys.format("long", "Vehicle.*", 30)
        + keep_keys.format("short", "Vehicle.Speed", 7)
        + KEEP,
        "r",
    )
    assert rules.trained_by(kind="fix") == "kinds"
    assert rules.trained_by(key="Vehicle.Speed") == "keys"
    assert rules.trained_by(key="Vehicle.Speed", kind="fix") == "kinds"
    assert rules.trained_by(key="Vehicle.Speed", kind="answer") == "keys"
    assert rules.trained_by(key="fix") == rules.trained_by(kind="Vehicle.Speed") == ""
    days = {}
    for key in ("Vehicle.Speed", "Vehicle.Soc", "fix", ""):
        found = rules.kept(key=key)
        days[key] = found.days if found else None
    assert days == {"Vehicle.Speed": 7, "Vehicle.Soc": 30, "fix": None, "": None}
    fix = rules.kept(key="Vehicle.Speed", kind="fix")
    assert fix is not None
    assert fix.id == "short"
    fix = rules.kept(kind="fix")
    assert fix is not None
    assert fix.id == "k"


def test_each_way_across_is_told_up_to_the_first_that_asks_nobody() -> None:
    def rule(name: str, whose: str) -> Rule:
        return Rule(
            id=name,
            keys=("A.B",),
            sender="car",
            receivers=("phone",),
            purpose="share",
            whose=whose,
            precision="city" if whose == "own" else "exact",
        )

    rules = Rules([rule("own", "own"), rule("adults", "adults"), rule("all", "everyone")])

    def ways(kind: str, about: str) -> list[tuple[str, str, bool]]:
        found = rules.options("A.B", CAR, PHONES[kind], "share", about)
        return [(decision.rule, decision.precision, asks) for decision, asks in found]

    assert ways("adult", "adult") == [("own", "city", False)]
    assert ways("adult", "kid") == [("adults", "exact", True), ("all", "exact", True)]
    assert ways("child", "anna") == [("all", "exact", True)]
    assert ways("guest", "") == [("all", "exact", False)]
    assert ways("child", "") == [("own", "city", False)]
    assert rules.decide("A.B", CAR, PHONES["adult"], "share", "kid") is None  # nobody has agreed


def test_what_was_answered_is_forgotten_when_there_is_too_much_of_it() -> None:
    rules = Rules.parse(V2 + RULE + COLLECT, "r")
    caches = (rules._decided, rules._matching, rules._collected)
    for n in range(4_095):
        caches[0]["", CAR, CAR, "", str(n)] = ()
        caches[1]["", "", "", str(n)] = ()
        caches[2]["", str(n)] = ""
    phone = Party(role="phone", alone=True)
    for _ in range(2):
        assert rules.decide("Vehicle.Speed", CAR, phone, "advise")
        assert rules.collects("Vehicle.Speed", "car")
        assert [len(cache) for cache in caches] == [4_096] * 3
    assert rules.decide("Vehicle.Heading", CAR, phone, "advise") is None
    assert rules.collects("Vehicle.Heading", "car")
    assert [len(cache) for cache in caches] == [1, 1, 1]
    assert rules.decide("Vehicle.Speed", CAR, phone, "advise")
    assert rules.collected_by("Vehicle.Speed", "car") == "c"
    assert not rules.collects("Vehicle.Speed", "phone")
    assert [len(cache) for cache in caches] == [2, 2, 3]


def test_without_a_word_nobody_has_agreed() -> None:
    assert _rules("adults").decide("A.B", CAR, PHONES["adult"], "share", "kid") is None
    agreed = _rules("adults").with_consents(lambda *_: True)
    assert agreed.decide("A.B", CAR, PHONES["adult"], "share", "kid") is not None


def test_training_is_let_by_the_table_alone() -> None:
    rules = Rules.parse(V2 + TRAIN, "r")
    assert rules.trains(key="Vehicle.Speed") is True
    assert rules.trains(kind="fix") is True
    assert rules.trains(key="Vehicle.Soc") is False
    assert rules.trains() is False
    assert Rules.parse("version = 1\n", "r").trains() is True


def test_a_guest_in_a_car_of_its_own_is_a_guest() -> None:
    guest = Party(role="car", device_id="hers", person="gus", kind="guest")
    assert may_say(CAR, "control", "anna") is True
    assert may_say(guest, "share", "gus") is True
    assert may_say(guest, "household", "") is True
    for purpose, about in (
        ("forget", "gus"),
        ("share", "anna"),
        ("share", ""),
        ("control", "anna"),
    ):
        assert may_say(guest, purpose, about) is False
    for about in ("gus", ""):  # whether by a rule that names guests: `said_by`
        assert may_say(guest, "control", about) is True
    assert may_say(PHONES["child"], "control", "") is True
    assert may_say(PHONES["child"], "control", "adult") is False
    assert may_say(LONELY, "control", "anybody") is True


# the file, further ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line", "words", "step"),
    [
        (V2 + RULE.replace('["phone"]', "[3]"), 6, '"to" is not a list of texts', "to = ["),
        (V2 + RULE.replace('["Vehicle.Speed"]', '["A", 3]'), 4, '"keys" is not a list', "keys = ["),
        (
            V2 + RULE.replace('["Vehicle.Speed"]', '["A."]'),
            4,
            '"A." is not a key pattern.',
            "Write dotted",
        ),
        (V2 + RULE.replace('"a"', "3"), 3, '"id" is not a text', 'id = "..."'),
        (V2 + RULE.replace('"a"', f'"{"a" * 65}"'), 3, "cannot be an id", "small letters"),
        (V2 + RULE + "whose = 3\n", 8, '"whose" is not a text', "whose"),
        (V2 + RULE + "precision = 3\n", 8, '"precision" is not a text', "precision"),
        (V2 + RULE.replace("purpose = ", "reason = "), 7, 'a rule has no "reason"', "It has id,"),
        (V2 + RULE.replace('from = "car"\n', ""), 2, 'the rule has no "from"', "Add from"),
        (V2 + KEEP.replace("30", "36501"), 5, "number of days", "1 to 36500"),
        (V2 + KEEP.replace("fix", "dream"), 4, '"dream" is not known', "fix, signal"),
        (V2 + KEEP.replace("kinds", "names"), 4, 'a keep has no "names"', "It has id"),
        (V2 + COLLECT.replace("at = ", '"at" = ').replace("car", "kar"), 5, '"kar"', "phone"),
        (V2 + COLLECT.replace("[[", "[[ ").replace("car", "kar"), 5, '"kar"', "phone"),
        (V2 + COLLECT + "x = 1\n", 6, 'a collect has no "x"', "It has id, keys, at"),
        (V2 + "[[rule]]\n[rule.from]\nid = 3\n", 2, "the rule has no", "Add id"),
        (V2 + "rule = [3]\n", 2, '"rule" is not a list of tables', "[[rule]]"),
        (V2 + 'train = "x"\n', 2, '"train" is not a list of tables', "[[train]]"),
        (V2 + "[collect]\n", 2, '"collect" is not a list of tables', "[[collect]]"),
        ("version = 1\n" + KEEP, 2, '"keep" needs version 2', "version = 2"),
        ("version = 1\nother = 1\n", 2, '"other" is not known here', "[[rule]]"),
        (V2 + "\nother = 1\n", 3, '"other" is not known here', "[[rule]]"),
        ('version = "2"\n', 1, "the version is missing or unknown", "version = 2"),
        ("version = 0\n", 1, "the version is missing or unknown", "version = 2"),
        (V2 + RULE + RULE.replace('"a"', '"b"') + "z = 1\n", 14, 'no "z"', "It has"),
        (V2 + COLLECT + RULE.replace("car", "kar"), 9, '"kar" is not a role', "Roles: phone"),
        (V2 + RULE.replace("advise", "x"), 7, '"x" is not a purpose', "Purposes: anticipate"),
    ],
)
def test_each_mistake_has_its_line_and_what_to_write_instead(
    text: str, line: int, words: str, step: str
) -> None:
    with pytest.raises(RuleError) as caught:
        Rules.parse(text, "r.toml")
    assert caught.value.message.startswith(f"r.toml, line {line}: ")
    assert words in caught.value.message
    assert not caught.value.message.endswith("..")
    assert step in caught.value.next_step


def test_what_stands_at_the_edge_is_right() -> None:
    for days in (1, 36_500):
        assert Rules.parse(V2 + KEEP.replace("30", str(days)), "r").keep[0].days == days
    for name in ("a", "0", "a" * 64, "a-b-1"):
        assert Rules.parse(V2 + RULE.replace('"a"', f'"{name}"'), "r").rules[0].id == name
    for name in ("-a", "A", "a_b", ""):
        with pytest.raises(RuleError, match="cannot be an id"):
            Rules.parse(V2 + RULE.replace('"a"', f'"{name}"'), "r")
    with pytest.raises(RuleError, match="nested too deeply"):
        Rules.parse("a = " + "[" * 100_000, "r")
    for huge, said in (("a" + ".a" * 100_000 + " = 1", "dots"), ("#" * 600_000, "512 KiB")):
        with pytest.raises(RuleError, match=said):
            Rules.parse(V2 + huge, "r")


def test_what_a_rule_leaves_out_is_the_narrowest() -> None:
    (rule,) = Rules.parse(V2 + RULE, "r").rules
    assert rule == Rule(
        id="a",
        keys=("Vehicle.Speed",),
        sender="car",
        receivers=("phone",),
        purpose="advise",
        whose="own",
        precision="exact",
    )
    (wide,) = Rules.parse(V2 + RULE + 'whose = "everyone"\nprecision = "city"\n', "r").rules
    assert (wide.whose, wide.precision) == ("everyone", "city")
    book = Rules.parse(V2 + COLLECT + TRAIN + KEEP, "r").book
    assert [(c.keys, c.at) for c in book.collect or ()] == [(("Vehicle.*",), ("car",))]
    assert [(t.keys, t.kinds) for t in book.train or ()] == [(("Vehicle.Speed",), ("fix",))]
    assert [(k.keys, k.kinds, k.days) for k in book.keep] == [((), ("fix",), 30)]


def test_the_line_of_one_table_is_never_looked_for_in_the_next() -> None:
    first = '[[rule]]\nid = "a"\nkeys = ["A.B"]\nto = ["phone"]\npurpose = "learn"\n[rule.from]\nx = 1\n'
    with pytest.raises(RuleError, match='line 2: "from" is not a text'):
        Rules.parse(V2 + first + '[[rule]]\nfrom = "car"\n', "r")
    with pytest.raises(RuleError) as caught:
        Rules.parse("a = " + "[" * 100_000, "r")
    assert "--template" in caught.value.next_step
