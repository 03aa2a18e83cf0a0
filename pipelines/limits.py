"""Every bound of the engine, named in one place and checked against each other at import.

Money is in minor units, odds in ten-thousandths, times in milliseconds, sizes in bytes.
"""

from typing import Final

ODDS_ONE: Final = 10_000  # odds of 1.0000
ODDS_MIN_E4: Final = 10_100  # 1.01, the lowest price of every ladder
ODDS_MAX_E4: Final = 10_000_000  # 1000.0, the highest price of the classic ladder

STAKE_MAX_MINOR: Final = 10**12
MARKET_STAKES_MAX_MINOR: Final = 10**14  # of a market together: dividends of it fit 64 bits
COUPON_PAYOUT_MAX_MINOR: Final = 10**15  # as the largest single bet at the highest odds
MONEY_MAX_MINOR: Final = 2**62  # fits the 64-bit integers of JSON readers and of MessagePack

ID_LENGTH_MAX: Final = 128  # as MTS bounds a ticket id
NAME_LENGTH_MAX: Final = 256
REASON_LENGTH_MAX: Final = 512

RECORD_BYTES_MAX: Final = 262_144  # a larger record is dead-lettered unread
DEAD_LETTER_VALUE_BYTES_MAX: Final = 65_536  # of a dead letter's value this much is kept
ENVELOPE_MESSAGES_MAX: Final = 1_000
NESTING_DEPTH_MAX: Final = 32

SELECTIONS_PER_MARKET_MAX: Final = 256
MARKETS_PER_EVENT_MAX: Final = 1_024
EVENTS_PER_SHARD_MAX: Final = 65_536
BETS_PER_MARKET_MAX: Final = 2_000_000
LADDER_PRICES_MAX: Final = 100_000  # of a market's own ladder
MATCHES_PER_ENTRY_MAX: Final = 100  # orders matched at once that one journal entry names
LADDER_BANDS_MAX: Final = 64
LIQUIDITY_MAX_MINOR: Final = 10**12  # of an automated market maker, or of a moving line
FLOORS_MAX: Final = 16  # special minimum dividends of a pool
DISCOUNTS_PER_MESSAGE_MAX: Final = 1_000
TRADED_PRICES_SHOWN: Final = 10  # of a selection in an odds image, unless all are asked for
DEPTH_MAX: Final = 100  # price levels a side in an odds image, unless all are asked for
ANSWERS_OUTSIDE_MARKETS_MAX: Final = 10_000  # refusals remembered per event for unknown markets
ORPHAN_ANSWERS_MAX: Final = 100_000  # refusals remembered per shard for unknown events
RETIRED_EVENTS_MAX: Final = 100_000

BETTOR_KEY_PREFIX: Final = "bettor/"  # of a bettor's own book: accounts, coupons
KEY_LENGTH_MAX: Final = len(BETTOR_KEY_PREFIX) + ID_LENGTH_MAX
SHARD_KEY_PREFIX: Final = "shard/"  # of what is said of all books of a partition
COUPON_LEGS_MAX: Final = 20
COUPONS_PER_BETTOR_MAX: Final = 10_000  # open ones, and as many answers remembered
HOLDS_PER_BETTOR_MAX: Final = 100_000  # bets for which an account holds money
REFERENCES_PER_BETTOR_MAX: Final = 1_000  # deposits and withdrawals remembered
BETTORS_PER_SHARD_MAX: Final = 1_000_000
ROUTED_BETS_MAX: Final = 4_000_000  # bet ids an event remembers of markets in other shards
MOVED_BYTES_MAX: Final = 64 * 1_048_576  # of a market's state that goes to another shard
MOVING_WAITING_MAX: Final = 10_000  # requests for a market that is on its way home
LEGS_PER_MARKET_MAX: Final = 100_000
EXPOSURE_RELEASE_MS: Final = 1_000  # after which what is held beyond an exposure is let go
TRANSFER_DEADLINE_MS: Final = 10_000  # after which a bet that waits for another shard is refused

BET_DELAY_MS_MAX: Final = 60_000
TOLERANCE_E4_MAX: Final = ODDS_MAX_E4
EVENT_RETENTION_MS: Final = 24 * 3_600_000  # a settled event is remembered this long

TRUST_CLASSES_MAX: Final = 64
BETTORS_WITH_CLASS_MAX: Final = 5_000  # named in one message
LEVERS_PER_EVENT_MAX: Final = 10_000
REFERRAL_TIMEOUT_MS_MAX: Final = 600_000
JUMPS_REMEMBERED_MAX: Final = 32  # of a market's prices
LATE_WINDOW_MS: Final = 60_000  # jumps of so long say how likely another is

SETTLE_CHUNK_BETS: Final = 1_000  # bets settled at once; other inputs come between
SETTLE_CHUNK_EVERY_MS: Final = 10  # engine time from one such chunk to the next
OPERATIONS_WAITING_MAX: Final = 100  # for a market whose settlement is under way
TRANSACTION_RECORDS_MAX: Final = 4_000
POLL_RECORDS_MAX: Final = 2_000
QUERY_PAGE_BETS_MAX: Final = 5_000

ABLY_CHANNELS_PER_BATCH_MAX: Final = 100
ABLY_MESSAGES_PER_BATCH_MAX: Final = 1_000
ABLY_BATCH_BYTES_MAX: Final = 2 * 1_048_576
ABLY_MESSAGE_BYTES_MAX: Final = 65_536
ABLY_MESSAGES_PER_CHANNEL_PER_SECOND: Final = 50
ABLY_PUSHES_PER_BATCH_MAX: Final = 10_000

if not (
    ODDS_ONE < ODDS_MIN_E4 < ODDS_MAX_E4
    and STAKE_MAX_MINOR * (ODDS_MAX_E4 // ODDS_ONE) < MONEY_MAX_MINOR
    and 2 * STAKE_MAX_MINOR <= MARKET_STAKES_MAX_MINOR
    and MARKET_STAKES_MAX_MINOR * ODDS_ONE < MONEY_MAX_MINOR
    and MARKET_STAKES_MAX_MINOR * (ODDS_MAX_E4 // ODDS_ONE) < MONEY_MAX_MINOR
    and DEAD_LETTER_VALUE_BYTES_MAX <= RECORD_BYTES_MAX <= ABLY_BATCH_BYTES_MAX
    and POLL_RECORDS_MAX <= TRANSACTION_RECORDS_MAX
    and ABLY_MESSAGES_PER_BATCH_MAX >= ABLY_CHANNELS_PER_BATCH_MAX
):
    raise AssertionError("the limits contradict each other")
