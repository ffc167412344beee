"""What a reading leaves of a question: words that might have changed the answer, had anybody understood them.

A sentence fits word by word. A student or a model says what is meant by the whole of a text, and drops what it has no slot
for: "cheap", "on the fifth", "for eight people". What is left is said with the answer, so that nobody takes it for one to these.
"""

from __future__ import annotations

from collections.abc import Collection

from msgspec.structs import replace

from hearthway.records.ask import Meaning, Names

from .intents import TABLE, UNUSED
from .slots import finds, folded

WORDS_MAX = 6  # of a longer rest the first are said
NOW_TOO = "today"  # what is so now is so today
_OWN_WORD = 4  # letters: a shorter word has no plural cut off


def with_unused(
    meaning: Meaning, text: str, names: Names, usual: Collection[str] | None
) -> Meaning:
    """The same, and as the slot `unused` what nothing took of `text`. An order is asked back in words of its own.

    `usual`: words by which no answer to that intent changes. None: only a slot may be left that the answer goes not by,
    as of a sentence, whose other words are all its own.
    """
    intent = TABLE.get(meaning.intent)
    if intent is None or intent.command or meaning.intent == "help":
        return meaning
    takes = {*intent.needs, *intent.takes}
    found = [one for one in finds(text, names) if meaning.slots.get(one.slot) == one.value]
    if usual is None:
        dropped = (one.words for one in found if one.slot not in takes and one.value != NOW_TOO)
        left = ", ".join(dropped)
    else:
        used = set(usual)
        if _stem(meaning.slots.get("without", "")) in {_stem(word) for word in usual}:
            slots = {slot: value for slot, value in meaning.slots.items() if slot != "without"}
            meaning = replace(meaning, slots=slots)  # "not going to cook": no kind of food
        for slot in takes & set(meaning.slots):
            used |= _words(meaning.slots[slot])
        for one in found:
            if one.slot in takes or one.value == NOW_TOO:
                used |= _words(one.words)
        left = _runs(folded(text).split(), {_stem(word) for word in used})
    return meaning if not left else replace(meaning, slots={**meaning.slots, UNUSED: left})


def _runs(words: list[str], used: Collection[str]) -> str:
    """Words that stand together are said together: "cheap, 8 people"."""
    runs: list[list[str]] = []
    said, before = 0, False
    for word in words:
        open_ = _stem(word) not in used and said < WORDS_MAX
        if open_:
            said += 1
            if before:
                runs[-1].append(word)
            else:
                runs.append([word])
        before = open_
    return ", ".join(" ".join(run) for run in runs)


def _words(text: str) -> set[str]:
    return set(folded(text).split())


def _stem(word: str) -> str:
    """Without a plural's s, and without 's."""
    word = word.removesuffix("'s").strip("'-")
    return word[:-1] if len(word) > _OWN_WORD and word.endswith("s") else word
