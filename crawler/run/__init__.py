"""One run: one page, from the frontier to its result, in the order of the life cycle.

Belongs here: the steps and what they share. Does not: starting a crawl (``client/``), Celery
(``tasks/``).
"""
