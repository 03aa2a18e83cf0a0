"""Why a request was refused: standard codes, each with a sentence that a bettor understands.

Names follow Betfair's ExecutionReportErrorCode and InstructionReportErrorCode, MTS and Pinnacle
where Betfair has no word (docs/messages.md lists the source of each).
"""

from enum import StrEnum
from typing import Final

__all__ = ["SENTENCES", "Code"]


class Code(StrEnum):
    """Standard code of a refusal; the value is what goes over the wire."""

    INVALID_INPUT_DATA = "INVALID_INPUT_DATA"
    INVALID_MARKET_ID = "INVALID_MARKET_ID"
    INVALID_EVENT_ID = "INVALID_EVENT_ID"
    EVENT_KEY_MISMATCH = "EVENT_KEY_MISMATCH"
    INVALID_RUNNER = "INVALID_RUNNER"
    RUNNER_REMOVED = "RUNNER_REMOVED"
    INVALID_BET_SIZE = "INVALID_BET_SIZE"
    ABOVE_MAX_BET_AMOUNT = "ABOVE_MAX_BET_AMOUNT"
    INVALID_ODDS = "INVALID_ODDS"
    INVALID_PRICE_POLICY = "INVALID_PRICE_POLICY"
    ODDS_CHANGED = "ODDS_CHANGED"
    INVALID_MARKET_VERSION = "INVALID_MARKET_VERSION"
    MARKET_SUSPENDED = "MARKET_SUSPENDED"
    MARKET_NOT_OPEN_FOR_BETTING = "MARKET_NOT_OPEN_FOR_BETTING"
    LOSS_LIMIT_EXCEEDED = "LOSS_LIMIT_EXCEEDED"
    TOO_MANY_BETS = "TOO_MANY_BETS"
    DUPLICATE_TRANSACTION = "DUPLICATE_TRANSACTION"
    PERMISSION_DENIED = "PERMISSION_DENIED"
    BET_TAKEN_OR_LAPSED = "BET_TAKEN_OR_LAPSED"
    INVALID_BET_ID = "INVALID_BET_ID"
    EVENT_RETIRED = "EVENT_RETIRED"
    # orders on an exchange
    INVALID_ORDER_TYPE = "INVALID_ORDER_TYPE"
    INVALID_PERSISTENCE_TYPE = "INVALID_PERSISTENCE_TYPE"
    INVALID_MIN_FILL_SIZE = "INVALID_MIN_FILL_SIZE"
    UNEXPECTED_MIN_FILL_SIZE = "UNEXPECTED_MIN_FILL_SIZE"
    TIME_IN_FORCE_CONFLICT = "TIME_IN_FORCE_CONFLICT"
    MARKET_NOT_OPEN_FOR_BSP_BETTING = "MARKET_NOT_OPEN_FOR_BSP_BETTING"
    BET_LAPSED_PRICE_IMPROVEMENT_TOO_LARGE = "BET_LAPSED_PRICE_IMPROVEMENT_TOO_LARGE"
    INVALID_BACK_LAY_COMBINATION = "INVALID_BACK_LAY_COMBINATION"
    INVALID_PRICE_EDIT = "INVALID_PRICE_EDIT"
    NO_ACTION_REQUIRED = "NO_ACTION_REQUIRED"
    FILL_OR_KILL = "FILL_OR_KILL"
    TURNED_IN_PLAY = "TURNED_IN_PLAY"
    SP_NOT_REACHED = "SP_NOT_REACHED"
    # accounts and multiples
    INSUFFICIENT_FUNDS = "INSUFFICIENT_FUNDS"
    INVALID_ACCOUNT_STATE = "INVALID_ACCOUNT_STATE"
    EXPIRED_DOWNSTREAM = "EXPIRED_DOWNSTREAM"
    RELATED_CONTINGENCY = "RELATED_CONTINGENCY"
    INVALID_BET_TYPE = "INVALID_BET_TYPE"
    NOT_COMBINABLE = "NOT_COMBINABLE"
    DUPLICATE_TRANSFER = "DUPLICATE_TRANSFER"
    # cash-out
    BET_IN_PROGRESS = "BET_IN_PROGRESS"
    CASH_OUT_UNAVAILABLE = "CASH_OUT_UNAVAILABLE"
    # risk
    NOT_ACCEPTED = "NOT_ACCEPTED"
    TOO_MANY_LEVERS = "TOO_MANY_LEVERS"
    # markets in other shards
    NOT_ISOLABLE = "NOT_ISOLABLE"
    MARKET_ON_THE_MOVE = "MARKET_ON_THE_MOVE"
    # operators
    DUPLICATE_EVENT = "DUPLICATE_EVENT"
    DUPLICATE_MARKET = "DUPLICATE_MARKET"
    INVALID_STATUS = "INVALID_STATUS"
    MARKET_STILL_OPEN = "MARKET_STILL_OPEN"
    ALREADY_SETTLED = "ALREADY_SETTLED"
    NOT_SETTLED = "NOT_SETTLED"
    INVALID_RESULT = "INVALID_RESULT"
    TOO_MANY_MARKETS = "TOO_MANY_MARKETS"
    UNCHANGED = "UNCHANGED"
    MARKET_BEING_SETTLED = "MARKET_BEING_SETTLED"


