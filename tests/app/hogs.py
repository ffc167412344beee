"""Tasks for a worker under test: those that behave, and those that do not."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable

from hearthway.records.errors import InputError
from hearthway.records.offload import Job


def echo(data: bytes) -> bytes:
    return data


def sleep(data: bytes) -> bytes:
    time.sleep(float(data))
    return b"slept"


def spin(data: bytes) -> bytes:
    end_s = time.process_time() + float(data)
    while time.process_time() < end_s:
        pass
    return b"spun"


def limit(_: bytes) -> bytes:
    """How many CPU seconds more the kernel gives it, by its own count."""
    return str(resource.getrlimit(resource.RLIMIT_CPU)[0] - time.clock_gettime(-8)).encode()


def stubborn(_: bytes) -> bytes:
    while True:
        try:
            while True:
                pass
        except BaseException:  # noqa: BLE001 - a task that heeds nothing
            continue


def memory(data: bytes) -> bytes:
    return str(len(bytearray(int(data)))).encode()


def huge(data: bytes) -> bytes:
    return bytes(int(data))


def die(_: bytes) -> bytes:
    os._exit(3)


def refuse(_: bytes) -> bytes:
    raise InputError("That is no input.", "Give another.")


def raise_(_: bytes) -> bytes:
    raise ZeroDivisionError("secret")


def pid(_: bytes) -> bytes:
    print("to standard output, which is no message")
    return str(os.getpid()).encode()


def jobs(spec: str) -> dict[Job, Callable[[bytes], bytes]]:
    """Each by its name; the spec is their identity."""
    found = (echo, sleep, spin, limit, stubborn, memory, huge, die, refuse, raise_, pid)
    return {Job(one.__name__, spec): one for one in found}


def slowly(spec: str) -> dict[Job, Callable[[bytes], bytes]]:
    """As one that opens a map."""
    time.sleep(0.5)
    return jobs(spec)


def made(job: Job, content: bytes) -> Callable[[bytes], bytes]:
    """One that comes with its content: it says what that was, and how often it was made."""
    if content == b"bad":
        raise InputError("That is no content.", "Give another.")
    MADE.append(job)
    return lambda data: content + data + str(len(MADE)).encode()


MADE: list[Job] = []
