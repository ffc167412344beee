"""The owner's rules, compiled: what may be collected, cross, be learned from, and how long it stays.

Default-deny: what no rule names is not collected, does not leave its node and enters no model. A key pattern is
dotted; `*` stands for exactly one part, as the last part for everything below.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from importlib.resources import files
from pathlib import Path

from hearthway.records.errors import InputError, RuleError
from hearthway.records.household import (
    CollectRule,
    Decision,
    KeepRule,
    Party,
    PersonKind,
    Role,
    Rule,
    TrainRule,
)

from .rules_file import KEEPING_TOGETHER as KEEPING_TOGETHER
from .rules_file import PURPOSES as PURPOSES
from .rules_file import ROLES, RuleBook, read_rules
from .rules_file import compile_pattern as compile_pattern

TEMPLATES: dict[str, str] = {
    "strict": "only what one suggestion needs, nothing about one person to another, all of it kept for weeks",
    "family": "what Hearthway can do, each person's data with that person; the default",
    "open": "what the household's adults share with one another once both have consented",
}
CONTROL = "control"
COMMANDS = "Command"  # the first part of every key that makes something happen
ORDERS = (CONTROL, "forget")
_CACHE_MAX = 4_096  # of each kind of answer: a member that makes up keys fills them, and each may have 256 characters
_RULES_MAX_BYTES = 1_000_000

ConsentCheck = Callable[[str, str, str, str], bool]
_Option = tuple[Decision, bool]  # what a rule lets, and whether both must have consented
_KINDS_OF: dict[str, tuple[str, ...]] = {
    "own": (),
    "adults": (PersonKind.ADULT,),
    "family": (PersonKind.ADULT, PersonKind.CHILD),
    "everyone": tuple(PersonKind),
}


def _nobody_agreed(giver: str, receiver: str, key: str, purpose: str) -> bool:
    return False


class Rules:
    """Compiled rules. Immutable; answers are cached, so asking again costs a dictionary look-up."""

    def __init__(
        self,
        rules: Iterable[Rule],
        consents: ConsentCheck | None = None,
        *,
        collect: Iterable[CollectRule] | None = None,
        train: Iterable[TrainRule] | None = None,
        keep: Iterable[KeepRule] = (),
    ) -> None:
        """`consents(giver, receiver, key, purpose)`: have both sides agreed? Without one, nobody has.

        `collect` and `train` of None limit nothing, as in files of version 1.
        """
        self.rules = tuple(rules)
        self.collect = None if collect is None else tuple(collect)
        self.train = None if train is None else tuple(train)
        self.keep = tuple(keep)
        self._consents: ConsentCheck = consents or _nobody_agreed
        self._compiled = [(rule, _patterns(rule.keys)) for rule in self.rules]
        self._collect = [(r, _patterns(r.keys)) for r in self.collect or ()]
        self._train = [(r, _patterns(r.keys)) for r in self.train or ()]
        self._keep = [(r, _patterns(r.keys)) for r in self.keep]
        self._matching: dict[tuple[str, str, str, str], tuple[Rule, ...]] = {}
        self._decided: dict[tuple[str, Party, Party, str, str], tuple[_Option, ...]] = {}
        self._collected: dict[tuple[str, str], str] = {}

    @classmethod
    def parse(cls, text: str, source: str) -> Rules:
        """Rules from TOML; RuleError names `source`, the line and what to write instead."""
        return cls.of(read_rules(text, source))

    @classmethod
    def of(cls, book: RuleBook) -> Rules:
        """The rules of `book`."""
        return cls(book.rules, collect=book.collect, train=book.train, keep=book.keep)

    @classmethod
    def load(cls, path: Path) -> Rules:
        """Rules from a file; RuleError when it is missing or wrong."""
        return cls.parse(read_file(path), str(path))

    @property
    def book(self) -> RuleBook:
        """What the rules say, as records."""
        return RuleBook(rules=self.rules, collect=self.collect, train=self.train, keep=self.keep)

    def with_consents(self, consents: ConsentCheck) -> Rules:
        """The same rules with the household's consents; `consents` is asked anew at every crossing."""
        return Rules(self.rules, consents, collect=self.collect, train=self.train, keep=self.keep)

    # what may cross ---------------------------------------------------------------------------

    def allows(self, key: str, sender_role: str, receiver_role: str, purpose: str) -> Rule | None:
        """The first rule that names this crossing between roles, or None: then it must not happen."""
        found = self._naming(key, sender_role, receiver_role, purpose)
        return found[0] if found else None

    def decide(
        self, key: str, sender: Party, receiver: Party, purpose: str, about: str = ""
    ) -> Decision | None:
        """May `key`, about the person `about` ("": about nobody), cross? By which rule, how precisely; or None.

        What is about one person reaches another's device only if a rule's `whose` lets it AND both consented.
        Of several rules the first that lets it counts. Who may say it at all: see `may_say` and `said_by`.
        """
        if not may_say(sender, purpose, about):
            return None
        question = (key, sender, receiver, purpose, about)
        options = self._decided.get(question)
        if options is None:
            options = tuple(self.options(key, sender, receiver, purpose, about))
            if len(self._decided) >= _CACHE_MAX:  # keys come from outside: never grow without bound
                self._decided.clear()
            self._decided[question] = options
        for decision, needs_consent in options:
            if not needs_consent or self._consents(about, receiver.person, key, purpose):
                return decision
        return None

    def options(
        self, key: str, sender: Party, receiver: Party, purpose: str, about: str = ""
    ) -> list[_Option]:
        """Every way this may cross, the first one first: a decision, and whether it needs the consent of both."""
        found: list[_Option] = []
        for rule in self._naming(key, sender.role, receiver.role, purpose):
            fits = _may_have(rule, receiver, about) if _is_by(said_by(rule, key), sender) else None
            if fits is None:
                continue
            found.append((Decision(rule=rule.id, precision=rule.precision), fits))
            if not fits:
                break  # whatever comes later is never asked
        return found

    def is_limited(self, key: str, sender_role: str, purpose: str) -> bool:
        """Does it count whose device of that role says this, by any rule that names it?"""
        return any(
            said_by(rule, key)
            for role in ROLES
            for rule in self._naming(key, sender_role, role, purpose)
        )

    def orders_by_default(self) -> list[Rule]:
        """Rules that let something be ordered and leave open by whom: adults' devices alone order by them."""
        return [
            rule
            for rule in self.rules
            if not rule.by and any(said_by(rule, pattern) for pattern in rule.keys)
        ]

    def receivers(self, key: str, sender_role: str, purpose: str) -> list[tuple[str, Rule]]:
        """Every role this key may go to, with the rule, in the order phone, car, home, venue."""
        asked = ((role, self.allows(key, sender_role, role, purpose)) for role in ROLES)
        return [(role, rule) for role, rule in asked if rule is not None]

    def _naming(
        self, key: str, sender_role: str, receiver_role: str, purpose: str
    ) -> tuple[Rule, ...]:
        question = (key, sender_role, receiver_role, purpose)
        found = self._matching.get(question)
        if found is None:
            found = tuple(
                rule
                for rule, patterns in self._compiled
                if rule.sender == sender_role
                and receiver_role in rule.receivers
                and rule.purpose == purpose
                and _fits(patterns, key)
            )
            if len(self._matching) >= _CACHE_MAX:
                self._matching.clear()
            self._matching[question] = found
        return found

    # what may be collected, learned from, kept ------------------------------------------------

    def collects(self, key: str, role: str) -> bool:
        """May a node of that role sense or store signals of this key?"""
        return self.collect is None or bool(self.collected_by(key, role))

    def collected_by(self, key: str, role: str) -> str:
        """The id of the collect rule that lets it, or ""."""
        found = self._collected.get((key, role))
        if found is None:
            named = (r.id for r, p in self._collect if role in r.at and _fits(p, key))
            found = next(named, "")
            if len(self._collected) >= _CACHE_MAX:
                self._collected.clear()
            self._collected[(key, role)] = found
        return found

    def trains(self, *, key: str = "", kind: str = "") -> bool:
        """May signals of this key, or records of this kind, enter a model?"""
        return self.train is None or bool(self.trained_by(key=key, kind=kind))

    def trained_by(self, *, key: str = "", kind: str = "") -> str:
        """The id of the train rule that lets it, or ""."""
        return next(
            (
                rule.id
                for rule, patterns in self._train
                if (kind and kind in rule.kinds) or (key and _fits(patterns, key))
            ),
            "",
        )

    def kept(self, *, key: str = "", kind: str = "") -> KeepRule | None:
        """The keep rule with the fewest days for this key or kind; None: until the owner forgets it."""
        fitting = (
            rule
            for rule, patterns in self._keep
            if (kind and kind in rule.kinds) or (key and _fits(patterns, key))
        )
        return min(fitting, key=lambda rule: rule.days, default=None)


