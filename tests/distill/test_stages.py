"""A run that is cut anywhere goes on where it was and ends at the same bytes; what changed is made again, and nothing else."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from hearthway.distill.run import Ran, run
from hearthway.distill.stages import MADE, Made, Stage, Work
from hearthway.records.errors import InputError


class Quiet:
    """Looks on and notes which stages were made."""

    def __init__(self) -> None:
        self.made: list[str] = []

    def begins(self, stage: Stage, number: int, count: int) -> None:
        self.made.append(stage.name)

    def tells(self, stage: Stage, words: str) -> None: ...

    def stands(self, stage: Stage, made: Made, *, again: bool) -> None: ...


class Cut(BaseException):
    """As a signal would end it."""


def _three(cut_at: str = "", middle: int = 1, reads: tuple[Path, ...] = ()) -> list[Stage]:
    def make(name: str, needs: str) -> Callable[[Work], None]:
        def one(work: Work) -> None:
            before = work.read(needs, "out.bin") if needs else b""
            steps = work.kept("steps") or b""
            while len(steps) < 3:
                steps += bytes([len(steps) + work.seed])
                work.keep("steps", steps)
                if cut_at == f"{name}.{len(steps)}":
                    raise Cut
            work.write("out.bin", before + name.encode() + steps)
            if cut_at == f"{name}.written":
                raise Cut

        return one

    def stage(name: str, needs: str, settings: object, reads: tuple[Path, ...] = ()) -> Stage:
        return Stage(
            name=name,
            words="",
            revision=1,
            needs=(needs,) if needs else (),
            settings=settings,
            files=("out.bin",),
            make=make(name, needs),
            reads=reads,
        )

    return [
        stage("first", "", {}, reads),
        stage("second", "first", {"middle": middle}),
        stage("third", "second", {}),
    ]


def _end(ran: Ran) -> bytes:
    return ran.read("third", "out.bin")


POINTS = [f"{s}.{p}" for s in ("first", "second", "third") for p in ("1", "2", "3", "written")]


@pytest.mark.parametrize("point", POINTS)
def test_cut_anywhere_it_ends_at_the_same_bytes(tmp_path: Path, point: str) -> None:
    whole = _end(run(_three(), tmp_path / "whole", 7, Quiet()))
    with pytest.raises(Cut):
        run(_three(point), tmp_path / "cut", 7, Quiet())
    again = Quiet()
    assert _end(run(_three(), tmp_path / "cut", 7, again)) == whole
    stage = point.split(".")[0]
    assert again.made == ["first", "second", "third"][["first", "second", "third"].index(stage) :]
    assert not list((tmp_path / "cut" / "stages").glob("*.part"))


def _killed(point: str, out: Path) -> None:
    import os
    import signal

    try:
        run(_three(point), out, 7, Quiet())
    except Cut:
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("point", ["first.2", "second.written", "third.1"])
def test_killed_it_ends_at_the_same_bytes(tmp_path: Path, point: str) -> None:
    """The lock goes with the process, and no handler of it ran."""
    child = multiprocessing.get_context("fork").Process(
        target=_killed, args=(point, tmp_path / "k")
    )
    child.start()
    child.join(30)
    assert child.exitcode == -9
    whole = _end(run(_three(), tmp_path / "whole", 7, Quiet()))
    assert _end(run(_three(), tmp_path / "k", 7, Quiet())) == whole


def test_what_stands_is_not_made_again(tmp_path: Path) -> None:
    run(_three(), tmp_path, 7, Quiet())
    again = Quiet()
    ran = run(_three(), tmp_path, 7, again)
    assert again.made == []
    assert ran.new == ()


def test_only_what_follows_from_a_change_is_made_again(tmp_path: Path) -> None:
    before = _end(run(_three(), tmp_path, 7, Quiet()))
    changed, seed = Quiet(), Quiet()
    run(_three(middle=2), tmp_path, 7, changed)
    # its bytes did not change with its settings, so that what follows stands
    assert changed.made == ["second"]
    assert _end(run(_three(), tmp_path, 8, seed)) != before
    assert seed.made == ["first", "second", "third"]


def test_a_file_of_the_user_counts_by_its_content(tmp_path: Path) -> None:
    file = tmp_path / "texts.csv"
    file.write_text("one")
    run(_three(reads=(file,)), tmp_path / "out", 7, Quiet())
    same, other = Quiet(), Quiet()
    file.write_text("one")
    run(_three(reads=(file,)), tmp_path / "out", 7, same)
    file.write_text("two")
    run(_three(reads=(file,)), tmp_path / "out", 7, other)
    assert same.made == []
    assert other.made == ["first"]


@pytest.mark.parametrize("damage", ["changed", "gone", "note"])
def test_a_damaged_checkpoint_is_made_again(tmp_path: Path, damage: str) -> None:
    whole = run(_three(), tmp_path, 7, Quiet())
    file = whole.folders["second"] / "out.bin"
    if damage == "changed":
        file.write_bytes(file.read_bytes() + b"!")
    elif damage == "gone":
        file.unlink()
    else:
        (whole.folders["second"] / MADE).write_text("{")
    watched = Quiet()
    again = run(_three(), tmp_path, 7, watched)
    assert watched.made == ["second"]
    assert _end(again) == _end(whole)


def test_what_was_kept_and_damaged_does_not_count(tmp_path: Path) -> None:
    whole = _end(run(_three(), tmp_path / "whole", 7, Quiet()))
    with pytest.raises(Cut):
        run(_three("second.2"), tmp_path / "cut", 7, Quiet())
    (kept,) = (tmp_path / "cut" / "stages").glob("*.part/*.kept")
    kept.write_bytes(kept.read_bytes()[:-1] + b"\xff")
    assert _end(run(_three(), tmp_path / "cut", 7, Quiet())) == whole


def test_two_runs_in_one_folder_are_refused(tmp_path: Path) -> None:
    class Second(Quiet):
        def begins(self, stage: Stage, number: int, count: int) -> None:
            with pytest.raises(InputError, match="Another distillation is at work"):
                run(_three(), tmp_path, 7, Quiet())
            super().begins(stage, number, count)

    watched = Second()
    run(_three(), tmp_path, 7, watched)
    assert watched.made == ["first", "second", "third"]


def test_a_folder_that_cannot_be_used_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be used"):
        run(_three(), tmp_path / "file", 7, Quiet())


def test_a_stage_that_makes_less_than_it_says_is_no_checkpoint(tmp_path: Path) -> None:
    lazy = msgspec.structs.replace(_three()[0], files=("out.bin", "more.bin"))
    for _ in range(2):
        with pytest.raises(InputError, match=r"did not make more\.bin"):
            run([lazy], tmp_path, 7, Quiet())


def test_a_missing_distribution_names_the_extra(tmp_path: Path) -> None:
    wants = msgspec.structs.replace(_three()[0], made_with=("no-such-distribution",))
    with pytest.raises(InputError, match="is not installed") as error:
        run([wants], tmp_path, 7, Quiet())
    assert "hearthway[distill]" in error.value.next_step
