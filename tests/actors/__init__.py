"""The actors, on a local Ray."""
