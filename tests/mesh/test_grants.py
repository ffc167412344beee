"""Grants: what they let at which hour, that narrowing never widens, and that a valid one is never refused."""

from __future__ import annotations

import multiprocessing
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hearthway.mesh.policy import grants
from hearthway.mesh.policy.grants import APP, GrantBook, Said, Terms, attenuate, issue, said
from hearthway.mesh.trust.roster import forgets, merged, supersedes
from hearthway.records.errors import InputError, WireError
from hearthway.records.household import Decision

SEED = bytes(range(32))
PUBLIC = grants.public_key_of(SEED)
ZONE = "Europe/Helsinki"
LIVING = "Home.Climate.Living"
GUEST = "phone-guest"


def _at(text: str, zone: str = ZONE, fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()


NOON = _at("2026-11-22 12:00")
END = _at("2026-12-01 00:00")
YES = Decision(rule="grant:climate-1", precision="exact")


def _issue(**changed: Any) -> bytes:
    terms: dict[str, Any] = {
        "grant_id": "climate-1",
        "keys": ("Home.Climate.*",),
        "operation": "read",
        "holder": GUEST,
        "until_s": END,
        "zone": ZONE,
        "hours": ("08:00", "20:00"),
    }
    return issue(SEED, **(terms | changed))


def _asks(
    token: bytes,
    *,
    key: str = LIVING,
    operation: str = "read",
    holder: str = GUEST,
    now_s: float = NOON,
    book: GrantBook | None = None,
) -> bool:
    answer = (book or GrantBook(PUBLIC)).allows(token, key, operation, holder, now_s)
    assert answer is None or answer.rule.startswith("grant:")
    return answer is not None


def test_a_grant_lets_what_it_says_and_names_itself() -> None:
    token = _issue()
    assert GrantBook(PUBLIC).allows(token, LIVING, "read", GUEST, NOON) == YES
    assert said(token) == Said(
        grant_id="climate-1",
        zone=ZONE,
        operation="read",
        holder=GUEST,
        terms=(Terms(keys=("Home.Climate.*",), until_s=int(END), from_s=8 * 3600, to_s=20 * 3600),),
        public_key=PUBLIC,
    )
    assert len(token) < 800  # bytes; it travels with every request


@pytest.mark.parametrize(
    "asked",
    [
        {"key": "Home.Lights.Living"},
        {"key": "Home.Climate"},
        {"key": "Home"},
        {"operation": "write"},
        {"operation": ""},
        {"operation": "READ"},
        {"holder": "phone-other"},
        {"holder": ""},
        {"holder": "Phone-Guest"},
        {"now_s": END},
        {"now_s": END + 1e9},
        {"now_s": float("nan")},
        {"now_s": float("inf")},
        {"now_s": -float("inf")},
        {"now_s": 1e300},
    ],
)
def test_a_grant_lets_nothing_else(asked: dict[str, Any]) -> None:
    book = GrantBook(PUBLIC)
    assert _asks(_issue(), book=book)
    assert not _asks(_issue(), book=book, **asked)
    assert not _asks(_issue(), **asked)


def test_a_grant_to_write_does_not_read() -> None:
    token = _issue(operation="write")
    assert _asks(token, operation="write")
    assert not _asks(token, operation="read")


def test_an_apps_grant_counts_at_its_own_node_alone() -> None:
    token = _issue(holder=APP)
    assert _asks(token, holder="")
    assert not _asks(token, holder=GUEST)
    assert not _asks(token, holder="home")


@pytest.mark.parametrize(
    "day",
    [
        "2026-11-22",
        "2026-03-29",  # the clock goes from 03:00 to 04:00
        "2026-10-25",  # and from 04:00 back to 03:00
        "2026-07-01",
    ],
)
def test_hours_are_the_households_clock_on_the_wall(day: str) -> None:
    token, book = _issue(until_s=_at("2027-01-01 00:00")), GrantBook(PUBLIC)
    for minute, lets in (("07:59", 0), ("08:00", 1), ("19:59", 1), ("20:00", 0), ("00:00", 0)):
        assert _asks(token, now_s=_at(f"{day} {minute}"), book=book) == bool(lets), (day, minute)
    assert not _asks(token, now_s=_at(f"{day} 08:00") - 0.001)
    assert _asks(token, now_s=_at(f"{day} 20:00") - 0.001)


def test_an_hour_that_comes_twice_counts_twice_and_one_that_never_comes_not() -> None:
    token = _issue(hours=("03:00", "04:00"), until_s=_at("2027-01-01 00:00"))
    assert _asks(token, now_s=_at("2026-10-25 03:30", fold=0))
    assert _asks(token, now_s=_at("2026-10-25 03:30", fold=1))
    assert _at("2026-10-25 03:30", fold=1) - _at("2026-10-25 03:30", fold=0) == 3600.0
    change = _at("2026-03-29 04:00")
    assert not _asks(token, now_s=change - 1.0)  # still 02:59
    assert not _asks(token, now_s=change)


def test_hours_may_span_midnight_and_end_with_the_day() -> None:
    night, book = _issue(hours=("22:00", "06:00")), GrantBook(PUBLIC)
    lets = [
        minute
        for minute in ("21:59", "22:00", "23:59", "00:00", "05:59", "06:00", "12:00")
        if _asks(night, now_s=_at(f"2026-11-22 {minute}"), book=book)
    ]
    assert lets == ["22:00", "23:59", "00:00", "05:59"]
    evening = _issue(hours=("20:00", "24:00"))
    assert _asks(evening, now_s=_at("2026-11-22 23:59"))
    assert not _asks(evening, now_s=_at("2026-11-22 00:00"))
    always = _issue(hours=None)
    assert all(_asks(always, now_s=_at(f"2026-11-22 {h:02d}:30")) for h in range(24))


def test_it_ends_on_the_minute() -> None:
    token = _issue(until_s=NOON + 119.0)
    assert _asks(token, now_s=NOON + 59.9)
    assert not _asks(token, now_s=NOON + 60.0)
    assert said(token).until_s == NOON + 60


def test_revoked_by_its_id_at_once() -> None:
    token, narrowed = _issue(), attenuate(_issue(), hours=("09:00", "18:00"))
    book = GrantBook(PUBLIC)
    assert _asks(token, book=book)
    assert _asks(narrowed, book=book)
    book.use(PUBLIC, ["another"])
    assert _asks(token, book=book)
    book.use(PUBLIC, ["another", "climate-1"])
    assert not _asks(token, book=book)
    assert not _asks(narrowed, book=book)  # narrowing does not shake off the id
    assert not _asks(token, book=GrantBook(PUBLIC, ["climate-1"]))


def test_a_book_follows_the_newest_roster() -> None:
    key, revoked = PUBLIC, ()
    book = GrantBook.following(lambda: (key, revoked))
    token = _issue()
    assert _asks(token, book=book)
    revoked = ("climate-1",)  # type: ignore[assignment]  # a longer tuple of the same kind
    assert not _asks(token, book=book)
    revoked = ()
    assert _asks(token, book=book)
    key = grants.public_key_of(bytes(32))
    assert not _asks(token, book=book)  # also what was kept parsed
    key = b""
    assert not _asks(token, book=book)


def test_a_household_without_a_key_for_grants_lets_nothing() -> None:
    assert not _asks(_issue(), book=GrantBook(b""))


# -- keys -------------------------------------------------------------------------------------------------

_WEIRD = [
    "",
    ".",
    "*",
    "Home.Climate.*",
    "Home.Climate.",
    "Home.Climate..Living",
    ".Home.Climate.Living",
    "Home.Climate.Living.",
    "Home.Climate.Living\n",
    "Home.Climate.Living\0",
    "Home\nHome.Climate.Living",
    "Home.Climate .Living",
    "Home.Climate.Living ",
    "Номе.Climate.Living",  # Cyrillic
    "Home.Climate.Livïng",
    "Home.Ⅽlimate.Living",
    "home.climate.living",
    "Home/Climate/Living",
    'Home.Climate."Living',
    'x"); allow if true; //',
    "Home.Climate.{op}",
    "Home.Climate.$key",
    "Home.[C]limate.Living",
    "Home.Climate." + "a" * 10_240,
    ".".join(["Home", "Climate"] + ["a"] * 5_000),
    "Home.Climate.\ud800",
]


@pytest.mark.parametrize("key", _WEIRD, ids=range(len(_WEIRD)))
def test_no_weird_key_is_let(key: str) -> None:
    book = GrantBook(PUBLIC)
    token = _issue(keys=("Home.Climate.*", "Home.*", "Home.*.*", "Home.Climate.Living"))
    assert _asks(token, book=book)
    assert not _asks(token, key=key, book=book)


def test_the_longest_key_is_let_and_one_more_letter_is_not() -> None:
    longest = "Home.Climate." + "a" * (grants.KEY_MAX_CHARS - 13)
    assert _asks(_issue(), key=longest)
    assert not _asks(_issue(), key=longest + "a")


_part = st.sampled_from(["Home", "Climate", "Living", "A", "B_2"])
_asked_key = st.lists(_part, min_size=1, max_size=5).map(".".join)
_pattern = st.tuples(_part, st.lists(_part | st.just("*"), max_size=4)).map(
    lambda t: ".".join([t[0], *t[1]])
)


def _fits(pattern: str, key: str) -> bool:
    """The meaning of a dotted glob, as regular expressions say it."""
    *parts, last = pattern.split(".")
    one = ["[^.]+" if p == "*" else re.escape(p) for p in parts]
    one.append(r"[^.]+(\.[^.]+)*" if last == "*" else re.escape(last))
    return re.fullmatch(r"\.".join(one), key) is not None


@cache
def _for_keys(patterns: tuple[str, ...]) -> bytes:
    return _issue(keys=patterns, hours=None)


@given(st.lists(_pattern, min_size=1, max_size=4).map(tuple), _asked_key)
@settings(max_examples=250, deadline=None)
def test_patterns_mean_what_the_rules_patterns_mean(patterns: tuple[str, ...], key: str) -> None:
    assert _asks(_for_keys(patterns), key=key) == any(_fits(p, key) for p in patterns)


# -- narrowing --------------------------------------------------------------------------------------------

_clock = st.integers(0, 24 * 60).map(lambda m: f"{m // 60:02d}:{m % 60:02d}")
_hours = st.none() | st.tuples(_clock, _clock).filter(lambda h: h[0] != h[1])
_moment = st.integers(-90, 90).map(lambda n: END + n * 3660.0) | st.integers(0, 1440).map(
    lambda m: NOON + m * 60.0 - 0.5
)
_narrower = st.fixed_dictionaries(
    {},
    optional={
        "keys": st.lists(_pattern, min_size=1, max_size=3),
        "hours": st.tuples(_clock, _clock).filter(lambda h: h[0] != h[1]),
        "until_s": _moment,
    },
).filter(bool)


def _model(s: Said, key: str, operation: str, holder: str, now_s: float) -> bool:
    local = datetime.fromtimestamp(now_s, ZoneInfo(s.zone))
    second = local.hour * 3600 + local.minute * 60 + local.second
    for t in s.terms:
        if t.keys and not any(_fits(p, key) for p in t.keys):
            return False
        if t.until_s and now_s >= t.until_s:
            return False
        if t.from_s >= 0:
            after, before = second >= t.from_s, second < t.to_s
            if not ((after and before) if t.from_s < t.to_s else (after or before)):
                return False
    return operation == s.operation and holder == s.holder


@given(
    st.lists(_pattern, min_size=1, max_size=3),
    _hours,
    st.lists(_narrower, min_size=1, max_size=3),
    st.lists(
        st.tuples(
            _asked_key,
            st.sampled_from(["read", "read", "read", "write"]),
            st.sampled_from([GUEST, GUEST, GUEST, APP, "car"]),
            _moment,
        ),
        min_size=1,
        max_size=8,
    ),
)
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_narrowing_never_widens(
    keys: list[str],
    hours: tuple[str, str] | None,
    narrower: list[dict[str, Any]],
    asked: list[tuple[str, str, str, float]],
) -> None:
    tokens = [_issue(keys=keys, hours=hours)]
    for step in narrower:
        tokens.append(attenuate(tokens[-1], **step))
    book = GrantBook(PUBLIC)
    for key, operation, holder, now_s in asked:
        question = {"key": key, "operation": operation, "holder": holder, "now_s": now_s}
        answers = [_asks(token, book=book, **question) for token in tokens]  # type: ignore[arg-type]  # mixed values
        assert answers == sorted(answers, reverse=True), (question, answers)
        wanted = [_model(said(token), key, operation, holder, now_s) for token in tokens]
        assert answers == wanted


def test_narrowing_needs_no_key_of_ours_and_keeps_what_was_said() -> None:
    token = _issue()
    narrowed = attenuate(
        token, keys=[LIVING], hours=("12:00", "13:00"), until_s=NOON + 3600 * 24 + 30
    )
    assert said(narrowed).terms == (
        *said(token).terms,
        Terms(keys=(LIVING,), until_s=int(NOON) + 86400, from_s=43200, to_s=46800),
    )
    assert said(narrowed).until_s == int(NOON) + 86400
    assert _asks(narrowed)
    assert not _asks(narrowed, key="Home.Climate.Kitchen")
    assert not _asks(narrowed, now_s=NOON + 3600)
    assert not _asks(narrowed, now_s=NOON + 86400)
    assert _asks(token, now_s=NOON + 86400)
    only_later = attenuate(token, until_s=END + 86400)
    assert not _asks(only_later, now_s=END)
    assert said(only_later).until_s == END
    assert said(attenuate(token, keys=[LIVING])).until_s == END  # nothing said of it
    assert said(attenuate(token, until_s=END - 60)).until_s == END - 60


def test_narrowing_has_an_end_too() -> None:
    token = _issue(hours=None)
    for _ in range(grants.NARROWED_MAX):
        token = attenuate(token, hours=("08:00", "20:00"))
    assert _asks(token)
    with pytest.raises(InputError, match="too often") as caught:
        attenuate(token, hours=("08:00", "20:00"))
    assert "it came from" in caught.value.next_step
    with pytest.raises(InputError, match="Nothing"):
        attenuate(_issue())
    with pytest.raises(WireError):
        attenuate(b"junk", keys=["Home.*"])


# -- asking for what cannot be granted --------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"keys": ()},
        {"keys": ("*",)},
        {"keys": ("Home..X",)},
        {"keys": ("Home.*x",)},
        {"keys": ("Home.Climate.*\n",)},
        {"keys": ('Home"); allow if true',)},
        {"keys": ("Home.Ünder",)},
        {"keys": ("H" * 257,)},
        {"keys": tuple(f"Home.K{n}" for n in range(9))},
        {"operation": "admin"},
        {"operation": ""},
        {"holder": "Phone"},
        {"holder": 'x", "y'},
        {"holder": "p" * 41},
        {"grant_id": ""},
        {"grant_id": 'a"'},
        {"until_s": 0},
        {"until_s": 59.0},
        {"until_s": -1.0},
        {"until_s": float("nan")},
        {"until_s": float("inf")},
        {"until_s": 1e12},
        {"zone": "Mars/Base"},
        {"zone": ""},
        {"zone": "../etc/passwd"},
        {"zone": "Europe/Helsinki\0"},
        {"hours": ("8:00", "20:00")},
        {"hours": ("08:00", "24:01")},
        {"hours": ("08:60", "20:00")},
        {"hours": ("08:00", "08:00")},
        {"hours": ("08:00", "")},
        {"hours": ("٠٨:00", "20:00")},
    ],
)
def test_what_cannot_be_granted_is_said(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError) as caught:
        _issue(**wrong)
    assert caught.value.message
    assert caught.value.next_step


