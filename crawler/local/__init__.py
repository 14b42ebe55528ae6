"""The services that ``crawler start`` starts by itself on this machine: Redis, and workers.

Belongs here: processes of this machine and their files. Does not: Chrome's processes
(``browser/chrome/``).
"""
