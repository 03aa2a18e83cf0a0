"""Replays of recordings and the simulator: bettors at the edge, a feed on topic `events`."""
