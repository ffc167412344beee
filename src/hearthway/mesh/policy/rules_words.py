"""Rules in sentences: who gets a key and why, and what another rules file would open and close before it is used."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec
from msgspec import Struct

from hearthway.records.count import count_of
from hearthway.records.household import Party, PersonKind, Role

from .consent import ConsentState
from .rules import PURPOSES, Rules, compile_pattern, may_say
from .rules_file import KEEP_KINDS, ROLES, TRAIN_KINDS

ANY_OTHER = "(any other key)"  # no pattern fits it: only a file that limits nothing lets it
_STEMS = ("Person.Location", "Vehicle.CurrentLocation")  # what is stored as a fix
_KIND_OF = {"Suggestion": "suggestion", "Answer": "answer", "Receipt": "receipt"}
_HOW = {"exact": "as it is", "500m": "as a cell of 500 m", "city": "as a cell of 20 km"}
_RANK = {"city": 1, "500m": 2, "exact": 3}
_BY_RANK = {rank: name for name, rank in _RANK.items()}
_Access = tuple[int, int]  # best precision without, and with the consent of both; 0: not at all
_Way = tuple[str, str, str]  # sender role, receiver role, purpose
_Difference = tuple[_Access, _Access, tuple[str, ...]]  # before, after, for whom


class Crossing(Struct, frozen=True, kw_only=True):
    """What one device of the household gets of a key from nodes of a role."""

    sender: str
    by: str  # whose device says it: "adult", "child", "guest", "shared"; "" where that does not count
    device: str
    role: str
    person: str  # whose device it is; "" for a shared one
    purpose: str
    about: str  # the person whom the data is about; "" for nobody
    rule: str
    precision: str
    consent: str  # "not needed", "in force" or "missing"


class Explanation(Struct, frozen=True, kw_only=True):
    """Everything the rules say of a key, for the household as it is."""

    key: str
    collected: dict[str, str]  # role -> rule id; "" where the file limits nothing
    crossings: tuple[Crossing, ...]
    trained: str  # rule id, "" for no rule
    learned_from: bool
    kept_days: int | None  # None: until the owner forgets it
    kept_by: str
    sentences: tuple[str, ...]


class Change(Struct, frozen=True, kw_only=True):
    """One thing that another rules file would open (or close), in a sentence."""

    opened: bool
    words: str


# --- explain ----------------------------------------------------------------------------------------


def explain(
    rules: Rules,
    key: str,
    parties: Sequence[Party],
    people: Sequence[str],
    consents: Sequence[ConsentState],
    *,
    about: str = "",
    name_of: Callable[[str], str] = str,
) -> Explanation:
    """Who of these devices gets `key`, about whom, by which rule; whether it is collected, learned from, kept.

    `people` are the ids of the household, `about` what the key means; `name_of` gives a person's name for an id.
    """
    agreed = {
        (one.consent.giver, one.consent.receiver, one.consent.purpose, pattern)
        for one in consents
        if one.state == "in force"
        for pattern in one.consent.keys
    }

    def has_agreed(giver: str, receiver: str, purpose: str) -> bool:
        return any(
            compile_pattern(pattern).fullmatch(key)
            for who, to, what, pattern in agreed
            if (who, to, what) == (giver, receiver, purpose)
        )

    crossings = []
    for sender in ROLES:
        for purpose in PURPOSES:
            for party in parties:
                for by, teller in _tellers(sender, rules.is_limited(key, sender, purpose)):
                    for person in ("", *people):
                        found = _crossing(
                            rules, key, teller, by, party, purpose, person, has_agreed
                        )
                        if found is not None:
                            crossings.append(found)
    collected = {
        role: rules.collected_by(key, role) for role in ROLES[:3] if rules.collects(key, role)
    }
    kinds = kinds_of(key)
    learned = any(rules.trains(key=key if k == "signal" else "", kind=k) for k in kinds)
    trained = next(filter(None, (rules.trained_by(key=key, kind=k) for k in kinds)), "")
    kept = min(
        filter(None, (rules.kept(key=key, kind=k) for k in kinds)),
        key=lambda rule: rule.days,
        default=None,
    )
    bare = Explanation(
        key=key,
        collected=collected,
        crossings=tuple(crossings),
        trained=trained,
        learned_from=learned,
        kept_days=None if kept is None else kept.days,
        kept_by="" if kept is None else kept.id,
        sentences=(),
    )
    return Explanation(
        **{f: getattr(bare, f) for f in bare.__struct_fields__ if f != "sentences"},
        sentences=tuple(_sentences(bare, rules, parties, about, name_of)),
    )


def kinds_of(key: str) -> tuple[str, ...]:
    """As what kinds of record the values of a key are stored: a position is a fix as well."""
    if key.startswith(tuple(f"{stem}." for stem in _STEMS)):
        return ("fix", "signal")
    return (_KIND_OF.get(key.partition(".")[0], "signal"),)


def _crossing(
    rules: Rules,
    key: str,
    teller: Party,
    by: str,
    party: Party,
    purpose: str,
    person: str,
    has_agreed: Callable[[str, str, str], bool],
) -> Crossing | None:
    """The way that counts for this device: the first it may have now, else the first that lacks consent."""
    if by == PersonKind.GUEST and not may_say(
        msgspec.structs.replace(teller, person=person or teller.person), purpose, person
    ):
        return None
    options = rules.options(key, teller, party, purpose, person)
    if not options:
        return None
    agreed = has_agreed(person, party.person, purpose)
    decision, needs = next((o for o in options if not o[1] or agreed), options[0])
    return Crossing(
        sender=teller.role,
        by=by,
        device=party.device_id,
        role=party.role,
        person=party.person,
        purpose=purpose,
        about=person,
        rule=decision.rule,
        precision=decision.precision,
        consent="not needed" if not needs else "in force" if agreed else "missing",
    )


def _sentences(
    found: Explanation,
    rules: Rules,
    parties: Sequence[Party],
    about: str,
    name_of: Callable[[str], str],
) -> list[str]:
    said = [f"{found.key}{': ' + about if about else ''}."]
    if rules.collect is None:
        said.append("Taken in on every node: this file limits nothing (version 1).")
    elif found.collected:
        where = ", ".join(f"{role} ({rule})" for role, rule in found.collected.items())
        said.append(f"Taken in on: {where}. Every other node drops it.")
    elif found.key.partition(".")[0] in ("Person", "Vehicle", "Home"):
        said.append("Taken in nowhere: no [[collect]] names it.")
    if not found.crossings:
        said.append("It leaves no node: no rule lets it.")
    groups: dict[tuple[str, str, str, str, str], dict[str, list[str]]] = {}
    for one in found.crossings:
        at = (_from(one), one.purpose, one.rule, one.precision, one.consent)
        groups.setdefault(at, {}).setdefault(_device(one, name_of), []).append(one.about)
    for (sender, purpose, rule, precision, consent), devices in groups.items():
        to = "; ".join(f"{d}{_of_whom(whose, name_of)}" for d, whose in sorted(devices.items()))
        may = "would get it" if consent == "missing" else "gets it"
        words = f"From {sender}, {to} {may} {_HOW[precision]}, to {PURPOSES[purpose]} (rule {rule}"
        words += f", purpose {purpose})."
        if consent == "missing":
            words += (
                " Consent is missing, so it does not go: `hearthway consent give`, then accept."
            )
        elif consent == "in force":
            words += " Both have consented."
        said.append(words)
    said += _not_from(found)
    if found.learned_from:
        by = f" ({found.trained})" if found.trained else ""
        said.append(f"It may be learned from{by}.")
    else:
        said.append("Nothing is learned from it.")
    said.append(
        "Where it is stored it stays until the owner forgets it."
        if found.kept_days is None
        else f"Where it is stored it is deleted after {count_of(found.kept_days, 'day')} ({found.kept_by})."
    )
    if not any(party.person for party in parties):
        said.append("The household lists nobody yet: everything in it counts as one person's.")
    return said


def _from(one: Crossing) -> str:
    return _TELLER[one.by].format(one.sender)


def _not_from(found: Explanation) -> list[str]:
    """Whose devices of a role may not say it, where another person's of that role may."""
    heard: dict[tuple[str, str], dict[str, str]] = {}
    for one in found.crossings:
        if one.by:
            heard.setdefault((one.sender, one.purpose), {})[one.by] = one.rule
    said = []
    for (sender, purpose), by in heard.items():
        kinds = [kind for kind in PersonKind if kind not in by]
        if kinds:
            who = _listed([_TELLER[kind].format(sender) for kind in kinds], "or")
            rules = ", ".join(sorted(set(by.values())))
            said.append(f"Not from {who} ({purpose}): `by` of {rules} does not name them.")
    return said


