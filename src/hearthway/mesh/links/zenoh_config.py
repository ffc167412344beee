"""Zenoh's configuration for one device: mutual TLS with one root, and access by certificate name."""

from __future__ import annotations

import os
from typing import Any

from hearthway.mesh.trust.identity import DeviceIdentity

from .probe import split_address

LEASE_MS = (
    2000  # a vanished peer is noticed in this time; the default of 10 s healed a 5 s cut in 3.9 s
)
PARKED_LEASE_MS = 10_000
# A dial into a cut wire must end soon: TCP doubles its pauses, and a 5 s cut took 3.5 s to heal by the default of 10 s.
# It covers five round trips; where a peer is there and never reached, the link takes the longer one.
OPEN_MS, OPEN_LONG_MS = 800, 10_000
# Zenoh closes a socket with a linger of 10 s, and that blocks one of its reading threads while data of a cut wire is
# unacknowledged. It has two, a peer has two links: a 5 s cut healed after 10 or 20 s. There is no key for it in the
# configuration, and it counts only before the first session of a process.
_READERS = "(rx: (worker_threads: 12))"
LOOK = ["declare_liveliness_subscriber", "liveliness_query"]  # asking who is there
BLOCK_MAX_US = (
    2_000_000  # a reliable put waits so long for a vanished peer, then the link is closed
)


def more_readers() -> None:
    """To be called before the first session of a process."""
    os.environ.setdefault("ZENOH_RUNTIME", _READERS)


def key_prefix(identity: DeviceIdentity) -> str:
    """What every key of this household begins with."""
    return f"hw/{identity.household_id}"


def zenoh_config(
    me: DeviceIdentity,
    listen: str,
    *,
    lease_ms: int = LEASE_MS,
    open_ms: int = OPEN_MS,
) -> dict[str, Any]:
    """Zenoh's configuration for this device; every line that is not a default answers a measured trap."""
    more_readers()
    others = [m for m in me.roster.members if m.device_id != me.device_id]
    return {
        "mode": "peer",
        "listen": {"endpoints": [f"tls/{listen}"]},
        "connect": {
            "endpoints": [f"tls/{m.address}" for m in others if split_address(m.address)[1]],
            "retry": {
                "period_init_ms": 200,
                "period_max_ms": 1000,
                "period_increase_factor": 1.5,
            },
        },
        "scouting": {"multicast": {"enabled": False}, "gossip": {"enabled": True}},
        # Else opening waits half a second for whoever is listed and away, and a node is up so much later. Who comes
        # shows by its token, as whoever comes later does.
        "open": {"return_conditions": {"connect_scouted": False}},
        "transport": {
            "shared_memory": {"enabled": False},  # it drops messages silently in places
            "unicast": {"open_timeout": open_ms},
            "link": {
                "protocols": ["tls"],
                "tx": {
                    "lease": lease_ms,
                    "queue": {"congestion_control": {"block": {"wait_before_close": BLOCK_MAX_US}}},
                },
                "tls": tls(me),
            },
        },
        "access_control": _access(me, [m.device_id for m in others]),
    }


def tls(me: DeviceIdentity) -> dict[str, Any]:
    """This device's certificate, and the one root that it trusts."""
    return {
        "root_ca_certificate": str(me.ca_path),
        "enable_mtls": True,
        "listen_private_key": str(me.key_path),
        "listen_certificate": str(me.certificate_path),
        "connect_private_key": str(me.key_path),
        "connect_certificate": str(me.certificate_path),
        # Phones roam, so addresses prove nothing: the one root, the common name below and
        # the signed envelope do.
        "verify_name_on_connect": False,
        "close_link_on_expiration": True,
    }


def allow(name: str, flow: str, messages: list[str], keys: list[str]) -> dict[str, Any]:
    """A rule of zenoh's access control."""
    return {
        "id": name,
        "permission": "allow",
        "flows": [flow],
        "messages": messages,
        "key_exprs": keys,
    }


def access(rules: list[dict[str, Any]], policies: dict[str, list[str]]) -> dict[str, Any]:
    """Default deny; `policies` says which rules (by id) hold for which certificate name."""
    return {
        "enabled": True,
        "default_permission": "deny",
        "rules": rules if policies else [],
        "subjects": [{"id": f"cn-{name}", "cert_common_names": [name]} for name in policies],
        "policies": [{"rules": own, "subjects": [f"cn-{name}"]} for name, own in policies.items()],
    }


def _access(identity: DeviceIdentity, others: list[str]) -> dict[str, Any]:
    """Default deny; each certificate name may put only under its own name, and only to us."""
    me, prefix = identity.device_id, key_prefix(identity)
    alive = f"{prefix}/alive"
    rules = [
        allow("hear-subscribe", "egress", ["declare_subscriber"], [f"{prefix}/to/{me}/*"]),
        allow("tell-alive", "egress", ["liveliness_token"], [f"{alive}/{me}"]),
        allow("ask-alive", "egress", LOOK, [f"{alive}/*"]),
        allow("let-ask-alive", "ingress", LOOK, [f"{alive}/*"]),
    ]
    policies = {}
    for other in others:
        rules += [
            allow(f"put-from-{other}", "ingress", ["put"], [f"{prefix}/to/{me}/{other}"]),
            allow(f"put-to-{other}", "egress", ["put"], [f"{prefix}/to/{other}/{me}"]),
            allow(
                f"subscribe-{other}",
                "ingress",
                ["declare_subscriber"],
                [f"{prefix}/to/{other}/*"],
            ),
            allow(f"alive-{other}", "ingress", ["liveliness_token"], [f"{alive}/{other}"]),
        ]
        own = [f"{what}-{other}" for what in ("put-from", "put-to", "subscribe", "alive")]
        policies[other] = ["hear-subscribe", "tell-alive", "ask-alive", "let-ask-alive", *own]
    return access(rules, policies)
