"""The teacher: the sentence encoder with a linear head, all layers but the word embeddings fine-tuned.

What lies outside every label is a label too ("oos"); its rows are whatever the corpus gives for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hearthway.records.errors import InputError

from . import batches, bert, progress
from .settings import TeacherSettings
from .texts import Utterance
from .wordpieces import UNLABELLED, Pieces, tagged

SHARP = 16.0  # of an untrained head: logits are this times the cosine to the label's mean
EVALUATED = 128  # texts a batch where nothing is learned
PART = 65_536  # words


class Heard(NamedTuple):
    """What a teacher makes of a batch."""

    logits: Tensor  # [texts, labels]
    embedding: Tensor  # [texts, width]
    tags: Tensor | None  # [texts, pieces, slots]
    states: Tensor  # [texts, pieces, width]


class Teacher(nn.Module):
    """Ids -> intent logits, embedding, and a piece's slot logits (or None) and last layer."""

    def __init__(
        self,
        encoder: bert.Encoder,
        vocabulary: Sequence[str],
        labels: Sequence[str],
        slots: Sequence[str] = (),
        most: int = 48,
    ) -> None:
        super().__init__()
        self.encoder, self.labels, self.slots = encoder, tuple(labels), tuple(slots)
        self.pieces = Pieces(vocabulary, most - 2)
        self.head = nn.Linear(encoder.width, len(self.labels))
        self.tags = nn.Linear(encoder.width, len(self.slots)) if self.slots else None

    def forward(self, ids: Tensor, lengths: Tensor) -> Heard:
        states, embedding = self.encoder(ids, lengths)
        tags = self.tags(states) if self.tags is not None else None
        return Heard(self.head(SHARP * embedding), embedding, tags, states)

    def marked(self, ids: Sequence[int]) -> list[int]:
        """Ids between the marks that the encoder was trained with."""
        return [self.pieces.at[bert.CLS], *ids, self.pieces.at[bert.SEP]]


class Said(NamedTuple):
    """What a teacher says of texts in their order; slot logits a word, those of text i in starts[i]:starts[i+1]."""

    logits: Tensor  # [texts, labels]
    embeddings: Tensor  # [texts, width]
    tags: Tensor | None = None  # [words, slots]
    starts: Tensor | None = None  # [texts + 1]
    states: Tensor | None = None  # [words, directions] in float16, as `told` leaves them


class _Read(NamedTuple):
    """Texts as a teacher takes them."""

    ids: list[list[int]]
    labels: Tensor
    tags: list[list[int]] | None  # a label a piece, the marks' included
    words: list[list[int]]  # where each word's first piece stands


def _read(teacher: Teacher, texts: Sequence[Utterance]) -> _Read:
    tokens = [teacher.pieces.tokens(one.text) for one in texts]
    at = {label: row for row, label in enumerate(teacher.labels)}
    tags = None
    if teacher.slots:
        number = {label: row for row, label in enumerate(teacher.slots)}
        tags = [
            [UNLABELLED, *tagged(its, one.spans, number), UNLABELLED]
            for its, one in zip(tokens, texts, strict=True)
        ]
    return _Read(
        [teacher.marked([token.id for token in its]) for its in tokens],
        torch.tensor([at.get(one.label, UNLABELLED) for one in texts]),
        tags,
        [[at + 1 for at, token in enumerate(its) if token.first] for its in tokens],
    )


