"""Server-sent events: live, resumed, beating, bounded, and gone when the page is gone."""

from __future__ import annotations

import http.client
import json
import time
from contextlib import closing
from typing import Any

import msgspec

from hearthway.web.hub import MAX_CLIENTS


class Events:
    """One open stream, read event by event."""

    def __init__(self, page: Any, last_id: str = "") -> None:
        self.line = http.client.HTTPConnection("127.0.0.1", page.server.port, timeout=5)
        self.line.request("GET", "/events", headers={"last-event-id": last_id} if last_id else {})
        self.answer = self.line.getresponse()

    def block(self) -> dict[str, str]:
        fields: dict[str, str] = {}
        while True:
            line = self.answer.readline().decode().rstrip("\n")
            if not line:
                return fields
            name, _, value = line.partition(": ")
            fields[name] = value

    def state(self) -> tuple[str, Any]:
        while True:
            block = self.block()
            if block.get("event") == "state":
                return block["id"], json.loads(block["data"])

    def close(self) -> None:
        self.answer.close()
        self.line.close()


def until(look: Any, timeout_s: float = 5.0) -> None:
    end = time.monotonic() + timeout_s
    while not look():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.02)


def test_the_first_event_is_the_state_now_and_the_moment_follows(
    page: Any, moment_state: Any
) -> None:
    with closing(Events(page)) as events:
        assert events.answer.getheader("content-type", "").startswith("text/event-stream")
        assert events.answer.getheader("cache-control") == "no-store"
        _, state = events.state()
        assert state["moment"] is None
        page.push(moment_state, "moment")
        _, state = events.state()
        assert state["moment"]["title"] == "Heading to Forum"


def test_a_page_that_comes_back_gets_only_what_is_new(open_page: Any, moment_state: Any) -> None:
    with open_page(heartbeat_s=0.1) as page:
        with closing(Events(page)) as events:
            seen, _ = events.state()
        with closing(Events(page, last_id=seen)) as events:
            assert "retry" in events.block()
            assert "" in events.block()  # a heartbeat: it has the state already
            page.push(moment_state, "moment")
            newer, _ = events.state()
        with closing(Events(page, last_id=seen)) as events:
            assert events.state()[0] == newer


def test_ten_thousand_events_are_drawn_a_few_times_and_the_last_one_wins(page: Any) -> None:
    with closing(Events(page)) as events:
        events.state()
        before = page.node.snapshots

        def storm() -> None:
            for _ in range(10_000):
                page.node.push(
                    msgspec.structs.replace(page.node.state, time_s=page.node.state.time_s + 1)
                )

        page.call(storm)
        want = page.node.state.time_s
        clocks: list[str] = []
        until(lambda: page.node.snapshots > before)
        while not clocks or clocks[-1] != _clock(want):
            clocks.append(events.state()[1]["clock"])
        assert page.node.snapshots - before < 20


def test_a_page_that_goes_frees_its_slot(open_page: Any) -> None:
    with open_page(heartbeat_s=0.05) as page:
        opened = [Events(page) for _ in range(3)]
        until(lambda: page.app.state.hub.clients == 3)
        for events in opened:
            events.close()
        until(lambda: page.app.state.hub.clients == 0)


def test_too_many_pages_are_refused_and_the_others_stay(page: Any) -> None:
    opened = [Events(page) for _ in range(MAX_CLIENTS)]
    try:
        until(lambda: page.app.state.hub.clients == MAX_CLIENTS)
        with closing(Events(page)) as refused:
            assert refused.answer.status == 503
        assert opened[0].state()[1]["role"] == "phone"
    finally:
        for events in opened:
            events.close()


def test_a_page_that_does_not_read_holds_nobody_up(page: Any, moment_state: Any) -> None:
    with closing(Events(page)) as lazy, closing(Events(page)) as awake:
        lazy.answer.readline()
        awake.state()
        page.push(moment_state, "moment")
        assert awake.state()[1]["moment"]


def test_a_state_that_cannot_be_drawn_leaves_the_last_one(page: Any, moment_state: Any) -> None:
    with closing(Events(page)) as events:
        events.state()
        page.push(None)
        until(lambda: page.node.snapshots >= 2)
        assert page.ask("/api/state").json["moment"] is None
        page.push(moment_state, "moment")
        assert events.state()[1]["moment"]


def test_a_lost_subscription_is_taken_up_again(page: Any, moment_state: Any) -> None:
    with closing(Events(page)) as events:
        events.state()
        page.call(lambda: page.node.queue.put_nowait(OSError("the link broke")))
        until(lambda: page.node.subscriptions == 2)
        page.push(moment_state, "moment")
        assert events.state()[1]["moment"]


def test_stopping_the_server_ends_open_streams_at_once(open_page: Any) -> None:
    with open_page() as page:
        events = Events(page)
        events.state()
        began = time.monotonic()
        page.run(page.server.stop())
        assert time.monotonic() - began < 2.0
        assert events.answer.read() == b""
        events.close()


def _clock(time_s: float) -> str:
    local = int(time_s + 7200) % 86_400
    return f"{local // 3600:02d}:{local % 3600 // 60:02d}"


def test_where_nobody_looks_nothing_is_drawn(page: Any, moment_state: Any) -> None:
    """Whoever comes then sees the newest state at once."""
    drawn = page.node.snapshots
    for _ in range(3):
        page.push(moment_state, "moment")
        time.sleep(0.3)  # longer than the pace at which pages are told
    assert page.node.snapshots == drawn
    with closing(Events(page)) as events:
        _, state = events.state()
        assert state["moment"]["title"] == "Heading to Forum"
        drawn = page.node.snapshots
        page.push(moment_state, "moment")
        until(lambda: page.node.snapshots > drawn)  # the control: now somebody looks
