"""The student learns: from the teacher's word on every text of the pool, and from people's labels where there are.

Loss of a text: KL divergence from the teacher's probabilities, both softened (Hinton et al. 2015), the cosine between
what the student's intent head sees, projected, and the teacher's embedding, and a share of cross-entropy on the label.
First in floats; then the scales are set from the values seen and the last epochs run on whole numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from msgspec import Struct
from torch import Tensor, nn

from . import batches, progress
from .net import INTENT, SLOTS, Net, Seen
from .settings import NetShape, StudentSettings
from .teacher import Said, Teacher
from .texts import Utterance
from .wordpieces import UNLABELLED, Pieces, tagged

UNKNOWN_ID = 0  # `pruned` puts the unknown piece first


class Lesson(Struct, frozen=True):
    """What a student is taught: pieces, labels or UNLABELLED, and what the teacher said (None: there is none)."""

    ids: Sequence[Sequence[int]]
    labels: Tensor  # [texts]
    said: Said | None = None
    tags: Sequence[Sequence[int]] | None = (
        None  # a slot label a piece, UNLABELLED where there is none
    )
    words: Sequence[Sequence[int]] = ()  # of a text, where each word's first piece stands


def lesson(
    pieces: Pieces,
    texts: Sequence[Utterance],
    labels: Sequence[str],
    slots: Sequence[str] = (),
    said: Said | None = None,
) -> Lesson:
    """Texts as a student reads them; a text without a label teaches no slots either, but by the teacher's word."""
    tokens = [pieces.tokens(one.text) for one in texts]
    at = {label: row for row, label in enumerate(labels)}
    number = {label: row for row, label in enumerate(slots)}
    tags = [
        tagged(its, one.spans, number) if one.label else [UNLABELLED] * len(its)
        for its, one in zip(tokens if slots else (), texts if slots else (), strict=True)
    ]
    return Lesson(
        [[token.id for token in its] for its in tokens],
        torch.tensor([at.get(one.label, UNLABELLED) for one in texts]),
        said,
        tags if slots else None,
        [[at for at, token in enumerate(its) if token.first] for its in tokens],
    )


def first_embedding(teacher: Teacher, vocabulary: Sequence[str], width: int) -> Tensor:
    """The teacher's own vectors of the kept pieces, in their `width` principal directions, of deviation one."""
    rows = [teacher.pieces.at[piece] for piece in vocabulary]
    vectors = teacher.encoder.words.weight.detach()[rows]
    centred = vectors - vectors.mean(0)
    _, _, directions = torch.linalg.svd(centred, full_matrices=False)
    reduced = centred @ directions[:width].T
    return reduced / reduced.std()


def train_student(
    lesson: Lesson,
    shape: NetShape,
    settings: StudentSettings,
    work: Path,
    say: progress.Progress,
    embedding: Tensor | None = None,
) -> tuple[Net, Net]:
    """(the student in whole numbers, the float one it came from). A cut training goes on in `work`."""
    floats, whole = work / "student.float.pt", work / "student.whole.pt"
    torch.manual_seed(settings.seed)
    net = Net(shape, embedding)
    _phase(net, lesson, settings, work, say, whole=False, done=floats)
    before = Net(shape)
    before.load_state_dict(net.state_dict())
    if not whole.is_file():
        _scales(net, lesson, settings)
    net.whole = True
    _phase(net, lesson, settings, work, say, whole=True, done=whole)
    return net.eval(), before.eval()


def load_student(shape: NetShape, path: Path, *, whole: bool) -> Net:
    """A student that `train_student` left in `work`."""
    net = Net(shape)
    net.load_state_dict(torch.load(path, weights_only=True))
    net.whole = whole
    return net.eval()


@torch.inference_mode()
def answers(net: Net, ids: Sequence[Sequence[int]], size: int = 256) -> Tensor:
    """Intent logits of texts, in their order."""
    net.eval()
    found = torch.empty(len(ids), net.shape.labels, dtype=torch.float64)
    for batch in batches.in_order(ids, size):
        found[batch.rows] = net(batch.ids, batch.lengths).heads[INTENT].double()
    return found


