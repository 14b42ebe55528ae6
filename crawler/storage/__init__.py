"""Redis, for every room that keeps something there: connections, errors, and the calling of Lua
scripts.

Belongs here: what is true of any Redis. Does not: the meaning of a crawl's keys (``frontier/``).
"""
