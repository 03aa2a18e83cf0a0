"""Encryption of one Web Push message (RFC 8291 with `aes128gcm` of RFC 8188).

The sender makes a key pair for each message; only the browser that subscribed can read it.
"""

import hashlib
import hmac
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from deploy.edge.vapid import CURVE, public_bytes

__all__ = ["PAYLOAD_BYTES_MAX", "decrypted", "encrypted"]

SALT_BYTES: Final = 16
POINT_BYTES: Final = 65
HEAD_BYTES: Final = SALT_BYTES + 4 + 1 + POINT_BYTES
TAG_BYTES: Final = 16
RECORD_BYTES: Final = 4_096
#: A push service takes a body of 4,096 bytes, whole.
PAYLOAD_BYTES_MAX: Final = RECORD_BYTES - HEAD_BYTES - TAG_BYTES - 1
LAST_RECORD: Final = b"\x02"


def encrypted(
    payload: bytes,
    receiver: ec.EllipticCurvePublicKey,
    auth: bytes,
    salt: bytes,
    sender: ec.EllipticCurvePrivateKey | None = None,
) -> bytes:
    """Return the body of a push. Raises ValueError for a payload above the bound."""
    if len(payload) > PAYLOAD_BYTES_MAX:
        raise ValueError(f"a push of {len(payload)} bytes, at most {PAYLOAD_BYTES_MAX}")
    sender = sender or ec.generate_private_key(CURVE)
    own = public_bytes(sender.public_key())
    shared = sender.exchange(ec.ECDH(), receiver)
    key, nonce = _derived(shared, auth, public_bytes(receiver), own, salt)
    head = salt + RECORD_BYTES.to_bytes(4) + bytes((POINT_BYTES,)) + own
    return head + AESGCM(key).encrypt(nonce, payload + LAST_RECORD, None)


def decrypted(body: bytes, receiver: ec.EllipticCurvePrivateKey, auth: bytes) -> bytes:
    """Return the payload of a push. Raises ValueError for what was not made for the receiver."""
    if len(body) < HEAD_BYTES + TAG_BYTES or body[SALT_BYTES + 4] != POINT_BYTES:
        raise ValueError("not a push of one record")
    salt, point = body[:SALT_BYTES], body[HEAD_BYTES - POINT_BYTES : HEAD_BYTES]
    sender = ec.EllipticCurvePublicKey.from_encoded_point(CURVE, point)
    shared = receiver.exchange(ec.ECDH(), sender)
    key, nonce = _derived(shared, auth, public_bytes(receiver.public_key()), point, salt)
    try:
        padded = AESGCM(key).decrypt(nonce, body[HEAD_BYTES:], None)
    except InvalidTag as error:
        raise ValueError("the push was encrypted for somebody else, or changed") from error
    payload, mark, padding = padded.rpartition(LAST_RECORD)
    if not mark or padding.strip(b"\x00"):
        raise ValueError("the push has no end mark")
    return payload


def _derived(
    shared: bytes, auth: bytes, receiver: bytes, sender: bytes, salt: bytes
) -> tuple[bytes, bytes]:
    """Return key and nonce (RFC 8291, section 3.4)."""
    info = b"WebPush: info\x00" + receiver + sender
    secret = _hmac(salt, _hmac(_hmac(auth, shared), info + b"\x01"))
    key = _hmac(secret, b"Content-Encoding: aes128gcm\x00\x01")[:16]
    return key, _hmac(secret, b"Content-Encoding: nonce\x00\x01")[:12]


def _hmac(key: bytes, text: bytes) -> bytes:
    return hmac.new(key, text, hashlib.sha256).digest()