def test_limits_are_reached_and_not_passed() -> None:
    assert _asks(_issue(keys=["Home.Climate.*", *(f"Home.K{n}" for n in range(7))]))
    assert _asks(_issue(keys=["H" * 256]), key="H" * 256)
    assert _asks(_issue(holder="p" * 40), holder="p" * 40)
    assert _asks(_issue(keys="Home.Climate.*"))  # one key needs no list
    with pytest.raises(InputError, match="too much") as caught:
        _issue(keys=[f"{n}" * 255 for n in range(8)])
    assert "each for fewer keys" in caught.value.next_step
    with pytest.raises(InputError, match="32 bytes"):
        issue(
            b"short",
            grant_id="a",
            keys=["Home.*"],
            operation="read",
            holder=GUEST,
            until_s=END,
            zone=ZONE,
        )


def test_letters_to_copy() -> None:
    for extra in range(4):
        token = _issue(grant_id="g" * (1 + extra))
        text = grants.to_text(token)
        assert re.fullmatch(r"[A-Za-z0-9_-]+", text)
        assert grants.from_text(text) == token
        assert grants.from_text(f"  {text[:100]}\n{text[100:]} ") == token
    with pytest.raises(WireError):
        said(grants.from_text(""))
    whole = grants.to_text(_issue())
    for wrong in ("ab!", "a", "ä" * 8, f"{whole[:9]}!!!!{whole[9:]}"):
        with pytest.raises(InputError, match="no grant") as caught:
            grants.from_text(wrong)
        assert "Copy it whole" in caught.value.next_step
    for length in range(1, 7):  # with and without what fills up the last letters
        assert grants.from_text(grants.to_text(bytes(length))) == bytes(length)


