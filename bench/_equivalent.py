"""Planted faults that nobody can notice, and why: what `mutation.py` leaves out of its score."""

from __future__ import annotations

_NO_LETTERS = "the pattern has no class that re.ASCII changes"
_EMPTY = "no rule has an empty kind, and no pattern fits an empty key"
_BY_KIND = "if (kind and kind in rule.kinds) or (key and _fits(patterns, key))"
_HALF = "half a place was refused two lines before"
_ONE_COLUMN = "the row has one column: its first is its last"
_ONE_INPUT = "the operator reads one value: its first is its last"
_ANY_NEGATIVE = "numpy works out the length that is below zero, whichever it is"
_LONGEST = "() sorts before (T,), and there is one T"
_OWN_SHAPE = "what has the steps already is broadcast to its own shape, and a vector has one axis"
_LEFT_OUT_TAP = "a tap that is wholly before the input copies no row"
_PAIR = "an add has two inputs and two multipliers: the types of its fields say so"
_LOWER_STILL = "any number that is below int32 is below all"
_COPY = "a copy holds the same numbers, and the product changes neither"
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
    **{
        ("reference", text, what): _ONE_INPUT
        for text, what in (
            ('rows = tensors["table"][taken[0]]', "one less"),
            (
                'return (signed * tensors["gain"][taken[0]][:, None]).astype(np.int8)',
                "one less",
            ),
            ("steps = len(taken[0])", "one less"),
            (
                "padded = np.pad(taken[0].astype(np.int64), ((reach, reach), (0, 0)))",
                "one less (3)",
            ),
            (
                'return _sums(node, taken[0].astype(np.int64) @ weight.T + tensors["bias"], tensors)',
                "one less",
            ),
            ("return np.maximum(taken[0], 0)", "one less (2)"),
            ("largest: Array = taken[0].max(axis=0)", "one less (2)"),
            ('m, s = tensors["rescale"][:, len(taken[0]) - 1]', "one less (2)"),
            ("return requantise(taken[0].sum(axis=0, dtype=np.int64), m, s)", "one less (2)"),
            (
                'return requantise(taken[0], *tensors["rescale"], relu=node.relu)',
                "one less",
            ),
            ("return np.asarray(taken[0].argmax(axis=-1), np.int32)", "one less"),
        )
    },
    (
        "reference",
        "nibbles = np.stack([rows & 15, rows >> 4], axis=-1).reshape(len(rows), -1).astype(np.int16)",
        "one more",
    ): _ANY_NEGATIVE,
    **{
        (
            "reference",
            "a, b = (one.astype(np.int64) * m for one, m in zip(taken, node.multipliers, strict=True))",
            what,
        ): _PAIR
        for what in ("turned over", "argument 3 dropped")
    },
    (
        "reference",
        "return requantise(taken[0].sum(axis=0, dtype=np.int64), m, s)",
        "argument 2 dropped (2)",
    ): "numpy sums int8 in 32 bits at least, and 4096 steps of it need 20",
    **{
        (
            module,
            "steps = max((one.shape[:-1] for one in taken), key=len)",
            "argument 2 dropped",
        ): _LONGEST
        for module in ("reference", "cpu")
    },
    **{
        ("cpu", text, "one more"): _ANY_NEGATIVE
        for text in (
            "rows: Array = halves[table[ids]].reshape(len(ids), -1)",
            'matrix = weight.reshape(len(weight), -1).T.astype(exact, order="C")',
            "return finish((windows.reshape(rows, -1) @ matrix)[:steps])",
        )
    },
    (
        "cpu",
        'matrix = weight.reshape(len(weight), -1).T.astype(exact, order="C")',
        "argument 2 dropped",
    ): "where the weights stand changes how fast an exact product is, and not the product",
    (
        "cpu",
        "return np.minimum(real, 127.0, out=real).astype(np.float32)",
        "argument 3 dropped",
    ): "the same numbers, in memory of their own",
    ("cpu", "byte = np.arange(256)", "one more"): "no byte is 256: nothing looks that row up",
    (
        "cpu",
        "windows = np.zeros((rows, taps, channels), matrix.dtype)",
        "argument 2 dropped",
    ): "float64 holds what float32 does: a wider product of the same integers",
    **{
        (
            "cpu",
            "for tap in range(max(0, reach - steps + 1), min(taps, reach + steps)):",
            what,
        ): _LEFT_OUT_TAP
        for what in ("Add becomes Sub", "one less (2)", "argument 1 dropped")
    },
    **{
        (
            "cpu",
            "return lambda x: finish(x.astype(matrix.dtype, copy=False) @ matrix)",
            what,
        ): _COPY
        for what in ("argument 2 dropped", "turned over")
    },
    (
        "cpu",
        "real = np.add.reduce(x, axis=0) * factors[len(x) - 1]  # float64, as `factors` is",
        "argument 2 dropped",
    ): "the first axis is what numpy reduces where none is named",
    **{
        (
            "cpu",
            "one if one.shape[:-1] == steps else np.broadcast_to(one, (*steps, one.shape[-1]))",
            what,
        ): _OWN_SHAPE
        for what in ("one more", "one less", "one less (2)")
    },
    **{
        ("answer", "_BELOW_ALL = -(2**31) - 1  # no int32", what): _LOWER_STILL
        for what in ("one more", "one more (2)", "one more (3)")
    },
}
