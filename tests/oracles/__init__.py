"""Slow, obvious oracles of the books and of a market's life; they share no code with either."""
