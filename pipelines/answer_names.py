"""What the loop's metrics call the answers that a shard gives."""

from typing import Final

from pipelines.messages import bettor_entries as be
from pipelines.messages import cash_out_entries as co
from pipelines.messages import entries as e
from pipelines.messages import order_entries as oe

__all__ = ["ANSWER_NAMES"]

ANSWER_NAMES: Final = {
    e.BetAccepted: "accepted",
    e.BetPartlyAccepted: "accepted",
    e.BetPending: "pending",
    e.BetRejected: "rejected",
    e.BetConfirmed: "confirmed",
    e.BetPartlyConfirmed: "confirmed",
    e.BetDeclined: "declined",
    e.BetCancelled: "cancelled",
    e.CancelRejected: "cancel_rejected",
    e.BetRepeated: "repeated",
    e.BetConflict: "conflict",
    e.RequestRefused: "refused",
    e.RecordDeadLettered: "dead_lettered",
    e.BetSettled: "settled",
    e.BetUnsettled: "unsettled",
    oe.OrderPlaced: "accepted",
    oe.OrderTraded: "accepted",
    oe.OrderPending: "pending",
    oe.OrderRejected: "rejected",
    oe.OrderConfirmed: "confirmed",
    oe.BetMatched: "matched",
    oe.OrderCancelled: "cancelled",
    oe.OrderLapsed: "lapsed",
    oe.OrderUpdated: "updated",
    oe.ChangeRejected: "change_rejected",
    oe.BetVoided: "voided",
    co.CashOutQuoted: "cash_out_quoted",
    co.BetCashedOut: "cashed_out",
    co.BetPartlyCashedOut: "cashed_out",
    co.CashOutRejected: "cash_out_rejected",
    be.CouponPending: "pending",
    be.CouponRejected: "rejected",
    be.CouponAccepted: "confirmed",
    be.CouponDeclined: "declined",
    be.CouponSettled: "settled",
    be.CouponUnsettled: "unsettled",
}
