"""The runtimes of students, each also with a planted fault: a tie that is rounded down."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable
from unittest import mock

import numpy as np
from numpy.typing import NDArray

from hearthway.student import cpu, reference, wasm
from hearthway.student.format import Student

if TYPE_CHECKING:
    from bench._browser import Browser
else:  # its own folder is on the path
    from _browser import Browser

FAULTY_MODULE = Path(__file__).resolve().parent.parent / "tests" / "student" / "faulty.wasm"
Outputs = dict[str, NDArray[Any]]
Job = tuple[Student, Sequence[Any]]  # a student and its inputs


class Runs(Protocol):
    """Computes jobs, with its fault planted or without."""

    def __call__(self, jobs: Sequence[Job], *, faulty: bool) -> list[list[Outputs]]:
        """The outputs of each input of each job."""
        ...


@runtime_checkable
class CutsTexts(Protocol):
    """Has a tokenizer of its own."""

    def tokens(self, student: Student, texts: Sequence[str]) -> list[list[list[int]]]:
        """Each text's tokens: [id, start, end, first]."""
        ...


def by_reference(jobs: Sequence[Job]) -> list[list[Outputs]]:
    """What is right."""
    return [[reference.run(student, one) for one in inputs] for student, inputs in jobs]


@contextmanager
def cpu_runs() -> Iterator[Runs]:
    """`hearthway.student.cpu`; its fault is a half that is a little less, in floats and in integers."""

    def run(jobs: Sequence[Job], *, faulty: bool) -> list[list[Outputs]]:
        with ExitStack() as planted:
            if faulty:
                planted.enter_context(mock.patch.object(cpu, "HALF", 0.5 - 2.0**-30))
                planted.enter_context(mock.patch.object(cpu, "requantise", _ties_down))
            made = [(cpu.Runtime(student), inputs) for student, inputs in jobs]
            return [[runtime.run(one) for one in inputs] for runtime, inputs in made]

    yield run


@contextmanager
def wasm_runs() -> Iterator[Runs]:
    """`hearthway.student.wasm`; its fault is the same module, built to round ties down."""
    faulted = wasm.compiled(FAULTY_MODULE.read_bytes())

    def run(jobs: Sequence[Job], *, faulty: bool) -> list[list[Outputs]]:
        module = faulted if faulty else None
        return [wasm.Runtime(student, module).run_all(inputs) for student, inputs in jobs]

    yield run


class _Chromium:
    def __init__(self, browser: Browser) -> None:
        self.tokens = browser.tokens
        self._browser = browser

    def __call__(self, jobs: Sequence[Job], *, faulty: bool) -> list[list[Outputs]]:
        return self._browser.outputs(jobs, faulty=faulty)


@contextmanager
def chromium_runs() -> Iterator[Runs]:
    """The page's student.js in Chromium, which is given the same two modules; it cuts texts itself."""
    with Browser(FAULTY_MODULE.read_bytes()) as browser:
        yield _Chromium(browser)


def _ties_down(wide: Any, m: Any, s: Any, *, relu: bool = False) -> NDArray[np.int8]:
    product = np.asarray(wide, np.int64) * np.asarray(m, np.int64) - 1
    return reference.rounded(product, np.asarray(s, np.int64), relu=relu)


RUNTIMES: Mapping[str, Callable[[], AbstractContextManager[Runs]]] = {
    "cpu": cpu_runs,
    "wasm": wasm_runs,
    "chromium": chromium_runs,
}