# -- answers kept ----------------------------------------------------------------------------------------


def test_an_answer_kept_is_the_answer_of_its_minute_and_its_question() -> None:
    book, token = GrantBook(PUBLIC), _issue()
    eight = _at("2026-11-22 08:00")
    for _ in range(2):
        assert not _asks(token, now_s=eight - 1, book=book)
        assert _asks(token, now_s=eight, book=book)
        assert _asks(token, now_s=eight + 59, book=book)
        assert not _asks(token, key="Home.Lights", now_s=eight, book=book)
        assert not _asks(token, operation="write", now_s=eight, book=book)
        assert not _asks(token, holder="car", now_s=eight, book=book)
        assert not _asks(token, now_s=eight - 1, book=book)


def test_the_answers_that_are_kept_are_bounded() -> None:
    book = GrantBook(PUBLIC)
    first = _issue()
    for n in range(64):
        assert _asks(first, key=f"Home.Climate.R{n}", book=book)
        (parsed,) = book._parsed.values()
        assert len(parsed.answers) == n + 1
    assert _asks(first, key="Home.Climate.R0", book=book)
    assert len(parsed.answers) == 64  # asked before
    assert _asks(first, book=book)
    assert len(parsed.answers) == 1


def test_the_tokens_that_are_kept_are_bounded_and_the_one_in_use_stays() -> None:
    book, first = GrantBook(PUBLIC), _issue()
    tokens = [_issue(grant_id=f"g{n}") for n in range(256)]
    for token in (first, *tokens[:-1]):
        assert _asks(token, book=book)
    parsed = book._parsed[first]
    assert len(book._parsed) == 256
    assert _asks(first, book=book)
    assert _asks(tokens[-1], book=book)
    assert len(book._parsed) == 256
    assert book._parsed[first] is parsed  # not parsed anew
    assert tokens[0] not in book._parsed
    assert _asks(tokens[0], book=book)


