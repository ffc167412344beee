"""Whether a student or a function works on this machine: sound, and bit for bit what its order says it must answer.

It runs in a process of its own, bounded in time and memory: a node at rest loads no numbers library, and a file that ends a
runtime ends that process alone.
"""

from __future__ import annotations

import hashlib
import math
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from hearthway.mesh.offload.function import PREFIX, Function, is_module, no_runtime, runs_functions
from hearthway.mesh.state.shelf import UnfitError
from hearthway.records import codec
from hearthway.records.errors import HearthwayError, InputError, StoreError, WireError

if TYPE_CHECKING:
    from hearthway.student.format import Student

WORDS_MAX = 160  # characters of what Python said last
TIMEOUT_S = 60.0  # a loaded phone; a sound student takes well under a second
MEMORY_MAX_BYTES = 2 * 1024**3  # of addresses, most of them never used
STEPS = (1, 7, 64)  # of the inputs that are tried, where it takes a sequence
SIZES = (0, 1, 64, 4096)  # in bytes, of a function's
CHECK_FUEL = 2**28  # for each of these
SEED_BYTES = 16
ENDED_BY_OTHERS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)  # no model sends itself these


class Golden(Struct, frozen=True, kw_only=True):
    """Inputs are drawn from `seed` (SHAKE-128); `outputs` is the SHA-256 of all that they must give."""

    seed: bytes
    outputs: bytes


class _Asked(Struct, frozen=True, kw_only=True):
    task: str
    identity: str
    data: bytes
    golden: bytes  # empty: make one, by the reference


class _Answered(Struct, frozen=True, kw_only=True):
    golden: bytes = b""
    problem: str = ""
    next_step: str = ""


class ChildCheck:
    """The check of `mesh.state.shelf`. Blocking. What is for `function.NAME` is a function, the rest are students."""

    def __call__(self, task: str, data: bytes, golden: bytes) -> None:
        """UnfitError where it does not work here; StoreError where it cannot be tried now, or not without an extra."""
        _asked(task, data, golden)

    def golden(self, task: str, data: bytes) -> bytes:
        """What a new artefact must answer everywhere, by the reference; UnfitError where it is none that works here."""
        made = _asked(task, data, b"")
        _asked(task, data, made)
        return made


def _asked(task: str, data: bytes, golden: bytes) -> bytes:
    if task.startswith(PREFIX) and not runs_functions():
        why_not = no_runtime()  # no word against it: it is tried once that is there
        raise StoreError(why_not.message, why_not.next_step)
    identity = hashlib.sha256(data).hexdigest()
    asked = _Asked(task=task, identity=identity, data=data, golden=golden)
    # -P: nothing that lies in this directory.
    command = [sys.executable, "-P", "-m", "hearthway.app.model_check"]
    single = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            command,
            input=codec.pack(asked),
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
            env={**os.environ, **single},
            start_new_session=True,  # Ctrl-C in the node's terminal is no word about the model
        )
    except subprocess.TimeoutExpired:
        raise UnfitError(f"It gave no answer within {TIMEOUT_S:g} s.") from None
    except OSError as why:
        raise StoreError(
            f"A model could not be tried: {why.strerror}.",
            "Close other programs; it is tried again.",
        ) from None
    if -done.returncode in ENDED_BY_OTHERS:
        raise StoreError(
            "The process that tried a model was ended from outside.",
            "It is tried again; a file that was being added has to be added again.",
        )
    if done.returncode != 0:
        last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2][:WORDS_MAX]
        raise UnfitError(
            f"It ended the process that tried it (exit {done.returncode}{': ' + last if last else ''})."
        )
    try:
        answered = codec.unpack(done.stdout, _Answered)
    except WireError:
        raise UnfitError("It gave no answer that can be read.") from None
    if answered.problem:
        raise UnfitError(answered.problem, answered.next_step)
    return answered.golden


# in the process of its own ----------------------------------------------------------------------------------------


