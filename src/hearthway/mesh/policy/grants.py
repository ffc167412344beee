"""Grants: capability tokens that say "this key, read, 08:00 to 20:00, until then", signed by the household's root.

A grant is a biscuit (Ed25519 over blocks of Datalog). The first block says everything; each later one only adds
checks, which needs no key of ours: whoever holds a grant can narrow it offline, and nobody can widen it.

Every block is one fact with its terms, and the checks that follow from them. A node takes a token only if each
block is exactly what this module writes for its terms: what `said` reads out is what is enforced, no foreign
Datalog ever runs, and a newer form is refused instead of half understood.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import biscuit_auth as biscuit
from msgspec import Struct

from hearthway.mesh.wire.checks import READ, WRITE
from hearthway.records.errors import InputError, WireError
from hearthway.records.household import Decision

APP = ""  # the holder of a grant for an app on the node that checks it: no other device can use it
TOKEN_MAX_BYTES = 4096
NARROWED_MAX = 8  # blocks after the first
KEYS_MAX = 8
KEY_MAX_CHARS = 256
PARSED_MAX = 256  # tokens kept parsed
ANSWERS_MAX = 64  # answers kept for each
RUN_MAX_S = 5.0  # the library's 1 ms refuses good tokens on a busy machine; our checks never loop
DAY_S = 86_400
UNTIL_MAX_S = 253_402_300_800  # the year 10000
RULE_PREFIX = "grant:"

_HEAD = b"hwg\x01"  # and the form's number
_KEY_BYTES = 32
_BODY = len(_HEAD) + _KEY_BYTES
_PART = r"[A-Za-z0-9_]+"
_PATTERN = re.compile(rf"{_PART}(\.({_PART}|\*))*")
_KEY = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")  # as asked: no empty part, no wildcard
_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+/-]{0,63}")
_NUMBER = r"(-?[0-9]{1,12})"
_FIRST = re.compile(
    rf'grant\(1, "([^"\\]*)", "([^"\\]*)", "([^"\\]*)", "([^"\\]*)", "([^"\\]*)",'
    rf" {_NUMBER}, {_NUMBER}, {_NUMBER}\);"
)
_LATER = re.compile(rf'narrowed\(1, "([^"\\]*)", {_NUMBER}, {_NUMBER}, {_NUMBER}\);')
_POLICY = "allow if grant(1, $id, $zone, $op, $keys, $holder, $until, $from, $to);"
_ASKED = "asked($key, $op, $holder, $time, $second)"
_NEW_TOKEN = "Ask the household's home for a new grant."  # noqa: S105 - a sentence, no secret


class Terms(Struct, frozen=True, kw_only=True):
    """What one block allows at most. Empty keys, `until_s` 0 and no hours: as the blocks before it."""

    keys: tuple[str, ...] = ()
    until_s: int = 0
    from_s: int = -1  # local seconds since midnight; from > to spans midnight
    to_s: int = -1


class Said(Struct, frozen=True, kw_only=True):
    """A grant as it is enforced: every one of `terms` must hold."""

    grant_id: str
    zone: str
    operation: str
    holder: str
    terms: tuple[Terms, ...]
    public_key: bytes  # whose signature the token bears

    @property
    def until_s(self) -> int:
        """When it ends, Unix seconds."""
        return min(t.until_s for t in self.terms if t.until_s)


class _Parsed(Struct):
    """A token whose signatures and form hold, with the answers of the running minute."""

    token: biscuit.Biscuit
    said: Said
    zone: ZoneInfo
    answers: dict[tuple[str, str, str], tuple[int, Decision | None]]


# -- giving -------------------------------------------------------------------------------------------


def public_key_of(private_seed: bytes) -> bytes:
    """The raw Ed25519 public key of a 32-byte seed; InputError for another length."""
    return bytes(_private(private_seed)[1].to_bytes())


def issue(
    private_seed: bytes,
    *,
    grant_id: str,
    keys: Sequence[str],
    operation: str,
    holder: str,
    until_s: float,
    zone: str,
    hours: tuple[str, str] | None = None,
) -> bytes:
    """A grant signed with the household's key for grants; InputError says what cannot be granted.

    `holder` is the one device that may use it, or `APP`. `hours` ("08:00", "20:00") are local in `zone` (IANA):
    the first minute counts, the last does not. It ends at `until_s`, rounded down to a minute.
    """
    private, public = _private(private_seed)
    if operation not in (READ, WRITE):
        raise InputError(f'"{operation}" cannot be granted.', 'Grant "read" or "write".')
    check_id(grant_id)
    if holder != APP and _ID.fullmatch(holder) is None:
        raise InputError(f'"{holder}" is no device.', "`hearthway status` lists the devices.")
    zone_of(zone)
    terms = _terms(keys, until_s, hours)
    if not terms.keys or not terms.until_s:
        raise InputError("A grant names keys and an end.", "Give at least one key, and --until.")
    source, values = _first(grant_id, zone, operation, holder, terms)
    token = biscuit.BiscuitBuilder(source, values).build(private)
    return _wrap(bytes(public.to_bytes()), token)


def attenuate(
    token: bytes,
    *,
    keys: Sequence[str] = (),
    until_s: float = 0.0,
    hours: tuple[str, str] | None = None,
) -> bytes:
    """The token narrowed to these as well; offline, with no private key. WireError for a token that does not hold."""
    parsed = _open(token, _own_key(token))
    terms = _terms(keys, until_s, hours)
    if terms == Terms():
        raise InputError("Nothing would be narrowed.", "Name keys, hours or an earlier end.")
    if len(parsed.said.terms) > NARROWED_MAX:
        raise InputError("This grant was narrowed too often.", "Narrow the one it came from.")
    source, values = _later(terms)
    narrowed = parsed.token.append(biscuit.BlockBuilder(source, values))
    return _wrap(parsed.said.public_key, narrowed)


def said(token: bytes) -> Said:
    """What a token says, checked against the key it names itself; WireError when it does not hold.

    Only `GrantBook` knows whether that key is the household's.
    """
    return _open(token, _own_key(token)).said


def to_text(token: bytes) -> str:
    """The token as letters to copy (base64url)."""
    return base64.urlsafe_b64encode(token).decode().rstrip("=")


def from_text(text: str) -> bytes:
    """The token of those letters; InputError when they are none."""
    plain = "".join(text.split())
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise InputError("That is no grant.", "Copy it whole: letters, digits, - and _.") from None


def zone_of(name: str) -> ZoneInfo:
    """The time zone of that IANA name; InputError when there is none."""
    try:
        if _ZONE.fullmatch(name) is None:
            raise ValueError(name)
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        raise InputError(
            f'"{name}" is not a time zone.', "Write it as in Europe/Helsinki."
        ) from None


def check_id(grant_id: str) -> None:
    """InputError for what cannot be a grant's id."""
    if _ID.fullmatch(grant_id) is None:
        raise InputError(f'"{grant_id[:60]}" cannot be a grant\'s id.', "It looks like g-1a2b3c4d.")