def test_checks_are_quick() -> None:
    """Generous bounds of a shared machine; bench/grants.py measures."""
    token, book = attenuate(_issue(), hours=("09:00", "18:00")), GrantBook(PUBLIC)
    begin = time.perf_counter()
    assert _asks(token, book=book)
    first_s = time.perf_counter() - begin
    best_s = 1.0
    for _ in range(20):
        begin = time.perf_counter()
        for _ in range(50):
            book.allows(token, LIVING, "read", GUEST, NOON)
        best_s = min(best_s, (time.perf_counter() - begin) / 50)
    assert first_s < 0.05
    assert best_s < 60e-6


# -- under load -------------------------------------------------------------------------------------------


def _burn(stop: Any) -> None:
    while not stop.is_set():
        sum(range(20_000))


@contextmanager
def _busy(processes: int) -> Iterator[None]:
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    burners = [context.Process(target=_burn, args=(stop,), daemon=True) for _ in range(processes)]
    for burner in burners:
        burner.start()
    try:
        yield
    finally:
        stop.set()
        for burner in burners:
            burner.join(10.0)


def _denied(checks: int, budget_s: float) -> tuple[int, int]:
    """(false denials, checks done): fresh and kept, every one through the library's engine."""
    tokens = [_issue(grant_id=f"g{n}", hours=None) for n in range(20)]
    tokens += [attenuate(t, keys=[LIVING], until_s=END - 60) for t in tokens]
    denied = done = 0
    book, end = GrantBook(PUBLIC), time.monotonic() + budget_s
    for n in range(checks):
        if n % 500 == 0:
            book = GrantBook(PUBLIC)
        if time.monotonic() > end:
            break
        token = tokens[n % len(tokens)]
        denied += not _asks(token, now_s=NOON + 60.0 * (n % 9000), book=book)
        done += 1
    return denied, done


