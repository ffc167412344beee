"""The page in real Chromium: live, answered, explained, and silent towards every other host."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from hearthway.records.suggestion import AnswerKind

pytestmark = [pytest.mark.peer, pytest.mark.timeout(180)]


@pytest.fixture
def browser(chromium: Any, page: Any, nothing_blocks_the_loop: Any) -> Iterator[Any]:
    """Chromium on the page; afterwards: no console error and no request to another host."""
    for log in ("browser", "performance"):
        chromium.get_log(log)
    chromium.get(page.server.url)
    until(chromium, lambda: text(chromium, "#moment"))
    yield chromium
    errors = [entry["message"] for entry in chromium.get_log("browser")]
    asked = requested(chromium.get_log("performance"))
    chromium.get("about:blank")
    assert errors == []
    assert asked >= {"/", "/app.js", "/events"}
    assert {urlsplit(url).netloc for url in asked if "://" in url} == set()


def requested(log: list[Any]) -> set[str]:
    """Paths asked of the page itself; whole addresses for anything else."""
    found: set[str] = set()
    for entry in log:
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            url = urlsplit(message["params"]["request"]["url"])
            if url.scheme in ("data", "about", "chrome"):
                continue
            found.add(url.path if url.hostname == "127.0.0.1" else url.geturl())
    return found


def until(browser: Any, look: Any) -> Any:
    return WebDriverWait(browser, 10, poll_frequency=0.05).until(lambda _: look())


def text(browser: Any, selector: str) -> str:
    return str(
        browser.execute_script(
            "return document.querySelector(arguments[0])?.textContent ?? ''", selector
        )
    )


def texts(browser: Any, selector: str) -> list[str]:
    """Of all at one moment: what is drawn anew between two looks is not half of each."""
    script = "return [...document.querySelectorAll(arguments[0])].map(one => one.innerText)"
    return [str(one) for one in browser.execute_script(script, selector)]


def click(browser: Any, element_id: str) -> None:
    until(browser, lambda: browser.find_elements(By.ID, element_id))
    browser.find_element(By.ID, element_id).click()


def test_the_moment_appears_live(browser: Any, page: Any, moment_state: Any) -> None:
    assert "Nothing to say." in text(browser, "#moment")
    assert "It is not your dinnertime" in text(browser, "#moment")
    page.push(moment_state, "moment")
    until(browser, lambda: text(browser, "#headline") == "Heading to Forum")
    names = ["Ravintola Kuusi", "Pizzeria Vuori", "<b>Koti & Käki</b>"]
    until(browser, lambda: texts(browser, ".option .name") == names)
    assert "Battery 31 %, home with 12 %" in text(browser, ".battery")
    assert "Heading" not in text(browser, "#spoken")
    assert "heading to Forum" in text(browser, "#spoken")
    assert browser.find_element(By.ID, "synthetic").is_displayed()


def test_a_parked_phone_shows_where_one_goes_next_and_says_nothing(
    browser: Any, page: Any, parked_state: Any
) -> None:
    assert text(browser, "#onward") == ""
    page.push(parked_state)
    until(browser, lambda: text(browser, "#onward").endswith("probably home (p 0.81)"))
    assert "Nothing to say." in text(browser, "#moment")
    assert text(browser, "#spoken") == ""


def test_a_phone_that_hears_only_rough_positions_says_what_to_do(browser: Any, page: Any) -> None:
    assert text(browser, "#rough") == ""
    page.push(msgspec.structs.replace(page.node.state, rough="5 positions. Allow the precise one."))
    until(browser, lambda: text(browser, "#rough") == "5 positions. Allow the precise one.")


def test_what_home_is_reached_with_is_not_torn_apart(
    browser: Any, page: Any, moment_state: Any
) -> None:
    """Where the line is too narrow it breaks before the range, never within it."""
    said = moment_state.suggestion
    battery = msgspec.structs.replace(
        said.situation.battery, at_home_low_pct=8.0, at_home_high_pct=16.0
    )
    told = msgspec.structs.replace(
        said, situation=msgspec.structs.replace(said.situation, battery=battery)
    )
    page.push(msgspec.structs.replace(moment_state, suggestion=told), "moment")
    until(browser, lambda: "home with 12 % (8-16)" in text(browser, ".battery"))
    lines = []
    for width_px in range(360, 60, -20):
        lines.append(
            browser.execute_script(
                "const p = document.querySelector('.battery'); p.style.width = `${arguments[0]}px`;"
                "const words = p.children[1];"
                "return [words.getBoundingClientRect().height, words.querySelector('.whole').getClientRects().length]",
                width_px,
            )
        )
    assert {rects for _, rects in lines} == {1}
    assert lines[-1][0] > 1.5 * lines[0][0]  # the words do break there


def test_why_opens_the_receipt_and_escape_closes_it(
    browser: Any, page: Any, moment_state: Any
) -> None:
    page.push(moment_state, "moment")
    click(browser, "why")
    until(browser, lambda: "What ran where" in text(browser, "#receipt-body"))
    receipt = text(browser, "#receipt-body")
    for shown in (
        "0 bytes",
        "not measurable here",
        "this is your dinnertime on 61 evenings",
        "Vehicle.CurrentLocation.Latitude",
        "car-position-to-phone",
        "9d3a7be01c",
        "both chains verify",
    ):
        assert shown in receipt, shown
    browser.switch_to.active_element.send_keys(Keys.ESCAPE)
    until(browser, lambda: not browser.find_element(By.ID, "receipt").get_property("open"))
    assert browser.switch_to.active_element.get_attribute("id") == "why"


@pytest.mark.parametrize(
    ("choose", "button", "kind", "osm_id"),
    [
        (None, "answer-accept", AnswerKind.ACCEPT, "node/11"),
        ("option-1", "answer-accept", AnswerKind.ACCEPT, "node/12"),
        ("option-2", "answer-never-here", AnswerKind.NEVER_HERE, "node/13"),
        ("option-1", "answer-not-now", AnswerKind.NOT_NOW, ""),
    ],
)
def test_answers(
    browser: Any,
    page: Any,
    moment_state: Any,
    choose: str | None,
    button: str,
    kind: AnswerKind,
    osm_id: str,
) -> None:
    page.push(moment_state, "moment")
    if choose:
        click(browser, choose)
        until(
            browser,
            lambda: browser.find_element(By.ID, choose).get_attribute("aria-pressed") == "true",
        )
    click(browser, button)
    until(browser, lambda: page.node.answers)
    assert page.node.answers == [(moment_state.suggestion.suggestion_id, kind, osm_id)]
    until(browser, lambda: text(browser, ".answered"))


def test_a_position_does_not_take_the_buttons_from_under_the_finger(
    browser: Any, page: Any, moment_state: Any
) -> None:
    page.push(moment_state, "moment")
    until(browser, lambda: browser.find_elements(By.ID, "answer-not-now"))
    button = browser.find_element(By.ID, "answer-not-now")
    situation = msgspec.structs.replace(moment_state.situation, speed_mps=20.0)
    page.push(msgspec.structs.replace(moment_state, situation=situation))
    until(browser, lambda: "72 km/h" in text(browser, "#doing"))
    button.click()  # still the same element
    until(browser, lambda: page.node.answers)


def test_the_map_is_drawn_from_the_nodes_roads(browser: Any, page: Any, moment_state: Any) -> None:
    page.push(moment_state, "moment")
    until(browser, lambda: "© OpenStreetMap contributors" in text(browser, "#attribution"))
    colours = until(
        browser,
        lambda: (n := browser.execute_script(COUNT_COLOURS)) > 8 and n,
    )
    assert colours > 8
    label = browser.find_element(By.ID, "map").get_attribute("aria-label")
    assert "destination Forum" in label
    assert "2 Pizzeria Vuori" in label


COUNT_COLOURS = """
const canvas = document.getElementById('map');
const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
const seen = new Set();
for (let i = 0; i < data.length; i += 4) seen.add(data[i] << 16 | data[i + 1] << 8 | data[i + 2]);
return seen.size;
"""


def test_a_moving_car_shows_one_thing_to_read(browser: Any, page: Any, moment_state: Any) -> None:
    page.push(msgspec.structs.replace(moment_state, role="car"), "moment")
    until(browser, lambda: browser.find_elements(By.ID, "answer-accept"))
    names = (
        "return [...document.querySelectorAll('.option .name')]"
        ".filter(e => e.offsetParent !== null).map(e => e.textContent)"
    )
    until(browser, lambda: browser.execute_script(names) == ["Ravintola Kuusi"])
    assert not browser.find_element(By.ID, "why").is_displayed()
    parked = msgspec.structs.replace(moment_state.situation, mode="staying")
    page.push(msgspec.structs.replace(moment_state, role="car", situation=parked))
    until(browser, lambda: browser.find_element(By.ID, "why").is_displayed())


def test_off_the_map_is_said(browser: Any, page: Any) -> None:
    off_it = msgspec.structs.replace(page.node.state.situation, lat=60.3, lon=24.5)
    page.push(msgspec.structs.replace(page.node.state, situation=off_it, track=()))
    until(browser, lambda: browser.find_element(By.ID, "offmap").is_displayed())
    on_it = msgspec.structs.replace(page.node.state.situation, lat=60.17, lon=24.94)
    page.push(msgspec.structs.replace(page.node.state, situation=on_it, track=()))
    until(browser, lambda: not browser.find_element(By.ID, "offmap").is_displayed())


def test_a_node_that_is_gone_is_seen(browser: Any, page: Any, moment_state: Any) -> None:
    assert len(browser.find_elements(By.CSS_SELECTOR, ".peers .alive")) == 3
    alive = page.node.state.peers
    lost = msgspec.structs.replace(alive[1], alive=False, detail="no word for 8 s")
    page.push(msgspec.structs.replace(page.node.state, peers=(alive[0], lost, alive[2])))
    until(browser, lambda: "car is not there. no word for 8 s" in text(browser, ".peers .gone"))


def test_everything_is_reached_and_named_by_keyboard_and_reader(
    browser: Any, page: Any, moment_state: Any
) -> None:
    page.push(moment_state, "moment")
    until(browser, lambda: browser.find_elements(By.ID, "answer-accept"))
    nameless = browser.execute_script(
        "return [...document.querySelectorAll('button, canvas, dialog, [role=img]')].filter("
        "e => !(e.getAttribute('aria-label') || e.getAttribute('aria-labelledby') || e.textContent.trim()))"
        ".map(e => e.outerHTML)"
    )
    assert nameless == []
    assert browser.execute_script("return document.documentElement.lang") == "en"
    assert browser.find_element(By.ID, "spoken").get_attribute("aria-live") == "polite"
    twice = browser.execute_script(
        "const ids = [...document.querySelectorAll('[id]')].map(e => e.id);"
        "return ids.filter((id, i) => ids.indexOf(id) !== i)"
    )
    assert twice == []
    reached = set()
    for _ in range(25):
        browser.switch_to.active_element.send_keys(Keys.TAB)
        reached.add(browser.switch_to.active_element.get_attribute("id"))
    assert reached >= {
        "option-0", "option-1", "answer-accept", "why", "answer-not-now", "answer-never-here", "map", "zoom-in",
    }  # fmt: skip
    small = browser.execute_script(
        "return [...document.querySelectorAll('#moment button')].filter(e => e.offsetHeight < 44).map(e => e.id)"
    )
    assert small == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_in_both_schemes(
    browser: Any, page: Any, moment_state: Any, scheme: str
) -> None:
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    page.push(moment_state, "moment")
    until(browser, lambda: browser.find_elements(By.ID, "answer-accept"))
    colours = browser.execute_script(
        "const s = getComputedStyle(document.documentElement);"
        "return Object.fromEntries(arguments[0].map(n => [n, s.getPropertyValue('--' + n).trim()]))",
        ["ground", "card", "ink", "soft", "ember", "ember-ink", "wash", "good", "bad"],
    )
    for front, back in (
        ("ink", "card"), ("ink", "wash"), ("soft", "card"), ("soft", "ground"), ("soft", "wash"), ("ember", "card"),
        ("ember-ink", "ember"), ("good", "card"), ("good", "wash"), ("bad", "card"), ("bad", "ground"), ("card", "bad"),
    ):  # fmt: skip
        assert contrast(colours[front], colours[back]) >= 4.5, (scheme, front, back)


def contrast(front: str, back: str) -> float:
    """WCAG 2 contrast ratio of two #rrggbb colours."""

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        red, green, blue = (
            p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    light, dark = sorted((luminance(front), luminance(back)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_nothing_overflows_sideways(browser: Any, page: Any, moment_state: Any, width: int) -> None:
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        page.push(moment_state, "moment")
        until(browser, lambda: browser.find_elements(By.ID, "answer-accept"))
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
        cut = browser.execute_script(
            "const fact = document.querySelector('.fact');"
            "fact.textContent = 'hours unknown, you ate here 12 times at this hour';"
            "const edge = (one) => one.getBoundingClientRect().right;"
            "return edge(fact) - edge(fact.closest('.what'));"
        )
        assert cut <= 1.0, "a long fact is broken, and not cut off"
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_a_stopped_node_is_said_and_its_return_is_followed(
    chromium: Any, open_page: Any, moment_state: Any
) -> None:
    with open_page() as page:
        chromium.get(page.server.url)
        until(chromium, lambda: text(chromium, "#moment"))
        page.run(page.server.stop())
        until(chromium, lambda: chromium.find_element(By.ID, "lost").is_displayed())
        page.run(page.server.start())
        page.push(moment_state, "moment")
        until(chromium, lambda: text(chromium, "#headline") == "Heading to Forum")
        assert not chromium.find_element(By.ID, "lost").is_displayed()
    chromium.get("about:blank")
