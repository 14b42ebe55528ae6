"""Chrome itself: where it is, its processes and options, what it pretends to be, which sessions
live.

Belongs here: what is set up before the first page. Does not: fetching a page
(``browser/transport/``).
"""
