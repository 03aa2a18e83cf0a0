"""What the topics hold: immutable, typed, versioned messages (docs/messages.md shows each).

requests   `bets`          what a bettor asks for
operations `events`        what an operator or a price feed says
entries    `journal`       what was decided, in order
images     `odds`          one market as bettors see it
notices    `notices`       what was pushed to whom
dead_letters `dead-letters` what could not be understood
"""
