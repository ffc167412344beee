"""A list that counts how many of its members are looked at."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

T = TypeVar("T")


class Counted(list[T]):
    """Members taken one by one, by slices, by going through it, forwards or backwards."""

    seen = 0

    def __getitem__(self, at: Any) -> Any:
        found = super().__getitem__(at)
        self.seen += len(found) if isinstance(at, slice) else 1
        return found

    def __iter__(self) -> Iterator[T]:
        for one in super().__iter__():
            self.seen += 1
            yield one

    def __reversed__(self) -> Iterator[T]:
        for one in super().__reversed__():
            self.seen += 1
            yield one
