"""The journal outside of Kafka: files whose records are chained by hashes."""
