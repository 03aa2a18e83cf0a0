"""VAPID (RFC 8292): the key by which an app proves to a push service that a push is its own."""

import base64
import hashlib
import hmac
import json
from typing import Any, Final
from urllib.parse import urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from deploy.edge.refusals import UNAUTHORIZED, refused

__all__ = ["VapidKey", "check_vapid", "public_bytes", "read_public", "unpadded"]

CURVE: Final = ec.SECP256R1()
#: Of the curve's group (SEC 2, section 2.4.2); a private key lies below it.
ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
HALF_BYTES: Final = 32
LIFE_S: Final = 12 * 3600
LIFE_MAX_S: Final = 24 * 3600
SUBJECT: Final = "mailto:push@overround.invalid"


class VapidKey:
    """An app's key pair, made of a secret that the app has anyway: it outlives a restart."""

    def __init__(self, secret: str) -> None:
        digest = hmac.new(secret.encode(), b"vapid", hashlib.sha512).digest()
        self._private = ec.derive_private_key(int.from_bytes(digest) % (ORDER - 1) + 1, CURVE)
        #: As browsers want it: an uncompressed point in base64url.
        self.public = unpadded(public_bytes(self._private.public_key()))

    def authorization(self, endpoint: str, now_s: int) -> str:
        """Return the header that a push to an endpoint carries."""
        place = urlsplit(endpoint)
        claims = {
            "aud": f"{place.scheme}://{place.netloc}",
            "exp": now_s + LIFE_S,
            "sub": SUBJECT,
        }
        signed = f"{_json({'typ': 'JWT', 'alg': 'ES256'})}.{_json(claims)}"
        one, other = decode_dss_signature(self._private.sign(signed.encode(), ec.ECDSA(SHA256())))
        signature = one.to_bytes(HALF_BYTES) + other.to_bytes(HALF_BYTES)
        return f"vapid t={signed}.{unpadded(signature)}, k={self.public}"


def check_vapid(header: str, audience: str, public: str, now_s: int) -> None:
    """Raise EdgeError unless a push's Authorization proves the key, for this push service."""
    scheme, _, rest = header.partition(" ")
    fields = dict(part.strip().partition("=")[::2] for part in rest.split(","))
    token, key = fields.get("t", ""), fields.get("k", "")
    signed, _, signature = token.rpartition(".")
    try:
        raw = _decoded(signature)
        if scheme.lower() != "vapid" or len(raw) != 2 * HALF_BYTES:
            raise ValueError("not a vapid token")
        halves = (int.from_bytes(raw[:HALF_BYTES]), int.from_bytes(raw[HALF_BYTES:]))
        read_public(key).verify(encode_dss_signature(*halves), signed.encode(), ec.ECDSA(SHA256()))
        head, claims = (json.loads(_decoded(part)) for part in signed.split("."))
    except (ValueError, InvalidSignature, RecursionError) as error:
        raise refused(UNAUTHORIZED, "the push's VAPID token does not prove its key") from error
    if not isinstance(claims, dict) or not isinstance(head, dict) or head.get("alg") != "ES256":
        raise refused(UNAUTHORIZED, "the push's VAPID token is not one")
    expires = claims.get("exp")
    is_timely = isinstance(expires, int) and now_s < expires <= now_s + LIFE_MAX_S
    if not hmac.compare_digest(key.encode(), public.encode()):
        raise refused(UNAUTHORIZED, "the push is signed with another key than it was asked for")
    if claims.get("aud") != audience or not is_timely:
        raise refused(UNAUTHORIZED, "the push's VAPID token is for another service or time")


def public_bytes(key: ec.EllipticCurvePublicKey) -> bytes:
    """Return an uncompressed point of 65 bytes."""
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def read_public(text: str) -> ec.EllipticCurvePublicKey:
    """Read a point in base64url. Raises ValueError."""
    return ec.EllipticCurvePublicKey.from_encoded_point(CURVE, _decoded(text))


def unpadded(raw: bytes) -> str:
    """Return base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    """Undo base64url. Raises ValueError."""
    return base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))


def _json(value: dict[str, Any]) -> str:
    return unpadded(json.dumps(value, separators=(",", ":")).encode())
