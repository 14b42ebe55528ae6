"""The meaning of URLs, and the bounds of a crawl. Pure: strings in, values out.

Belongs here: addresses, canonical forms, scope, the texts of robots.txt and sitemaps. Does not:
anything that asks the network (``net/``).
"""
