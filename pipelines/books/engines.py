"""Which class keeps which engine's book."""

from typing import Final

from pipelines.books.book import Book
from pipelines.books.fixed import FixedBook
from pipelines.books.pool import PoolBook
from pipelines.messages.operations import Market

__all__ = ["ENGINES", "open_book"]

ENGINES: Final[dict[str, type[Book]]] = {"pool": PoolBook, "fixed": FixedBook}


def open_book(market: Market) -> Book:
    """Return the empty book of a market."""
    return ENGINES[market.engine](market)
