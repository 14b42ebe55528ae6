"""How a crawl is watched: logs, traces, metrics.

Belongs here: what is told to other systems. Does not: what is told to the person at the terminal
(``cli/``).
"""