def main() -> None:
    """Reads what is asked from standard input, answers on standard output."""
    signal.alarm(math.ceil(TIMEOUT_S) + 1)  # also where the node is gone that would end it
    _bound_memory()
    asked = codec.unpack(sys.stdin.buffer.read(), _Asked)
    sys.stdout.buffer.write(codec.pack(_answer(asked)))


def _bound_memory() -> None:
    if sys.platform != "linux":
        return  # macOS knows no such bound; there the time is one
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MAX_BYTES, MEMORY_MAX_BYTES))


def _answer(asked: _Asked) -> _Answered:
    try:
        golden = codec.unpack(asked.golden, Golden) if asked.golden else None
        seed = golden.seed if golden else bytes.fromhex(asked.identity)[:SEED_BYTES]
        outputs = _outputs(asked, seed, reference=golden is None)
        if golden is None:
            return _Answered(golden=codec.pack(Golden(seed=seed, outputs=outputs)))
        if outputs != golden.outputs:
            return _Answered(problem="It answers other bits here than where it was released.")
    except HearthwayError as why:
        return _Answered(problem=why.message, next_step=why.next_step)
    except MemoryError:
        return _Answered(problem="It needs more memory than a model may take.")
    return _Answered()


def _outputs(asked: _Asked, seed: bytes, *, reference: bool) -> bytes:
    """The hash of what it answers to what the seed draws; HearthwayError where it is none for that task."""
    if asked.task.startswith(PREFIX):
        return made_of(Function(asked.data), seed)
    if is_module(asked.data):
        raise UnfitError(
            f"It is a function, and {asked.task} is a student's.",
            f"Name it {PREFIX}NAME: --task {PREFIX}{asked.task}, for example.",
        )
    from hearthway.student import format as student_format

    student = student_format.read(asked.data)
    if student.header.task != asked.task:
        made_for = student.header.task
        raise UnfitError(
            f"It is made for {made_for}, not for {asked.task}.",
            f"Say --task {made_for}, or name another file.",
        )
    return outputs_of(student, seed, reference=reference)


def made_of(function: Function, seed: bytes) -> bytes:
    """SHA-256 over what a function makes of drawn bytes; that it refuses some, or is stopped over them, counts as well."""
    told = hashlib.sha256()
    for size in SIZES:
        drawn = hashlib.shake_128(seed + size.to_bytes(4, "little")).digest(size)
        try:
            told.update(codec.pack((size, function(drawn, CHECK_FUEL))))
        except InputError:
            told.update(codec.pack((size, None)))
    return told.digest()


def outputs_of(student: Student, seed: bytes, *, reference: bool) -> bytes:
    """SHA-256 over the outputs of the drawn inputs: names in order, kinds, shapes, little-endian bytes."""
    from hearthway.student import reference as norm
    from hearthway.student.cpu import Runtime

    runtime = None if reference else Runtime(student)
    told = hashlib.sha256()
    for number, given in enumerate(_inputs(student, seed)):
        found = norm.run(student, given) if runtime is None else runtime.run(given)
        for name, values in sorted(found.items()):
            little = values.astype(values.dtype.newbyteorder("<"))
            told.update(codec.pack((number, name, little.dtype.str, little.shape)))
            told.update(little.tobytes())
    return told.digest()


def _inputs(student: Student, seed: bytes) -> list[Any]:
    import numpy as np

    from hearthway.student.header import INPUT, TextInput

    given = student.header.input
    most = given.steps_max
    drawn = []
    for steps in sorted({min(steps, most) for steps in STEPS}) if most else [0]:
        stream = hashlib.shake_128(seed + steps.to_bytes(4, "little"))
        if isinstance(given, TextInput):
            tokens = np.frombuffer(stream.digest(4 * steps), "<u4")
            drawn.append((tokens % student.plan.values[INPUT].bound).astype(np.int32))
        else:
            shape = (steps, len(given.features)) if most else (len(given.features),)
            drawn.append(np.frombuffer(stream.digest(int(np.prod(shape))), "i1").reshape(shape))
    return drawn


if __name__ == "__main__":
    main()
