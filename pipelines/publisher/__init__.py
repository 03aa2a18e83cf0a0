"""What shards decided goes out to bettors, in the order of the files.

odds          topic `odds`      to publications on outbound:odds:<event> and outbound:events
receipts      topic `journal`   to publications on outbound:bets:<bettor>
conflation    which of them go with the next request, and how far each topic is done
publisher     reads, conflates, publishes, commits
"""