SENTENCES: Final[dict[Code, str]] = {
    Code.INVALID_INPUT_DATA: "The request could not be understood.",
    Code.INVALID_MARKET_ID: "This market does not exist.",
    Code.INVALID_EVENT_ID: "This event does not exist.",
    Code.EVENT_KEY_MISMATCH: "The request was addressed to another event.",
    Code.INVALID_RUNNER: "This selection does not take part in the market.",
    Code.RUNNER_REMOVED: "This selection has been withdrawn.",
    Code.INVALID_BET_SIZE: "The stake is not a valid amount.",
    Code.ABOVE_MAX_BET_AMOUNT: "The stake is above the limit for this market.",
    Code.INVALID_ODDS: "The odds are not on the price ladder.",
    Code.INVALID_PRICE_POLICY: "The price policy must be exact, better or any.",
    Code.ODDS_CHANGED: "The odds have changed. Your bet was not taken.",
    Code.INVALID_MARKET_VERSION: "The market changed before your bet arrived. It was not taken.",
    Code.MARKET_SUSPENDED: "The market is suspended. Your bet was not taken.",
    Code.MARKET_NOT_OPEN_FOR_BETTING: "The market is closed. Your bet was not taken.",
    Code.LOSS_LIMIT_EXCEEDED: "The book cannot take this much on this selection.",
    Code.TOO_MANY_BETS: "The market has taken all the bets it can hold.",
    Code.DUPLICATE_TRANSACTION: "Another bet with this id exists. This one was not taken.",
    Code.PERMISSION_DENIED: "You are not signed in, or not as the bettor named in the bet.",
    Code.BET_TAKEN_OR_LAPSED: "The bet can no longer be cancelled.",
    Code.INVALID_BET_ID: "There is no such bet.",
    Code.EVENT_RETIRED: "The event is over and no longer kept.",
    Code.INVALID_ORDER_TYPE: "This market takes no such order.",
    Code.INVALID_PERSISTENCE_TYPE: "The order cannot be kept in this way when the market turns.",
    Code.INVALID_MIN_FILL_SIZE: "The smallest part to match is above the size of the order.",
    Code.UNEXPECTED_MIN_FILL_SIZE: "Only a fill or kill order has a smallest part to match.",
    Code.TIME_IN_FORCE_CONFLICT: "Fill or kill does not go with the other terms of the order.",
    Code.MARKET_NOT_OPEN_FOR_BSP_BETTING: "The market takes no bets at the starting price.",
    Code.BET_LAPSED_PRICE_IMPROVEMENT_TOO_LARGE: "A far better price was there. You chose to pass.",
    Code.INVALID_BACK_LAY_COMBINATION: "The order would have been matched with one of your own.",
    Code.INVALID_PRICE_EDIT: "The order has these odds already, or cannot have others.",
    Code.NO_ACTION_REQUIRED: "The order is so already.",
    Code.FILL_OR_KILL: "The order could not be matched at once, as you had asked.",
    Code.TURNED_IN_PLAY: "The market turned in-play. What was unmatched lapsed.",
    Code.SP_NOT_REACHED: "The starting price did not take your order, or not all of it.",
    Code.INSUFFICIENT_FUNDS: "Your account does not have this much.",
    Code.INVALID_ACCOUNT_STATE: "You have no account that is open for betting.",
    Code.EXPIRED_DOWNSTREAM: "No answer came in time. Your bet was not taken.",
    Code.RELATED_CONTINGENCY: "Two selections of one event cannot be combined.",
    Code.INVALID_BET_TYPE: "The number of selections does not fit the type of bet.",
    Code.NOT_COMBINABLE: "This market does not take part in multiples, or not in this one.",
    Code.DUPLICATE_TRANSFER: "This was received before.",
    Code.BET_IN_PROGRESS: "The bet has not been taken yet.",
    Code.CASH_OUT_UNAVAILABLE: "This bet cannot be cashed out now.",
    Code.NOT_ACCEPTED: "The bookmaker did not take this bet.",
    Code.TOO_MANY_LEVERS: "The event has all the levers it can hold.",
    Code.NOT_ISOLABLE: "This cannot be done with markets in other shards.",
    Code.MARKET_ON_THE_MOVE: "The market is being moved. Try again in a moment.",
    Code.DUPLICATE_EVENT: "The event was opened before, with other contents.",
    Code.DUPLICATE_MARKET: "The market was opened before, with other contents.",
    Code.INVALID_STATUS: "The market cannot go from its status to the one asked for.",
    Code.MARKET_STILL_OPEN: "The market must be suspended or closed before its result.",
    Code.ALREADY_SETTLED: "The market has a result; roll it back first.",
    Code.NOT_SETTLED: "The market has no result that could be rolled back.",
    Code.INVALID_RESULT: "The result names selections that cannot have it.",
    Code.TOO_MANY_MARKETS: "The event or the shard holds all the markets it may.",
    Code.UNCHANGED: "Nothing was to change.",
    Code.MARKET_BEING_SETTLED: "The market is being settled, and too much waits for its end.",
}

if set(SENTENCES) != set(Code):
    raise AssertionError("every code needs its sentence")
