"""A teacher behind an OpenAI-compatible endpoint in the household: it is asked for one label a text, and for nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated

from msgspec import Meta, Struct

from hearthway.mesh.links.chat import Chat
from hearthway.mesh.links.own_network import Where, looked_up
from hearthway.records.errors import InputError

TIMEOUT_S = 120.0
LABELS_MAX = 500
TOKENS_MAX = 40
TRIES = 3  # of one text: a local server may be loading its model
KEPT_EVERY = 50  # texts


class EndpointSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where it is, which of its models, and the probability given to the label that it names."""

    url: str
    model: Annotated[str, Meta(min_length=1, max_length=200)]
    sure: Annotated[float, Meta(ge=0.5, le=0.999)] = 0.9


class Endpoint:
    """One server, at the address that its name had when this was made."""

    def __init__(self, settings: EndpointSettings) -> None:
        """InputError for a URL that is none, RuleDeniedError for an address beyond the household."""
        self.settings = settings
        self.where: Where = looked_up(settings.url)
        self._chat = Chat(
            where=self.where,
            model=settings.model,
            tokens_max=TOKENS_MAX,
            timeout_s=TIMEOUT_S,
            tries=TRIES,
        )

    def label(self, text: str, labels: Sequence[str]) -> int:
        """The place of the label it names for `text`; -1 where it names none of them. InputError where it cannot be asked."""
        return named(self._chat.said(_instruction(labels), text), labels)


def named(said: str, labels: Sequence[str]) -> int:
    """The place of the label that an answer names: alone on its first line, whatever quotes are around it; else -1."""
    first = said.strip().split("\n", 1)[0].strip(" \t\"'`.*").casefold()
    return next((k for k, label in enumerate(labels) if label.casefold() == first), -1)


def labelled(
    endpoint: Endpoint,
    texts: Sequence[str],
    labels: Sequence[str],
    kept: dict[str, int],
    keep: Callable[[], None],
) -> list[int]:
    """The label of each text. What is in `kept` is not asked again; `keep` is called now and then, and however it ends."""
    if len(labels) > LABELS_MAX:
        raise InputError(
            f"{len(labels)} labels are too many for a question.", f"Take at most {LABELS_MAX}."
        )
    try:
        for number, text in enumerate(texts):
            if text not in kept:
                kept[text] = endpoint.label(text, labels)
                if number % KEPT_EVERY == KEPT_EVERY - 1:
                    keep()
    finally:
        keep()
    return [kept[text] for text in texts]


def _instruction(labels: Sequence[str]) -> str:
    return (
        "You sort what people say to a household's assistant. Answer with exactly one of these labels, "
        f"and nothing else: {', '.join(labels)}"
    )
