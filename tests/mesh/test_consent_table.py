"""The words about consents that a node keeps: a share for each device and person, and room for every revocation."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hearthway.mesh.policy.consent import ACCEPT, GIVE, REVOKE
from hearthway.mesh.policy.consent_table import (
    OF_DEVICE_MAX,
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
    "van": "",
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
    assert fill(table, "ben", 2000) == 256
    assert fill(table, "ben-2", 2000, start=5000) == 256
    assert fill(table, "ben-3", 10, start=8000) == 0
    assert fill(table, "ben-3", 2000, REVOKE, start=9000) == 256  # a share of its own
    assert fill(table, "anna", 5, start=12_000) == 5
    assert fill(table, "anna", 5, REVOKE, start=13_000) == 5
    assert len(table) == 512 + 256 + 10


def test_a_persons_devices_have_a_share_together_and_one_that_left_its_own() -> None:
    for kept, room in ((255, True), (256, False)):
        words = [*(word(n) for n in range(256)), *(word(n, "ben-2") for n in range(kept))]
        assert ConsentTable(words).has_room(word(999, "ben-2"), ROSTER) is room
        assert ConsentTable(words).has_room(word(999, "ben-3"), ROSTER) is room
    without = msgspec.structs.replace(ROSTER, members=())
    for kept, room in ((255, True), (256, False)):  # whoever verifies it says what it counts for
        table = ConsentTable(word(n) for n in range(kept))
        assert table.has_room(word(999), without) is room


def test_devices_of_nobody_are_not_one_person() -> None:
    table = ConsentTable()
    assert fill(table, "car", 300) == OF_DEVICE_MAX
    assert fill(table, "new", 300, start=400) == OF_DEVICE_MAX
    assert fill(table, "van", 300, start=800) == OF_DEVICE_MAX


def test_what_is_kept_can_always_be_revoked_by_either_side_and_by_nobody_else() -> None:
    table = ConsentTable(word(n, "ben") for n in range(OF_DEVICE_MAX))
    for device in ("anna", "ben", "cleo"):
        for n in range(OF_DEVICE_MAX):
            table.keep(word(10_000 + n, device, REVOKE))
    assert not table.has_room(word(3, "ben", ACCEPT), ROSTER)  # it says more, and ends nothing
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
            word(5, "ben", REVOKE),
        ]
    )
    gone = table.sweep(ROSTER, 100.0)
    assert {(w.consent_id[-1], w.word) for w in gone} == {("1", GIVE), ("1", ACCEPT)}
    assert [w.consent_id[-1] for w in table] == ["2", "2", "3", "4", "5"]
    signed_by["ben"] = b"another key"  # the device of that name is another one by now
    table.sweep(ROSTER, 100.0)
    assert [(w.word, w.device_id) for w in table] == [(REVOKE, "anna"), (REVOKE, "ben")]
    assert fill(table, "ben", 2000, start=100) == OF_DEVICE_MAX  # none of it is counted any more


def test_over_is_told_by_the_word_alone() -> None:
    assert is_over(word(1, until_s=50.0), 50.0)
    assert is_over(word(1, until_s=0.5), 50.0)
    assert is_over(word(1, until_s=50.0), 49.9) is False
    assert is_over(word(1), 1e12) is False
    assert is_over(word(1, what=REVOKE), 1e12) is False
    assert is_over(msgspec.structs.replace(word(1), consent=b"\xc1"), 1e12) is False


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
