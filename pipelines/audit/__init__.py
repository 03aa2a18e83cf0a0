"""The audit: proves from the topics alone that no bet was lost, doubled or settled wrongly.

partition    reads one partition's journal in order and shows each record to the checks below
sequences    numbers of shard, events and markets are dense and rise
answers      each input has its answer: `inputs` finds the record, `replies` the entries it needs,
             `firsts` remembers who was answered
letters      what could not be read is in `dead-letters`
odds         what the fold shows is what `odds` holds
money        postings of each market sum to zero, each stake is accounted for, payouts are right
hashes       a running shard's state is the fold's
channels     what subscribers got (`history` reads it)
report       what was found, immutable; `tally` collects it
"""
