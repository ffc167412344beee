"""Reading a rules file: TOML to rules, every mistake with its line and what to write instead."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from typing import Any, NoReturn

from msgspec import Struct

from hearthway.records import toml
from hearthway.records.errors import RuleError
from hearthway.records.household import CollectRule, KeepRule, Role, Rule, TrainRule

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
    "offload": "compute a task on another node",
    "control": "do something at home or in the parked car",
    "ask": "answer what somebody else of the household asks in plain words",
}
ROLES = tuple(str(r) for r in Role)
WHOSE = ("own", "adults", "family", "everyone")
PRECISIONS = ("exact", "500m", "city")
BY = ("adults", "family", "everyone")
# About nobody: messages that hold the household together reach every device of it and come from every one.
KEEPING_TOGETHER = ("witness", "replay", "forget", "household")
TRAIN_KINDS = ("fix", "answer")
KEEP_KINDS = ("fix", "signal", "suggestion", "answer", "event", "calendar", "receipt")
DAYS_MAX = 36_500
_VERSIONS = (1, 2)
_TABLES = ("rule", "collect", "train", "keep")
_FIELDS = ("id", "keys", "from", "to", "purpose")
_OPTIONAL = {"whose": WHOSE, "precision": PRECISIONS}
_PATTERN = re.compile(r"[A-Za-z0-9_]+(\.([A-Za-z0-9_]+|\*))*")
_RULE_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_Table = dict[str, Any]


class RuleBook(Struct, frozen=True, kw_only=True):
    """What a rules file says. `collect` and `train` are None in version 1: it did not limit either."""

    rules: tuple[Rule, ...] = ()
    collect: tuple[CollectRule, ...] | None = None
    train: tuple[TrainRule, ...] | None = None
    keep: tuple[KeepRule, ...] = ()


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


def read_rules(text: str, source: str) -> RuleBook:
    """The rules in `text`; RuleError names `source`, the line and what to write instead."""
    try:
        data = toml.parse(text)
    except tomllib.TOMLDecodeError as why:
        raise RuleError(f"{source} is not valid TOML: {why}.", "Mend that line.") from None
    except RecursionError:
        raise RuleError(
            f"{source} is nested too deeply.", "Start again from `hearthway rules --template`."
        ) from None
    return _Reader(text, source).read(data)


class _Reader:
    """Turns parsed TOML into rules, finding the line of what is wrong."""

    def __init__(self, text: str, source: str) -> None:
        self._lines = text.splitlines()
        self._source = source
        self._table = "rule"
        heads = [
            (n, found[1])
            for n, line in enumerate(self._lines, 1)
            if (found := re.match(r"\s*\[\[\s*(\w+)\s*\]\]", line))
        ]
        ends = [n - 1 for n, _ in heads[1:]] + [len(self._lines)]
        self._spans: dict[str, list[tuple[int, int]]] = {}
        for (start, name), end in zip(heads, ends, strict=False):
            self._spans.setdefault(name, []).append((start, end))

    def read(self, data: _Table) -> RuleBook:
        version = data.get("version")
        known = ("rule",) if version == 1 else _TABLES
        for name in data:
            if name != "version" and name not in known:
                later = name in _TABLES
                self._fail(
                    f'"{name}" needs version 2' if later else f'"{name}" is not known here',
                    "Begin with: version = 2" if later else "Rules stand in [[rule]] tables.",
                    name,
                    None,
                )
        if version not in _VERSIONS or isinstance(version, bool):
            self._fail(
                "the version is missing or unknown", "Begin with: version = 2", "version", None
            )
        self._version = version
        self._seen: dict[str, int] = {}
        rules = tuple(self._rule(t, n) for n, t in self._each(data, "rule"))
        if version == 1:
            return RuleBook(rules=rules)
        return RuleBook(
            rules=rules,
            collect=tuple(self._collect(t, n) for n, t in self._each(data, "collect")),
            train=tuple(self._train(t, n) for n, t in self._each(data, "train")),
            keep=tuple(self._keep(t, n) for n, t in self._each(data, "keep")),
        )

    def _each(self, data: _Table, name: str) -> list[tuple[int, _Table]]:
        self._table = name
        tables = data.get(name, [])
        if not isinstance(tables, list) or not all(isinstance(t, dict) for t in tables):
            self._fail(f'"{name}" is not a list of tables', f"Write [[{name}]].", name, None)
        return list(enumerate(tables))

    # one table of each kind -------------------------------------------------------------------

    def _rule(self, table: _Table, index: int) -> Rule:
        self._only(table, index, (*_FIELDS, *_OPTIONAL, "by"), _FIELDS)
        rule_id = self._id(table, index)
        keys = self._patterns(table, index)
        sender = self._text(table, "from", index)
        receivers = self._texts(table, "to", index)
        for name, role in (("from", sender), *(("to", r) for r in receivers)):
            if role not in ROLES:
                self._fail(f'"{role}" is not a role', f"Roles: {', '.join(ROLES)}.", name, index)
        if sender in receivers and self._version == 1:  # later: to other nodes of that role
            self._fail(f'"{sender}" sends to itself', "Name other roles.", "to", index)
        purpose = self._text(table, "purpose", index)
        if purpose not in PURPOSES:
            self._fail(
                f'"{purpose}" is not a purpose',
                f"Purposes: {', '.join(PURPOSES)}.",
                "purpose",
                index,
            )
        chosen = {"by": self._by(table, index, purpose)}
        for option, values in _OPTIONAL.items():
            value = self._text(table, option, index) if option in table else values[0]
            if value not in values:
                self._fail(f'"{value}" is not known', f"Use {', '.join(values)}.", option, index)
            chosen[option] = value
        return Rule(
            id=rule_id, keys=keys, sender=sender, receivers=receivers, purpose=purpose, **chosen
        )

    def _by(self, table: _Table, index: int, purpose: str) -> str:
        """Whose devices may say it; "" where the file leaves that open."""
        if "by" not in table:
            return ""
        by = self._text(table, "by", index)
        if by not in BY:
            self._fail(f'"{by}" is not known', f"Use {', '.join(BY)}.", "by", index)
        if purpose in KEEPING_TOGETHER:
            self._fail(
                f'"by" cannot stand beside the purpose "{purpose}"',
                "Every device needs it to stay in the household: leave out by.",
                "by",
                index,
            )
        return by

    def _collect(self, table: _Table, index: int) -> CollectRule:
        self._only(table, index, ("id", "keys", "at"), ("id", "keys", "at"))
        rule_id = self._id(table, index)
        keys = self._patterns(table, index)
        at = self._among(table, "at", index, ROLES)
        return CollectRule(id=rule_id, keys=keys, at=at)

    def _train(self, table: _Table, index: int) -> TrainRule:
        rule_id, keys, kinds = self._keys_or_kinds(table, index, TRAIN_KINDS, ())
        return TrainRule(id=rule_id, keys=keys, kinds=kinds)

    def _keep(self, table: _Table, index: int) -> KeepRule:
        rule_id, keys, kinds = self._keys_or_kinds(table, index, KEEP_KINDS, ("days",))
        days = table["days"]
        if isinstance(days, bool) or not isinstance(days, int) or not 1 <= days <= DAYS_MAX:
            self._fail(
                '"days" is not a number of days',
                f"Write days = 30 (1 to {DAYS_MAX}); leave the table out to keep until forgotten.",
                "days",
                index,
            )
        return KeepRule(id=rule_id, keys=keys, kinds=kinds, days=days)

    def _keys_or_kinds(
        self, table: _Table, index: int, known: Sequence[str], more: Sequence[str]
    ) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
        self._only(table, index, ("id", "keys", "kinds", *more), ("id", *more))
        rule_id = self._id(table, index)
        if "keys" not in table and "kinds" not in table:
            self._fail("it names neither keys nor kinds", 'Add keys = ["..."].', "", index)
        keys = self._patterns(table, index) if "keys" in table else ()
        kinds = self._among(table, "kinds", index, known) if "kinds" in table else ()
        return rule_id, keys, kinds

    # fields -----------------------------------------------------------------------------------

    def _only(
        self, table: _Table, index: int, known: Sequence[str], required: Sequence[str]
    ) -> None:
        for name in table:
            if name not in known:
                self._fail(
                    f'a {self._table} has no "{name}"', f"It has {', '.join(known)}.", name, index
                )
        for name in required:
            if name not in table:
                self._fail(f'the {self._table} has no "{name}"', f"Add {name} = ...", "", index)

    def _id(self, table: _Table, index: int) -> str:
        rule_id = self._text(table, "id", index)
        if _RULE_ID.fullmatch(rule_id) is None:
            self._fail(
                f'"{rule_id}" cannot be an id', "Use small letters, digits and dashes.", "id", index
            )
        if rule_id in self._seen:
            self._fail(
                f'the id "{rule_id}" was used at line {self._seen[rule_id]} already',
                "Give every rule its own id: receipts name it.",
                "id",
                index,
            )
        self._seen[rule_id] = self._line("id", index)
        return rule_id

    def _patterns(self, table: _Table, index: int) -> tuple[str, ...]:
        keys = self._texts(table, "keys", index)
        for key in keys:
            try:
                compile_pattern(key)
            except RuleError as why:
                self._fail(why.message.rstrip("."), why.next_step, "keys", index)
        return keys

    def _among(self, table: _Table, name: str, index: int, known: Sequence[str]) -> tuple[str, ...]:
        values = self._texts(table, name, index)
        for value in values:
            if value not in known:
                self._fail(f'"{value}" is not known', f"Use {', '.join(known)}.", name, index)
        return values

    def _text(self, table: _Table, name: str, index: int) -> str:
        value = table[name]
        if not isinstance(value, str):
            self._fail(f'"{name}" is not a text', f'Write {name} = "...".', name, index)
        return value

    def _texts(self, table: _Table, name: str, index: int) -> tuple[str, ...]:
        value = table[name]
        if not isinstance(value, list) or not value or not all(isinstance(v, str) for v in value):
            self._fail(f'"{name}" is not a list of texts', f'Write {name} = ["..."].', name, index)
        return tuple(value)

    def _line(self, name: str, index: int | None) -> int:
        """Where `name` stands in table `index` (None: anywhere), else where that starts."""
        spans = self._spans.get(self._table, [])
        first, last = 1, len(self._lines)
        if index is not None and index < len(spans):
            first, last = spans[index]
        for n in range(first, last + 1):
            if name and re.match(rf'\s*\[*\s*"?{re.escape(name)}"?\s*[=\].]', self._lines[n - 1]):
                return n
        return first

    def _fail(self, what: str, next_step: str, name: str, index: int | None) -> NoReturn:
        raise RuleError(f"{self._source}, line {self._line(name, index)}: {what}.", next_step)
