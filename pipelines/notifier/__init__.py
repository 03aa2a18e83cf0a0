"""Bettors hear of results and starts by push, in the order of the files.

query       what a shard is asked: who won, who has bets
wording     what bettors read
outcomes    a market's bets to one push a bettor
sent_log    what was pushed already
entry_job   one journal entry's pushes, step by step
notifier    reads `journal`, asks, pushes, notes, commits
"""
