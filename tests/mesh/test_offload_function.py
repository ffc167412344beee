"""A function in its sandbox: what it makes, and that a hostile one costs its limits and nothing more."""

from __future__ import annotations

import random
import signal
import threading
import time
from typing import Any

import pytest
import wasmtime

from hearthway.mesh.offload import function as it
from hearthway.mesh.offload.function import FILE_MAX_BYTES, MEMORY_MAX_BYTES, Function
from hearthway.records.errors import ConfigError, InputError
from hearthway.records.offload import INPUT_MAX_BYTES, OUTPUT_MAX_BYTES

ROOM = '(func (export "room") (param i32) (result i32) i32.const 1024)'
RUN = '(func (export "run") (param i32) (result i32) {})'
RESULT = '(func (export "result") (result i32) i32.const 1024)'
MEMORY = '(memory (export "memory") 40)'
ECHO = "local.get 0"


def module(
    run: str = ECHO, *, memory: str = MEMORY, room: str = ROOM, result: str = RESULT, more: str = ""
) -> bytes:
    """A function whose parts are these."""
    text = f"(module {memory} {room} {RUN.format(run)} {result} {more})"
    return bytes(wasmtime.wat2wasm(text))


def test_bytes_in_bytes_out() -> None:
    echo = Function(module())
    for given in (b"", b"a", bytes(range(256)) * 100, bytes(INPUT_MAX_BYTES)):
        assert echo(given) == given
    with pytest.raises(InputError, match="at most 2 MiB"):
        echo(bytes(INPUT_MAX_BYTES + 1))


def test_nothing_stays_from_one_input_to_the_next() -> None:
    counts = """(i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1)))
        (i32.store8 (i32.const 1024) (i32.load (i32.const 0))) i32.const 1"""
    function = Function(module(counts))
    assert [function(b"x") for _ in range(3)] == [b"\1"] * 3


def test_what_is_no_number_has_one_form() -> None:
    payload = """(i32.store (i32.const 1024) (i32.reinterpret_f32
        (f32.add (f32.reinterpret_i32 (i32.const 0x7fa12345)) (f32.const 1)))) i32.const 4"""
    assert Function(module(payload))(b"") == (0x7FC00000).to_bytes(4, "little")


NONE = {
    "text": (b"(module)", "no WebAssembly module"),
    "nothing": (b"", "no WebAssembly module"),
    "a student": (b"\x89HWS\r\n\x1a\n", "no WebAssembly module"),
    "a component": (b"\0asm\x0d\0\1\0", "no WebAssembly module"),
    "an empty module": (b"\0asm\1\0\0\0", "exports no memory"),
    "large": (module() + bytes(FILE_MAX_BYTES), "at most 1024 KiB"),
    "imports": (
        bytes(wasmtime.wat2wasm('(module (import "wasi" "fd_write" (func)))')),
        r"imports wasi\.fd_write",
    ),
    "imports what a terminal would obey": (
        bytes(wasmtime.wat2wasm('(module (import "\\1b[2J" "' + "x" * 500 + '" (func)))')),
        r"^The module imports \?\[2J\.x{90,155}; a function",
    ),
    "imports its memory": (
        module(memory='(import "host" "memory" (memory 1)) (export "memory" (memory 0))'),
        r"imports host\.memory",
    ),
    "no memory": (module(memory="(memory 40)"), "exports no memory"),
    "its memory is a function": (
        module(memory='(memory 40) (func (export "memory"))'),
        "exports no memory",
    ),
    "no room": (module(room=""), "exports no room that takes one i32"),
    "no result": (module(result=""), "exports no result that takes nothing"),
    "a result of 64 bits": (
        module(result='(func (export "result") (result i64) i64.const 0)'),
        "exports no result",
    ),
    "room is a number": (
        module(room='(global (export "room") i32 (i32.const 0))'),
        "exports no room",
    ),
    "shared memory": (
        module(memory='(memory (export "memory") 1 1 shared)'),
        "no sound WebAssembly module",
    ),
    "memory of 64 bits": (
        module("(drop (i64.const 0)) local.get 0", memory='(memory (export "memory") i64 1)'),
        "no sound WebAssembly module",
    ),
    "two memories": (module(more="(memory 1)"), "no sound WebAssembly module"),
}


@pytest.mark.parametrize("name", NONE)
def test_what_is_no_function_is_refused_before_it_runs(name: str) -> None:
    data, words = NONE[name]
    with pytest.raises(InputError, match=words) as none:
        Function(data)
    assert none.value.next_step


