"""The whole engine in one process on simulated time, Kafka and edge, with seeded faults."""
