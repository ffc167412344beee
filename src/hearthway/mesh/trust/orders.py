"""The household's orders about its students: signed by the root, opened by every node before a byte of a file moves."""

from __future__ import annotations

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.x509.oid import NameOID

from hearthway.records import codec
from hearthway.records.errors import IdentityError, WireError
from hearthway.records.releases import ORDER_MAX_BYTES, Order, SignedOrder, implausible

from .certificates import ECDSA, certificate_key
from .root import HouseholdRoot

_CONTEXT = b"hearthway model order 1\0"
_NEXT = "Nothing was changed. If it comes back, a device of the household is not yours."


def sign_order(order: Order, root: HouseholdRoot) -> bytes:
    """The packed SignedOrder; WireError for an order that no node would take."""
    if why := implausible(order):
        raise WireError(f"That is no order about a model: {why}.", "Nothing was changed.")
    body = codec.pack(order)
    return codec.pack(SignedOrder(body, root.sign_statement(_CONTEXT, body)))


def open_order(signed: bytes, root: x509.Certificate) -> Order:
    """What was ordered; IdentityError unless that household's root signed it, WireError where it can be no order."""
    key = certificate_key(root, "The household's root")
    if len(signed) > ORDER_MAX_BYTES:
        raise WireError("An order about a model is too long to be one.", _NEXT)
    record = codec.unpack(signed, SignedOrder)
    try:
        key.verify(record.signature, _CONTEXT + record.order, ECDSA)
    except InvalidSignature:
        raise IdentityError(
            "An order about a model is not signed by the household's root.", _NEXT
        ) from None
    order = codec.unpack(record.order, Order)
    names = root.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    if [str(one.value) for one in names] != [order.household_id]:
        raise IdentityError("An order about a model is of another household.", _NEXT)
    if why := implausible(order):
        raise WireError(f"An order about a model can be none: {why}.", _NEXT)
    return order
