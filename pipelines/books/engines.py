"""Which class keeps which engine's book."""

from typing import Final

from pipelines.books.book import Book
from pipelines.books.exchange import ExchangeBook
from pipelines.books.fixed import FixedBook
from pipelines.books.fixed_line import LineBook
from pipelines.books.lmsr_book import LmsrBook
from pipelines.books.pool import PoolBook
from pipelines.messages.operations import Market

__all__ = ["ENGINES", "open_book"]

ENGINES: Final[dict[str, type[Book]]] = {
    "pool": PoolBook,
    "fixed": FixedBook,
    "exchange": ExchangeBook,
    "lmsr": LmsrBook,
}


def open_book(market: Market) -> Book:
    """Return the empty book of a market."""
    if market.fixed is not None and market.fixed.line_liquidity_minor:
        return LineBook(market)
    return ENGINES[market.engine](market)
