"""The runtime in WebAssembly, under fuel and a memory limit: the same module that a browser runs. Extra `wasm`.

A call costs about 0.02 ms beside what the student does: whoever has many inputs gives them to `run_all` at once.
"""

from __future__ import annotations

import math
import mmap
import weakref
from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hearthway.records.errors import ConfigError, StudentError

from . import header as h
from .format import Student
from .forms import Value
from .legal import admit

if TYPE_CHECKING:
    import wasmtime

MEMORY_MAX = 128 * 2**20  # bytes; the module states the same limit itself
LOAD_FUEL = 2**32  # about one instruction each; a legal file of 32 MiB needs a tenth of it
RUN_FUEL = 2**29  # a sample, beside what its multiply-adds take
MAC_FUEL = 32  # a multiply-add where channels are too few for vectors
BATCH_BYTES = 2**20  # of inputs or outputs that cross at once


class Module:
    """A compiled module and the engine it was compiled for."""

    def __init__(self, engine: wasmtime.Engine, code: wasmtime.Module) -> None:
        self.engine = engine
        self.code = code
        # Closed before the interpreter takes itself apart: wasmtime's own finalizers fail on standard error there.
        weakref.finalize(self, engine.close)
        weakref.finalize(self, code.close)


def module_bytes() -> bytes:
    """The module as it ships; `scripts/wasm` builds it from the C beside it."""
    return files("hearthway.student").joinpath("module/student.wasm").read_bytes()


def compiled(code: bytes) -> Module:
    """Compiles a module; ConfigError where wasmtime is absent."""
    try:
        import wasmtime
    except ImportError:
        raise ConfigError(
            "A student in WebAssembly needs wasmtime, which is not installed.",
            "Install Hearthway's `wasm` extra: pip install 'hearthway[wasm]'.",
        ) from None
    config = wasmtime.Config()
    config.consume_fuel = True
    engine = wasmtime.Engine(config)
    return Module(engine, wasmtime.Module(engine, code))


@lru_cache(maxsize=1)
def shipped() -> Module:
    """The shipped module, compiled once a process."""
    return compiled(module_bytes())


class Sandbox:
    """One instance of the module and its memory. Every call has its fuel; a trap is a StudentError."""

    def __init__(self, module: Module) -> None:
        import wasmtime

        self._traps = (wasmtime.Trap, wasmtime.WasmtimeError)
        self._store = wasmtime.Store(module.engine)
        weakref.finalize(self, self._store.close)
        self._store.set_limits(memory_size=MEMORY_MAX, memories=1, instances=1, tables=1)
        self._store.set_fuel(LOAD_FUEL)
        self._exports = wasmtime.Instance(self._store, module.code, []).exports(self._store)
        self._memory: Any = self._exports["memory"]

    def call(self, name: str, *numbers: int, fuel: int = LOAD_FUEL) -> int:
        """An exported function's number, without sign."""
        self._store.set_fuel(fuel)
        function: Any = self._exports[name]
        try:
            return int(function(self._store, *numbers)) & 0xFFFFFFFF
        except self._traps as why:
            first = str(why).strip().splitlines()[-1]
            raise StudentError(
                f"The student was stopped in its sandbox: {first}.", "Get the file again."
            ) from None

    def view(self, at: int, size: int) -> NDArray[np.uint8]:
        """Bytes of its memory, shared; not to be used after a call that may let the memory grow."""
        return np.frombuffer(self._memory.get_buffer_ptr(self._store, size, at), np.uint8)

    def refuse(self, code: int) -> StudentError:
        """The error of a code that is not 0."""
        at = self.call("message", code)
        words = self.view(at, 200).tobytes().partition(b"\0")[0].decode()
        return StudentError(f"The student does not run: {words}", "Get the file again.")