def test_a_thousand_valid_checks_and_no_denial() -> None:
    assert _denied(1_000, 30.0) == (0, 1_000)


@pytest.mark.slow
def test_ten_thousand_valid_checks_under_load_and_no_denial() -> None:
    with _busy(4):
        assert _denied(10_000, 60.0) == (0, 10_000)


# -- the root's side --------------------------------------------------------------------------------------


def test_the_root_gives_and_takes_back(make_household: Any) -> None:
    household = make_household(home="home", phone="phone")
    root = household.root
    assert grants.public_key_of(root.grant_private()) == root.roster.grant_key
    token = issue(
        root.grant_private(),
        grant_id="g-1",
        keys=["Home.Climate.*"],
        operation="read",
        holder="phone",
        until_s=END,
        zone=ZONE,
    )
    before = root.roster
    book = GrantBook.following(lambda: (root.roster.grant_key, root.roster.revoked_grants))
    assert _asks(token, holder="phone", book=book)
    after = root.revoke_grant("g-1")
    assert not _asks(token, holder="phone", book=book)
    assert (after.serial, after.epoch) == (before.serial + 1, before.epoch)
    assert after.revoked_grants == ("g-1",)
    assert root.revoke_grant("g-1") == after  # twice is once
    assert not supersedes(before, after)
    assert forgets(before, after)
    assert not forgets(after, before)
    assert merged(before, after).revoked_grants == merged(after, before).revoked_grants == ("g-1",)
    assert root.revoke_grant("a-2").revoked_grants == ("a-2", "g-1")
    household.tell()
    assert household.identity("phone").roster.revoked_grants == ("a-2", "g-1")


