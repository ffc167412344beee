"""Every kind of record in one table: what it is, how often it comes, how long it stays, whose it is, who may see it."""

from __future__ import annotations

from msgspec import Struct

from .calendar import CalendarEntry
from .chain import Countersign, Enrolment, Entry
from .forgetting import ForgetOrder
from .life import Person, PlaceWord
from .receipts import Receipt
from .signals import Fix, Signal
from .suggestion import Answer, Suggestion
from .venue import Followed, Party, SignedWait

EXPORT_VERSION = 1
UNTIL_FORGOTTEN = "until the owner forgets it"
BY_RULE = "phone; others only under a rule"


class Kind(Struct, frozen=True, kw_only=True):
    """One kind of record. `table` is its name in the store and in an export."""

    name: str
    table: str
    struct: str  # the struct it is made of; "bytes" where the writer decides
    rate: str
    retention: str
    personal: bool
    seen_by: str


def _kind(
    name: str,
    table: str,
    struct: type[Struct] | None,
    rate: str,
    retention: str,
    seen_by: str,
    *,
    personal: bool,
) -> Kind:
    return Kind(
        name=name,
        table=table,
        struct="bytes" if struct is None else struct.__name__,
        rate=rate,
        retention=retention,
        personal=personal,
        seen_by=seen_by,
    )


KINDS: tuple[Kind, ...] = (
    _kind(
        "person",
        "persons",
        Person,
        "once",
        UNTIL_FORGOTTEN,
        "the name: phone; the id: the household",
        personal=True,
    ),
    _kind(
        "fix",
        "fixes",
        Fix,
        "up to 1 a second while moving",
        UNTIL_FORGOTTEN,
        "phone",
        personal=True,
    ),
    _kind(
        "signal",
        "signals",
        Signal,
        "as catalogued, up to 10 a second a key",
        UNTIL_FORGOTTEN,
        "the node that senses it; others only under a rule",
        personal=True,
    ),
    _kind(
        "register",
        "registers",
        None,
        "on change",
        "until the next write of its key",
        "the household, under a rule",
        personal=True,
    ),
    _kind(
        "suggestion",
        "suggestions",
        Suggestion,
        "a few a day",
        UNTIL_FORGOTTEN,
        BY_RULE,
        personal=True,
    ),
    _kind(
        "answer",
        "answers",
        Answer,
        "at most one an option",
        UNTIL_FORGOTTEN,
        BY_RULE,
        personal=True,
    ),
    _kind("event", "events", None, "a few a day", UNTIL_FORGOTTEN, "phone", personal=True),
    _kind(
        "model",
        "models",
        None,
        "after each trip",
        "until forgotten, or until older history arrives",
        "phone",
        personal=True,
    ),
    _kind(
        "followed venue",
        "followed",
        Followed,
        "when the person follows one",
        "until unfollowed or forgotten",
        "phone",
        personal=True,
    ),
    _kind(
        "calendar entry",
        "calendar",
        CalendarEntry,
        "one an occurrence within a year, when a calendar file is imported",
        "until its calendar no longer has it, or the owner forgets it",
        "phone",
        personal=True,
    ),
    _kind(
        "place word",
        "place_words",
        PlaceWord,
        "one a name or correction of a place",
        "until taken back, or the place is forgotten",
        "phone",
        personal=True,
    ),
    _kind(
        "receipt",
        "bodies",
        Receipt,
        "one a suggestion and node",
        UNTIL_FORGOTTEN,
        "the node that wrote it",
        personal=True,
    ),
    _kind(
        "chain entry",
        "chain",
        Entry,
        "one a receipt or erasure",
        "for ever: a salted commitment, no personal field",
        "the household",
        personal=False,
    ),
    _kind(
        "countersignature",
        "countersigns",
        Countersign,
        "one a new head",
        "for ever; at the home until the node is put out",
        "the household",
        personal=False,
    ),
    _kind(
        "enrolment",
        "enrolments",
        Enrolment,
        "once, at the first contact with the home",
        "until the node is put out",
        "the household",
        personal=False,
    ),
    _kind(
        "forget order",
        "orders",
        ForgetOrder,
        "when the owner forgets",
        "its content until every node acknowledged; its id for ever",
        "the household",
        personal=True,
    ),
    _kind(
        "pending acknowledgement",
        "orders_pending",
        None,
        "one an order and node",
        "until acknowledged",
        "the node that gave the order",
        personal=False,
    ),
    _kind(
        "own wait",
        "own_wait",
        SignedWait,
        "when the operator types one",
        "until the next one",
        "everybody on the venue's link",
        personal=False,
    ),
    _kind(
        "party",
        "parties",
        Party,
        "one a party that comes to the venue: its size and times, no name",
        "56 days",
        "the venue itself",
        personal=False,
    ),
    _kind(
        "serial of a venue",
        "serials",
        None,
        "one a fetched wait",
        "until the venue is forgotten",
        "phone",
        personal=True,
    ),
    _kind(
        "source of fixes",
        "sources",
        None,
        "one an imported file",
        "as long as a fix of it is kept",
        "phone",
        personal=True,
    ),
    _kind(
        "tombstone",
        "tombstones",
        None,
        "one a forgotten register",
        "for ever: a salted hash",
        "the node that forgot",
        personal=False,
    ),
    _kind(
        "cursor of a peer",
        "cursors",
        None,
        "one a peer",
        "until the rules change; then it begins anew",
        "the node itself",
        personal=False,
    ),
    _kind(
        "command",
        "commands",
        None,
        "one a command that is carried out at most once: how it ended",
        "a day, or until something is forgotten",
        "the node that carried it out",
        personal=False,
    ),
    _kind(
        "node fact",
        "meta",
        None,
        "once",
        "for ever",
        "the node itself",
        personal=False,
    ),
)


def kind_of(table: str) -> Kind:
    """The row for a table of the store; KeyError for a table nobody described."""
    for kind in KINDS:
        if kind.table == table:
            return kind
    raise KeyError(table)


def as_markdown() -> str:
    """The table, for the documentation."""
    lines = [
        "| record | struct | rate | kept | personal | who may see it |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {kind.name} | `{kind.struct}` | {kind.rate} | {kind.retention} |"
        f" {'yes' if kind.personal else 'no'} | {kind.seen_by} |"
        for kind in KINDS
    ]
    return "\n".join(lines) + "\n"
