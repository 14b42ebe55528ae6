"""Runs of a crawl: each does one page, from the frontier to its result, in the order of the steps.

Belongs here: the steps, what they share, and the tick that starts runs which are missing. Does not:
starting a crawl (``client/``), Celery (``tasks/``).
"""
