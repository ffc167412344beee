"""A trained net as a student's file: features by their affine table, dense layers, one head of classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from msgspec import Struct

from hearthway.student import header
from hearthway.student.format import write
from hearthway.student.rescale import table

from .arrays import Array
from .net import INPUT_SCALE, Net, Scaling, weight_scales


class Feature(Struct, frozen=True):
    """One number of a row: what it is called, and its unit."""

    name: str
    unit: str


def as_file(
    net: Net,
    scaling: Scaling,
    features: Sequence[Feature],
    labels: Sequence[str],
    *,
    task: str,
    about: header.About,
) -> bytes:
    """The file's bytes; the head accepts every class (its threshold is below any logit)."""
    tensors: dict[str, Array] = {}
    nodes: list[header.Node] = []
    before, in_scale = header.INPUT, INPUT_SCALE
    for layer, (weight, bias) in enumerate(zip(net.weights, net.biases, strict=True)):
        last = layer == len(net.weights) - 1
        name = "logits" if last else f"hidden{layer + 1}"
        scales = weight_scales(weight, whole=last)
        tensors[f"{name}.weight"] = np.floor(weight / scales[:, None] + 0.5).astype(np.int8)
        tensors[f"{name}.bias"] = np.floor(bias / (in_scale * scales) + 0.5).astype(np.int32)
        rescale = None
        if not last:
            rescale = f"{name}.rescale"
            tensors[rescale] = table(in_scale * scales / net.scales[layer])
            in_scale, last_scale = net.scales[layer], 0.0
        else:
            last_scale = float(in_scale * scales[0])
        nodes.append(
            header.Dense(
                name=name,
                of=before,
                weight=f"{name}.weight",
                bias=f"{name}.bias",
                rescale=rescale,
                relu=not last,
            )
        )
        before = name
    told = header.Header(
        task=task,
        about=about,
        input=header.FeatureInput(
            steps_max=0,
            features=tuple(
                header.Feature(one.name, one.unit, float(offset), float(gain))
                for one, offset, gain in zip(features, scaling.offset, scaling.gain, strict=True)
            ),
        ),
        nodes=(*nodes, header.Argmax(name="class", of="logits")),
        outputs=("logits", "class"),
        heads=(
            header.ClassHead(
                name="class",
                of="logits",
                labels=tuple(labels),
                scale=last_scale,
                threshold=-(2**31),
            ),
        ),
    )
    return write(told, tensors)


def described(values: Mapping[str, Any]) -> dict[str, str]:
    """Words of a recipe as the file carries them."""
    return {key: str(value)[:400] for key, value in values.items()}