# -- what the form promises -------------------------------------------------------------------------------


def test_limits_are_part_of_the_form() -> None:
    """Another node may be older or newer: these numbers are not changed in passing."""
    assert (grants.TOKEN_MAX_BYTES, grants.NARROWED_MAX, grants.KEYS_MAX) == (4096, 8, 8)
    for length, why in ((4096, "damaged"), (4097, "no grant, or one of a newer")):
        with pytest.raises(WireError, match=why):
            said(_issue()[:36].ljust(length, b"\0"))
    assert (grants.KEY_MAX_CHARS, grants.PARSED_MAX, grants.ANSWERS_MAX) == (256, 256, 64)
    assert (grants.RUN_MAX_S, grants.UNTIL_MAX_S, grants.DAY_S) == (5.0, 253_402_300_800, 86_400)
    assert (APP, grants.RULE_PREFIX) == ("", "grant:")


def test_the_time_limit_is_ours_and_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library's own is 1 ms, which a busy machine does not always keep."""
    token = _issue()
    assert _asks(token)
    monkeypatch.setattr(grants, "RUN_MAX_S", 0.0)
    assert not _asks(token)


def test_words_say_all_of_it() -> None:
    token = _issue(keys=["Home.Climate.*", "Home.Presence.Anyone"], operation="write")
    token = attenuate(token, keys=[LIVING])
    token = attenuate(token, hours=("22:05", "06:00"))
    token = attenuate(token, until_s=END - 5400)
    assert grants.words(said(token)) == (
        (
            "write Home.Climate.*, Home.Presence.Anyone · 08:00-20:00 (Europe/Helsinki)"
            " · until 2026-12-01 00:00, for the device phone-guest only"
        ),
        "narrowed to Home.Climate.Living",
        "narrowed to 22:05-06:00 (Europe/Helsinki)",
        "narrowed to until 2026-11-30 22:30",
    )
    (line,) = grants.words(said(_issue(hours=("07:59", "23:59"))))
    assert "· 07:59-23:59 (Europe/Helsinki) ·" in line
    (line,) = grants.words(said(_issue(holder=APP, hours=None)))
    assert line == "read Home.Climate.* · until 2026-12-01 00:00, for an app on the home only"


