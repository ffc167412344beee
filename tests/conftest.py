"""What tests of several parts share: a real Chromium, and that what a file leaves open fails that file."""

from __future__ import annotations

import gc
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from tests.warden import Warden

# How long one example takes is the machine's affair: a busy one would fail whatever it runs. Speed is judged in bench/.
settings.register_profile("hearthway", deadline=None)
settings.load_profile("hearthway")

TESTS = Path(__file__).parent
INSTALL = "apt-get install chromium chromium-driver"
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=390,844",
)


# What starts nodes, servers and browsers runs one after the other, beside all else: two of them at once would wait for each other.
ONE_BY_ONE = {"adapters", "app", "attack", "cli", "docs", "e2e", "mesh", "netns", "web"}


@pytest.hookimpl(tryfirst=True)  # before the groups are read
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Who runs with whom in one process, where there are several: all that starts nodes, and else each file."""
    if not config.pluginmanager.hasplugin("xdist"):
        return
    for item in items:
        if not item.path.is_relative_to(TESTS):  # one that was named beside ours
            continue
        inside = item.path.relative_to(TESTS)
        group = "nodes" if inside.parts[0] in ONE_BY_ONE else str(inside)
        item.add_marker(pytest.mark.xdist_group(group))


def pytest_collection_finish() -> None:
    """What collecting made stays to the end: frozen, it is not looked through again whenever garbage is collected."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="module", autouse=True)
def _left_open() -> Iterator[None]:
    """A socket left open warns when it is collected: here, and not in whichever test comes next."""
    yield
    gc.collect()


@pytest.fixture(scope="session")
def warden() -> Iterator[Warden]:
    """What is bound to it ends with this run of tests, also where that is killed."""
    with Warden() as opened:
        yield opened


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory, warden: Warden) -> Iterator[Any]:
    """Chromium with its driver, logging console and requests; skips, or fails in CI, where there is none."""
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not browser or not driver:
        if os.environ.get("CI") == "true":
            pytest.fail(f"No chromium here: {INSTALL}")
        pytest.skip(f"No chromium here: {INSTALL}")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    class Bound(Service):
        """The driver, bound before it starts a browser."""

        def start(self) -> None:
            super().start()
            warden.bind(self.process.pid)

    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    # The driver is named, so that selenium does not look for one elsewhere.
    opened = webdriver.Chrome(options=options, service=Bound(executable_path=driver))
    try:
        yield opened
    finally:
        opened.quit()
