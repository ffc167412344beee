"""A corpus of our own, made of sentence patterns: small enough to train a whole student in a minute, under no licence
but this repository's. It shows that the path works, and nothing about how good a student is."""

from __future__ import annotations

import random
import re

from .datasets import OUT_OF_SCOPE
from .texts import Corpus, Span, Utterance, keys, without
from .wordpieces import slot_labels

FILLERS = {
    "light": ("kitchen light", "lamp in the hall", "bedroom light", "garage light", "reading lamp"),
    "degrees": ("nineteen", "20", "twenty one", "22", "eighteen"),
    "place": ("the mall", "work", "the station", "home", "the harbour", "grandma's"),
    "food": ("noodles", "a burger", "sushi", "something vegetarian", "soup"),
}
PATTERNS = {
    "light_on": ("turn on the {light}", "switch the {light} on", "can i have the {light} on", "{light} on please"),
    "light_off": ("turn off the {light}", "switch the {light} off", "put the {light} out", "{light} off please"),
    "heating_set": ("set the heating to {degrees}", "make it {degrees} degrees", "warm the house to {degrees}"),
    "range": ("will i get to {place}", "is the battery enough for {place}", "can i drive to {place} without charging"),
    "leave_when": ("when must i leave for {place}", "what time do i have to go to {place}", "when do we set off for {place}"),
    "find_food": ("find {food} near {place}", "where can i eat {food}", "i want {food} on the way to {place}"),
    OUT_OF_SCOPE: (
        "who won the match at {place}", "how do i cook {food}", "write a poem about {food}", "why is the sky blue over {place}",
        "how old is the {light}", "translate {food} into french",
    ),
}  # fmt: skip
AROUND = (
    "{}",
    "please {}",
    "{} thanks",
    "hey {}",
    "ok {}",
    "{} now",
    "could you tell me {}",
    "i ask you {}",
)
_SLOT = re.compile(r"\{(\w+)\}")


def corpus(seed: int = 1) -> Corpus:
    """Every fourth text is kept out for validation; texts without their labels come a second time round words."""
    draw = random.Random(seed)
    whole = [
        filled(around.replace("{}", pattern), label, draw)
        for label, patterns in PATTERNS.items()
        for pattern in patterns
        for around in AROUND
        for _ in range(2)
    ]
    draw.shuffle(whole)
    validation = without(whole[::4], frozenset())
    labelled = without(whole, keys(one.text for one in validation))
    others = [Utterance(f"well {one.text}") for one in labelled]
    return Corpus(
        (*sorted(label for label in PATTERNS if label != OUT_OF_SCOPE), OUT_OF_SCOPE),
        tuple(labelled),
        tuple(without(others, keys(one.text for one in whole))),
        tuple(validation),
        slot_labels(one for one in labelled if one.label != OUT_OF_SCOPE),
    )


def filled(pattern: str, label: str, draw: random.Random) -> Utterance:
    """A pattern with something drawn for each of its slots, and where it stands."""
    text, at, spans = "", 0, []
    for slot in _SLOT.finditer(pattern):
        text += pattern[at : slot.start()]
        filler = draw.choice(FILLERS[slot[1]])
        spans.append(Span(len(text), len(text) + len(filler), slot[1]))
        text += filler
        at = slot.end()
    named = tuple(spans) if label != OUT_OF_SCOPE else ()
    return Utterance(text + pattern[at:], label, named)