def _device(one: Crossing, name_of: Callable[[str], str]) -> str:
    whose = (
        f"{name_of(one.person)}'s " if one.person else "the shared " if one.role != "phone" else ""
    )
    return f"{whose}{one.role} {one.device}".strip()


def _of_whom(about: Sequence[str], name_of: Callable[[str], str]) -> str:
    names = [name_of(person) for person in about if person]
    if not names:
        return ""
    nobody = " or nobody" if "" in about else ""
    return f" (about {', '.join(names)}{nobody})"


# --- diff -------------------------------------------------------------------------------------------

_OTHER = {
    PersonKind.ADULT: "another adult's",
    PersonKind.CHILD: "another child's",
    PersonKind.GUEST: "a guest's",
}


_TELLER = {
    "": "the {}",
    "shared": "a shared {}",
    PersonKind.ADULT: "an adult's {}",
    PersonKind.CHILD: "a child's {}",
    PersonKind.GUEST: "a guest's {}",
}


def _tellers(role: str, limited: bool) -> list[tuple[str, Party]]:
    """Who may say something from a role: one for all, or where it counts whose device it is one of each kind."""
    if not limited:
        return [("", Party(role=role, person="x", kind=PersonKind.ADULT))]
    kinds = [(str(kind), Party(role=role, person="x", kind=kind)) for kind in PersonKind]
    return kinds if role == Role.PHONE else [("shared", Party(role=role)), *kinds]


