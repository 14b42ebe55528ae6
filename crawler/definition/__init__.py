"""What an author writes: the crawl, its fields and hooks, and how it is loaded.

Belongs here: all that is said in a definition, and what is wrong with it. Does not: what a run does
with it (``run/``), what a URL means (``urls/``).
"""
