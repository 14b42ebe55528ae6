"""What a URL means, and whether it belongs to a crawl. Pure: strings in, values out.

Belongs here: addresses, canonical forms, scope, the texts of robots.txt and sitemaps. Does not:
anything that asks the network (``net/``).
"""
