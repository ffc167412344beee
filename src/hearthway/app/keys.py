"""Which keys there are: what is sensed, and what rules and messages name. A key that is none is said, never "no rule lets it"."""

from __future__ import annotations

import difflib

from hearthway.mesh.policy.rules import TEMPLATES, Rules, template
from hearthway.mesh.policy.rules_file import compile_pattern
from hearthway.mesh.policy.rules_words import named
from hearthway.records.count import count_of
from hearthway.records.errors import InputError
from hearthway.sense.catalogue import CATALOGUE, row_of

_SENSED = ("Vehicle", "Home", "Person")  # below these only the catalogue's keys ever come
LISTED = "docs/reference/signals lists what is sensed, `hearthway rules --default` what else rules are about."


def keys_of(text: str, rules: Rules) -> list[str]:
    """The known keys that `text` means: itself, or those that the pattern fits. InputError names the nearest for none."""
    if row_of(text) is not None:
        return [text]
    pattern = compile_pattern(text)
    names = _names(rules)
    # A rule's `Vehicle.*` is no key of its own beside the keys it fits; `Suggestion.*` stands for those below it.
    whole = [name for name in names if name in CATALOGUE or "*" not in name or not _is_sensed(name)]
    found = [one for name in whole if pattern.fullmatch(one := _with_names(name, text))]
    if found:
        return found
    if not _is_sensed(text) and any(compile_pattern(name).fullmatch(text) for name in names):
        return [text]  # one of a family that only its users name
    raise _unknown(text, whole)


def _names(rules: Rules) -> list[str]:
    books = [rules, *(Rules.parse(template(name), name) for name in TEMPLATES)]
    return sorted({*CATALOGUE, *(name for book in books for name in named(book))})


def _with_names(name: str, text: str) -> str:
    """Where a known key leaves a thing's name open (`Home.Items.*.Present`), the one that `text` says."""
    said = text.split(".")
    parts = name.split(".")
    return ".".join(
        said[n] if part == "*" and n < len(said) else part for n, part in enumerate(parts)
    )


def _is_sensed(key: str) -> bool:
    return key.partition(".")[0] in _SENSED


def _unknown(text: str, names: list[str]) -> InputError:
    below = [name for name in names if name.casefold().startswith(f"{text.casefold()}.")]
    if below:
        stem = below[0][: len(text)]
        return InputError(
            f'"{text}" is no key; {count_of(len(below), "key")} {"begins" if len(below) == 1 else "begin"} with it.',
            f"Say one of them, such as {below[0]}, or all: '{stem}.*'.",
        )
    folded = {name.casefold(): name for name in names}
    near = difflib.get_close_matches(text.casefold(), folded, n=3, cutoff=0.7)
    meant = f"Did you mean {' or '.join(folded[one] for one in near)}? " if near else ""
    return InputError(f'There is no key "{text[:80]}".', meant + LISTED)
