"""A teacher behind an endpoint, for a student of language: it names a label for each text, and the sentence encoder as it was
published gives the pieces and the vectors. Nothing is fine-tuned."""

from __future__ import annotations

from collections.abc import Sequence
from math import log
from pathlib import Path

import msgspec
import torch

from hearthway.distill.outside.endpoint import Endpoint, labelled
from hearthway.distill.stages import write_whole
from hearthway.records.errors import InputError

from . import bert, progress
from .teacher import Said, Teacher, told

ANSWERS = "answers.json"
NONE = "none"  # what lies outside every label is called to whoever is asked
UNNAMED_MAX = 0.5  # of the texts: a model that follows the question so seldom teaches nothing


class Asked:
    """One endpoint's word on texts; its answers are kept in `folder`, and no text is asked twice."""

    def __init__(
        self,
        endpoint: Endpoint,
        labels: Sequence[str],
        outside: int,
        folder: Path,
        say: progress.Progress,
    ) -> None:
        self._endpoint, self._settings = endpoint, endpoint.settings
        self._outside, self._folder, self._say = outside, folder, say
        self._names = [NONE if row == outside else label for row, label in enumerate(labels)]
        encoder, vocabulary = bert.load(bert.model_folder())
        self.teacher = Teacher(encoder, vocabulary, labels).eval()

    def told(self, texts: Sequence[str], *, half: bool = False) -> Said:
        """As a fine-tuned teacher says it. InputError where it names no label for more than half of the texts."""
        kept = self._kept()
        places = labelled(self._endpoint, texts, self._names, kept, lambda: self._keep(kept))
        unnamed = sum(place < 0 for place in places)
        if unnamed > UNNAMED_MAX * len(places):
            raise InputError(
                f"{self._settings.model} names no label for {unnamed} of {len(places)} texts.",
                f"Take a model that follows such a question; {self._folder / ANSWERS} has what it said.",
            )
        return Said(self._logits(places), told(self.teacher, texts, half=half).embeddings)

    def _logits(self, places: Sequence[int]) -> torch.Tensor:
        """`sure` for what it named, the rest shared by the others; what it named no label for is outside them all."""
        sure = self._settings.sure
        found = torch.full(
            (len(places), len(self._names)), log((1 - sure) / (len(self._names) - 1))
        )
        rows = torch.tensor([self._outside if place < 0 else place for place in places])
        found[torch.arange(len(places)), rows] = log(sure)
        return found

    def _kept(self) -> dict[str, int]:
        try:
            said = msgspec.json.decode((self._folder / ANSWERS).read_bytes(), type=dict[str, str])
        except FileNotFoundError:
            return {}
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise InputError(
                f"What {self._settings.model} said before, in {self._folder / ANSWERS}, cannot be read.",
                "Mend it, or remove it: then every text is asked again.",
            ) from None
        at = {name: place for place, name in enumerate(self._names)}
        return {text: at.get(name, -1) for text, name in said.items()}

    def _keep(self, kept: dict[str, int]) -> None:
        self._say(f"{self._settings.model} has labelled {len(kept)} texts")
        self._folder.mkdir(parents=True, exist_ok=True)
        said = {text: self._names[place] if place >= 0 else "" for text, place in kept.items()}
        write_whole(self._folder / ANSWERS, msgspec.json.format(msgspec.json.encode(said)))