def train_teacher(
    texts: Sequence[Utterance],
    labels: Sequence[str],
    settings: TeacherSettings,
    work: Path,
    say: progress.Progress,
    *,
    slots: Sequence[str] = (),
    folder: Path | None = None,
) -> Path:
    """Fine-tunes on labelled texts; gives the path of the teacher, in `work`. A cut training goes on there.

    With `slots` ("O", "I-x", ...) the spans of the texts are learned too. `folder` holds the encoder's files.
    """
    done, cut = work / "teacher.pt", work / "teacher.cut.pt"
    if done.is_file():
        say("the teacher is there already")
        return done
    torch.manual_seed(settings.seed)
    encoder, vocabulary = bert.load(bert.model_folder(folder))
    teacher = Teacher(encoder, vocabulary, labels, slots, settings.pieces)
    read = _read(teacher, texts)
    _begin_at_means(teacher, read, half=settings.half)
    loop = _Loop(teacher, settings, batches.steps(len(read.ids), settings.batch))
    for epoch in range(loop.resume(progress.load(cut)), settings.epochs):
        loss = loop.epoch(read, epoch)
        say(f"teacher: epoch {epoch + 1} of {settings.epochs}, loss {loss:.4f}")
        progress.save(cut, loop.state(epoch + 1))
    learned = {"weights": loop.learned(), "labels": list(labels), "slots": list(slots)}
    progress.save(done, {**learned, "pieces": settings.pieces})
    cut.unlink(missing_ok=True)
    return done


def load_teacher(path: Path, folder: Path | None = None) -> Teacher:
    """The teacher that `train_teacher` left. InputError where the file is none."""
    state = progress.load(path)
    if state is None or not {"weights", "labels"} <= state.keys():
        raise InputError(f"{path} is no teacher.", "Give the teacher.pt that the training left.")
    encoder, vocabulary = bert.load(bert.model_folder(folder))
    teacher = Teacher(encoder, vocabulary, state["labels"], state.get("slots", ()), state["pieces"])
    teacher.load_state_dict(state["weights"], strict=False)
    return teacher.eval()


@torch.inference_mode()
def told(
    teacher: Teacher, texts: Sequence[str], *, half: bool = False, directions: int = 0
) -> Said:
    """What a teacher says of texts, without learning; `half` for speed where no figure hangs on it.

    With `directions` the last layer at each word's first piece too, in that many principal directions over all words.
    """
    teacher.eval()
    read = _read(teacher, [Utterance(text) for text in texts])
    starts = torch.tensor([0, *(len(one) for one in read.words)]).cumsum(0)
    logits = torch.empty(len(read.ids), len(teacher.labels))
    embeddings = torch.empty(len(read.ids), teacher.encoder.width)
    tags = torch.empty(int(starts[-1]), len(teacher.slots))
    width = teacher.encoder.width if directions else 0
    states = torch.empty(int(starts[-1]), width, dtype=torch.float16)  # a million words and more
    for batch in batches.in_order(read.ids, EVALUATED):
        with _products(half=half):
            heard = teacher(batch.ids, batch.lengths)
        logits[batch.rows], embeddings[batch.rows] = heard.logits.float(), heard.embedding.float()
        for at, row in enumerate(batch.rows.tolist()):
            own, words = slice(starts[row], starts[row + 1]), read.words[row]
            if heard.tags is not None:
                tags[own] = heard.tags[at, words].float()
            if directions:
                states[own] = heard.states[at, words].half()
    return Said(
        logits,
        embeddings,
        tags if teacher.slots else None,
        starts if teacher.slots or directions else None,
        _principal(states, directions) if directions else None,
    )


def _principal(states: Tensor, directions: int) -> Tensor:
    """Vectors from their mean, in their principal directions; a part at a time, for as floats they take gigabytes."""
    mean = states.mean(0, dtype=torch.float32)
    spread = torch.zeros(states.shape[1], states.shape[1])
    for part in states.split(PART):
        centred = part.float() - mean
        spread += centred.T @ centred
    _, vectors = torch.linalg.eigh(spread)  # by rising eigenvalue
    main = vectors[:, -directions:]
    return torch.cat([((part.float() - mean) @ main).half() for part in states.split(PART)])


def averaged(said: Sequence[Said], outside: int) -> Said:
    """Several teachers as one. Logits count from the mean of a text's labels, the one outside left out.

    States of words are the first one's: another's principal directions are others.
    """
    tags = [one.tags.log_softmax(-1) for one in said if one.tags is not None]
    return Said(
        torch.stack([_from_mean(one.logits, outside) for one in said]).mean(0),
        F.normalize(torch.stack([one.embeddings for one in said]).mean(0), dim=-1),
        torch.stack(tags).mean(0) if tags else None,
        said[0].starts,
        said[0].states,
    )


