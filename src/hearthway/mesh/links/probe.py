"""Why a peer is not there: a TLS handshake of our own, because a refused certificate is silent elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl

from cryptography import x509
from cryptography.x509.oid import NameOID

from hearthway.mesh.trust.identity import DeviceIdentity

from .link import Health

PROBE_S = 2.0  # with the watch's 0.5 s this keeps the promise to say so within 3 s
_ALERT_S = 0.5  # TLS 1.3: a server says only after the handshake that it refuses our certificate


def probe_context(identity: DeviceIdentity) -> ssl.SSLContext:
    """TLS as this node speaks it: the household's root only, its own certificate, no names checked.

    Names are not checked because phones roam; the peer's common name is compared by the caller.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(identity.ca_path)
    context.load_cert_chain(identity.certificate_path, identity.key_path)
    return context


def split_address(address: str) -> tuple[str, int]:
    """ "host:port" or "[v6]:port"; (host, 0) when there is no port."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        return address.strip("[]"), 0
    return host.strip("[]"), int(port)


async def probe(context: ssl.SSLContext, device_id: str, address: str) -> Health:
    """Ok when the device at `address` is `device_id` of this household and takes our certificate."""
    host, port = split_address(address)
    at = f"{device_id} at {address}"
    try:
        async with asyncio.timeout(PROBE_S):
            reader, writer = await asyncio.open_connection(host, port, ssl=context)
    except TimeoutError:
        return _bad(f"{at} does not answer.", "Is it switched on and in the same network?")
    except ssl.SSLCertVerificationError as why:
        if "expired" in why.verify_message:
            return _bad(
                f"The certificate of {at} has expired.",
                f"Check the clocks of both devices; if they are right, pair {device_id} again.",
            )
        if "not yet valid" in why.verify_message:
            return _bad(
                f"The certificate of {at} is not valid yet by this device's clock.",
                "Set the clocks of both devices.",
            )
        return _bad(
            f"{at} belongs to another household: its certificate was not issued by our root.",
            f"Check the address; if it is yours, pair {device_id} again.",
        )
    except ssl.SSLError as why:
        return _refused(at, why, agreed=False)
    except OSError as why:
        return _bad(
            f"{at} is not reachable: {os.strerror(why.errno) if why.errno else why}.",
            f"Start Hearthway on {device_id}, and check the address.",
        )
    try:
        certificate = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        try:
            async with asyncio.timeout(_ALERT_S):
                if not await reader.read(1):
                    return _bad(f"{at} closed the link.", f"Look at the log of {device_id}.")
        except TimeoutError:
            pass  # silence after the handshake: our certificate was taken
        except ssl.SSLError as why:
            return _refused(at, why, agreed=True)
        except OSError as why:
            return _bad(f"{at} cut the link: {why.strerror or why}.", "Try again.")
    finally:
        writer.transport.abort()
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(_ALERT_S):
                await writer.wait_closed()
    names = x509.load_der_x509_certificate(certificate or b"").subject.get_attributes_for_oid(
        NameOID.COMMON_NAME
    )
    found = str(names[0].value) if names else "nobody"
    if found != device_id:
        return _bad(
            f"At {address} stands {found}, not {device_id}.", "Correct the address of one of them."
        )
    return Health(ok=True)


def _refused(at: str, why: ssl.SSLError, *, agreed: bool) -> Health:
    """After the handshake (`agreed`) there is nothing left to refuse but our certificate."""
    reason = (why.reason or "").upper()
    if agreed or "UNKNOWN_CA" in reason or "CERTIFICATE" in reason:
        return _bad(
            f"{at} refuses this device's certificate ({reason.replace('_', ' ').lower()}).",
            "Pair this device again, with a code shown by the home.",
        )
    return _bad(
        f"{at} does not speak TLS as this household does ({reason.replace('_', ' ').lower()}).",
        "Is another program listening at that address?",
    )


def _bad(problem: str, next_step: str) -> Health:
    return Health(ok=False, problem=problem, next_step=next_step)
