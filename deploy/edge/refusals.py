"""What the edge refuses, with Ably's codes; the status is the code's first three digits.

Codes and their meaning: Ably's published error list (ably-common, protocol/errors.json).
"""

from typing import Final

from pipelines.errors import EdgeError

__all__ = ["HELP_URL", "refused", "unauthorized"]

BAD_REQUEST: Final = 40000
INVALID_PARAMETER: Final = 40003
INVALID_CONNECTION: Final = 40006
TOO_LARGE: Final = 40009
INVALID_CHANNEL: Final = 40010
INVALID_CLIENT_ID: Final = 40012
INVALID_DATA: Final = 40013
INVALID_MESSAGE: Final = 40030
PARTIAL_FAILURE: Final = 40020
INVALID_MESSAGE_ID: Final = 40031
ARTIFICIAL: Final = 40099  # for tests that ask for a refusal
UNAUTHORIZED: Final = 40100
INVALID_CREDENTIALS: Final = 40101
INCOMPATIBLE_CREDENTIALS: Final = 40102
TIMESTAMP_NOT_CURRENT: Final = 40104
NONCE_REPLAYED: Final = 40105
TOKEN_REVOKED: Final = 40141
TOKEN_EXPIRED: Final = 40142
TOKEN_UNRECOGNISED: Final = 40143
INVALID_JWT: Final = 40144
INVALID_TOKEN: Final = 40145
CAPABILITY_REFUSED: Final = 40160
IDENTIFIED_ONLY: Final = 40161
KEY_REQUIRED: Final = 40162
REVOCATION_NOT_ENABLED: Final = 40163
TLS_ONLY: Final = 40311
NOT_FOUND: Final = 40400
METHOD_NOT_ALLOWED: Final = 40500
SYSTEM_BUSY: Final = 42910
CONNECTION_RATE: Final = 42911
ENUMERATION_RUNNING: Final = 42912
CHANNEL_RATE: Final = 42913
CHANNEL_BANDWIDTH: Final = 42914
ACCOUNT_RATE: Final = 42917
REQUEST_RATE: Final = 42918
INTERNAL: Final = 50000
RULE_TIMED_OUT: Final = 50003
GOING_AWAY: Final = 80003
CONNECTION_KEY_INVALID: Final = 80018
CONTINUITY_LOST: Final = 80020
CONNECTION_LIMIT: Final = 80021
CHANNEL_STATE_WRONG: Final = 90001
RECOVERY_EXPIRED: Final = 90003
RULE_UNREACHED: Final = 70001
RULE_REFUSED: Final = 70002
RULE_BUSY: Final = 70003
RECOVERY_UNKNOWN: Final = 90005
CHANNELS_TOO_MANY: Final = 90010
CHANNEL_CREATION_RATE: Final = 90021
PRESENCE_NO_CLIENT: Final = 91000
PRESENCE_NOT_ATTACHED: Final = 91001
PRESENCE_TOO_MANY: Final = 91003
NOT_MUTABLE: Final = 93002
ANNOTATION_REFUSED: Final = 93003
PUSH_NO_RECIPIENT: Final = 103001
PUSH_REFUSED: Final = 103002

#: What a client can mend with another token, then resume.
TOKEN_ERRORS: Final = range(40140, 40150)

HELP_URL: Final = "https://help.ably.io/error/"


def refused(code: int, message: str) -> EdgeError:
    """Return the exception that a handler raises, and its caller turns into an answer."""
    status = code // 100
    return EdgeError(message, code, status if status < 600 else 400)


def unauthorized(operation: str, channel: str) -> EdgeError:
    """Return the refusal of what a key or token does not allow."""
    return refused(CAPABILITY_REFUSED, f"the credentials do not allow {operation} on {channel!r}")