def _receivers(role: str) -> list[tuple[str, Party, str]]:
    """Every kind of receiver with that role: in words, as a party, and about whom the data is."""
    if role == Role.VENUE:
        return [("a venue", Party(role=role), "")]
    found = []
    if role != Role.PHONE:
        found.append((f"a shared {role}", Party(role=role), "x"))
    else:
        found.append((f"a {role} that is nobody's", Party(role=role), ""))
    own = Party(role=role, person="x", kind=PersonKind.ADULT)
    found.append((f"one's own {role}", own, "x"))
    for kind, words in _OTHER.items():
        party = Party(role=role, person="y", kind=kind)
        found.append((f"{words} {role}", party, "x"))
        found.append((f"{words} {role} (about nobody)", party, ""))
    return found


def diff(old: Rules, new: Rules, keys: Iterable[str]) -> list[Change]:
    """What `new` would open and close beside `old`, opened lines first; empty where nothing changes for anybody.

    Compared over `keys`, and over every pattern of both files as a key of its own, for every role, purpose and
    kind of person.
    """
    known = sorted({*keys, *named(old), *named(new)})
    changes = [*_crossing_changes(old, new, known), *_collect_changes(old, new, known)]
    changes += [*_train_changes(old, new, known), *_keep_changes(old, new, known)]
    return sorted(changes, key=lambda change: not change.opened)  # stable: else in order


def _limits(rules: Rules) -> set[str]:
    """Patterns of what is sensed, learned from and kept."""
    found = {key for table in rules.collect or () for key in table.keys}
    found |= {key for table in rules.train or () for key in table.keys}
    return found | {key for table in rules.keep for key in table.keys}


def named(rules: Rules) -> set[str]:
    """Every pattern of the file, as keys: `A.*` stands for whatever below A no other pattern names."""
    return {key for rule in rules.rules for key in rule.keys} | _limits(rules)


def _ways(rules: Rules) -> set[_Way]:
    return {(r.sender, to, r.purpose) for r in rules.rules for to in r.receivers}


def _access(
    rules: Rules, key: str, purpose: str, teller: Party, party: Party, about: str
) -> _Access:
    if teller.kind == PersonKind.GUEST and not may_say(teller, purpose, about):
        return 0, 0
    options = rules.options(key, teller, party, purpose, about)
    alone = next((_RANK[d.precision] for d, needs in options if not needs), 0)
    agreed = _RANK[options[0][0].precision] if options else 0
    return alone, agreed


def _crossing_changes(old: Rules, new: Rules, keys: Sequence[str]) -> list[Change]:
    groups: dict[tuple[_Way, tuple[str, ...], tuple[_Difference, ...]], list[str]] = {}
    for way in sorted(_ways(old) | _ways(new)):
        sender, to, purpose = way
        for key in keys:
            limited = any(rules.is_limited(key, sender, purpose) for rules in (old, new))
            alike: dict[tuple[_Difference, ...], list[str]] = {}
            for by, teller in _tellers(sender, limited):
                said = _differences(old, new, key, purpose, teller, to)
                if said:
                    words = _TELLER[by] if by else "a {}"
                    alike.setdefault(said, []).append(words.format(sender))
            for said, tellers in alike.items():
                groups.setdefault((way, tuple(tellers), said), []).append(key)
    changes = []
    for ((_, _, purpose), who_says, differences), named in groups.items():
        for was, will, who in differences:
            opened = will[0] > was[0] or will[1] > was[1]
            words = (
                f"{', '.join(_merged(named))}: from {_listed(who_says)} to {_listed(who)}, to {PURPOSES[purpose]}"
                f" ({purpose}): {_words(will)}; before: {_words(was)}."
            )
            changes.append(Change(opened=opened, words=words))
    return changes


