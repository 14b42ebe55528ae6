"""Watching crawls from other systems: logs, traces, metrics.

Belongs here: the forms in which other systems get them. Does not: the output for the person at the
terminal (``cli/``).
"""
