"""Planted faults that nobody can notice, and why: what `mutation.py` leaves out of its score."""

from __future__ import annotations

_NO_LETTERS = "the pattern has no class that re.ASCII changes"
_EMPTY = "no rule has an empty kind, and no pattern fits an empty key"
_BY_KIND = "if (kind and kind in rule.kinds) or (key and _fits(patterns, key))"
_HALF = "half a place was refused two lines before"
_ONE_COLUMN = "the row has one column: its first is its last"
EQUIVALENT: dict[tuple[str, str, str], str] = {
    **{
        ("registers", text, what): _ONE_COLUMN
        for text, what in (
            ("return 0 if row is None else int(row[0])", "one less (2)"),
            (
                "return None if row is None or row[0] is None else Hlc.decode(row[0])",
                "one less",
            ),
            (
                "return None if row is None or row[0] is None else Hlc.decode(row[0])",
                "one less (2)",
            ),
            (
                "return max(moments + ([] if row is None else [Hlc.decode(row[0])]), default=None)",
                "one less",
            ),
            ('self._salt = b"" if row is None else bytes(row[0])', "one less"),
            ("return row is not None and write.hlc <= Hlc.decode(row[0])", "one less"),
            ("return self.renew_database_id() if row is None else bytes(row[0])", "one less"),
            ("return None if row is None else Hlc.decode(bytes(row[0]).decode())", "one less"),
            ("number = (0 if row is None else int(row[0])) + 1", "one less (3)"),
        )
    },
    **{
        ("registers", text, what): "there always is a row: the schema writes it, or it is a count"
        for text, what in (
            ("return 0 if row is None else int(row[0])", "one less"),
            ("return 0 if row is None else int(row[0])", "one more"),
            ("number = (0 if row is None else int(row[0])) + 1", "one less (2)"),
            ("number = (0 if row is None else int(row[0])) + 1", "one more (2)"),
        )
    },
    (
        "registers",
        "return None if row is None or row[0] is None else Hlc.decode(row[0])",
        "part 1 dropped",
    ): "max() without a group always gives one row",
    (
        "registers",
        '(Hlc(HORIZON_MS + 1, 0, "").encode(),),',
        "one less",
    ): "a count of -1 sorts before the first of that millisecond, as an empty name does",
    (
        "registers",
        "place = tuple((x is not None, x or 0.0) for x in (write.time_s, write.lat, write.lon))",
        "part 2 dropped",
    ): "None meets only None there, and what is equal is passed over",
    (
        "registers",
        "return found[0] if found else None",
        "one less",
    ): "a key has one register at most",
    (
        "replica",
        "if reached != cursor and (answer or (not gap and page.next > cursor.seq)):",
        "Gt becomes GtE",
    ): "no gap and the same number is the same cursor, which the first part passes over",
    **{
        ("replica", "change.lat is not None", what): _HALF
        for what in ("part 1 dropped", "part 2 dropped")
    },
    **{
        (
            "replica",
            "if view and giver and taker and not self._shares(row, giver, taker, view):",
            what,
        ): "the three are given together or not at all"
        for what in ("part 1 dropped", "part 2 dropped", "part 3 dropped")
    },
    (
        "replica",
        "if before is not None and moment_here <= before:  # from centuries ahead",
        "part 1 dropped",
    ): "a write loses to something",
    **{
        (
            "replica",
            "numbers = (change.ttl_s, change.age_s, change.time_s or 0.0)",
            what,
        ): "any number is one"
        for what in ("one more", "one less")
    },
    **{
        (
            "replica",
            'roster if roster is not None else Roster(household_id="", name="", serial=0, members=())',
            what,
        ): "who is in it is asked, and nobody is"
        for what in ("one more", "one less")
    },
    (
        "replica",
        "since = pull.since if pull.database == mine and 0 <= pull.since <= last else 0",
        "one more (2)",
    ): "whoever has nothing yet begins at 0 either way",
    (
        "replica",
        'if about(key, view.roster) not in ("", sender.person) or sender.kind == PersonKind.GUEST:',
        "part 2 dropped",
    ): "the rules let no guest order anything either",
    **{
        ("replica", "self._before = 0", what): "a page ends only after a change, which sets it"
        for what in ("one more", "one less", "statement dropped")
    },
    (
        "replica",
        "if self._bytes > PAGE_BYTES and self.changes:",
        "part 2 dropped",
    ): "no single write is larger than a page",
    (
        "consent",
        "return until_s == math.inf or self._now_s() < until_s",
        "part 1 dropped",
    ): "every moment is before the end of time",
    ("rules", _BY_KIND, "part 1 dropped (2)"): _EMPTY,
    ("rules", _BY_KIND, "part 1 dropped (3)"): _EMPTY,
    (
        "grants",
        "_must_be(token, 0, sources[0], _first(grant_id, zone, operation, holder, terms[0]))",
        "one less (3)",
    ): "there is one so far: the first is the last",
    (
        "grants",
        "if not terms[0].keys or terms[0].until_s <= 0:",
        "one more",
    ): "read a moment before: it is a whole minute",
    (
        "grants",
        "if not terms[0].keys or terms[0].until_s <= 0:",
        "one less (2)",
    ): "there is one so far: the first is the last",
    (
        "grants",
        "if not terms[0].keys or terms[0].until_s <= 0:",
        "one less (3)",
    ): "there is one so far: the first is the last",
    (
        "grants",
        'found = re.fullmatch(r"([0-9-]{10})(?:[ T]([0-9:]{5}))?", text.strip(), re.ASCII)',
        "argument 3 dropped",
    ): _NO_LETTERS,
    (
        "grants",
        'found = re.fullmatch(r"([0-9]{2}):([0-5][0-9])", text, re.ASCII)',
        "argument 3 dropped",
    ): _NO_LETTERS,
    (
        "hlc",
        "if not math.isfinite(now_s) or now_s < 0.0:",
        "Lt becomes LtE",
    ): "the first moment of 1970 is 0 either way",
    **{
        (
            "precision",
            "if not (math.isfinite(lat) and math.isfinite(lon) and abs(lat) <= 90.0 and abs(lon) <= 180.0):",
            f"part {n} dropped",
        ): "what is not finite is not within the bounds either"
        for n in (1, 2)
    },
    (
        "precision",
        "coarse |= {name: None for name in (lat_name, lon_name) if name in fields}",
        "statement dropped",
    ): "the loop below says None for what is None",
    (
        "precision",
        "band = min(max(int((lat + 90.0) / height), 0), bands - 1)",
        "one less",
    ): "no latitude lies below the lowest band",
}
