"""Files that results are written to: those that follow a crawl, and those that are written whole.

Belongs here: what keeps a file right whatever dies, and whose it is. Does not: the form of what is
in it (``output/export``, ``output/items``).
"""
