"""Redis, for all who keep something there: connections, errors, and the calling of Lua scripts.

Belongs here: what is true of any Redis. Does not: what the keys of a crawl mean (``frontier/``).
"""
