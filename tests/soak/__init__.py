"""The whole system for a long time, and under more than it can take."""
