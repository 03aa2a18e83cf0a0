"""All that the input topics may hold: on the books of events, and on a bettor's own."""

from pipelines.messages.account_operations import AccountOperation
from pipelines.messages.coupon_requests import CouponRequest
from pipelines.messages.isolation_operations import IsolationOperation
from pipelines.messages.operations import Operation
from pipelines.messages.requests import Request

__all__ = ["AnyOperation", "AnyRequest"]

AnyRequest = Request | CouponRequest
AnyOperation = Operation | AccountOperation | IsolationOperation
