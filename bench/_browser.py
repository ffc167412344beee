"""A real Chromium that runs students: the node's own student.js and module, from a server of its own on loopback."""

from __future__ import annotations

import base64
import shutil
import tempfile
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from hearthway.records.errors import ConfigError
from hearthway.student.format import Student
from hearthway.student.wasm import module_bytes

FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
)
BATCH_BYTES = 4 * 2**20  # of files that cross to the browser at once
SCRIPT_S = 120
Outputs = dict[str, NDArray[Any]]

# Crosses: base64 in, base64 out; an input's and output's kind follows from the header.
RUN = """
const [work, path, done] = arguments;
const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
const text = (data) => { let all = ""; for (const byte of new Uint8Array(data.buffer)) all += String.fromCharCode(byte); return btoa(all); };
(async () => {
  const { Runtime } = await import("/student.js");
  const module = await WebAssembly.compileStreaming(fetch(path));
  return work.map(([file, inputs]) => {
    const runtime = new Runtime(module, bytes(file));
    const kind = runtime.input.kind === "text" ? Int32Array : Int8Array;
    return runtime.runAll(inputs.map((one) => new kind(bytes(one).buffer))).map((outputs) =>
      Object.fromEntries(Object.entries(outputs).map(([name, data]) => [name, text(data)])));
  });
})().then(done, (problem) => done(String(problem)));
"""
IDS = """
const [file, texts, done] = arguments;
(async () => {
  const { Tokenizer, readFile } = await import("/student.js");
  const { header, tensor } = readFile(Uint8Array.from(atob(file), (c) => c.charCodeAt(0)));
  const tokenizer = new Tokenizer(header.input, tensor(header.input.vocabulary));
  return texts.map((text) => tokenizer.tokens(text).map(({ id, start, end, first }) => [id, start, end, first]));
})().then(done, (problem) => done(String(problem)));
"""
TIMES = """
const [file, inputs, path, done] = arguments;
const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
(async () => {
  const { Runtime } = await import("/student.js");
  const data = bytes(file);
  const begun = performance.now();
  const runtime = new Runtime(await WebAssembly.compileStreaming(fetch(path)), data);
  const loaded = performance.now() - begun;
  const given = inputs.map((one) => new Int32Array(bytes(one).buffer));
  for (const one of given) runtime.runAll([one]);
  const shares = (count, act) => { // performance.now() has steps of 0.1 ms, so no single call is timed
    const took = [];
    for (let from = 0; from + count <= given.length; from += count) {
      const part = given.slice(from, from + count);
      const start = performance.now();
      act(part);
      took.push((performance.now() - start) / count);
    }
    return took;
  };
  const single = shares(10, (part) => { for (const one of part) runtime.runAll([one]); });
  const together = shares(20, (part) => runtime.runAll(part));
  return [loaded, single, Math.min(...together)];
})().then(done, (problem) => done(String(problem)));
"""


def _pages(faulty: bytes) -> dict[str, tuple[str, bytes]]:
    script = files("hearthway.web").joinpath("static/student.js").read_bytes()
    return {
        "/": ("text/html", b"<!doctype html><title>bits</title>"),
        "/student.js": ("text/javascript", script),
        "/student.wasm": ("application/wasm", module_bytes()),
        "/faulty.wasm": ("application/wasm", faulty),
    }


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, pages: dict[str, tuple[str, bytes]], *args: Any) -> None:
        self._pages = pages
        super().__init__(*args)

    def do_GET(self) -> None:
        kind, body = self._pages.get(self.path, ("", b""))
        self.send_response(200 if kind else 404)
        self.send_header("content-type", kind or "text/plain")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class's name
        """Says nothing."""


class Browser:
    """A context: Chromium and its server, gone afterwards. `faulty`: a second module, at hand under its own path.

    `driver`: a Chromium that is open already, and stays so.
    """

    def __init__(self, faulty: bytes = b"", port: int = 0, driver: Any = None) -> None:
        self._pages = _pages(faulty)
        self._port = port
        self._open = ExitStack()
        self._driver = driver

    def __enter__(self) -> Self:
        with ExitStack() as opening:
            address = ("127.0.0.1", self._port)
            server = ThreadingHTTPServer(address, partial(_Handler, self._pages))
            opening.callback(server.server_close)
            threading.Thread(target=server.serve_forever, daemon=True).start()
            opening.callback(server.shutdown)
            if self._driver is None:
                folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
                self._driver = _chromium(opening.enter_context(folder))
                opening.callback(self._driver.quit)
            self._driver.set_script_timeout(SCRIPT_S)
            self._driver.get(f"http://127.0.0.1:{server.server_address[1]}/")
            self._open = opening.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def outputs(
        self, work: Sequence[tuple[Student, Sequence[NDArray[Any]]]], *, faulty: bool = False
    ) -> list[list[Outputs]]:
        """What the browser computes of each student's inputs."""
        path = "/faulty.wasm" if faulty else "/student.wasm"
        found: list[list[Outputs]] = []
        for part in _parts(work):
            given = [
                (_text(bytes(student.data)), [_text(x.tobytes()) for x in inputs])
                for student, inputs in part
            ]
            answers = self._asked(RUN, given, path)
            for (student, inputs), answer in zip(part, answers, strict=True):
                read = partial(_read, student)
                found.append([read(len(x), one) for x, one in zip(inputs, answer, strict=True)])
        return found

    def tokens(self, student: Student, texts: Sequence[str]) -> list[list[list[int]]]:
        """Each text's tokens as the page cuts them: [id, start, end, first]."""
        found: list[list[list[int]]] = self._asked(IDS, _text(bytes(student.data)), list(texts))
        return found

    def times_ms(
        self, student: Student, inputs: Sequence[NDArray[Any]]
    ) -> tuple[float, list[float], float]:
        """(until it can run, the module compiled; single calls, means of ten; a sample's share of 20 in one call, the least)."""
        given = [_text(x.tobytes()) for x in inputs]
        loaded, took, batched = self._asked(
            TIMES, _text(bytes(student.data)), given, "/student.wasm"
        )
        return loaded, took, batched

    def _asked(self, script: str, *given: Any) -> Any:
        answer = self._driver.execute_async_script(script, *given)
        if isinstance(answer, str):
            raise RuntimeError(f"Chromium: {answer}")
        return answer


def _chromium(profile: str) -> Any:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not browser or not driver:
        raise ConfigError("There is no chromium here.", "apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    return webdriver.Chrome(options=options, service=Service(executable_path=driver))


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _parts(
    work: Sequence[tuple[Student, Sequence[NDArray[Any]]]],
) -> list[list[tuple[Student, Sequence[NDArray[Any]]]]]:
    parts: list[list[tuple[Student, Sequence[NDArray[Any]]]]] = [[]]
    size = 0
    for one in work:
        size += len(one[0].data)
        if size > BATCH_BYTES and parts[-1]:
            parts.append([])
            size = len(one[0].data)
        parts[-1].append(one)
    return parts


def _read(student: Student, length: int, answer: dict[str, str]) -> Outputs:
    steps = length if student.header.input.steps_max else 1
    found: Outputs = {}
    for name, text in answer.items():
        value = student.plan.values[name]
        channels = () if value.channels is None else (value.channels,)
        array = np.frombuffer(base64.b64decode(text), "<i4" if value.dtype == "int32" else "i1")
        found[name] = array.reshape((steps, *channels) if value.steps else channels)
    return found
