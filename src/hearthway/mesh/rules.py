"""The owner's rules: which keys may leave which node, to which role, for what purpose. What no rule names stays.

A key pattern is dotted. `*` stands for exactly one part; as the last part it stands for everything below.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable
from importlib.resources import files
from pathlib import Path
from typing import Any, NoReturn

from hearthway.records.errors import RuleError
from hearthway.records.household import Decision, Party, PersonKind, Role, Rule

PURPOSES: dict[str, str] = {
    "anticipate": "work out where somebody is heading and what would help there",
    "advise": "show a suggestion",
    "learn": "learn from an answer",
    "witness": "let the home countersign the heads of receipt chains",
    "replay": "keep nodes in step while a recorded day is replayed",
    "wait": "ask a place how long the wait is",
    "forget": "erase what the owner wants forgotten",
    "household": "keep the household together: certificates, who is in it, its settings",
    "share": "keep latest values and settings the same on every node",
    "handoff": "go on with a task on another node",
    "borrow": "lend a sensor: the phone's position to a car that lost its own",
    "control": "do something at home or in the parked car",
}
_ROLES = tuple(str(r) for r in Role)
WHOSE = ("own", "adults", "family", "everyone")
PRECISIONS = ("exact", "500m", "city")
_FIELDS = ("id", "keys", "from", "to", "purpose")
_OPTIONAL = {"whose": WHOSE, "precision": PRECISIONS}
_PATTERN = re.compile(r"[A-Za-z0-9_]+(\.([A-Za-z0-9_]+|\*))*")
_RULE_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_CACHE_MAX = 16_384


ConsentCheck = Callable[[str, str, str, str], bool]
_KINDS_OF: dict[str, tuple[str, ...]] = {
    "own": (),
    "adults": (PersonKind.ADULT,),
    "family": (PersonKind.ADULT, PersonKind.CHILD),
    "everyone": tuple(PersonKind),
}


class Rules:
    """Compiled rules. Immutable; answers are cached, so asking again costs a dictionary look-up."""

    def __init__(self, rules: Iterable[Rule], consents: ConsentCheck | None = None) -> None:
        """`consents(giver, receiver, key, purpose)`: have both sides agreed? Without one, nobody has."""
        self.rules = tuple(rules)
        self._consents: ConsentCheck = consents or (lambda giver, receiver, key, purpose: False)
        self._compiled = [
            (rule, tuple(compile_pattern(k) for k in rule.keys)) for rule in self.rules
        ]
        self._cache: dict[tuple[str, str, str, str], Rule | None] = {}

    @classmethod
    def parse(cls, text: str, source: str) -> Rules:
        """Rules from TOML; RuleError names `source`, the line and what to write instead."""
        try:
            data = tomllib.loads(text)
        except tomllib.TOMLDecodeError as why:
            raise RuleError(f"{source} is not valid TOML: {why}.", "Mend that line.") from None
        except RecursionError:
            raise RuleError(
                f"{source} is nested too deeply.", "Start again from `hearthway rules --default`."
            ) from None
        return cls(_Reader(text, source).read(data))

    @classmethod
    def load(cls, path: Path) -> Rules:
        """Rules from a file; RuleError when it is missing or wrong."""
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as why:
            raise RuleError(
                f"The rules in {path} cannot be read: {why}.",
                "`hearthway rules --default` prints a file to start from.",
            ) from None
        return cls.parse(text, str(path))

    def allows(self, key: str, sender_role: str, receiver_role: str, purpose: str) -> Rule | None:
        """The first rule that lets this crossing happen, or None: then it must not."""
        question = (key, sender_role, receiver_role, purpose)
        try:
            return self._cache[question]
        except KeyError:
            pass
        found = next(
            (
                rule
                for rule, patterns in self._compiled
                if rule.sender == sender_role
                and receiver_role in rule.receivers
                and rule.purpose == purpose
                and any(p.fullmatch(key) for p in patterns)
            ),
            None,
        )
        if len(self._cache) >= _CACHE_MAX:  # keys come from outside: never grow without bound
            self._cache.clear()
        self._cache[question] = found
        return found

    def decide(
        self, key: str, sender: Party, receiver: Party, purpose: str, about: str = ""
    ) -> Decision | None:
        """May `key`, about the person `about` ("": about nobody), cross? By which rule, how precisely; or None.

        What is about one person reaches another's device only if a rule's `whose` lets it AND both consented.
        """
        rule = self.allows(key, sender.role, receiver.role, purpose)
        if rule is None or not self._may_have(rule, key, receiver, about):
            return None
        return Decision(rule=rule.id, precision=rule.precision)

    def _may_have(self, rule: Rule, key: str, receiver: Party, about: str) -> bool:
        if not receiver.person:
            return True  # a shared device: the rule named its role
        if about == receiver.person:
            return True
        kinds = _KINDS_OF[rule.whose]
        if not about:
            return receiver.kind in (kinds or _KINDS_OF["family"])
        return receiver.kind in kinds and self._consents(about, receiver.person, key, rule.purpose)

    def receivers(self, key: str, sender_role: str, purpose: str) -> list[tuple[str, Rule]]:
        """Every role this key may go to, with the rule, in the order phone, car, home, venue."""
        asked = ((role, self.allows(key, sender_role, role, purpose)) for role in _ROLES)
        return [(role, rule) for role, rule in asked if rule is not None]


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """A dotted glob as a regular expression to `fullmatch`; RuleError when it is not one."""
    if _PATTERN.fullmatch(pattern) is None:
        raise RuleError(
            f'"{pattern}" is not a key pattern.',
            "Write dotted names such as Vehicle.Speed or Suggestion.*; the first part is always a name.",
        )
    *parts, last = pattern.split(".")
    one = [r"[^.]+" if part == "*" else re.escape(part) for part in parts]
    one.append(r"[^.]+(?:\.[^.]+)*" if last == "*" else re.escape(last))
    return re.compile(r"\.".join(one))


class _Reader:
    """Turns parsed TOML into rules, finding the line of what is wrong."""

    def __init__(self, text: str, source: str) -> None:
        self._lines = text.splitlines()
        self._source = source
        self._starts = [
            n for n, line in enumerate(self._lines, 1) if re.match(r"\s*\[\[\s*rule\s*\]\]", line)
        ]

    def read(self, data: dict[str, Any]) -> list[Rule]:
        for name in data:
            if name not in ("version", "rule"):
                self._fail(
                    f'"{name}" is not known here', "Rules stand in [[rule]] tables.", name, None
                )
        if data.get("version") != 1 or isinstance(data.get("version"), bool):
            self._fail(
                "the version is missing or unknown", "Begin with: version = 1", "version", None
            )
        tables = data.get("rule", [])
        if not isinstance(tables, list) or not all(isinstance(t, dict) for t in tables):
            self._fail('"rule" is not a list of tables', "Write [[rule]].", "rule", None)
        rules: list[Rule] = []
        seen: dict[str, int] = {}
        for index, table in enumerate(tables):
            rule = self._rule(table, index)
            if rule.id in seen:
                self._fail(
                    f'the id "{rule.id}" was used at line {seen[rule.id]} already',
                    "Give every rule its own id: receipts name it.",
                    "id",
                    index,
                )
            seen[rule.id] = self._line("id", index)
            rules.append(rule)
        return rules

    def _rule(self, table: dict[str, Any], index: int) -> Rule:
        for name in table:
            if name not in _FIELDS and name not in _OPTIONAL:
                known = ", ".join((*_FIELDS, *_OPTIONAL))
                self._fail(f'a rule has no "{name}"', f"It has {known}.", name, index)
        for name in _FIELDS:
            if name not in table:
                self._fail(f'the rule has no "{name}"', f"Add {name} = ...", "", index)
        rule_id = self._text(table, "id", index)
        if _RULE_ID.fullmatch(rule_id) is None:
            self._fail(
                f'"{rule_id}" cannot be an id', "Use small letters, digits and dashes.", "id", index
            )
        keys = self._texts(table, "keys", index)
        for key in keys:
            try:
                compile_pattern(key)
            except RuleError as why:
                self._fail(why.message.rstrip("."), why.next_step, "keys", index)
        sender = self._text(table, "from", index)
        receivers = self._texts(table, "to", index)
        for name, role in (("from", sender), *(("to", r) for r in receivers)):
            if role not in _ROLES:
                self._fail(f'"{role}" is not a role', f"Roles: {', '.join(_ROLES)}.", name, index)
        if sender in receivers:
            self._fail(f'"{sender}" sends to itself', "Name other roles.", "to", index)
        purpose = self._text(table, "purpose", index)
        if purpose not in PURPOSES:
            self._fail(
                f'"{purpose}" is not a purpose',
                f"Purposes: {', '.join(PURPOSES)}.",
                "purpose",
                index,
            )
        chosen = {}
        for option, values in _OPTIONAL.items():
            value = self._text(table, option, index) if option in table else values[0]
            if value not in values:
                self._fail(f'"{value}" is not known', f"Use {', '.join(values)}.", option, index)
            chosen[option] = value
        return Rule(
            id=rule_id, keys=keys, sender=sender, receivers=receivers, purpose=purpose, **chosen
        )

    def _text(self, table: dict[str, Any], name: str, index: int) -> str:
        value = table[name]
        if not isinstance(value, str):
            self._fail(f'"{name}" is not a text', f'Write {name} = "...".', name, index)
        return value

    def _texts(self, table: dict[str, Any], name: str, index: int) -> tuple[str, ...]:
        value = table[name]
        if not isinstance(value, list) or not value or not all(isinstance(v, str) for v in value):
            self._fail(f'"{name}" is not a list of texts', f'Write {name} = ["..."].', name, index)
        return tuple(value)

    def _line(self, name: str, index: int | None) -> int:
        """Where `name` stands in rule `index` (None: before and between them), else where that starts."""
        first, last = 1, len(self._lines)
        if index is not None and index < len(self._starts):
            first = self._starts[index]
            if index + 1 < len(self._starts):
                last = self._starts[index + 1] - 1
        for n in range(first, last + 1):
            if name and re.match(rf'\s*\[*\s*"?{re.escape(name)}"?\s*[=\].]', self._lines[n - 1]):
                return n
        return first

    def _fail(self, what: str, next_step: str, name: str, index: int | None) -> NoReturn:
        raise RuleError(f"{self._source}, line {self._line(name, index)}: {what}.", next_step)


def default_rules() -> str:
    """The rules a new household starts with, as TOML with comments."""
    return files("hearthway.mesh").joinpath("templates", "family.toml").read_text(encoding="utf-8")
