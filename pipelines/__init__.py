"""How data flows, as plain Python: messages, the shard's stages, loop, publisher, notifier."""
