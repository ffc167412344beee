"""A function as a task: a core WebAssembly module that makes bytes of bytes, run under fuel and a memory limit. Extra `wasm`.

The module exports `memory`, `room(size) -> address` (where the input goes; 0: nowhere), `run(size) -> size` (of what came
out; negative: that input is refused) and `result() -> address`, all numbers i32. It imports nothing, so it has no clock, no
file and no chance; each input meets a new instance, and a float that is no number has one form. The same bytes in give the same
bytes out on every device.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from hearthway.records.errors import ConfigError, InputError
from hearthway.records.offload import INPUT_MAX_BYTES, OUTPUT_MAX_BYTES

if TYPE_CHECKING:
    import wasmtime

PREFIX = "function."  # of the names under which a household has them
FILE_MAX_BYTES = 2**20
MEMORY_MAX_BYTES = 64 * 2**20
FUEL = 2**33  # about one instruction each
LISTENS_S = 0.05  # how soon a signal ends one that runs
ENDS_S = 1.0  # and what it may be in the middle of
WORDS_MAX = 160  # characters of what a module calls its things
_MAGIC = b"\0asm\x01\0\0\0"
_STACK_BYTES, _TABLE_MAX = 512 * 2**10, 10_000
_FORMS = {"room": 1, "run": 1, "result": 0}  # how many numbers each takes; each gives one
_NEXT = "docs/how-to/offload says what a function has to export."


def is_module(data: bytes) -> bool:
    """Does it begin as a core module in binary form? Text, which wasmtime would compile, does not."""
    return data.startswith(_MAGIC)


def runs_functions() -> bool:
    """Is wasmtime installed here? It is not loaded for that."""
    return find_spec("wasmtime") is not None


def no_runtime() -> ConfigError:
    """What to say where it is not."""
    return ConfigError(
        "A function needs wasmtime, which is not installed here.",
        "Install Hearthway's `wasm` extra: pip install 'hearthway[wasm]'.",
    )


class Function:
    """A compiled module; call it with an input. Not for two threads at once."""

    def __init__(self, data: bytes) -> None:
        """InputError for what is none; ConfigError where wasmtime is absent."""
        if not is_module(data):
            raise InputError("That is no WebAssembly module.", _NEXT)
        if len(data) > FILE_MAX_BYTES:
            raise InputError(f"A function has at most {FILE_MAX_BYTES >> 10} KiB.", _NEXT)
        if not runs_functions():
            raise no_runtime()
        import wasmtime

        self._stops = (wasmtime.Trap, wasmtime.WasmtimeError)
        self._engine = wasmtime.Engine(_settings())
        # Closed before the interpreter takes itself apart: wasmtime's own finalizers fail on standard error there.
        weakref.finalize(self, self._engine.close)
        try:
            self._code = wasmtime.Module(self._engine, data)
        except wasmtime.WasmtimeError as why:
            raise InputError(
                f"That is no sound WebAssembly module: {_words(why)}.", _NEXT
            ) from None
        weakref.finalize(self, self._code.close)
        _check_form(self._code)

    def __call__(self, given: bytes, fuel: int = FUEL) -> bytes:
        """What it makes of that; InputError where it refuses, is stopped, or gives what cannot be."""
        import wasmtime

        if len(given) > INPUT_MAX_BYTES:
            raise InputError(f"An input has at most {INPUT_MAX_BYTES >> 20} MiB.", "Give less.")
        store = wasmtime.Store(self._engine)
        try:
            store.set_limits(MEMORY_MAX_BYTES, _TABLE_MAX, instances=1, tables=1, memories=1)
            store.set_fuel(fuel)
            store.set_epoch_deadline(1)
            return self._heeding(lambda: self._made(store, given))
        except self._stops as why:
            raise InputError(
                f"The function was stopped in its sandbox: {_words(why)}.",
                "Its maker may know why; the same input ends it everywhere.",
            ) from None
        finally:
            store.close()

    def _made(self, store: wasmtime.Store, given: bytes) -> bytes:
        import wasmtime

        exports = wasmtime.Instance(store, self._code, []).exports(store)
        memory: Any = exports["memory"]
        calls: dict[str, Any] = {name: exports[name] for name in _FORMS}
        at = calls["room"](store, len(given)) & 0xFFFFFFFF
        if not at:
            raise InputError(f"The function has no room for {len(given):,} bytes.", "Give less.")
        _within(memory.data_len(store), at, len(given))
        if given:
            memory.write(store, given, at)
        size = calls["run"](store, len(given))
        if size < 0:
            raise InputError(f"The function refuses that input ({size}).", "Its maker says why.")
        if size > OUTPUT_MAX_BYTES:
            raise InputError(
                f"The function gave {size:,} bytes; {OUTPUT_MAX_BYTES:,} are the most.",
                "Give less.",
            )
        at = calls["result"](store) & 0xFFFFFFFF
        _within(memory.data_len(store), at, size)
        return bytes(memory.read(store, at, at + size))

    def _heeding(self, work: Callable[[], bytes]) -> bytes:
        """In a thread beside, as this one heeds no signal amid a module; what ends this one stops the module."""
        ends: list[bytes | BaseException] = []
        over = threading.Event()  # a join that a signal broke off takes its thread for ended

        def run() -> None:
            try:
                ends.append(work())
            except BaseException as why:  # noqa: BLE001 - raised again in the thread that waits
                ends.append(why)
            finally:
                over.set()

        try:
            threading.Thread(target=run, daemon=True).start()
            while not over.wait(LISTENS_S):
                pass
        except BaseException:
            self._engine.increment_epoch()
            over.wait(ENDS_S)
            raise
        if isinstance(ends[0], BaseException):
            raise ends[0]
        return ends[0]


def _settings() -> wasmtime.Config:
    """One bit for all: nothing whose outcome a machine may choose, and no more addresses than the memory may have."""
    import wasmtime

    config = wasmtime.Config()
    config.consume_fuel = config.epoch_interruption = True
    config.cranelift_nan_canonicalization = True
    config.parallel_compilation = False
    for one in ("threads", "relaxed_simd", "memory64", "multi_memory", "gc", "exceptions"):
        setattr(config, f"wasm_{one}", False)
    config.max_wasm_stack = _STACK_BYTES
    config.memory_reservation = MEMORY_MAX_BYTES
    config.memory_reservation_for_growth = 0
    config.memory_guard_size = 2**16
    config.memory_may_move = False
    return config


def _check_form(code: wasmtime.Module) -> None:
    """InputError unless it exports what a function has, and imports nothing."""
    import wasmtime

    if code.imports:
        one = code.imports[0]
        named = _shown(f"{one.module}.{one.name}")
        raise InputError(f"The module imports {named}; a function imports nothing.", _NEXT)
    found = {one.name: one.type for one in code.exports}
    if not isinstance(found.get("memory"), wasmtime.MemoryType):
        raise InputError("The module exports no memory.", _NEXT)
    for name, takes in _FORMS.items():
        form = found.get(name)
        if not isinstance(form, wasmtime.FuncType) or (
            [str(one) for one in form.params],
            [str(one) for one in form.results],
        ) != (["i32"] * takes, ["i32"]):
            numbers = "one i32" if takes else "nothing"
            raise InputError(
                f"The module exports no {name} that takes {numbers} and gives an i32.", _NEXT
            )


def _within(whole: int, at: int, size: int) -> None:
    if at + size > whole:
        raise InputError(
            "The function names a place that is not in its memory.", "Its maker may know why."
        )


def _words(why: Exception) -> str:
    """wasmtime's last line, which names the cause."""
    return _shown(str(why).strip().rpartition("\n")[2].strip())


def _shown(words: str) -> str:
    """Words of a module's maker, fit for one line of a terminal."""
    return "".join(one if one.isprintable() else "?" for one in words[:WORDS_MAX])
