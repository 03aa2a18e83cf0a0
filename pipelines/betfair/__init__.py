"""Betfair's Exchange Stream format as an input: recordings to operations, and made-up recordings.

`recording` reads files, `market_cache` folds messages to market images, `translation` says in the
product's operations what changed, `generator` writes files of the same format.
"""
