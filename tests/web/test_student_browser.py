"""The student in real Chromium: the reference's bits, Python's tokens, and what is typed read in the page alone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from bench._browser import Browser
from bench._students import random_input, random_student
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait
from tests.ports import free_port
from tests.student.small import text_student_file

from hearthway.sense.catalogue import SOC
from hearthway.student import header as h
from hearthway.student import reference
from hearthway.student.format import Student, read
from hearthway.student.tokens import Tokenizer

pytestmark = [pytest.mark.peer, pytest.mark.timeout(180)]

FAULTY = Path(__file__).parents[1] / "student" / "faulty.wasm"
ODD = (
    *("turn on the kitchen light", "Turn OFF, the café?", "beds bab", "", "   ", "😀😀 on 😀", "a\u0301\u0300b"),
    *("\u0301on", "ﬁx ŉ ß İ ı Σς", "on\u2028off\u00a0on\u200bon", "a" * 64, "a" * 65, "on " * 40, "x" * 5000),
    *("\x00on\x1f\x85off", "\ufeffon", "日本語 on", "it's “on” – off…", "\ud800on", "K Å ℃", "é" * 70),
)  # fmt: skip


@pytest.fixture(scope="module")
def browser(chromium: Any) -> Iterator[Browser]:
    with Browser(FAULTY.read_bytes(), free_port(), chromium) as opened:
        yield opened


def drawn(seed: int) -> tuple[Student, list[Any]]:
    rng = np.random.default_rng(seed)
    student = random_student(rng)
    return student, [random_input(rng, student) for _ in range(2)]


def differing(browser: Browser, work: list[tuple[Student, list[Any]]], *, faulty: bool) -> int:
    """Bytes, or an output whose type or shape is another."""
    found = 0
    for (student, inputs), outputs in zip(work, browser.outputs(work, faulty=faulty), strict=True):
        for given, got in zip(inputs, outputs, strict=True):
            for name, wanted in reference.run(student, given).items():
                one = got[name]
                same_form = (one.dtype, one.shape) == (wanted.dtype, wanted.shape)
                pairs = zip(wanted.tobytes(), one.tobytes(), strict=False)
                found += sum(a != b for a, b in pairs) if same_form else 1
    return found


def test_random_students_give_the_references_bits_and_a_fault_is_noticed(browser: Browser) -> None:
    work = [drawn(seed) for seed in range(200)]
    assert differing(browser, work, faulty=False) == 0
    assert differing(browser, work, faulty=True) > 0


def test_a_browser_cuts_a_text_as_python_does(browser: Browser) -> None:
    student = read(text_student_file())
    assert isinstance(student.header.input, h.TextInput)
    tokenizer = Tokenizer(student.header.input, student.tensors["vocabulary"])
    chance = Random(5)
    parts = [
        "turn",
        "on",
        "off",
        "the",
        "kitchen",
        "light",
        "bed",
        "room",
        "cafe",
        "beds",
        "abab",
        "'",
        "?",
        "é",
        "É",
        "ǆ",
        "½",
        "ﬀ",
        "́",
        "😀",
        "ß",
    ]
    spaces = (" ", "", "\t", "\u00a0", "\u2009", "\u200d")
    made = [
        "".join(chance.choice(parts) + chance.choice(spaces) for _ in range(chance.randrange(20)))
        for _ in range(400)
    ]
    points = [chr(point) for point in range(0x2FFF) if not 0xD800 <= point < 0xE000]
    made += ["".join(chance.sample(points, 12)) for _ in range(200)]
    texts = [text for text in (*ODD, *made) if "\ud800" not in text]  # no such text can cross
    wanted = [[list(token) for token in tokenizer.tokens(text)] for text in texts]
    assert browser.tokens(student, texts) == wanted
    assert max(map(len, wanted)) == student.header.input.steps_max


# ---- on the page ---------------------------------------------------------------------------------------------------


@pytest.fixture
def opened(chromium: Any, page: Any, nothing_blocks_the_loop: Any) -> Iterator[Any]:
    """The page of a node that has a student; afterwards: what went over the wire names nothing that was typed."""
    data = text_student_file()
    page.node.students["ask"] = (hashlib.sha256(data).hexdigest(), data)
    for log in ("browser", "performance"):
        chromium.get_log(log)
    chromium.get(page.server.url)
    until(chromium, lambda: chromium.find_element(By.ID, "ask").is_displayed())
    yield chromium
    sent = chromium.get_log("performance")
    chromium.get("about:blank")
    asked = [json.loads(entry["message"])["message"] for entry in sent]
    urls = [m["params"]["request"] for m in asked if m["method"] == "Network.requestWillBeSent"]
    assert not [one for one in urls if "kitchen" in json.dumps(one)]


def until(browser: Any, look: Any) -> Any:
    return WebDriverWait(browser, 10, poll_frequency=0.05).until(lambda _: look())


def preview(browser: Any) -> str:
    return str(browser.execute_script("return document.getElementById('preview').textContent"))


def typed(browser: Any, text: str) -> None:
    field = browser.find_element(By.ID, "question")
    field.clear()
    field.send_keys(text)


def test_what_is_typed_is_read_in_the_browser(opened: Any, page: Any) -> None:
    identity = page.node.students["ask"][0]
    typed(opened, "turn on the kitchen light")
    until(opened, lambda: preview(opened).startswith("light on (p "))
    assert f"student {identity[:10]}" in preview(opened)
    assert opened.find_element(By.ID, "preview").get_attribute("title") == f"Student {identity}"
    typed(opened, "turn off the light")
    until(opened, lambda: preview(opened).startswith("light off (p "))
    typed(opened, "the room")
    until(opened, lambda: preview(opened).startswith("Not sure; nearest is "))
    assert [entry["message"] for entry in opened.get_log("browser")] == []


def test_an_answer_stands_alone_and_fits_the_phone(opened: Any, page: Any) -> None:
    size = {"width": 320, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    opened.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        typed(opened, "turn on the light")
        until(opened, lambda: preview(opened).startswith("light on (p "))
        opened.find_element(By.ID, "question").send_keys(Keys.ENTER)
        reply = opened.find_element(By.ID, "reply")
        until(opened, lambda: reply.text == "19.2 °C at home.")
        assert [asked for asked, _ in page.node.asked] == ["turn on the light"]
        assert SOC in opened.find_element(By.ID, "reply-more").text
        assert not opened.find_element(By.ID, "preview").is_displayed()
        assert opened.execute_script("return document.documentElement.scrollWidth") <= 320
    finally:
        opened.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_a_student_that_arrived_changed_is_not_used(opened: Any, page: Any) -> None:
    identity, data = page.node.students["ask"]
    page.node.students["ask"] = (identity, data[:-1] + bytes([data[-1] ^ 1]))
    typed(opened, "turn on the light")
    until(opened, lambda: "its hash is another" in preview(opened))
    page.node.students["ask"] = (identity, data)  # the control: the next word asks for it anew
    typed(opened, "turn on the light")
    until(opened, lambda: preview(opened).startswith("light on"))


def test_a_file_that_the_module_refuses_is_said(opened: Any, page: Any) -> None:
    data = bytearray(text_student_file())
    data[8] = 2  # of a format that is to come
    page.node.students["ask"] = (hashlib.sha256(data).hexdigest(), bytes(data))
    typed(opened, "turn on the light")
    until(opened, lambda: "newer format" in preview(opened))


def test_a_student_that_takes_too_long_is_ended(opened: Any, page: Any) -> None:
    page.node.student_waits_s = 1.5
    hurry = "const real = setTimeout; window.setTimeout = (act, ms) => real(act, ms / 20)"
    opened.execute_script(hurry)
    typed(opened, "turn on the light")
    until(opened, lambda: "took too long" in preview(opened))


def test_the_page_itself_may_not_compile(opened: Any) -> None:
    script = (
        "const done = arguments[0]; WebAssembly.compileStreaming(fetch('/student.wasm'))"
        ".then(() => done('compiled'), (problem) => done(String(problem)))"
    )
    assert "Content Security Policy" in opened.execute_async_script(script)


class NoStudents(dict[str, Any]):
    """None, and how often one was asked for."""

    missed = 0

    def get(self, task: str, default: Any = None) -> Any:
        self.missed += 1
        return default


def test_a_node_without_a_student_is_asked_all_the_same(chromium: Any, page: Any) -> None:
    """Exact sentences need none: what is missing is this browser's own reading."""
    page.node.students = NoStudents()
    chromium.get_log("browser")
    chromium.get(page.server.url)
    assert chromium.find_element(By.ID, "ask").is_displayed()
    typed(chromium, "turn on the light")
    until(chromium, lambda: page.node.students.missed)
    chromium.find_element(By.ID, "question").send_keys(Keys.ENTER)
    until(chromium, lambda: chromium.find_element(By.ID, "reply").text == "19.2 °C at home.")
    assert preview(chromium) == ""
    assert [entry["message"] for entry in chromium.get_log("browser")] == []
    chromium.get("about:blank")
