"""What a market's book of one engine goes by, beyond what all markets have: parts of `Market`."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from pipelines.limits import (
    FLOORS_MAX,
    LIQUIDITY_MAX_MINOR,
    MONEY_MAX_MINOR,
    ODDS_MAX_E4,
    SELECTIONS_PER_MARKET_MAX,
    STAKE_MAX_MINOR,
)

__all__ = ["FixedRules", "LmsrRules", "PoolRules", "Probabilities"]

#: Pairs of selection id and probability in millionths; normalized by who uses them.
Probabilities = Annotated[
    tuple[
        tuple[Annotated[int, Meta(ge=0, le=2**53)], Annotated[int, Meta(ge=1, le=1_000_000)]],
        ...,
    ],
    Meta(max_length=SELECTIONS_PER_MARKET_MAX),
]


class LmsrRules(Struct, frozen=True):
    """An automated market maker: shares pay one minor unit each if their selection wins.

    `liquidity_minor` is the b of the logarithmic market scoring rule; or `max_loss_minor` is the
    most it may lose, from which b follows. `alpha_e6` above 0: liquidity-sensitive, b grows as
    alpha times the shares, from `seed_minor` shares of each. `probabilities` to begin with;
    without them all are alike.
    """

    liquidity_minor: Annotated[int, Meta(ge=0, le=LIQUIDITY_MAX_MINOR)] = 0
    max_loss_minor: Annotated[int, Meta(ge=0, le=LIQUIDITY_MAX_MINOR)] = 0
    alpha_e6: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    seed_minor: Annotated[int, Meta(ge=0, le=LIQUIDITY_MAX_MINOR)] = 0
    probabilities: Probabilities = ()


class FixedRules(Struct, frozen=True):
    """A bookmaker's book beyond its offered odds; each rule is off at 0 or "".

    Prices: `probabilities` with a `margin_e4` by a `margin_model` become the first odds;
    `line_liquidity_minor` moves odds with what is owed, at most `line_move_max_e4` of the odds
    that were set. Bets: `stake_factor_e4` of what the loss limit leaves room for;
    `payout_max_minor` a bet. Terms: `each_way_divisor` makes each bet half a win bet, half a place
    bet at that fraction of the odds on `each_way_places` places; `rule_4` reduces winnings after a
    withdrawal. `line` of a handicap or total in quarters of a goal, -3 is -0.75.
    `cash_out_margin_e4` is what a bet is bought back for less than it is worth. `show_fair`: the
    odds image says which probabilities the odds stand for, less the margin by the `margin_model`.
    """

    margin_model: Literal["proportional", "additive", "power", "shin", "odds_ratio"] = (
        "proportional"
    )
    margin_e4: Annotated[int, Meta(ge=0, le=10_000)] = 0
    probabilities: Probabilities = ()
    line_liquidity_minor: Annotated[int, Meta(ge=0, le=LIQUIDITY_MAX_MINOR)] = 0
    line_move_max_e4: Annotated[int, Meta(ge=0, le=9_000)] = 2_000
    stake_factor_e4: Annotated[int, Meta(ge=0, le=10_000)] = 10_000
    payout_max_minor: Annotated[int, Meta(ge=0, le=MONEY_MAX_MINOR)] = 0
    each_way_divisor: Annotated[int, Meta(ge=0, le=100)] = 0
    each_way_places: Annotated[int, Meta(ge=0, le=SELECTIONS_PER_MARKET_MAX)] = 0
    rule_4: bool = False
    line_type: Literal["", "HANDICAP", "TOTAL"] = ""
    line: Annotated[int, Meta(ge=-4_000, le=4_000)] = 0
    cash_out_margin_e4: Annotated[int, Meta(ge=0, le=10_000)] = 0
    show_fair: bool = False

    def cashes_out(self) -> bool:
        """Return whether the odds of a moment say what a bet is worth: not so of these terms."""
        return not self.each_way_divisor and not self.line_type


#: Pairs of a calculated dividend and what is paid below it, in ten-thousandths.
Floors = Annotated[
    tuple[
        tuple[
            Annotated[int, Meta(ge=1, le=ODDS_MAX_E4)], Annotated[int, Meta(ge=1, le=ODDS_MAX_E4)]
        ],
        ...,
    ],
    Meta(max_length=FLOORS_MAX),
]


class PoolRules(Struct, frozen=True):
    """A pool beyond takeout and breakage.

    `carry_in_minor` was carried over from another pool and is shared with the net pool;
    `no_winner` says what happens where nobody staked on a winner. `floors`: pairs of a calculated
    dividend and what is paid where it is lower than that; `dead_heat_floors` the same of selections
    that share a place, in place of `floors` and the minimum dividend. `combination`: selections are
    orders of finish of so many runners, named by `combinations`: selection id and runner ids in
    order. `rounding` of dividends to the breakage; to the nearest may cost more than the pool has.
    """

    carry_in_minor: Annotated[int, Meta(ge=0, le=STAKE_MAX_MINOR)] = 0
    no_winner: Literal["refund", "carry_over", "next"] = "refund"
    floors: Floors = ()
    combination: Literal["", "EXACTA", "QUINELLA", "TRIFECTA"] = ""
    combinations: Annotated[
        tuple[tuple[int, tuple[int, ...]], ...], Meta(max_length=SELECTIONS_PER_MARKET_MAX)
    ] = ()
    dead_heat_floors: Floors = ()
    rounding: Literal["down", "nearest"] = "down"
