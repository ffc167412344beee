"""Tokens from a hostile hand: damaged, forged, foreign, of another form, or widened. None counts, none crashes."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime

import biscuit_auth as biscuit
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hearthway.mesh.policy import grants
from hearthway.mesh.policy.grants import GrantBook, Terms, attenuate, issue, said, to_text
from hearthway.records.errors import HearthwayError

SEED, OTHER_SEED = bytes(range(32)), bytes(range(1, 33))
PUBLIC = grants.public_key_of(SEED)
KEY, GUEST = "Home.Climate.Living", "phone-guest"
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp()
HEAD = b"hwg\x01" + PUBLIC


def _issue(seed: bytes = SEED, *, grant_id: str = "climate-1") -> bytes:
    return issue(
        seed,
        grant_id=grant_id,
        keys=["Home.Climate.*"],
        operation="read",
        holder=GUEST,
        until_s=NOON + 86_400,
        zone="Europe/Helsinki",
        hours=("08:00", "20:00"),
    )


GOOD = _issue()
NARROWED = attenuate(GOOD, keys=[KEY])
ANYTHING = [
    (KEY, "read", GUEST),
    (KEY, "write", GUEST),
    (KEY, "read", ""),
    ("Vehicle.Speed", "read", GUEST),
    ("Home.Lock.Front", "write", "phone-thief"),
]


def _lets(token: bytes, book: GrantBook | None = None) -> list[tuple[str, str, str]]:
    book = book or GrantBook(PUBLIC)
    return [q for q in ANYTHING if book.allows(token, *q, NOON) is not None]


def _biscuit(token: bytes) -> biscuit.Biscuit:
    return biscuit.Biscuit.from_bytes(
        token[len(HEAD) :], biscuit.PublicKey("ed25519/" + PUBLIC.hex())
    )


def _whole(token: biscuit.Biscuit) -> bytes:
    return HEAD + bytes(token.to_bytes())


def test_the_control() -> None:
    """What the attacks below alter does count, and for one thing alone."""
    assert _lets(GOOD) == _lets(NARROWED) == [(KEY, "read", GUEST)]
    assert _whole(_biscuit(NARROWED)) == NARROWED


@pytest.mark.parametrize("token", [GOOD, NARROWED], ids=["given", "narrowed"])
def test_no_flipped_bit_is_taken(token: bytes) -> None:
    book = GrantBook(PUBLIC)
    for at in range(len(token)):
        for bit in range(8):
            flipped = bytearray(token)
            flipped[at] ^= 1 << bit
            assert not _lets(bytes(flipped), book), (at, bit)
    assert _lets(token, book)


def test_no_part_and_no_extension_is_taken() -> None:
    book = GrantBook(PUBLIC)
    for end in range(len(NARROWED)):
        assert not _lets(NARROWED[:end], book)
        assert not _lets(NARROWED[end:] if end else b"", book)
    for more in (b"\0", b"x" * 100, NARROWED, b"\x0a\x00"):
        assert not _lets(NARROWED + more, book)
        assert not _lets(more + NARROWED, book)
    assert _lets(NARROWED, book)


def test_the_narrowing_cannot_be_cut_off() -> None:
    """The last block's proof belongs to the narrowed token: its blocks recombined do not hold."""
    book = GrantBook(PUBLIC)
    good, narrowed = GOOD[len(HEAD) :], NARROWED[len(HEAD) :]
    rng = random.Random(1)
    for _ in range(2_000):
        a, b = rng.randrange(len(good)), rng.randrange(len(narrowed))
        spliced = HEAD + (
            narrowed[:b] + good[a:] if rng.random() < 0.5 else good[:a] + narrowed[b:]
        )
        if spliced not in (GOOD, NARROWED):
            assert not _lets(spliced, book)


@given(st.binary(max_size=300), st.sampled_from([b"", b"hwg\x01", HEAD, HEAD + GOOD[36:60]]))
@settings(max_examples=500, deadline=None)
def test_random_bytes_are_nothing(junk: bytes, head: bytes) -> None:
    book = GrantBook(PUBLIC)
    assert not _lets(head + junk, book)
    for ask in (said, lambda token: attenuate(token, keys=["Home.*"])):
        with pytest.raises(HearthwayError):
            ask(head + junk)


def test_structure_aware_damage_is_nothing() -> None:
    """Bytes swapped, repeated, deleted and set within a good token, behind the right head."""
    book, rng = GrantBook(PUBLIC), random.Random(2)
    for _ in range(5_000):
        data = bytearray(NARROWED)
        for _ in range(rng.randrange(1, 4)):
            at = rng.randrange(len(HEAD), len(data))
            span = rng.randrange(1, 40)
            kind = rng.randrange(4)
            if kind == 0:
                del data[at : at + span]
            elif kind == 1:
                data[at:at] = data[at : at + span]
            elif kind == 2:
                data[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF))
            else:
                data[at : at + span] = rng.randbytes(span)
            if len(data) <= len(HEAD):
                break
        if bytes(data) != NARROWED:
            assert not _lets(bytes(data), book)
    assert _lets(NARROWED, book)