def test_an_end_in_words_of_the_household() -> None:
    assert grants.end_s("2026-11-30", ZONE) == END
    assert grants.end_s(" 2026-11-30T18:30 ", ZONE) == END - 5.5 * 3600
    assert grants.end_s("2026-10-25 24:00", ZONE) == _at("2026-10-26 00:00")
    for wrong in ("", "2026-11-31", "30.11.2026", "2026-11-30 24:01", "9999-12-31", "2026-1-1 x"):
        with pytest.raises(InputError):
            grants.end_s(wrong, ZONE)


def test_the_wall_clock_counts_every_minute_of_the_day() -> None:
    utc = ZoneInfo("UTC")
    for minute in range(24 * 60):
        assert grants.local_second(60 * minute, utc) == 60 * minute
    assert grants.local_second(0, ZoneInfo("Asia/Kathmandu")) == 5 * 3600 + 30 * 60


def test_hours_from_midnight_are_said_and_hold() -> None:
    token = _issue(hours=("00:00", "08:00"))
    assert "00:00-08:00 (" in grants.words(said(token))[0]
    assert "08:00" not in grants.words(said(_issue(hours=None)))[0]
    assert said(token).terms[0].from_s == 0
    for clock, lets in (("00:00", True), ("07:59", True), ("08:00", False), ("23:59", False)):
        assert _asks(token, now_s=_at(f"2026-11-22 {clock}")) == lets, clock


def test_a_key_of_another_length_says_where_the_right_one_is() -> None:
    for seed in (b"", SEED[:-1], SEED + b"\0"):
        with pytest.raises(InputError, match="32 bytes") as caught:
            grants.public_key_of(seed)
        assert "backup" in caught.value.next_step
