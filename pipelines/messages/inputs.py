"""All that the input topics may hold: on books of events, on a bettor's own, on a shard's all."""

from pipelines.messages.account_operations import AccountOperation
from pipelines.messages.coupon_requests import CouponRequest
from pipelines.messages.isolation_operations import IsolationOperation
from pipelines.messages.operations import Operation
from pipelines.messages.requests import Request
from pipelines.messages.risk_operations import ShardRiskSet

__all__ = ["AnyOperation", "AnyRequest"]

AnyRequest = Request | CouponRequest
AnyOperation = Operation | AccountOperation | IsolationOperation | ShardRiskSet
