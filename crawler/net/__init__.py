"""The ways out of this machine: which hosts may be talked to, through which proxy, and plain HTTP.

Belongs here: connections that are not Chrome's own. Does not: what a URL means (``urls/``), Chrome
(``browser/``).
"""