def test_huge_tokens_cost_nothing() -> None:
    book = GrantBook(PUBLIC)
    for huge in (HEAD + b"\xff" * 10_000_000, GOOD + b"\0" * 10_000_000, b"\x0a" * 10_000_000):
        assert not _lets(huge, book)
    assert not book._parsed


def test_another_household_signs_for_nobody_here() -> None:
    foreign = _issue(OTHER_SEED)
    assert _lets(foreign, GrantBook(grants.public_key_of(OTHER_SEED)))  # the control
    assert not _lets(foreign)
    assert not _lets(HEAD + foreign[len(HEAD) :])  # with our key written over theirs
    assert not _lets(GOOD, GrantBook(grants.public_key_of(OTHER_SEED)))


def test_another_form_is_refused_whole() -> None:
    for head in (b"hwg\x02", b"hwg\x00", b"HWG\x01", b"\0\0\0\0"):
        assert not _lets(head + GOOD[4:])
    private = biscuit.PrivateKey("ed25519-private/" + SEED.hex())
    source = _biscuit(GOOD).block_source(0)
    assert _lets(
        _whole(biscuit.BiscuitBuilder(source).build(private))
    )  # the control: the same words
    for newer in (
        source.replace("grant(1,", "grant(2,", 1),
        source + "check if asked($k, $o, $h, $t, $s), $t > 0;",
        source + 'more("x");',
        source.replace("check if", "check all", 1),
        source.replace("check if", "reject if", 1),
        "\n".join(source.splitlines()[:-1]),
        'grant(1, "a", "Europe/Helsinki", "read", "Home.Climate.*", "phone-guest", 1, 0, 0);',
        "",
    ):
        assert not _lets(_whole(biscuit.BiscuitBuilder(newer).build(private))), newer


_HOSTILE_BLOCKS = [
    'grant(1, "x", "Europe/Helsinki", "write", "Vehicle.*", "phone-thief", 9999999960, -1, -1);',
    'right("Vehicle.Speed", "read");',
    'asked(["Vehicle", "Speed"], "read", "phone-guest", 0, 36000);',
    'asked($k, "write", $h, $t, $s) <- asked($k, $o, $h, $t, $s);',
    'grant(1, $i, $z, "write", $k, $h, $u, $f, $e) <- grant(1, $i, $z, $o, $k, $h, $u, $f, $e);',
    "check if true;",
    'narrowed(1, "Home.Climate.*", 0, -1, -1);',  # without its check
    'narrowed(2, "", 0, -1, -1);',
    'narrowed(1, "", 0, -1, -1); check if true or true;',
    'narrowed(1, "", 0, 28800, 28801);',
    'x("ab"); y($a, $b, $c, $d) <- x($a), x($b), x($c), x($d);',  # work for the engine
    'check if "aaaaaaaaaaaaaaaaaaaaaaaa".matches("(a*)*b");',
    'x(null); y({"a": [1, {2}]});',  # the binding panics on these when asked for a fact's terms
    "check if asked($k, $o, $h, $t, $s), 1 / 0 == 1;",
    "check if 9223372036854775807 + 1 > 0;",
    'check if "a".extern::shell();',
]


@pytest.mark.parametrize("block", _HOSTILE_BLOCKS, ids=range(len(_HOSTILE_BLOCKS)))
def test_a_block_that_is_not_ours_spoils_the_token(block: str) -> None:
    hostile = _whole(_biscuit(GOOD).append(biscuit.BlockBuilder(block)))
    assert not _lets(hostile)
    with pytest.raises(HearthwayError):
        said(hostile)
    with pytest.raises(HearthwayError):
        attenuate(hostile, keys=[KEY])
    assert _lets(GOOD)


def _ours(source: str, values: dict[str, object]) -> biscuit.BlockBuilder:
    return biscuit.BlockBuilder(source, values)


@pytest.mark.parametrize(
    "terms",
    [
        Terms(until_s=int(NOON) + 61),
        Terms(from_s=8 * 3600 + 1, to_s=20 * 3600),
        Terms(from_s=8 * 3600, to_s=20 * 3600 - 1),
        Terms(from_s=59, to_s=20 * 3600),
        Terms(keys=("*",)),
        Terms(keys=tuple(f"Home.K{n}" for n in range(9))),
    ],
)
def test_terms_that_nobody_may_write_are_refused_also_in_our_form(terms: Terms) -> None:
    """An answer is kept for its minute: a bound within a minute would outlast itself."""
    good = _ours(*grants._later(Terms(until_s=int(NOON) + 60, from_s=8 * 3600, to_s=20 * 3600)))
    assert _lets(_whole(_biscuit(GOOD).append(good)))  # the control
    assert not _lets(_whole(_biscuit(GOOD).append(_ours(*grants._later(terms)))))