def may_say(sender: Party, purpose: str, about: str) -> bool:
    """May that device say anything to this purpose about this person, whatever a rule lets its role say?

    A phone speaks of its own person and of nobody else. A guest's device makes nobody forget, and orders only where
    a rule's `by` names guests: beside what keeps the household together it tells what is about the guest. A phone
    that is nobody's does not even that.
    """
    if sender.alone or (sender.role != Role.PHONE and sender.kind != PersonKind.GUEST):
        return True
    if about and about != sender.person:
        return False
    if sender.person and (sender.kind != PersonKind.GUEST or purpose == CONTROL):
        return True
    if about:
        return purpose not in ORDERS
    return purpose in KEEPING_TOGETHER and purpose not in ORDERS


def said_by(rule: Rule, key: str) -> str:
    """Whose devices may say `key` by this rule: as its `by` says; what acts on car or home is adults' by default.

    "" where it does not count. A car or home that all share says what a rule lets its role say.
    """
    acts = rule.purpose == CONTROL or key.partition(".")[0] == COMMANDS
    return rule.by or ("adults" if acts else "")


def _is_by(by: str, sender: Party) -> bool:
    shared = not sender.person and (sender.alone or sender.role != Role.PHONE)
    return not by or shared or sender.kind in _KINDS_OF[by]


