"""Random sequences through the engine against slow, obvious oracles that share no code with it."""