def _scales(net: Net, lesson: Lesson, settings: StudentSettings) -> None:
    net.eval().watch()
    draw = progress.seeded(settings.seed, 10_000)
    with torch.inference_mode():
        for at, batch in enumerate(
            batches.shuffled(lesson.ids, settings.batch, draw, settings.alike)
        ):
            net(batch.ids, batch.lengths)
            if at == 40:
                break
    net.go_whole()


def _phase(
    net: Net,
    lesson: Lesson,
    settings: StudentSettings,
    work: Path,
    say: progress.Progress,
    *,
    whole: bool,
    done: Path,
) -> None:
    """The float epochs or the whole-number ones; leaves the running mean of the weights in `net` and in `done`."""
    if done.is_file():
        net.load_state_dict(torch.load(done, weights_only=True))
        return
    epochs = settings.int_epochs if whole else settings.epochs
    cut = work / ("student.whole.cut.pt" if whole else "student.float.cut.pt")
    loop = _Loop(net, lesson, settings, epochs, whole=whole)
    for epoch in range(loop.resume(progress.load(cut)), epochs):
        with progress.tiny_as_zero():
            loss = loop.epoch(epoch)
        say(
            f"student, {'whole numbers' if whole else 'floats'}: epoch {epoch + 1} of {epochs}, loss {loss:.4f}"
        )
        progress.save(cut, loop.state(epoch + 1))
    with torch.no_grad():
        learned = loop.learned()
        for name, weight in net.named_parameters():
            weight.copy_(learned[name])
    progress.save(done, net.state_dict())
    cut.unlink(missing_ok=True)


