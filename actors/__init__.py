"""Who runs: thin Ray shells over the classes of `pipelines`."""