def _may_have(rule: Rule, receiver: Party, about: str) -> bool | None:
    """May that device have it by this rule: None no, False yes, True once both have consented."""
    if not receiver.person:
        if receiver.role != Role.PHONE or receiver.alone:
            return (
                False  # all share it, and the rule named its role; or one person is the household
            )
        return False if rule.purpose in KEEPING_TOGETHER and not about else None
    if about == receiver.person:
        return False
    kinds = _KINDS_OF[rule.whose]
    if not about:
        together = rule.purpose in KEEPING_TOGETHER
        return False if together or receiver.kind in (kinds or _KINDS_OF["family"]) else None
    return True if receiver.kind in kinds else None


def _patterns(keys: Iterable[str]) -> tuple[re.Pattern[str], ...]:
    return tuple(compile_pattern(key) for key in keys)


def _fits(patterns: Iterable[re.Pattern[str]], key: str) -> bool:
    return any(p.fullmatch(key) for p in patterns)


def read_file(path: Path) -> str:
    """The text of a rules file; RuleError when it cannot be read."""
    try:
        if path.stat().st_size > _RULES_MAX_BYTES:
            raise RuleError(f"{path} is too large for rules.", "Is it the right file?")
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise RuleError(
            f"The rules in {path} cannot be read: it is not UTF-8 text.", "Save it as UTF-8."
        ) from None
    except OSError as why:
        raise RuleError(
            f"The rules in {path} cannot be read: {why.strerror}.",
            "`hearthway rules --template family` prints a file to start from.",
        ) from None


def template(name: str) -> str:
    """A template's TOML with comments; InputError names those there are."""
    if name not in TEMPLATES:
        raise InputError(f"There is no template {name!r}.", f"Use {', '.join(TEMPLATES)}.")
    return (
        files("hearthway.mesh.policy")
        .joinpath("templates", f"{name}.toml")
        .read_text(encoding="utf-8")
    )


def default_rules() -> str:
    """The rules a new household starts with, as TOML with comments."""
    return template("family")


__all__ = [
    "KEEPING_TOGETHER",
    "PURPOSES",
    "TEMPLATES",
    "ConsentCheck",
    "Rules",
    "compile_pattern",
    "default_rules",
    "read_file",
    "template",
]
