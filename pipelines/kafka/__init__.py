"""Adapters that fill the log ports with confluent-kafka; nothing else imports it."""
