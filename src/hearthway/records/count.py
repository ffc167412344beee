"""A number with what it counts, as a sentence for people has it."""

from __future__ import annotations

from collections.abc import Mapping

# What a node keeps, by the name of its table: one of it, and several where that is not the name itself.
_KINDS = {
    "answers": ("answer", ""),
    "calendar": ("calendar entry", "calendar entries"),
    "events": ("event", ""),
    "fixes": ("fix", "fixes"),
    "followed": ("followed venue", ""),
    "forget_orders": ("order to forget", "orders to forget"),
    "models": ("model", ""),
    "persons": ("person", ""),
    "place_words": ("word of a place", "words of places"),
    "receipts": ("receipt", ""),
    "registers": ("latest value", ""),
    "signals": ("signal", ""),
    "sources": ("source", ""),
    "suggestions": ("suggestion", ""),
}


def count_of(number: int, one: str, many: str = "") -> str:
    """ "1 place", "2 places", "1,200 entries"; `many` where it is not `one` with an s."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def kinds_of(counts: Mapping[str, int]) -> str:
    """ "1 fix, 2 answers": how many records of each table; empty where there are none."""
    return ", ".join(
        count_of(count, *_KINDS.get(table, (table, table)))
        for table, count in counts.items()
        if count
    )
