"""The student in torch: in floats, and as the integers will compute it.

    pieces -> embedding -> conv, relu -> (+ conv, relu) ... -> max and mean over the text -> linear head: intent
                                    each step beside max and mean -> dense, relu -> linear head: slots

Each convolution sees three pieces; beyond a text's ends there is zero. In whole-number mode every value is the int8
(or the int32 sum) that the exported student will hold, so that what is trained is what will run.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import msgspec
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hearthway.student.rescale import multiplier, pair

from .dropout import Dropout
from .rounding import HIGH, LOW, NIBBLE, added, gained, gains_at, requantised, rounded, row_scales
from .settings import NetShape

LONGEST = 64  # pieces of a text
INTENT, SLOTS, TAGGING = "intent", "slots", "tagging"


def points(shape: NetShape) -> tuple[str, ...]:
    """The values that have a scale of their own, in the order of `Net.scales`; the last sum is what heads see."""
    blocks = (name for at in range(2, shape.convs + 1) for name in (f"conv{at}", f"add{at}"))
    return (*((TAGGING,) if shape.slots else ()), "conv1", *blocks)


class Seen(NamedTuple):
    """What a student makes of a batch, at true scale."""

    heads: dict[str, Tensor]  # logits
    features: Tensor  # [texts, ...]: what the intent head sees
    steps: Tensor  # [texts, pieces, channels]: what the slots' head sees, or would


class Net(nn.Module):
    """Ids and lengths -> logits a head. `whole` switches between floats and whole numbers."""

    def __init__(self, shape: NetShape, embedding: Tensor | None = None) -> None:
        super().__init__()
        self.shape, self.whole, self.exact = shape, False, False
        first = embedding if embedding is not None else torch.randn(shape.pieces, shape.width)
        self.embedding = nn.Parameter(first.clone())
        self.convs = nn.ModuleList(
            nn.Linear(3 * (shape.width if at == 0 else shape.channels), shape.channels)
            for at in range(shape.convs)
        )
        self.intent = nn.Linear(2 * shape.channels, shape.labels)
        self.tagging = nn.Linear(3 * shape.channels, shape.channels) if shape.slots else None
        self.slots = nn.Linear(shape.channels, shape.slots) if shape.slots else None
        self.points = points(shape)
        self.embedding_scale: Tensor
        self.gains: Tensor | None
        self.scales: Tensor
        self.register_buffer("embedding_scale", torch.ones(()))
        small = shape.table_bits == 4
        self.register_buffer("gains", torch.ones(shape.pieces, 1) if small else None)
        self.register_buffer("scales", torch.ones(len(self.points)))
        self.drop = Dropout(0.0)
        self.watched: dict[str, Tensor] | None = None  # largest values, while scales are sought

    def forward(self, ids: Tensor, lengths: Tensor) -> Seen:
        mask = (torch.arange(ids.shape[1])[None] < lengths[:, None])[..., None]
        return (self._whole if self.whole else self._float)(ids, lengths, mask)

    def _float(self, ids: Tensor, lengths: Tensor, mask: Tensor) -> Seen:
        x = self.drop(F.embedding(ids, self.embedding)) * mask
        x = self._seen("conv1", F.relu(self.convs[0](_threes(x))) * mask)
        for at, conv in enumerate(self.convs[1:], start=2):
            y = self._seen(f"conv{at}", F.relu(conv(_threes(x))) * mask)
            x = self._seen(f"add{at}", x + y)
        means = x.sum(1) * (self.shape.mean_gain / lengths[:, None])
        features = torch.cat([x.amax(1), means], dim=-1)
        heads = {INTENT: self.intent(self.drop(features))}
        if self.tagging is not None and self.slots is not None:
            own, text = self._parts(self.tagging.weight)
            beside = F.linear(features, text, self.tagging.bias)  # once a text, not once a step
            steps = F.linear(self.drop(x), own) + beside[:, None]
            x = self._seen(TAGGING, F.relu(steps))
            heads[SLOTS] = self.slots(x)
        return Seen(heads, features, x)

    def _whole(self, ids: Tensor, lengths: Tensor, mask: Tensor) -> Seen:
        scale = dict(zip(self.points, self.scales, strict=True))
        x = self.drop(self._rows(ids)) * mask
        before = scale["conv1"]
        x = self._layer(self.convs[0], _threes(x), self.embedding_scale, before) * mask
        for at, conv in enumerate(self.convs[1:], start=2):
            own, after = scale[f"conv{at}"], scale[f"add{at}"]
            y = self._layer(conv, _threes(x), before, own) * mask
            x = added(x, y, self._pair(before / after, own / after))
            before = after
        factor = self._factor(self.shape.mean_gain / lengths[:, None].to(x.dtype))
        features = torch.cat([x.amax(1), requantised(x.sum(1), factor, low=LOW)], dim=-1)
        heads = {INTENT: self._head(self.intent, self.drop(features), before)}
        if self.tagging is not None and self.slots is not None:
            x = self._layer(self.tagging, self.drop(x), before, scale[TAGGING], features)
            heads[SLOTS] = self._head(self.slots, x, scale[TAGGING])
        return Seen(heads, features * before, x * (scale[TAGGING] if self.slots else before))

    def _rows(self, ids: Tensor) -> Tensor:
        """What `table` has for these pieces; the others need no rounding."""
        rows = F.embedding(ids, self.embedding)
        if self.gains is None:
            return rounded(rows, self.embedding_scale)
        gains = self.gains[ids]
        return rounded(rows, self.embedding_scale * gains, most=NIBBLE) * gains

    def table(self) -> Tensor:
        """The embedding as int8."""
        if self.gains is None:
            return rounded(self.embedding, self.embedding_scale)
        return self.nibbles() * self.gains

    def nibbles(self) -> Tensor:
        """The same in 4 bits, before the gains of its rows. ValueError where there are none."""
        if self.gains is None:
            raise ValueError("this student's table has 8 bits")
        return rounded(self.embedding, self.embedding_scale * self.gains, most=NIBBLE)

    def _layer(
        self, layer: nn.Module, x: Tensor, into: Tensor, out: Tensor, beside: Tensor | None = None
    ) -> Tensor:
        """`beside` [texts, ...] stands beside each step of a text."""
        assert isinstance(layer, nn.Linear)  # narrows a ModuleList's element
        rows = row_scales(layer.weight)
        weight = rounded(layer.weight, rows[:, None])
        bias = rounded(layer.bias, into * rows, most=2**30)
        if beside is None:
            sums = F.linear(x, weight, bias)
        else:
            own, text = self._parts(weight)
            sums = F.linear(x, own) + F.linear(beside, text, bias)[:, None]
        return requantised(sums, self._factor(into * rows / out), low=0)

    def _parts(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Of the tagging layer: what multiplies a step, and what multiplies the text's features."""
        own, text = weight.split([self.shape.channels, 2 * self.shape.channels], dim=1)
        return own, text

    def _head(self, layer: nn.Linear, x: Tensor, into: Tensor) -> Tensor:
        """One scale for all rows, or their sums could not be compared."""
        scale = row_scales(layer.weight).amax()
        sums = F.linear(
            x, rounded(layer.weight, scale), rounded(layer.bias, into * scale, most=2**30)
        )
        return sums if self.exact else sums * (into * scale)

    def _pair(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        """Two factors with one shift, as the integers have them."""
        if not self.exact:
            return a.detach(), b.detach()
        (m_a, m_b), shift = pair(float(a), float(b))
        return (
            torch.tensor(m_a * 2.0**-shift, dtype=torch.float64),
            torch.tensor(m_b * 2.0**-shift, dtype=torch.float64),
        )

    def _factor(self, factor: Tensor) -> Tensor:
        """As it is while learning, as multiplier and shift where bits must be equal."""
        if not self.exact:
            return factor.detach()
        flat = [m * 2.0**-s for m, s in map(multiplier, factor.reshape(-1).tolist())]
        return torch.tensor(flat, dtype=torch.float64).reshape(factor.shape)

    def _seen(self, point: str, x: Tensor) -> Tensor:
        if self.watched is not None:
            most = x.detach().flatten().kthvalue(max(1, math.ceil(x.numel() * 0.9999))).values
            self.watched[point] = torch.maximum(self.watched.get(point, most), most)
        return x

    def watch(self) -> None:
        """From now on the float forward notes how large values become."""
        self.watched = {}

    def go_whole(self) -> None:
        """Sets the scales from what was watched; from now on values are whole numbers."""
        if not self.watched:
            raise ValueError("no values were watched")
        with torch.no_grad():
            self.scales.copy_(torch.stack([self.watched[point] for point in self.points]) / HIGH)
            if self.gains is None:
                self.embedding_scale.copy_(_best_scale(self.embedding))
            else:
                scale, gains = gained(self.embedding)
                self.embedding_scale.copy_(scale)
                self.gains.copy_(gains)
        self.watched, self.whole = None, True


def lengthened(net: Net, rows: Tensor) -> Net:
    """A copy whose embedding goes on with more pieces' rows, by the scale that it has."""
    longer = Net(msgspec.structs.replace(net.shape, pieces=net.shape.pieces + len(rows)))
    state = net.state_dict()
    state["embedding"] = torch.cat([state["embedding"], rows])
    if net.gains is not None:
        own = gains_at(rows, net.embedding_scale) if net.whole else torch.ones(len(rows), 1)
        state["gains"] = torch.cat([net.gains, own])
    longer.load_state_dict(state)
    longer.whole = net.whole
    return longer.eval()


class _Threes(torch.autograd.Function):
    """[texts, pieces, n] -> [..., 3 n]; the gradient is added in place, not a padded copy a part."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        padded = F.pad(x, (0, 0, 1, 1))
        return torch.cat([padded[:, :-2], x, padded[:, 2:]], dim=-1)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        before, own, after = grads[0].chunk(3, dim=-1)
        found = own.clone()
        found[:, :-1] += before[:, 1:]
        found[:, 1:] += after[:, :-1]
        return found


def _threes(x: Tensor) -> Tensor:
    """Each piece beside the one before and the one after, zeros beyond the ends."""
    threes: Tensor = _Threes.apply(x)
    return threes


def _best_scale(weight: Tensor) -> Tensor:
    """The scale of a table with the least squared error: a few large weights may be cut."""
    top = weight.detach().abs().amax()
    scales = [top * share / HIGH for share in (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3)]
    errors = [
        (weight - (weight / one).round().clamp(-HIGH, HIGH) * one).square().mean() for one in scales
    ]
    return scales[int(torch.stack(errors).argmin())]
