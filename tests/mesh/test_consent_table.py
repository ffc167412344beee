"""The words about consents that a node keeps: a share for each device and person, and room for every revocation."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hearthway.mesh.policy.consent import ACCEPT, GIVE, REVOKE
from hearthway.mesh.policy.consent_table import (
    OF_DEVICE_MAX,
    OF_PERSON_MAX,
    ConsentTable,
    is_over,
)
from hearthway.mesh.trust.roster import Member, Roster
from hearthway.records.codec import pack
from hearthway.records.household import Consent, ConsentWord, HouseholdPerson, PersonKind

DEVICES = {
    "ben": "ben",
    "ben-2": "ben",
    "ben-3": "ben",
    "anna": "anna",
    "cleo": "cleo",
    "car": "",
    "new": "",
}
ROSTER = Roster(
    household_id="h",
    name="Ours",
    serial=1,
    members=tuple(
        Member(device_id=d, role="phone", address="", public_key=d.encode(), person=p)
        for d, p in DEVICES.items()
    ),
    people=tuple(
        HouseholdPerson(person_id=p, kind=PersonKind.ADULT) for p in ("anna", "ben", "cleo")
    ),
)


def word(
    number: int, device: str = "ben", what: str = GIVE, to: str = "anna", until_s: float = 0.0
) -> ConsentWord:
    """As if it had been verified: the table looks at no signature when it takes one in."""
    giver = DEVICES[device] if what == GIVE else "ben"
    consent = Consent(giver=giver, receiver=to, keys=("A.B",), purpose="share", until_s=until_s)
    return ConsentWord(
        consent_id=f"{number:016x}",
        word=what,
        consent=b"" if what == REVOKE else pack(consent),
        device_id=device,
        time_s=1.0,
        signature=b"s",
    )


def fill(table: ConsentTable, device: str, many: int, what: str = GIVE, start: int = 0) -> int:
    """How many of them found room."""
    kept = 0
    for n in range(start, start + many):
        one = word(n, device, what)
        if table.has_room(one, ROSTER):
            table.keep(one)
            kept += 1
    return kept


def test_each_device_and_each_person_has_a_share_and_nobody_takes_anothers() -> None:
    table = ConsentTable()
    assert fill(table, "ben", 2000) == OF_DEVICE_MAX
    assert fill(table, "ben-2", 2000, start=5000) == OF_PERSON_MAX - OF_DEVICE_MAX
    assert fill(table, "ben-3", 10, start=8000) == 0
    assert fill(table, "ben-3", 2000, REVOKE, start=9000) == OF_DEVICE_MAX  # a share of its own
    assert fill(table, "anna", 5, start=12_000) == 5
    assert fill(table, "anna", 5, REVOKE, start=13_000) == 5
    assert len(table) == OF_PERSON_MAX + OF_DEVICE_MAX + 10


def test_devices_of_nobody_are_not_one_person() -> None:
    table = ConsentTable()
    assert fill(table, "car", 300) == OF_DEVICE_MAX
    assert fill(table, "new", 300, start=400) == OF_DEVICE_MAX


def test_what_is_kept_can_always_be_revoked_by_either_side_and_by_nobody_else() -> None:
    table = ConsentTable()
    fill(table, "ben", OF_DEVICE_MAX)
    for device in ("anna", "ben", "cleo"):
        fill(table, device, OF_DEVICE_MAX, REVOKE, start=10_000)
    for device in ("anna", "ben"):
        assert table.has_room(word(3, device, REVOKE), ROSTER)
        assert not table.has_room(word(99_999, device, REVOKE), ROSTER)  # of what nobody knows
    assert not table.has_room(word(3, "cleo", REVOKE), ROSTER)


def test_a_word_is_kept_once() -> None:
    table = ConsentTable([word(1), word(1), word(1, what=ACCEPT)])
    assert len(table) == 2
    assert word(1) in table
    assert word(2) not in table
    assert [c.receiver for c in table.given(word(1).consent_id)] == ["anna"]
    assert table.given(word(2).consent_id) == []


def test_what_is_over_makes_room_and_what_was_revoked_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    signed_by = {"ben": b"ben"}  # the keys here are names
    monkeypatch.setattr(
        "hearthway.mesh.policy.consent_table.is_signed",
        lambda one, key: signed_by.get(one.device_id, key) == key,
    )
    table = ConsentTable(
        [
            word(1, until_s=50.0),
            word(1, "anna", ACCEPT, until_s=50.0),
            word(2, until_s=50.0),
            word(2, "anna", REVOKE),
            word(3, until_s=150.0),
            word(4),
        ]
    )
    gone = table.sweep(ROSTER, 100.0)
    assert {(w.consent_id[-1], w.word) for w in gone} == {("1", GIVE), ("1", ACCEPT)}
    assert [w.consent_id[-1] for w in table] == ["2", "2", "3", "4"]
    signed_by["ben"] = b"another key"  # the device of that name is another one by now
    table.sweep(ROSTER, 100.0)
    assert [w.word for w in table] == [REVOKE]
    assert fill(table, "ben", 2000, start=100) == OF_DEVICE_MAX  # none of it is counted any more


def test_over_is_told_by_the_word_alone() -> None:
    assert is_over(word(1, until_s=50.0), 50.0)
    assert not is_over(word(1, until_s=50.0), 49.9)
    assert not is_over(word(1), 1e12)
    assert not is_over(word(1, what=REVOKE), 1e12)
    assert not is_over(msgspec.structs.replace(word(1), consent=b"\xc1"), 1e12)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 40),
            st.sampled_from(["ben", "ben-2", "anna"]),
            st.sampled_from([GIVE, REVOKE]),
        ),
        max_size=200,
    )
)
def test_counts_are_what_is_there(said: list[tuple[int, str, str]]) -> None:
    table = ConsentTable()
    for number, device, what in said:
        table.keep(word(number, device, what, until_s=float(number)))
    table.sweep(msgspec.structs.replace(ROSTER, members=()), 20.0)
    for (device, revokes), count in table._counts.items():
        held = [w for w in table if w.device_id == device and (w.word == REVOKE) == revokes]
        assert len(held) == count
    assert {w.consent_id for w in table} == set(table._of_id)
