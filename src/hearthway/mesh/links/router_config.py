"""Zenoh's configuration for a router between two sites, as a file of its own, and for a node that is its client.

A router passes on what one member says to another, by the names in their certificates. It has no household key, so it
reads none of it. Its file holds all that it needs: any machine with zenoh runs it.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from msgspec import Struct

from hearthway.mesh.trust.certificates import (
    certificate_key,
    check_dates,
    load_certificate,
    load_private,
    private_pem,
    spki,
)
from hearthway.mesh.trust.identity import DeviceIdentity
from hearthway.mesh.trust.roster import Roster
from hearthway.mesh.trust.routers import Router
from hearthway.records.errors import HearthwayError, IdentityError, InputError

from .probe import split_address
from .zenoh_config import BLOCK_MAX_US, LEASE_MS, LOOK, OPEN_LONG_MS, access, allow, key_prefix, tls

FILE_MAX_BYTES = 1024 * 1024


class RouterFile(Struct, frozen=True, kw_only=True):
    """A router's file, checked."""

    name: str
    listen: str  # "host:port"
    members: frozenset[str]  # whom it lets in, by id
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate
    text: str  # what zenoh reads


def client_config(me: DeviceIdentity, router: Router, address: str) -> dict[str, Any]:
    """A node as the client of that router at "host:port": it hears what is for it, puts under its own name, and no more."""
    prefix, own = key_prefix(me), me.device_id
    rules = [
        allow("hear-subscribe", "egress", ["declare_subscriber"], [f"{prefix}/to/{own}/*"]),
        allow("hear", "ingress", ["put"], [f"{prefix}/to/{own}/*"]),
        allow("put", "egress", ["put"], [f"{prefix}/to/*/{own}"]),
        allow("tell-alive", "egress", ["liveliness_token"], [f"{prefix}/alive/{own}"]),
        allow("ask-alive", "egress", LOOK, [f"{prefix}/alive/*"]),
        allow("see-alive", "ingress", ["liveliness_token"], [f"{prefix}/alive/*"]),
    ]
    return {
        "mode": "client",
        "connect": {"endpoints": [f"tls/{address}"]},
        **_common(tls(me), open_ms=OPEN_LONG_MS),
        "access_control": access(rules, {router.common_name: [r["id"] for r in rules]}),
    }


def router_text(
    router: Router,
    listen: str,
    key: ec.EllipticCurvePrivateKey,
    certificate_pem: bytes,
    root_pem: bytes,
    roster: Roster,
) -> str:
    """The router's file (JSON, which zenoh's JSON5 contains): keys and certificates inside, access for these members."""
    prefix = f"hw/{roster.household_id}"
    rules = [
        allow("ask-alive", "ingress", LOOK, [f"{prefix}/alive/*"]),
        allow("show-alive", "egress", ["liveliness_token"], [f"{prefix}/alive/*"]),
    ]
    policies = {}
    for member in roster.members:
        one = member.device_id
        own = [
            allow(f"put-{one}", "ingress", ["put"], [f"{prefix}/to/*/{one}"]),
            allow(f"hand-{one}", "egress", ["put"], [f"{prefix}/to/{one}/*"]),
            allow(f"hear-{one}", "ingress", ["declare_subscriber"], [f"{prefix}/to/{one}/*"]),
            allow(f"alive-{one}", "ingress", ["liveliness_token"], [f"{prefix}/alive/{one}"]),
        ]
        rules += own
        policies[one] = ["ask-alive", "show-alive", *(rule["id"] for rule in own)]
    certificates = {
        "root_ca_certificate_base64": _inline(root_pem),
        "enable_mtls": True,
        "listen_private_key_base64": _inline(private_pem(key)),
        "listen_certificate_base64": _inline(certificate_pem),
        "verify_name_on_connect": False,
        "close_link_on_expiration": True,
    }
    config = {
        "metadata": {"name": router.name, "household": roster.household_id},
        "mode": "router",
        "listen": {"endpoints": [f"tls/{listen}"]},
        "adminspace": {"enabled": False},
        **_common(certificates, open_ms=OPEN_LONG_MS),
        "access_control": access(rules, policies),
    }
    return json.dumps(config, indent=1) + "\n"


def _common(certificates: dict[str, Any], *, open_ms: int) -> dict[str, Any]:
    return {
        "scouting": {"multicast": {"enabled": False}, "gossip": {"enabled": False}},
        "transport": {
            "shared_memory": {"enabled": False},
            "unicast": {"open_timeout": open_ms},
            "link": {
                "protocols": ["tls"],
                "tx": {
                    "lease": LEASE_MS,
                    "queue": {"congestion_control": {"block": {"wait_before_close": BLOCK_MAX_US}}},
                },
                "tls": certificates,
            },
        },
    }


def read_router(data: bytes) -> RouterFile:
    """What a router's file holds; InputError unless it is whole and closed to strangers. Says nothing of dates."""
    try:
        text = data.decode() if len(data) <= FILE_MAX_BYTES else ""
        config = json.loads(text)
        link, rights = config["transport"]["link"], config["access_control"]
        says = (config["mode"], link["protocols"], link["tls"]["enable_mtls"])
        closed = (rights["enabled"], rights["default_permission"]) == (True, "deny")
        (endpoint,) = config["listen"]["endpoints"]
        listen = str(endpoint).removeprefix("tls/")
        members = frozenset(str(n) for one in rights["subjects"] for n in one["cert_common_names"])
        key = load_private(_plain(link["tls"]["listen_private_key_base64"]), "Its key")
        certificate = load_certificate(_plain(link["tls"]["listen_certificate_base64"]), "It")
        same = spki(key.public_key()) == spki(certificate_key(certificate, "It"))
        name = str(config["metadata"]["name"])
    except (ValueError, KeyError, TypeError, RecursionError, HearthwayError):
        raise _no_file() from None
    if says != ("router", ["tls"], True) or not (closed and same and split_address(listen)[1]):
        raise _no_file()
    return RouterFile(
        name=name, listen=listen, members=members, key=key, certificate=certificate, text=text
    )


def check_router_dates(file: RouterFile, now_s: float) -> None:
    """InputError when its certificate has ended or has not begun."""
    ends_s = file.certificate.not_valid_after_utc.timestamp()
    try:
        check_dates(file.certificate, now_s, f"The certificate of the router {file.name}")
    except IdentityError as why:
        anew = f"On the home: `hearthway router add {file.name}` writes its file anew."
        raise InputError(why.message, anew if now_s > ends_s else why.next_step) from None


def _plain(inline: str) -> bytes:
    return base64.b64decode(inline, validate=True)


def _inline(pem: bytes) -> str:
    return base64.b64encode(pem).decode()


def _no_file() -> InputError:
    return InputError(
        "This is no router's file.", "On the home: `hearthway router add NAME` writes one."
    )
