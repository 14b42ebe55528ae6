"""Load tests that measure the job: ``crawler load``.

Belongs here: scenarios and their targets, what is brought up for a test, what is sampled while it
goes on, and its report. Does not: the users, which Locust runs in a process of its own
(``contrib/load_users.py``).
"""
