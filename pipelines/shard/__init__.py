"""The pure core: `decide(state, input) -> entries`, `evolve(state, entry)`. No I/O, no clock.

In the order in which a record passes through: decode, identify, dedupe, validate (and risk, book,
price inside it), settle; `evolve` alone changes `state`; `engine` joins them for the loop.
"""