def _differences(
    old: Rules, new: Rules, key: str, purpose: str, teller: Party, to: str
) -> tuple[_Difference, ...]:
    """What changes between that teller and every kind of receiver of the role `to`."""
    differ: dict[tuple[_Access, _Access], list[str]] = {}
    for words, party, about in _receivers(to):
        was = _access(old, key, purpose, teller, party, about)
        will = _access(new, key, purpose, teller, party, about)
        if was != will:
            differ.setdefault((was, will), []).append(words)
    return tuple((was, will, tuple(who)) for (was, will), who in sorted(differ.items()))


def _words(access: _Access) -> str:
    alone, agreed = access
    if not alone and not agreed:
        return "not at all"
    if alone == agreed:
        return _HOW[_BY_RANK[alone]]
    words = f"{_HOW[_BY_RANK[agreed]]} once both have consented"
    return f"{_HOW[_BY_RANK[alone]]}, {words}" if alone else words


def _listed(who: Sequence[str], word: str = "and") -> str:
    return who[0] if len(who) == 1 else f"{', '.join(who[:-1])} {word} {who[-1]}"


def _collect_changes(old: Rules, new: Rules, keys: Sequence[str]) -> list[Change]:
    sensed = _names_of_signals(old, new, keys)
    groups: dict[tuple[bool, str], list[str]] = {}
    for role in ROLES[:3]:
        for key in (*sensed, ANY_OTHER):
            was, will = old.collects(key, role), new.collects(key, role)
            if was != will:
                groups.setdefault((will, role), []).append(key)
    return [
        Change(
            opened=opened,
            words=f"{', '.join(_merged(named))}: a {role} {'takes it in' if opened else 'drops it'}.",
        )
        for (opened, role), named in groups.items()
    ]


def _train_changes(old: Rules, new: Rules, keys: Sequence[str]) -> list[Change]:
    found: dict[bool, list[str]] = {}
    for key in (*_names_of_signals(old, new, keys), ANY_OTHER):
        was, will = old.trains(key=key), new.trains(key=key)
        if was != will:
            found.setdefault(will, []).append(key)
    for kind in TRAIN_KINDS:
        was, will = old.trains(kind=kind), new.trains(kind=kind)
        if was != will:
            found.setdefault(will, []).append(f"every {kind}")
    return [
        Change(
            opened=opened,
            words=f"{', '.join(_merged(named))}: {'learned from' if opened else 'no longer learned from'}.",
        )
        for opened, named in found.items()
    ]


def _keep_changes(old: Rules, new: Rules, keys: Sequence[str]) -> list[Change]:
    groups: dict[tuple[int, int], list[str]] = {}
    for name, key, kind in (
        *((f"every {kind}", "", kind) for kind in KEEP_KINDS),
        *((key, key, "") for key in _names_of_signals(old, new, keys)),
    ):
        was, will = (_days(rules, key, kind) for rules in (old, new))
        if was != will:
            groups.setdefault((was, will), []).append(name)
    return [
        Change(
            opened=will > was,
            words=f"{', '.join(_merged(named))}: {_kept(will)}; before: {_kept(was)}.",
        )
        for (was, will), named in groups.items()
    ]


_FOR_EVER = 1 << 30


def _days(rules: Rules, key: str, kind: str) -> int:
    kept = rules.kept(key=key, kind=kind)
    return _FOR_EVER if kept is None else kept.days


def _kept(days: int) -> str:
    return "kept until forgotten" if days == _FOR_EVER else f"deleted after {count_of(days, 'day')}"


def _names_of_signals(old: Rules, new: Rules, keys: Sequence[str]) -> list[str]:
    """Keys that are sensed, and whatever the two files name where they speak of sensing, learning and keeping."""
    named = _limits(old) | _limits(new)
    return [k for k in keys if k in named or k.partition(".")[0] in ("Person", "Vehicle", "Home")]


def _merged(keys: Sequence[str]) -> list[str]:
    """Fewer words: a pattern stands for the keys it covers."""
    patterns = [(key, compile_pattern(key)) for key in keys if "*" in key and " " not in key]
    return [
        key
        for key in keys
        if not any(other != key and pattern.fullmatch(key) for other, pattern in patterns)
    ]
