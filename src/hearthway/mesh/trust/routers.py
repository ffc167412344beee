"""A router between sites: the household's root certifies its key and lists it. It is no member and has no household key."""

from __future__ import annotations

import hashlib
import re

from msgspec import Struct

from hearthway.records.errors import IdentityError

from .addresses import check_address

ROUTER_ROLE = "router"  # in a certificate; no member has it
ROUTERS_MAX = 4  # each is one more session on every node that misses somebody
_ADDRESSES_MAX = 4
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


class Router(Struct, frozen=True, kw_only=True):
    """Carries sealed frames between sites. `addresses`: "host:port", one a site; the first that answers is used."""

    name: str
    addresses: tuple[str, ...]
    public_key: bytes  # SPKI DER

    @property
    def common_name(self) -> str:
        """The name in its certificate: made of its key, so that access by name is access by key. No device id has a dot."""
        return f"{ROUTER_ROLE}.{hashlib.sha256(self.public_key).hexdigest()[:32]}"


def check_router(router: Router) -> None:
    """IdentityError unless name and addresses can be a router's."""
    if _NAME.fullmatch(router.name) is None:
        raise IdentityError(
            f"{router.name[:80]!r} cannot be a router's name.",
            "Use 1-40 small letters, digits and dashes, such as cottage.",
        )
    if not 0 < len(router.addresses) <= _ADDRESSES_MAX:
        raise IdentityError(
            f"A router has 1 to {_ADDRESSES_MAX} addresses, not {len(router.addresses)}.",
            "Say --address HOST:PORT once for each site.",
        )
    for address in router.addresses:
        check_address(address)
