"""Chrome for a page that somebody tries: what it leaves for people, and a page that was saved.

Belongs here: more of a page than a crawl asks for, kept from its hooks. Does not: how it is shown.
"""
