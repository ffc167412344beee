"""A teacher behind an OpenAI-compatible endpoint in the household: it is asked for one label a text, and for nothing else.

Only plain HTTP to this machine or to a private address, only the address that was checked, and no redirect: what is
learned from goes nowhere else.
"""

from __future__ import annotations

import http.client
import ipaddress
import json
import socket
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from hearthway.records.errors import InputError, RuleDeniedError

TIMEOUT_S = 120.0
ANSWER_MAX_BYTES = 1 << 20
LABELS_MAX = 500
TRIES = 3  # of one text: a local server may be loading its model
PRIVATE = tuple(
    ipaddress.ip_network(net)
    for net in (
        "127.0.0.0/8",
        "::1/128",
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "fc00::/7",
    )
)
_START = "Is the server running? Name it as http://127.0.0.1:PORT/v1."


class EndpointSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where it is, and which of its models."""

    url: str
    model: str
    sure: float = 0.9  # probability given to the label it names


class _Message(Struct):
    content: str | None = None


class _Choice(Struct):
    message: _Message


class _Answer(Struct):
    choices: list[_Choice]


class Endpoint:
    """One server. `this_machine` says whether it is this one."""

    def __init__(self, settings: EndpointSettings) -> None:
        """InputError for a URL that is none, RuleDeniedError for an address beyond the household."""
        parts = urlsplit(settings.url)
        try:
            port = parts.port or 80
        except ValueError:
            port = 0
        if parts.scheme != "http" or not parts.hostname or not port or parts.username:
            raise InputError(
                f"{settings.url!r} is no endpoint of a household.",
                "Write it as http://ADDRESS:PORT/v1; https and passwords are not taken.",
            )
        self.settings = settings
        self.where = f"{parts.hostname}:{port}"
        self._path = parts.path.rstrip("/") + "/chat/completions"
        self._port = port
        self._address = _household_address(parts.hostname, port)

    @property
    def this_machine(self) -> bool:
        """Does nothing that it is told leave this machine?"""
        return ipaddress.ip_address(self._address).is_loopback

    def label(self, text: str, labels: Sequence[str]) -> int:
        """The place of the label it names for `text`; -1 where it names none of them. InputError where it cannot be asked."""
        asked = {
            "model": self.settings.model,
            "temperature": 0,
            "seed": 0,
            "max_tokens": 40,
            "messages": [
                {"role": "system", "content": _instruction(labels)},
                {"role": "user", "content": text},
            ],
        }
        body = self._post(json.dumps(asked).encode())
        try:
            said = msgspec.json.decode(body, type=_Answer).choices[0].message.content or ""
        except (msgspec.MsgspecError, IndexError, UnicodeDecodeError):
            raise InputError(
                f"What answers at {self.where} speaks no OpenAI-compatible API.", _START
            ) from None
        return named(said, labels)

    def _post(self, body: bytes) -> bytes:
        last = ""
        for _ in range(TRIES):
            link = http.client.HTTPConnection(self._address, self._port, timeout=TIMEOUT_S)
            try:
                link.request(
                    "POST",
                    self._path,
                    body,
                    {"Content-Type": "application/json", "Host": self.where},
                )
                answer = link.getresponse()
                data = answer.read(ANSWER_MAX_BYTES + 1)
                if len(data) > ANSWER_MAX_BYTES:
                    raise InputError(f"The answer of {self.where} is too long.", _START)
                if answer.status == http.client.OK:
                    return data
                last = f"it answers {answer.status} {answer.reason}"
                if answer.status < http.client.INTERNAL_SERVER_ERROR:
                    break
            except (OSError, http.client.HTTPException) as why:
                last = str(why) or type(why).__name__
            finally:
                link.close()
        raise InputError(f"The teacher at {self.where} does not answer: {last}.", _START)


def named(said: str, labels: Sequence[str]) -> int:
    """The place of the label that an answer names: alone on its first line, whatever quotes are around it; else -1."""
    first = said.strip().split("\n", 1)[0].strip(" \t\"'`.*").casefold()
    return next((k for k, label in enumerate(labels) if label.casefold() == first), -1)


def labelled(
    endpoint: Endpoint,
    texts: Sequence[str],
    labels: Sequence[str],
    kept: dict[str, int],
    keep: Callable[[], None],
) -> list[int]:
    """The label of each text. What is in `kept` is not asked again; `keep` is called now and then, so that nothing is lost."""
    if len(labels) > LABELS_MAX:
        raise InputError(
            f"{len(labels)} labels are too many for a question.", f"Take at most {LABELS_MAX}."
        )
    for number, text in enumerate(texts):
        if text not in kept:
            kept[text] = endpoint.label(text, labels)
            if number % 50 == 49:
                keep()
    keep()
    return [kept[text] for text in texts]


def _instruction(labels: Sequence[str]) -> str:
    return (
        "You sort what people say to a household's assistant. Answer with exactly one of these labels, "
        f"and nothing else: {', '.join(labels)}"
    )


def _household_address(host: str, port: int) -> str:
    try:
        found = {
            str(info[4][0]).split("%")[0]
            for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        }
    except (OSError, UnicodeError) as why:
        raise InputError(f"{host} is not known here: {why}.", _START) from None
    beyond = [a for a in sorted(found) if not any(_within(a, net) for net in PRIVATE)]
    if beyond or not found:
        raise RuleDeniedError(
            f"{host} is {', '.join(beyond)}, which is beyond the household. A teacher there is told nothing.",
            "Name a server on this machine or at a private address of your own network.",
        )
    return min(found)


def _within(address: str, net: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    found = ipaddress.ip_address(address)
    return found.version == net.version and found in net
