"""The definition of a crawl: fields and hooks, how they are checked and loaded, and the values that
follow from them.

Belongs here: all that an author writes, what is wrong with it, and functions that take a crawl.
Does not: what a run does with it (``run/``), what a URL means (``urls/``).
"""
