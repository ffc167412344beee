"""The health check of a student, in a process of its own: bit for bit, legal, for its task, and nothing of it in the node."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest
from tests.student.small import changed, text_content, text_student_file

from hearthway.app import model_check
from hearthway.app.model_check import ChildCheck, Golden
from hearthway.mesh.state.shelf import UnfitError
from hearthway.records import codec
from hearthway.records.errors import StoreError
from hearthway.student.format import write

FILE = text_student_file()
CHECK = ChildCheck()


@pytest.fixture(scope="module")
def golden() -> bytes:
    return CHECK.golden("ask", FILE)


def test_what_answers_the_same_bits_works(golden: bytes) -> None:
    CHECK("ask", FILE, golden)
    assert golden == CHECK.golden("ask", FILE)  # drawn, not thrown


def test_one_weight_more_is_found(golden: bytes) -> None:
    """A file that is legal and another: the identity would find it, and the answers do as well."""
    header, tensors = text_content()
    bias = tensors["intent.bias"].copy()
    bias[1] += 1
    other = write(*changed((header, tensors), "tensor.intent.bias", bias))
    with pytest.raises(UnfitError, match="other bits"):
        CHECK("ask", other, golden)
    spoilt = codec.unpack(golden, Golden)
    wrong = Golden(seed=spoilt.seed, outputs=bytes(32))
    with pytest.raises(UnfitError, match="other bits"):
        CHECK("ask", FILE, codec.pack(wrong))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (FILE[:-1], "."),
        (FILE[:40], "."),
        (b"", "."),
        (FILE[:8] + b"\xff" + FILE[9:], "format 255"),  # of a format that is still to come
        (b"MZ" + FILE[2:], "."),
    ],
)
def test_a_file_that_is_none_is_said(golden: bytes, data: bytes, words: str) -> None:
    with pytest.raises(UnfitError, match=words) as unfit:
        CHECK("ask", data, golden)
    assert unfit.value.message


def test_a_student_for_another_task_is_not_taken(golden: bytes) -> None:
    with pytest.raises(UnfitError, match="made for ask, not for trip-mode"):
        CHECK("trip-mode", FILE, golden)


@pytest.mark.parametrize(
    ("ends", "words"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "ended the process"),
        ("raise MemoryError", "ended the process"),
        ("import time; time.sleep(60)", "no answer within"),
        ("print('what is this')", "ended the process|no answer that"),
    ],
)
def test_what_ends_or_hangs_its_process_is_unfit_and_the_node_goes_on(
    monkeypatch: pytest.MonkeyPatch, ends: str, words: str
) -> None:
    run = subprocess.run

    def other(command: list[str], **fields: object) -> object:
        assert command[0] == sys.executable
        return run([sys.executable, "-c", ends], **fields)  # type: ignore[call-overload]

    monkeypatch.setattr(subprocess, "run", other)
    monkeypatch.setattr(model_check, "TIMEOUT_S", 2.0)
    with pytest.raises(UnfitError, match=words):
        CHECK("ask", FILE, b"")


def test_that_no_process_can_be_started_is_no_word_against_a_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def none(command: list[str], **fields: object) -> object:
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(subprocess, "run", none)
    with pytest.raises(StoreError, match="could not be tried"):
        CHECK("ask", FILE, b"")


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT, signal.SIGTERM])
def test_that_its_process_was_ended_from_outside_is_no_word_against_a_model(
    monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    """As a service manager does that stops a node with all its processes."""
    run, ends = subprocess.run, f"import os, signal; os.kill(os.getpid(), {number:d})"
    default = f"import signal; signal.signal({number:d}, signal.SIG_DFL); {ends}"
    monkeypatch.setattr(
        subprocess,
        "run",
        lambda command, **fields: run([sys.executable, "-c", default], **fields),
    )
    with pytest.raises(StoreError, match="ended from outside") as ended:
        CHECK("ask", FILE, b"")
    assert ended.value.next_step


def test_ctrl_c_in_the_nodes_terminal_does_not_reach_it() -> None:
    """A terminal's Ctrl-C goes to every process of the node's group: here over and over."""
    program = (
        "import os, signal, sys, threading\n"
        "from hearthway.app.model_check import ChildCheck\n"
        "signal.signal(signal.SIGINT, lambda *_: None)\n"
        "over = threading.Event()\n"
        "def press():\n"
        "    while not over.wait(0.05): os.killpg(0, signal.SIGINT)\n"
        "threading.Thread(target=press, daemon=True).start()\n"
        "made = ChildCheck().golden('ask', sys.stdin.buffer.read())\n"
        "over.set(); print(len(made) > 32)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=FILE,
        capture_output=True,
        timeout=60,
        check=False,
        start_new_session=True,
    )
    assert done.stdout.split() == [b"True"], (done.returncode, done.stderr.decode())


def test_it_ends_by_itself_where_the_node_that_would_end_it_is_gone() -> None:
    program = (
        "from hearthway.app import model_check; model_check.TIMEOUT_S = 0.0; model_check.main()"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE) as child:
        assert child.wait(timeout=60.0) == -signal.SIGALRM


def test_the_node_itself_loads_no_numbers_library() -> None:
    program = (
        "import sys; from hearthway.app.model_check import ChildCheck;"
        "data = sys.stdin.buffer.read(); made = ChildCheck().golden('ask', data);"
        "print(len(made) > 32, 'numpy' in sys.modules, 'hearthway.student' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], input=FILE, capture_output=True, timeout=60, check=True
    )
    assert done.stdout.split() == [b"True", b"False", b"False"]