class _Loop(progress.Loop):
    """Steps of AdamW, a rate that rises and falls, and the running mean of the weights."""

    def __init__(
        self, net: Net, lesson: Lesson, settings: StudentSettings, epochs: int, *, whole: bool
    ) -> None:
        self.net, self.lesson, self.settings, self.whole = net, lesson, settings, whole
        net.drop.share = settings.dropout * (0.5 if whole else 1.0)
        said = lesson.said
        width = said.embeddings.shape[1] if said is not None else 1
        starts = said.starts if said is not None else None
        self.starts: list[int] = starts.tolist() if starts is not None else []  # once, not a step
        self.project = nn.Linear(net.intent.in_features, width)
        states = said.states if said is not None and settings.states else None
        self.towards = (
            nn.Linear(net.shape.channels, states.shape[1]) if states is not None else None
        )
        own = dict(net.named_parameters())
        rate = settings.int_rate if whole else settings.rate
        rest = [weight for name, weight in own.items() if name != "embedding"]
        towards = self.towards.parameters() if self.towards is not None else ()
        optimiser = torch.optim.AdamW(
            [
                {"params": [net.embedding], "lr": rate * settings.table_rate},
                {"params": [*rest, *self.project.parameters(), *towards], "lr": rate},
            ],
            weight_decay=settings.decay,
            fused=True,
        )
        steps = batches.steps(len(lesson.ids), settings.batch) * epochs
        rise = max(1, round(settings.warm * steps))
        super().__init__(
            own,
            settings.average,
            optimiser,
            lambda step: min((step + 1) / rise, max(0.01, (steps - step) / max(1, steps - rise))),
        )

    def epoch(self, epoch: int) -> float:
        settings = self.settings
        draw = progress.seeded(settings.seed, epoch + (1000 if self.whole else 0))
        self.net.train()
        total = 0.0
        for batch in batches.shuffled(self.lesson.ids, settings.batch, draw, settings.alike):
            lost = torch.rand(batch.ids.shape, generator=draw) < settings.lost_pieces
            half = settings.half and not self.whole
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
                seen = self.net(batch.ids.masked_fill(lost, UNKNOWN_ID), batch.lengths)
            heads = {name: logits.float() for name, logits in seen.heads.items()}
            loss = self._loss(batch, Seen(heads, seen.features.float(), seen.steps.float()))
            self.descend(loss)
            total += float(loss.detach()) * len(batch.rows)
        return total / len(self.lesson.ids)

    def _loss(self, batch: batches.Batch, seen: Seen) -> Tensor:
        lesson, settings, heads = self.lesson, self.settings, seen.heads
        loss = torch.zeros(())
        labels = lesson.labels[batch.rows]
        hard = settings.hard if lesson.said is not None else 1.0
        if bool((labels != UNLABELLED).any()):
            share = (labels != UNLABELLED).float().mean()
            loss = loss + hard * share * F.cross_entropy(
                heads[INTENT], labels, ignore_index=UNLABELLED, label_smoothing=0.05
            )
        if lesson.said is not None:
            loss = loss + soft_loss(
                heads[INTENT], lesson.said.logits[batch.rows], settings.temperature
            )
            loss = loss + settings.cosine * cosine_loss(
                self.project(seen.features), lesson.said.embeddings[batch.rows]
            )
        if lesson.tags is not None:
            loss = loss + settings.slots * hard * self._marked_loss(batch, heads[SLOTS])
        if self.starts:
            loss = loss + self._words_loss(batch, seen)
        return loss

    def _marked_loss(self, batch: batches.Batch, logits: Tensor) -> Tensor:
        """Of the slots that people marked."""
        tags = self.lesson.tags
        assert tags is not None  # the caller asked
        wanted, _ = batches.padded([tags[row] for row in batch.rows.tolist()], UNLABELLED)
        known = wanted != UNLABELLED
        if not bool(known.any()):
            return torch.zeros(())
        return F.cross_entropy(logits[known], wanted[known])

    def _words_loss(self, batch: batches.Batch, seen: Seen) -> Tensor:
        """Of what the teacher said of each word: its slot, and the state that it is told from."""
        lesson, settings, starts = self.lesson, self.settings, self.starts
        said = lesson.said
        assert said is not None  # the caller asked
        texts: list[int] = []
        steps: list[int] = []
        theirs: list[int] = []
        for at, row in enumerate(batch.rows.tolist()):
            words = lesson.words[row]
            reach = min(len(words), starts[row + 1] - starts[row])
            texts += [at] * reach
            steps += words[:reach]
            theirs += range(starts[row], starts[row] + reach)
        loss = torch.zeros(())
        if said.tags is not None:
            taught = said.tags[theirs].float()
            mine = seen.heads[SLOTS][texts, steps]
            loss = loss + settings.slots * soft_loss(mine, taught, settings.temperature)
        if self.towards is not None and said.states is not None:
            mine = self.towards(seen.steps[texts, steps])
            loss = loss + settings.states * cosine_loss(mine, said.states[theirs].float())
        return loss

    def state(self, epoch: int) -> dict[str, Any]:
        kept = {"net": self.net.state_dict(), "project": self.project.state_dict()}
        if self.towards is not None:
            kept["towards"] = self.towards.state_dict()
        return {**super().state(epoch), **kept}

    def resume(self, state: dict[str, Any] | None) -> int:
        if state is not None:
            self.net.load_state_dict(state["net"])
            self.project.load_state_dict(state["project"])
            if self.towards is not None:
                self.towards.load_state_dict(state["towards"])
        return super().resume(state)


def soft_loss(logits: Tensor, taught: Tensor, temperature: float) -> Tensor:
    """KL(teacher || student) of softened probabilities, times T^2, mean a text (Hinton et al. 2015)."""
    wanted = (taught / temperature).softmax(-1)
    said = (logits / temperature).log_softmax(-1)
    return F.kl_div(said, wanted, reduction="batchmean") * temperature**2


def cosine_loss(projected: Tensor, embedding: Tensor) -> Tensor:
    """One less the cosine, mean a text."""
    return 1 - F.cosine_similarity(projected, embedding, dim=-1).mean()