LOOP = "(loop $on (br $on)) local.get 0"
STOPPED = {
    "loops": (module(LOOP), "fuel"),
    "loops as it begins": (module(more="(func $on (loop $a (br $a))) (start $on)"), "fuel"),
    "loops in room": (
        module(
            room='(func (export "room") (param i32) (result i32) (loop $a (br $a)) i32.const 1)'
        ),
        "fuel",
    ),
    "traps": (module("unreachable"), "unreachable"),
    "divides by zero": (module("(i32.div_u (local.get 0) (i32.const 0))"), "divide by zero"),
    "reads beyond": (module("(i32.load (i32.const -8))"), "out of bounds"),
    "calls itself": (
        module(
            "(call $f (local.get 0))",
            more="(func $f (param i32) (result i32) (call $f (local.get 0)))",
        ),
        "stack",
    ),
    "wants much memory": (module(memory='(memory (export "memory") 1025)'), "memory"),
    "wants a large table": (module(more="(table 20000 funcref)"), "table"),
    "has no room": (
        module(room='(func (export "room") (param i32) (result i32) i32.const 0)'),
        "no room for 3 bytes",
    ),
    "has its room beyond": (
        module(room='(func (export "room") (param i32) (result i32) i32.const -2)'),
        "not in its memory",
    ),
    "has its room at the very end": (
        module(room=f'(func (export "room") (param i32) (result i32) i32.const {40 * 65536 - 2})'),
        "not in its memory",
    ),
    "refuses": (module("i32.const -7"), r"refuses that input \(-7\)"),
    "gives too much": (module(f"i32.const {OUTPUT_MAX_BYTES + 1}"), "are the most"),
    "gives more than it has": (
        module("i32.const 70000", memory='(memory (export "memory") 1)'),
        "not in its memory",
    ),
    "gives from beyond": (
        module(result='(func (export "result") (result i32) i32.const -1)'),
        "not in its memory",
    ),
    "grows beyond": (
        module(f"(memory.grow (i32.const {MEMORY_MAX_BYTES // 65536}))"),
        r"refuses that input \(-1\)",
    ),
}


@pytest.mark.parametrize("name", STOPPED)
def test_a_hostile_one_ends_with_its_reason(name: str) -> None:
    data, words = STOPPED[name]
    function = Function(data)
    for _ in range(2):  # it may be asked again
        with pytest.raises(InputError, match=words):
            function(b"abc", fuel=10_000_000)


def test_memory_up_to_the_limit_is_its_own() -> None:
    pages = MEMORY_MAX_BYTES // 65536
    grows = f"""(memory.grow (i32.const {pages - 1})) drop
        (i32.store8 (i32.const {MEMORY_MAX_BYTES - 1}) (i32.const 7))
        (i32.store8 (i32.const 1024) (i32.load8_u (i32.const {MEMORY_MAX_BYTES - 1}))) i32.const 1"""
    assert Function(module(grows, memory='(memory (export "memory") 1)'))(b"") == b"\7"


def test_cut_anywhere_or_changed_it_is_refused_or_stopped_and_nothing_else() -> None:
    whole, rng = module(), random.Random(3)
    for size in range(len(whole)):
        with pytest.raises(InputError):
            Function(whole[:size])
    for _ in range(400):
        data = bytearray(whole)
        for _ in range(rng.randint(1, 3)):
            data[rng.randrange(8, len(data))] = rng.randrange(256)
        try:
            Function(bytes(data))(b"abc", fuel=100_000)
        except InputError:
            continue


def test_a_signal_ends_one_that_runs_and_the_next_runs_as_before() -> None:
    class Ended(BaseException):
        pass

    def end(*_: Any) -> None:
        raise Ended

    loop, echo = Function(module(LOOP)), Function(module())
    before = signal.signal(signal.SIGALRM, end)
    threads, begun_s = threading.active_count(), time.monotonic()
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with pytest.raises(Ended):
            loop(b"", fuel=2**62)
    finally:
        signal.signal(signal.SIGALRM, before)
    while threading.active_count() > threads:  # it runs no more
        assert time.monotonic() - begun_s < 10.0
        time.sleep(0.01)
    with pytest.raises(InputError, match="fuel"):
        loop(b"", fuel=1_000_000)
    assert echo(b"a") == b"a"


def test_without_wasmtime_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(it, "runs_functions", lambda: False)
    with pytest.raises(ConfigError, match="needs wasmtime") as none:
        Function(module())
    assert "hearthway[wasm]" in none.value.next_step