def clock_s(text: str) -> int:
    """Seconds since midnight of "HH:MM", up to "24:00"; InputError otherwise."""
    found = re.fullmatch(r"([0-9]{2}):([0-5][0-9])", text, re.ASCII)
    seconds = int(found[1]) * 3600 + int(found[2]) * 60 if found else -1
    if not 0 <= seconds <= DAY_S:
        raise InputError(f'"{text}" is not a time of day.', "Write hours as 08:00-20:00.")
    return seconds


def end_s(text: str, zone: str) -> float:
    """Unix seconds of "2026-12-01 18:00" in that zone; a day without a time ends at its midnight. InputError otherwise."""
    found = re.fullmatch(r"([0-9-]{10})(?:[ T]([0-9:]{5}))?", text.strip(), re.ASCII)
    try:
        day = date.fromisoformat(found[1] if found else "")
        clock = clock_s(found[2]) if found and found[2] else DAY_S
        local = datetime.combine(day + timedelta(days=clock // DAY_S), time(), zone_of(zone))
        return (local + timedelta(seconds=clock % DAY_S)).timestamp()
    except (ValueError, OverflowError):
        raise InputError(f'"{text}" is no day.', "Write the end as 2026-12-01.") from None


def words(what: Said) -> tuple[str, ...]:
    """What a grant says, a line for each block: the first gives, each later one narrows."""
    who = f"the device {what.holder} only" if what.holder else "an app on the home only"
    lines = [f"{what.operation} {_in_words(what.terms[0], what.zone)}, for {who}"]
    return (*lines, *(f"narrowed to {_in_words(t, what.zone)}" for t in what.terms[1:]))


def _in_words(terms: Terms, zone: str) -> str:
    said_ = [", ".join(terms.keys)] if terms.keys else []
    if terms.from_s >= 0:
        said_.append(f"{_hh_mm(terms.from_s)}-{_hh_mm(terms.to_s)} ({zone})")
    if terms.until_s:
        until = datetime.fromtimestamp(terms.until_s, UTC).astimezone(zone_of(zone))
        said_.append(f"until {until:%Y-%m-%d %H:%M}")
    return " · ".join(said_)


def _hh_mm(seconds: int) -> str:
    return f"{seconds // 3600:02d}:{seconds % 3600 // 60:02d}"


# -- checking -----------------------------------------------------------------------------------------


class GrantBook:
    """Answers whether a token counts here: `checks.GrantCheck`. Parsed tokens and the minute's answers are kept."""

    def __init__(self, public_key: bytes, revoked_ids: Iterable[str] = ()) -> None:
        """`public_key`: the household's key for grants, raw Ed25519; b"" (it has none yet) lets nothing."""
        self._public_key = public_key
        self._revoked = frozenset(revoked_ids)
        self._parsed: OrderedDict[bytes, _Parsed] = OrderedDict()
        self._source: Callable[[], tuple[bytes, Iterable[str]]] | None = None

    @classmethod
    def following(cls, source: Callable[[], tuple[bytes, Iterable[str]]]) -> GrantBook:
        """A book that asks `source` at every check: key and revoked ids of the newest roster."""
        book = cls(*source())
        book._source = source
        return book

    def use(self, public_key: bytes, revoked_ids: Iterable[str]) -> None:
        """Check by this key and list from now on."""
        self._revoked = frozenset(revoked_ids)
        if public_key != self._public_key:
            self._parsed.clear()
            self._public_key = public_key

    def allows(
        self, token: bytes, key: str, operation: str, holder: str, now_s: float
    ) -> Decision | None:
        """May `holder` "read" or "write" `key` at `now_s` with this token? None: no. Never raises."""
        try:
            if self._source is not None:
                self.use(*self._source())
            parsed = self._known(token)
            if parsed is None or parsed.said.grant_id in self._revoked:
                return None
            minute = int(now_s // 60)
            asked = (key, operation, holder)
            at, answer = parsed.answers.get(asked, (None, None))
            if at == minute:
                return answer
            answer = _authorise(parsed, key, operation, holder, minute * 60)
        except BaseException as why:
            if _is_fault(why):
                return None
            raise
        if len(parsed.answers) >= ANSWERS_MAX:
            parsed.answers.clear()
        parsed.answers[asked] = (minute, answer)
        return answer

    def _known(self, token: bytes) -> _Parsed | None:
        parsed = self._parsed.get(token)
        if parsed is not None:
            self._parsed.move_to_end(token)
            return parsed
        if not self._public_key:
            return None
        parsed = _open(token, self._public_key)
        self._parsed[token] = parsed  # only tokens that hold: junk pushes none of them out
        if len(self._parsed) > PARSED_MAX:
            self._parsed.popitem(last=False)
        return parsed


def _authorise(
    parsed: _Parsed, key: str, operation: str, holder: str, minute_s: int
) -> Decision | None:
    """By the library, at the minute's first second: every bound of a grant lies on a minute."""
    if len(key) > KEY_MAX_CHARS or _KEY.fullmatch(key) is None:
        return None
    builder = biscuit.AuthorizerBuilder(
        "asked({key}, {op}, {holder}, {time}, {second}); " + _POLICY,
        {
            "key": key.split("."),
            "op": operation,
            "holder": holder,
            "time": minute_s,
            "second": local_second(minute_s, parsed.zone),
        },
    )
    limits = builder.limits()  # type: ignore[attr-defined]  # in the library, not in its stubs
    limits.max_time = timedelta(seconds=RUN_MAX_S)
    builder.set_limits(limits)  # type: ignore[attr-defined]  # as above
    try:
        builder.build(parsed.token).authorize()
    except biscuit.AuthorizationError:
        return None
    return Decision(rule=RULE_PREFIX + parsed.said.grant_id)


def local_second(time_s: int, zone: ZoneInfo) -> int:
    """What the clock on the wall says there and then, in seconds since its midnight, of the whole minute."""
    local = datetime.fromtimestamp(time_s, UTC).astimezone(zone)
    return local.hour * 3600 + local.minute * 60


# -- the form -----------------------------------------------------------------------------------------


def _private(seed: bytes) -> tuple[biscuit.PrivateKey, biscuit.PublicKey]:
    if len(seed) != _KEY_BYTES:
        raise InputError("A key for grants has 32 bytes.", "The home makes it; restore its backup.")
    pair = biscuit.KeyPair.from_private_key(biscuit.PrivateKey("ed25519-private/" + seed.hex()))
    return pair.private_key, pair.public_key


def _wrap(public_key: bytes, token: biscuit.Biscuit) -> bytes:
    """Form, key and token in one: who narrows or reads it needs nothing else."""
    whole = _HEAD + public_key + bytes(token.to_bytes())
    if len(whole) > TOKEN_MAX_BYTES:
        raise InputError("This grant says too much.", "Give several, each for fewer keys.")
    return whole


def _own_key(token: bytes) -> bytes:
    return token[len(_HEAD) : _BODY]


def _open(token: bytes, public_key: bytes) -> _Parsed:
    """The token if `public_key` signed it and all its blocks have our form; else WireError."""
    if not len(token) <= TOKEN_MAX_BYTES or not token.startswith(_HEAD + public_key):
        raise WireError("That is no grant, or one of a newer Hearthway.", _NEW_TOKEN)
    try:
        root = biscuit.PublicKey("ed25519/" + public_key.hex())
        opened = biscuit.Biscuit.from_bytes(token[_BODY:], root)
        if _wrap(public_key, opened) != token:  # one grant, one spelling
            raise ValueError("spelling")
        found = _read(opened, public_key)
        zone = zone_of(found.zone)
    except BaseException as why:
        if not _is_fault(why):
            raise
        raise WireError("That grant does not hold: it was damaged or forged.", _NEW_TOKEN) from None
    return _Parsed(token=opened, said=found, zone=zone, answers={})


def _is_fault(why: BaseException) -> bool:
    """An error, or a panic of the library, which is no `Exception`; not the end of the program or of a task."""
    return isinstance(why, Exception) or type(why).__name__ == "PanicException"


def _read(token: biscuit.Biscuit, public_key: bytes) -> Said:
    """The terms of all blocks; ValueError or InputError for one that is not exactly what we would write."""
    count = token.block_count()
    if count > NARROWED_MAX + 1:
        raise ValueError("too many blocks")
    sources = [token.block_source(n) for n in range(count)]
    first = _FIRST.match(sources[0])
    if first is None:
        raise ValueError("no grant")
    grant_id, zone, operation, keys, holder = first.groups()[:5]
    terms = [_read_terms(keys, first.groups()[5:])]
    if not terms[0].keys or terms[0].until_s <= 0:
        raise ValueError("everything, or for ever")
    _must_be(token, 0, sources[0], _first(grant_id, zone, operation, holder, terms[0]))
    for n, source in enumerate(sources[1:], 1):
        later = _LATER.match(source)
        if later is None:
            raise ValueError("not narrowed")
        terms.append(_read_terms(later[1], later.groups()[1:]))
        _must_be(token, n, source, _later(terms[-1]))
    return Said(
        grant_id=grant_id,
        zone=zone,
        operation=operation,
        holder=holder,
        terms=tuple(terms),
        public_key=public_key,
    )


def _read_terms(keys: str, numbers: Sequence[str]) -> Terms:
    until_s, from_s, to_s = (int(n) for n in numbers)
    terms = Terms(keys=tuple(keys.split()), until_s=until_s, from_s=from_s, to_s=to_s)
    _check_keys(terms.keys)
    if any(second != -1 and second % 60 for second in (until_s, from_s, to_s)):
        raise ValueError("not on a minute")
    return terms


def _must_be(
    token: biscuit.Biscuit, n: int, source: str, ours: tuple[str, dict[str, object]]
) -> None:
    """ValueError unless the block is word for word what we write for its terms, and nobody else's."""
    if token.block_external_key(n) is not None or source != repr(biscuit.BlockBuilder(*ours)):
        raise ValueError("not our form")


def _terms(keys: Sequence[str], until_s: float, hours: tuple[str, str] | None) -> Terms:
    if isinstance(keys, str):
        keys = (keys,)
    _check_keys(keys)
    if not 0 <= until_s < UNTIL_MAX_S:
        raise InputError("A grant cannot end then.", "Write the end as 2026-12-01.")
    from_s, to_s = (clock_s(hours[0]), clock_s(hours[1])) if hours else (-1, -1)
    if hours and from_s == to_s:
        raise InputError("Those hours are none.", "Leave the hours out for the whole day.")
    return Terms(keys=tuple(keys), until_s=int(until_s // 60) * 60, from_s=from_s, to_s=to_s)


def _check_keys(keys: Sequence[str]) -> None:
    if len(keys) > KEYS_MAX:
        raise InputError(f"A grant names at most {KEYS_MAX} keys.", "Give several grants.")
    for key in keys:
        if len(key) > KEY_MAX_CHARS or _PATTERN.fullmatch(key) is None:
            raise InputError(
                f'"{key[:60]}" is not a key pattern.',
                "Write dotted names such as Home.Climate.*; the first part is always a name.",
            )


def _first(
    grant_id: str, zone: str, operation: str, holder: str, terms: Terms
) -> tuple[str, dict[str, object]]:
    checks, values = _checks(terms)
    source = (
        "grant(1, {id}, {zone}, {op}, {keys}, {holder}, {until}, {from}, {to});"
        f"check if {_ASKED}, $op == {{op}}, $holder == {{holder}};{checks}"
    )
    return source, values | {"id": grant_id, "zone": zone, "op": operation, "holder": holder}


def _later(terms: Terms) -> tuple[str, dict[str, object]]:
    checks, values = _checks(terms)
    return "narrowed(1, {keys}, {until}, {from}, {to});" + checks, values


def _checks(terms: Terms) -> tuple[str, dict[str, object]]:
    """Datalog for the terms; every word of the terms goes in as a value, never as text."""
    used: dict[str, object] = {
        "keys": " ".join(terms.keys),
        "until": terms.until_s,
        "from": terms.from_s,
        "to": terms.to_s,
    }
    source = ""
    if terms.keys:
        alternatives = []
        for n, pattern in enumerate(terms.keys):
            expression, values = _fits(pattern, f"k{n}")
            alternatives.append(f"{_ASKED}, {expression}")
            used |= values
        source += f"check if {' or '.join(alternatives)};"
    if terms.until_s:
        source += f"check if {_ASKED}, $time < {{until}};"
    if terms.from_s >= 0:
        both = "&&" if terms.from_s < terms.to_s else "||"
        source += f"check if {_ASKED}, $second >= {{from}} {both} $second < {{to}};"
    return source, used


def _fits(pattern: str, name: str) -> tuple[str, dict[str, object]]:
    """Does the list of the key's parts fit? `*` is one part, as the last it is all that follow."""
    parts = pattern.split(".")
    open_end = parts[-1] == "*"
    conditions = [f"$key.length() {'>=' if open_end else '=='} {len(parts)}"]
    values: dict[str, object] = {}
    for n, part in enumerate(parts):
        if part != "*":
            conditions.append(f"$key.get({n}) == {{{name}_{n}}}")
            values[f"{name}_{n}"] = part
    return ", ".join(conditions), values
