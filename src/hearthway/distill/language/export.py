"""A trained student as the one file that every runtime reads."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import msgspec
import numpy as np
import torch
from msgspec import Struct
from numpy.typing import NDArray
from torch import Tensor, nn

from hearthway.student import format as student_format
from hearthway.student import header as h
from hearthway.student.alphabet import text_input
from hearthway.student.rescale import mean_table, pair, table

from .net import INTENT, LONGEST, SLOTS, TAGGING, Net
from .rounding import rounded, row_scales
from .wordpieces import UNKNOWN


class Labelling(Struct, frozen=True):
    """What a student's outputs mean, and from which integer score on an utterance is accepted."""

    task: str
    intents: tuple[str, ...]
    outside: int | None  # the label for what no intent covers
    threshold: int
    slots: tuple[str, ...] = ()
    follows: NDArray[np.float64] | None = None  # [slots, slots], natural


def exported(net: Net, vocabulary: Sequence[str], labelling: Labelling, about: h.About) -> bytes:
    """The file's bytes. The net must be in whole numbers; StudentError where the file would not be legal."""
    exact = exactly(net)
    numbers: dict[str, NDArray[np.generic]] = {}
    given, numbers["vocabulary"] = text_input(
        vocabulary, unknown=vocabulary.index(UNKNOWN), steps_max=LONGEST
    )
    nodes = _body(exact, numbers)
    into = exact.scales[-1]
    heads: list[h.Head] = []
    nodes.append(_head(exact.intent, INTENT, "seen", into, numbers))
    heads.append(
        h.ClassHead(
            name=INTENT,
            of=INTENT,
            labels=labelling.intents,
            scale=_head_scale(exact.intent, into),
            threshold=labelling.threshold,
            score="best" if labelling.outside is None else "margin",
            outside=labelling.outside,
        )
    )
    if exact.tagging is not None and exact.slots is not None:
        out = exact.scales[exact.points.index(TAGGING)]
        nodes.append(h.Concat(name="step", of=(exact.points[-1], "seen")))
        nodes.append(_hidden(exact.tagging, TAGGING, "step", (into, out), numbers))
        nodes.append(_head(exact.slots, SLOTS, TAGGING, out, numbers))
        heads.append(_tags_head(labelling, _head_scale(exact.slots, out), numbers))
    header = h.Header(
        task=labelling.task,
        about=about,
        input=given,
        nodes=tuple(nodes),
        outputs=tuple(head.of for head in heads),
        heads=tuple(heads),
    )
    return student_format.write(header, numbers)


def _tags_head(
    labelling: Labelling, scale: float, numbers: dict[str, NDArray[np.generic]]
) -> h.TagsHead:
    """With what follows what in steps of one `gain`, the largest being 127 of them."""
    head = h.TagsHead(name=SLOTS, of=SLOTS, labels=labelling.slots, scale=scale)
    if labelling.follows is None:
        return head
    gain = max(1, round(float(np.abs(labelling.follows).max()) / scale / 127))
    numbers["follows"] = np.clip(np.rint(labelling.follows / (gain * scale)), -127, 127).astype(
        np.int8
    )
    return msgspec.structs.replace(head, follows="follows", gain=gain)


def exactly(net: Net) -> Net:
    """A copy in float64 whose forward gives the integers of the file: int32 logits, every bit."""
    if not net.whole:
        raise ValueError("a student is exported from its whole-number form")
    exact = copy.deepcopy(net).double().eval()
    exact.exact = True
    return exact


def _body(net: Net, numbers: dict[str, NDArray[np.generic]]) -> list[h.Node]:
    scale = dict(zip(net.points, net.scales, strict=True))
    nodes: list[h.Node] = [_embedding(net, numbers)]
    before, at_scale = "pieces", net.embedding_scale
    for at, layer in enumerate(net.convs, start=1):
        name = f"conv{at}"
        nodes.append(_conv(layer, name, before, (at_scale, scale[name]), numbers))
        if at == 1:
            before, at_scale = name, scale[name]
            continue
        after = f"add{at}"
        factors, shift = pair(float(at_scale / scale[after]), float(scale[name] / scale[after]))
        nodes.append(h.Add(name=after, of=(before, name), multipliers=factors, shift=shift))
        before, at_scale = after, scale[after]
    numbers["means"] = mean_table(net.shape.mean_gain, LONGEST)
    nodes += [
        h.Pool(name="most", of=before, how="max"),
        h.Pool(name="mean", of=before, how="sum", rescale="means"),
        h.Concat(name="seen", of=("most", "mean")),
    ]
    return nodes


def _embedding(net: Net, numbers: dict[str, NDArray[np.generic]]) -> h.Embedding:
    if net.gains is None:
        numbers["table"] = _int8(net.table())
        return h.Embedding(name="pieces", of=h.INPUT, table="table")
    nibbles = _int8(net.nibbles()).view(np.uint8) & 15
    numbers["table"] = nibbles[:, 0::2] | nibbles[:, 1::2] << 4
    numbers["gain"] = net.gains[:, 0].to(torch.uint8).numpy()
    return h.Embedding(name="pieces", of=h.INPUT, table="table", gain="gain")


def _conv(
    layer: nn.Module,
    name: str,
    of: str,
    scales: tuple[Tensor, Tensor],
    numbers: dict[str, NDArray[np.generic]],
) -> h.Conv1d:
    assert isinstance(layer, nn.Linear)  # narrows a ModuleList's element
    weight, bias, rescale = _tensors(layer, name, scales, numbers)
    numbers[weight] = numbers[weight].reshape(layer.out_features, 3, -1)
    return h.Conv1d(name=name, of=of, weight=weight, bias=bias, rescale=rescale, relu=True)


def _hidden(
    layer: nn.Linear,
    name: str,
    of: str,
    scales: tuple[Tensor, Tensor],
    numbers: dict[str, NDArray[np.generic]],
) -> h.Dense:
    weight, bias, rescale = _tensors(layer, name, scales, numbers)
    return h.Dense(name=name, of=of, weight=weight, bias=bias, rescale=rescale, relu=True)


def _tensors(
    layer: nn.Linear,
    name: str,
    scales: tuple[Tensor, Tensor],
    numbers: dict[str, NDArray[np.generic]],
) -> tuple[str, str, str]:
    """Names of a layer's weight, bias and rescale in the file, from and to the given scales."""
    into, out = scales
    rows = row_scales(layer.weight)
    numbers[f"{name}.weight"] = _int8(rounded(layer.weight, rows[:, None]))
    numbers[f"{name}.bias"] = _int32(rounded(layer.bias, into * rows, most=2**30))
    numbers[f"{name}.rescale"] = table((into * rows / out).tolist())
    return f"{name}.weight", f"{name}.bias", f"{name}.rescale"


def _head(
    layer: nn.Linear, name: str, of: str, into: Tensor, numbers: dict[str, NDArray[np.generic]]
) -> h.Dense:
    scale = row_scales(layer.weight).amax()
    numbers[f"{name}.weight"] = _int8(rounded(layer.weight, scale))
    numbers[f"{name}.bias"] = _int32(rounded(layer.bias, into * scale, most=2**30))
    return h.Dense(name=name, of=of, weight=f"{name}.weight", bias=f"{name}.bias")


def _head_scale(layer: nn.Linear, into: Tensor) -> float:
    return float(into * row_scales(layer.weight).amax())


def _int8(x: Tensor) -> NDArray[np.int8]:
    return x.detach().to(torch.int8).numpy()


def _int32(x: Tensor) -> NDArray[np.int32]:
    return x.detach().to(torch.int32).numpy()
