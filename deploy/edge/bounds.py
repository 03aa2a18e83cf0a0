"""Every bound of the edge, named in one place. Where Ably documents a limit, it is Ably's."""

from typing import Final

from pipelines.limits import ABLY_BATCH_BYTES_MAX, ABLY_MESSAGE_BYTES_MAX

MESSAGE_BYTES_MAX: Final = ABLY_MESSAGE_BYTES_MAX
FRAME_BYTES_MAX: Final = 524_288
BODY_BYTES_MAX: Final = ABLY_BATCH_BYTES_MAX
CHANNEL_NAME_LENGTH_MAX: Final = 2_048
CLIENT_ID_LENGTH_MAX: Final = 1_024
MESSAGE_ID_LENGTH_MAX: Final = 512
CHANNELS_PER_CONNECTION_MAX: Final = 200
CHANNELS_MAX: Final = 50_000
CONNECTIONS_MAX: Final = 20_000
MESSAGES_PER_PUBLISH_MAX: Final = 1_000
UNACKNOWLEDGED_MAX: Final = 1_000  # of one connection; a busy rule is told, not queued for

CONNECTION_STATE_TTL_MS: Final = 120_000
IDLE_INTERVAL_MAX_MS: Final = 15_000
HEARTBEAT_INTERVAL_S: Final = 10.0
SILENCE_MAX_S: Final = 45.0  # a socket that answers no ping this long is half open
OUTGOING_BYTES_MAX: Final = 4 * 1_048_576  # waiting for one slow consumer, which is then dropped
COMET_WAIT_S: Final = 20.0  # a request is held no longer; heartbeats come before
COMET_GAP_MAX_S: Final = 15.0  # between two requests of a client that is there
COMET_LINGER_S: Final = 5.0  # for a last request after the connection has ended
COMET_FRAMES_MAX: Final = 1_000  # of one request
REPLAY_BYTES_MAX: Final = 64 * 1_048_576  # beside it, of what one client missed

IDEMPOTENCY_WINDOW_MS: Final = 120_000
IDEMPOTENT_IDS_MAX: Final = 20_000  # of one channel
HISTORY_DEFAULT_MS: Final = 120_000
HISTORY_ENTRIES_MAX: Final = 10_000  # of one channel
HISTORY_BYTES_MAX: Final = 16 * 1_048_576  # of one channel
#: Of all channels, with what they cost in memory; see `memory.py`.
HISTORY_ALL_BYTES_MAX: Final = 1_024 * 1_048_576
#: What a channel counts for a message beside its data, towards its own bound.
MESSAGE_EXTRA_BYTES: Final = 256
#: What it costs in memory beyond that: 1,700 bytes beside its data were measured, as the growth of
#: an edge by messages of 160 bytes, their ids included.
MESSAGE_COST_BYTES: Final = 1_700 - MESSAGE_EXTRA_BYTES
PAGE_LIMIT_DEFAULT: Final = 100
PAGE_LIMIT_MAX: Final = 1_000
REWIND_MESSAGES_MAX: Final = 100

TOKEN_TTL_DEFAULT_MS: Final = 3_600_000
TOKEN_TTL_MAX_MS: Final = 86_400_000
TIMESTAMP_SKEW_MAX_MS: Final = 120_000
NONCES_MAX: Final = 100_000
CAPABILITY_BYTES_MAX: Final = 65_536

PRESENCE_MEMBERS_MAX: Final = 5_000  # of one channel
PRESENCE_HISTORY_MAX: Final = 2_000  # of one channel
PRESENCE_PER_MESSAGE_MAX: Final = 250
PRESENCE_LOST_MS: Final = 15_000  # a member of a cut connection is thought gone
SYNC_MEMBERS_MAX: Final = 100  # of one frame
VERSIONS_PER_MESSAGE_MAX: Final = 1_000
ANNOTATED_MESSAGES_MAX: Final = 2_000  # of one channel
ANNOTATIONS_PER_MESSAGE_MAX: Final = 10_000
DELTA_BYTES_MAX: Final = 65_536  # above, making a delta would hold up everybody
FILTER_LENGTH_MAX: Final = 2_048

DEVICES_MAX: Final = 20_000  # of one app
CHANNEL_SUBSCRIPTIONS_MAX: Final = 50_000  # of one app
SANDBOX_APPS_MAX: Final = 1_000
SANDBOX_KEYS_MAX: Final = 100  # of one app
PERSISTED_MS: Final = 86_400_000  # Ably's history of a day
STATS_MINUTES_MAX: Final = 44_640  # a month of minutes, of one app

WEB_SUBSCRIPTIONS_MAX: Final = 10_000
WEB_PUSHES_KEPT_MAX: Final = 100  # of one subscription
DEVICE_TOKEN_TTL_MS: Final = 365 * 86_400_000  # the longest that any token lives
PUSHES_KEPT_MAX: Final = 10_000
PUSHES_PER_BATCH_MAX: Final = 10_000

if not MESSAGE_BYTES_MAX < FRAME_BYTES_MAX < BODY_BYTES_MAX < OUTGOING_BYTES_MAX:
    raise AssertionError("the edge's limits contradict each other")