def load(data: bytes | mmap.mmap, module: Module | None = None) -> Sandbox:
    """A sandbox in which the file has been read and checked by the module itself; StudentError where it refuses."""
    sandbox = Sandbox(module or shipped())
    at = sandbox.call("room", len(data))
    if not at:
        raise sandbox.refuse(1)
    sandbox.view(at, len(data))[:] = np.frombuffer(data, np.uint8)
    code = sandbox.call("load", len(data))
    if code:
        raise sandbox.refuse(code)
    return sandbox


class Runtime:
    """A student's bits as the reference gives them. Not for two threads at once."""

    def __init__(self, student: Student, module: Module | None = None) -> None:
        self._header = student.header
        self._outputs = [(name, student.plan.values[name]) for name in student.header.outputs]
        self._fuel = RUN_FUEL + MAC_FUEL * student.plan.macs
        self._sandbox = load(student.data, module)
        self._spaces = (0, 0)
        self._in = self._out = np.zeros(0, np.uint8)

    def run(self, given: Any) -> dict[str, NDArray[Any]]:
        """The outputs of one input."""
        return self.run_all([given])[0]

    def run_all(self, inputs: Sequence[Any]) -> list[dict[str, NDArray[Any]]]:
        """The outputs of each input; StudentError where one does not fit, and then none is computed."""
        admitted = [admit(self._header, one) for one in inputs]
        packed = [_packed(self._header, one) for one in admitted]
        steps = [one.shape[0] if self._header.input.steps_max else 1 for one in admitted]
        sizes = [4 * sum(_count(value, n) for _, value in self._outputs) for n in steps]
        found: list[dict[str, NDArray[Any]]] = []
        while len(found) < len(packed):
            until = _batch(packed, sizes, len(found))
            part = slice(len(found), until)
            words = self._cross(b"".join(packed[part]), sum(sizes[part]), until - len(found))
            found += self._unpacked(words, steps[part])
        return found

    def _cross(self, given: bytes, size: int, samples: int) -> NDArray[np.int32]:
        if len(given) > self._spaces[0] or size > self._spaces[1]:
            self._spaces = (max(len(given), self._spaces[0]), max(size, self._spaces[1]))
            at = self._sandbox.call("prepare", *self._spaces)
            if not at:
                self._spaces = (0, 0)
                raise self._sandbox.refuse(1)
            self._in = self._sandbox.view(at, self._spaces[0])
            self._out = self._sandbox.view(self._sandbox.call("results"), self._spaces[1])
        self._in[: len(given)] = np.frombuffer(given, np.uint8)
        code = self._sandbox.call("run", samples, fuel=self._fuel * samples)
        if code:
            raise self._sandbox.refuse(code)
        return self._out[:size].view("<i4").copy()

    def _unpacked(
        self, words: NDArray[np.int32], steps: Sequence[int]
    ) -> list[dict[str, NDArray[Any]]]:
        found = []
        at = 0
        for length in steps:
            one = {}
            for name, value in self._outputs:
                count = _count(value, length)
                part = words[at : at + count].reshape(_shape(value, length))
                one[name] = part.astype(value.dtype)
                at += count
            found.append(one)
        return found


def _shape(value: Value, steps: int) -> tuple[int, ...]:
    channels = () if value.channels is None else (value.channels,)
    return (steps, *channels) if value.steps else channels


def _count(value: Value, steps: int) -> int:
    return math.prod(_shape(value, steps))


def _packed(header: h.Header, given: NDArray[Any]) -> bytes:
    """u32 steps, then the numbers, filled up to four bytes."""
    steps = given.shape[0] if header.input.steps_max else 1
    body = given.astype("<i4").tobytes() if given.dtype == np.int32 else given.tobytes()
    return steps.to_bytes(4, "little") + body + b"\0" * (-len(body) % 4)


def _batch(packed: Sequence[bytes], sizes: Sequence[int], start: int) -> int:
    """Until where inputs and outputs cross together; one at least."""
    given = wanted = 0
    for at in range(start, len(packed)):
        given, wanted = given + len(packed[at]), wanted + sizes[at]
        if max(given, wanted) > BATCH_BYTES and at > start:
            return at
    return len(packed)