def lifted(said: Said, outside: int, height: float) -> Said:
    """The same with one logit for what is outside in every text: how high the best label must stand above the mean.

    That height tells what is in scope better than the teacher's own label for the rest, which knows the outliers it
    was shown; and a softmax with a constant in it tells a student how high the best stands.
    """
    logits = _from_mean(said.logits, outside)
    logits[:, outside] = height
    return said._replace(logits=logits)


def _from_mean(logits: Tensor, outside: int) -> Tensor:
    inside = torch.cat([logits[:, :outside], logits[:, outside + 1 :]], dim=1)
    return logits - inside.mean(1, keepdim=True)


def _begin_at_means(teacher: Teacher, read: _Read, *, half: bool) -> None:
    """The head begins as the nearest mean of a label, which an untrained encoder is good at already."""
    teacher.eval()
    sums = torch.zeros(len(teacher.labels), teacher.encoder.width)
    with torch.inference_mode():
        for batch in batches.in_order(read.ids, EVALUATED):
            with _products(half=half):
                _, embedding = teacher.encoder(batch.ids, batch.lengths)
            sums.index_add_(0, read.labels[batch.rows], embedding.float())
    with torch.no_grad():
        teacher.head.weight.copy_(F.normalize(sums, dim=-1))
        teacher.head.bias.zero_()


def _products(*, half: bool) -> torch.autocast:
    return torch.autocast("cpu", dtype=torch.bfloat16, enabled=half)


class _Loop(progress.Loop):
    """Steps of AdamW, a rate that rises and falls, and the running mean of the weights."""

    def __init__(self, teacher: Teacher, settings: TeacherSettings, steps: int) -> None:
        self.teacher, self.settings = teacher, settings
        teacher.encoder.words.weight.requires_grad_(requires_grad=False)
        head = [*teacher.head.parameters()]
        if teacher.tags is not None:
            head += teacher.tags.parameters()
        body = [p for p in teacher.encoder.parameters() if p.requires_grad]
        optimiser = torch.optim.AdamW(
            [
                {"params": body, "lr": settings.rate},
                {"params": head, "lr": settings.head_rate},
            ],
            weight_decay=settings.decay,
            fused=True,
        )
        whole = steps * settings.epochs
        rise = max(1, round(settings.warm * whole))
        super().__init__(
            {name: p for name, p in teacher.named_parameters() if p.requires_grad},
            settings.average,
            optimiser,
            lambda step: min((step + 1) / rise, max(0.0, (whole - step) / max(1, whole - rise))),
        )

    def epoch(self, read: _Read, epoch: int) -> float:
        draw = progress.seeded(self.settings.seed, epoch)
        self.teacher.train()
        total = 0.0
        for batch in batches.shuffled(read.ids, self.settings.batch, draw):
            if self.settings.lost_pieces:
                mask = self.teacher.pieces.at[bert.MASK]
                batch = batches.masked(batch, self.settings.lost_pieces, mask, draw)
            loss = self._loss(read, batch)
            self.descend(loss)
            total += float(loss.detach()) * len(batch.rows)
        return total / len(read.ids)

    def _loss(self, read: _Read, batch: batches.Batch) -> Tensor:
        settings = self.settings
        with _products(half=settings.half):
            heard = self.teacher(batch.ids, batch.lengths)
        loss = F.cross_entropy(
            heard.logits.float(), read.labels[batch.rows], label_smoothing=settings.smoothing
        )
        if heard.tags is not None and read.tags is not None:
            wanted, _ = batches.padded([read.tags[row] for row in batch.rows.tolist()], UNLABELLED)
            loss = loss + settings.slots * F.cross_entropy(
                heard.tags.float().flatten(0, 1), wanted.flatten(), ignore_index=UNLABELLED
            )
        return loss

    def state(self, epoch: int) -> dict[str, Any]:
        weights = {name: p.detach() for name, p in self.weights.items()}
        return {**super().state(epoch), "weights": weights}

    def resume(self, state: dict[str, Any] | None) -> int:
        if state is not None:
            with torch.no_grad():
                for name, weight in state["weights"].items():
                    self.weights[name].copy_(weight)
        return super().resume(state)
