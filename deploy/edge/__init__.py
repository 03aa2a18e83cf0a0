"""The edge: a server that speaks Ably's protocol, so that unmodified Ably SDKs connect to it.

For development, tests and closed networks. Way of a message: `websocket.py` or `rest_*.py` read
it, `dispatch.py` and `publishing.py` judge it, `channel.py` orders and keeps it, attached
connections get its frame, and `kafka_rule.py` hands it to Kafka where a rule says so.
"""
