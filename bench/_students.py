"""Random legal students and inputs that reach every form of the table and every edge of its integers. Seeded.

Weights are small, uniform or all at an edge; biases zero, moderate or so large that a sum reaches int32's own edge;
factors fit the sums, or are exact halves (so that sums fall on ties), or stand anywhere in their range.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from hearthway.student import header as h
from hearthway.student.format import Student, read, write
from hearthway.student.legal import INT32_MAX, peaks
from hearthway.student.rescale import multiplier

LETTERS = "abcdefgh"
WIDE = 0.04  # share of layers so wide that their sums leave float32


@dataclass(frozen=True, slots=True)
class _Value:
    name: str
    dtype: str
    steps: bool
    channels: int


@dataclass
class _Maker:
    rng: Generator
    steps_max: int = 0
    tokens: int = 0
    nodes: list[h.Node] = field(default_factory=list)
    tensors: dict[str, NDArray[Any]] = field(default_factory=dict)
    values: list[_Value] = field(default_factory=list)

    def pick(self, *choices: Any) -> Any:
        return choices[self.rng.integers(len(choices))]

    def length(self, most: int) -> int:
        return int(self.rng.integers(1, most + 1))

    def chance(self, p: float = 0.5) -> bool:
        return bool(self.rng.random() < p)

    def tensor(self, kind: str, array: NDArray[Any]) -> str:
        name = f"{kind}{len(self.tensors)}"
        self.tensors[name] = array
        return name

    def give(self, node: h.Node, dtype: str, channels: int, *, steps: bool) -> None:
        self.nodes.append(node)
        self.values.append(_Value(node.name, dtype, steps, channels))

    def name(self) -> str:
        return f"n{len(self.nodes)}"

    def of(self, *dtypes: str, steps: bool | None = None) -> _Value | None:
        found = [
            v for v in self.values if v.dtype in dtypes and v.channels and steps in (None, v.steps)
        ]
        return found[self.rng.integers(len(found))] if found else None

    def weights(self, shape: tuple[int, ...]) -> NDArray[np.int8]:
        mode = self.rng.integers(5)
        if mode == 0:
            return np.full(shape, self.pick(-128, 127), np.int8)
        if mode == 1:
            return self.rng.choice(np.array([-128, 127, 0], np.int8), shape)
        reach = self.pick(3, 40, 128)
        return self.rng.integers(-reach, reach, shape).astype(np.int8)

    def bias(self, weight: NDArray[np.int8]) -> NDArray[np.int32]:
        rows = len(weight)
        room = INT32_MAX - peaks(weight, np.zeros(rows, np.int32))
        mode = self.rng.integers(4)
        if mode == 0:
            return np.zeros(rows, np.int32)
        reach = self.pick(200, 20_000)
        wanted = self.rng.integers(-reach, reach, rows)
        if mode == 1:  # sums can reach the edge of int32
            wanted = room * self.rng.choice([-1, 1], rows)
        bias: NDArray[np.int32] = np.clip(wanted, -room, room).astype(np.int32)
        return bias

    def rescale(self, rows: int, typical: float) -> NDArray[np.int32]:
        mode = self.rng.integers(6)
        if mode == 0:
            m = self.rng.choice([2**30, 2**31 - 1, 2**30 + 1], rows)
            return np.stack([m, self.rng.integers(1, 63, rows)]).astype(np.int32)
        if mode == 1:  # halves, quarters: ties
            return np.stack([np.full(rows, 2**30), self.rng.integers(30, 36, rows)]).astype(
                np.int32
            )
        reals = 2.0 ** self.rng.uniform(-3, 2, rows) * 60 / max(typical, 1.0)
        return np.array([multiplier(float(x)) for x in reals], np.int32).T.copy()


def random_student(rng: Generator, *, nodes_max: int = 9) -> Student:
    """A legal student; its file has been written and read."""
    header, tensors = random_content(rng, nodes_max=nodes_max)
    return read(write(header, tensors))


def random_content(
    rng: Generator, *, nodes_max: int = 9
) -> tuple[h.Header, dict[str, NDArray[Any]]]:
    """What `write` takes."""
    maker = _Maker(rng)
    given = _text(maker) if maker.chance() else _features(maker)
    for _ in range(int(rng.integers(1, nodes_max + 1))):
        _more(maker)
    if not maker.nodes:
        _dense(maker)
    read_by = {name for node in maker.nodes for name in h.inputs_of(node)}
    outputs = [v.name for v in maker.values if v.name not in read_by and v.name != h.INPUT]
    outputs += [n.name for n in maker.nodes if n.name not in outputs and maker.chance(0.2)]
    header = h.Header(
        task="random",
        about=h.About(title="random", licence="none"),
        input=given,
        nodes=tuple(maker.nodes),
        outputs=tuple(outputs),
    )
    return header, maker.tensors


def random_input(rng: Generator, student: Student) -> NDArray[Any]:
    """Uniform, at an edge, or few numbers among zeros."""
    given = student.header.input
    steps = int(rng.integers(1, given.steps_max + 1)) if given.steps_max else 0
    if rng.random() < 0.2:
        steps = min(1, given.steps_max) if rng.random() < 0.5 else given.steps_max
    if isinstance(given, h.TextInput):
        tokens = student.plan.values[h.INPUT].bound
        return rng.integers(0, tokens, steps).astype(np.int32)
    shape = (steps, len(given.features)) if given.steps_max else (len(given.features),)
    mode = rng.integers(5)
    if mode < 2:
        return np.full(shape, (-128, 127)[mode], np.int8)
    uniform = rng.integers(-128, 128, shape)
    if mode == 2:
        uniform *= rng.random(shape) < 0.2
    return uniform.astype(np.int8)


def _text(maker: _Maker) -> h.TextInput:
    maker.steps_max = maker.length(24)
    words = ["[UNK]", *LETTERS, *(f"##{c}" for c in LETTERS), "?"]
    vocabulary = words[: max(2, maker.length(len(words)))]
    maker.tokens = len(vocabulary)
    maker.tensors["vocabulary"] = np.frombuffer("\n".join(vocabulary).encode(), np.uint8)
    _embedding(maker)
    return h.TextInput(
        steps_max=maker.steps_max,
        vocabulary="vocabulary",
        unknown=0,
        letters=LETTERS,
        signs="?!",
        fold={c: c.upper() for c in LETTERS},
        drop="\u0301",
    )


def _features(maker: _Maker) -> h.FeatureInput:
    maker.steps_max = maker.length(24) if maker.chance(0.7) else 0
    channels = maker.length(20)
    maker.values.append(_Value(h.INPUT, "int8", bool(maker.steps_max), channels))
    return h.FeatureInput(
        steps_max=maker.steps_max,
        features=tuple(
            h.Feature(f"f{n}", "m", float(maker.rng.normal()), float(maker.rng.normal()))
            for n in range(channels)
        ),
    )


def _embedding(maker: _Maker) -> None:
    channels = maker.length(24)
    name = maker.name()
    if maker.chance():
        rows = maker.tensor("table", maker.weights((maker.tokens, channels)))
        node = h.Embedding(name=name, of=h.INPUT, table=rows)
    else:
        packed = maker.rng.integers(0, 256, (maker.tokens, channels)).astype(np.uint8)
        gain = maker.rng.integers(1, 17, maker.tokens).astype(np.uint8)
        rows, channels = maker.tensor("table", packed), channels * 2
        node = h.Embedding(name=name, of=h.INPUT, table=rows, gain=maker.tensor("gain", gain))
    maker.give(node, "int8", channels, steps=True)


def _dense(maker: _Maker) -> None:
    taken = maker.of("int8")
    if taken is None:
        return
    outputs = maker.length(24) if not maker.chance(WIDE) else 600
    weight = maker.weights((outputs, taken.channels))
    _sums(maker, taken, weight, h.Dense)


def _conv1d(maker: _Maker) -> None:
    taken = maker.of("int8", steps=True)
    if taken is None:
        return
    kernel = maker.pick(1, 3, 3, 5, 7)
    outputs = maker.length(24) if not maker.chance(WIDE) else 400
    _sums(maker, taken, maker.weights((outputs, kernel, taken.channels)), h.Conv1d)


def _sums(
    maker: _Maker, taken: _Value, weight: NDArray[np.int8], kind: type[h.Dense] | type[h.Conv1d]
) -> None:
    bias = maker.bias(weight)
    narrow = maker.chance(0.75)
    typical = 40.0 * float(np.abs(weight.astype(float)).mean()) * (weight[0].size ** 0.5)
    rescale = maker.rescale(len(weight), typical) if narrow else None
    node = kind(
        name=maker.name(),
        of=taken.name,
        weight=maker.tensor("weight", weight),
        bias=maker.tensor("bias", bias),
        rescale=None if rescale is None else maker.tensor("rescale", rescale),
        relu=narrow and maker.chance(),
    )
    maker.give(node, "int8" if narrow else "int32", len(weight), steps=taken.steps)


def _add(maker: _Maker) -> None:
    a = maker.of("int8")
    if a is None:
        return
    alike = [
        v for v in maker.values if (v.dtype, v.steps, v.channels) == (a.dtype, a.steps, a.channels)
    ]
    b = alike[maker.rng.integers(len(alike))]
    large, shift = multiplier(float(2.0 ** maker.rng.uniform(-3, 3)))
    small = maker.pick(0, large, int(maker.rng.integers(0, 2**31)), 2**29)
    if maker.chance(0.3):  # halves
        large, small, shift = 2**30, maker.pick(2**30, 2**29, 0), maker.pick(31, 32)
    elif maker.chance(0.2):
        shift = int(maker.rng.integers(1, 63))
    pair = (large, small) if maker.chance() else (small, large)
    node = h.Add(
        name=maker.name(),
        of=(a.name, b.name),
        multipliers=pair,
        shift=shift,
        relu=maker.chance(0.4),
    )
    maker.give(node, "int8", a.channels, steps=a.steps)


def _relu(maker: _Maker) -> None:
    taken = maker.of("int8")
    if taken is not None:
        node = h.Relu(name=maker.name(), of=taken.name)
        maker.give(node, "int8", taken.channels, steps=taken.steps)


def _pool(maker: _Maker) -> None:
    taken = maker.of("int8", steps=True)
    if taken is None:
        return
    if maker.chance():
        node = h.Pool(name=maker.name(), of=taken.name, how="max")
    else:
        rows = maker.tensor("rescale", maker.rescale(maker.steps_max, 40.0 * maker.steps_max))
        node = h.Pool(name=maker.name(), of=taken.name, how="sum", rescale=rows)
    maker.give(node, "int8", taken.channels, steps=False)


def _concat(maker: _Maker) -> None:
    taken = [v for v in (maker.of("int8") for _ in range(maker.pick(2, 2, 3))) if v is not None]
    if len(taken) > 1:
        node = h.Concat(name=maker.name(), of=tuple(v.name for v in taken))
        total = sum(v.channels for v in taken)
        maker.give(node, "int8", total, steps=any(v.steps for v in taken))


def _requantise(maker: _Maker) -> None:
    taken = maker.of("int8", "int32") if maker.chance() else maker.of("int32")
    if taken is None:
        return
    typical = 40.0 if taken.dtype == "int8" else 20_000.0
    rows = maker.tensor("rescale", maker.rescale(taken.channels, typical))
    node = h.Requantise(name=maker.name(), of=taken.name, rescale=rows, relu=maker.chance())
    maker.give(node, "int8", taken.channels, steps=taken.steps)


def _argmax(maker: _Maker) -> None:
    taken = maker.of("int8", "int32")
    if taken is not None:
        node = h.Argmax(name=maker.name(), of=taken.name)
        maker.give(node, "int32", 0, steps=taken.steps)


def _more(maker: _Maker) -> None:
    makers = [_dense, _conv1d, _conv1d, _add, _relu, _pool, _concat, _requantise, _argmax]
    if maker.tokens:
        makers.append(_embedding)
    makers[maker.rng.integers(len(makers))](maker)
