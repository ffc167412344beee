"""The last reader: a language model of the household's own, behind an OpenAI-compatible endpoint on its own network.

It is given the question as it was said and the list of intents, and nothing that this node knows; what it says is used
as a meaning, never as an answer. Another machine than this one is asked only where a rule lets the question go there.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from typing import Any

from hearthway.assist.ask.intents import TABLE
from hearthway.assist.ask.slots import slots_of
from hearthway.mesh.links.chat import Chat
from hearthway.mesh.links.own_network import at_address
from hearthway.records.ask import Meaning, Names
from hearthway.records.errors import InputError

QUESTION = "Ask.Question"  # what the rules call what was said
TIMEOUT_S = 20.0
TOKENS_MAX = 120
SLOTS = ("light", "degrees", "period", "near", "without", "venue", "cuisine")
KNOWN = (
    "period",
    "day",
    "cuisine",
)  # what the words themselves give is one of a list: "indian", not "indisches"
log = logging.getLogger("hearthway.ask")


class Endpoint:
    """An Understander that asks the model (records.ask). Blocking up to `TIMEOUT_S`."""

    def __init__(self, url: str, model: str, names: Names) -> None:
        where = at_address(url)
        self.is_here = where.here
        self._chat = Chat(where=where, model=model, tokens_max=TOKENS_MAX, timeout_s=TIMEOUT_S)
        self._names = names

    def readings(self, text: str, language: str) -> Sequence[Meaning]:
        """The model's one meaning where it names an intent of ours; empty for anything else that comes back."""
        try:
            said = self._asked(text)
        except (InputError, ValueError, RecursionError) as why:
            log.warning("the model gave nothing", extra={"fields": {"why": type(why).__name__}})
            return ()
        intent = said.get("intent")
        if not isinstance(intent, str) or intent not in TABLE:
            return ()
        told = said.get("slots")
        slots = slots_of(text, self._names)
        if isinstance(told, dict):  # only what was really said: a slot is never made up
            folded = text.casefold()
            slots |= {
                slot: value
                for slot, value in told.items()
                if slot in SLOTS and isinstance(value, str) and value and value.casefold() in folded
            } | {slot: value for slot, value in slots.items() if slot in KNOWN}
        return (Meaning(intent=intent, slots=slots, by="model", of=self._chat.model),)

    def _asked(self, text: str) -> dict[str, Any]:
        said = self._chat.said(_instruction(), text)
        begin, end = said.find("{"), said.rfind("}")
        found = json.loads(said[begin : end + 1]) if 0 <= begin < end else {}
        return found if isinstance(found, dict) else {}


def _instruction() -> str:
    """What the model is told: the intents in words, and to say none where none fits."""
    lines = [f"{one.name}: {one.en}" for one in TABLE.values()]
    return (
        "Say which one of these is meant by the user's sentence, as JSON and nothing else: "
        '{"intent": NAME, "slots": {...}}. Slots are words of the sentence: '
        f"{', '.join(SLOTS)}. Where none is meant say "
        '{"intent": "none"}.\n' + "\n".join(lines)
    )