def test_a_grant_of_everything_or_for_ever_is_refused_whoever_signed_it() -> None:
    private = biscuit.PrivateKey("ed25519-private/" + SEED.hex())

    def signed(terms: Terms) -> bytes:
        source, values = grants._first("g-1", "Europe/Helsinki", "read", GUEST, terms)
        return _whole(biscuit.BiscuitBuilder(source, values).build(private))

    assert _lets(signed(Terms(keys=("Home.*",), until_s=int(NOON) + 60)))  # the control
    assert not _lets(signed(Terms(keys=("Home.*",))))
    assert not _lets(signed(Terms(until_s=int(NOON) + 60)))


def test_one_grant_has_one_spelling() -> None:
    """The library passes over fields it does not know; two spellings would be two entries of every cache and log."""
    other = GOOD + b"\xf8\x01\x01"  # field 31, a number
    assert biscuit.Biscuit.from_bytes(
        other[len(HEAD) :], biscuit.PublicKey("ed25519/" + PUBLIC.hex())
    )
    assert not _lets(other)


@pytest.mark.parametrize(
    "block",
    [
        _HOSTILE_BLOCKS[0],
        _biscuit(NARROWED).block_source(1),  # word for word ours, signed by somebody
    ],
)
def test_a_third_partys_block_spoils_the_token(block: str) -> None:
    token, pair = _biscuit(GOOD), biscuit.KeyPair()
    signed = token.third_party_request().create_block(pair.private_key, biscuit.BlockBuilder(block))
    assert not _lets(_whole(token.append_third_party(pair.public_key, signed)))


def test_too_many_blocks_are_refused() -> None:
    token = _biscuit(GOOD)
    for _ in range(grants.NARROWED_MAX):
        token = token.append(biscuit.BlockBuilder(_biscuit(NARROWED).block_source(1)))
    assert len(_whole(token)) < grants.TOKEN_MAX_BYTES
    assert _lets(_whole(token))  # the control
    more = token.append(biscuit.BlockBuilder('narrowed(1, "", 0, -1, -1);'))
    assert len(_whole(more)) < grants.TOKEN_MAX_BYTES
    assert not _lets(_whole(more))


def test_a_flood_of_junk_pushes_out_no_good_token() -> None:
    book = GrantBook(PUBLIC)
    assert _lets(GOOD, book)
    for n in range(2_000):
        assert book.allows(HEAD + n.to_bytes(4, "big") + GOOD[40:], *ANYTHING[0], NOON) is None
    assert list(book._parsed) == [GOOD]


@pytest.mark.parametrize("token", [None, 7, "text", [], GOOD.hex(), bytearray(GOOD)])
def test_what_is_not_bytes_is_nothing(token: object) -> None:
    assert GrantBook(PUBLIC).allows(token, *ANYTHING[0], NOON) is None  # type: ignore[arg-type]  # on purpose


@pytest.mark.parametrize("public_key", [b"", b"x", bytes(32), b"\xff" * 32, PUBLIC * 2])
def test_a_wrong_key_of_the_household_lets_nothing(public_key: bytes) -> None:
    assert not _lets(GOOD, GrantBook(public_key))
    assert not _lets(b"hwg\x01" + public_key + GOOD[len(HEAD) :], GrantBook(public_key))


def test_a_failing_source_lets_nothing() -> None:
    healthy = True

    def source() -> tuple[bytes, list[str]]:
        if not healthy:
            raise RuntimeError("no roster")
        return PUBLIC, []

    book = GrantBook.following(source)
    assert _lets(GOOD, book)
    healthy = False
    assert not _lets(GOOD, book)


def test_letters_hide_nothing() -> None:
    letters = to_text(GOOD)
    spoil: list[Callable[[str], str]] = [
        lambda t: t[:-1],
        lambda t: t + "A",
        lambda t: t.swapcase(),
        lambda t: t[::-1],
    ]
    for change in spoil:
        try:
            token = grants.from_text(change(letters))
        except HearthwayError:
            continue
        assert not _lets(token)


def test_a_panic_of_the_library_is_a_no_and_the_end_of_the_program_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class PanicException(BaseException):
        pass

    def panics(*_: object) -> None:
        raise PanicException

    def ends(*_: object) -> None:
        raise KeyboardInterrupt

    book = GrantBook(PUBLIC)
    monkeypatch.setattr(grants, "_read", panics)
    assert not _lets(GOOD, book)
    with pytest.raises(HearthwayError):
        said(GOOD)
    monkeypatch.setattr(grants, "_read", ends)
    with pytest.raises(KeyboardInterrupt):
        _lets(GOOD, book)
    monkeypatch.undo()
    monkeypatch.setattr(grants, "_authorise", panics)
    assert not _lets(GOOD, book)
    monkeypatch.setattr(grants, "_authorise", ends)
    with pytest.raises(KeyboardInterrupt):
        _lets(GOOD, book)
