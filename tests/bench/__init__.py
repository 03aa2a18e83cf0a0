"""Speed and memory, printed with their conditions; nothing here asserts on seconds."""
