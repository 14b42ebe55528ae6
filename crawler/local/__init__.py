"""What ``crawler start`` brings up by itself on this machine: Redis, workers, their processes.

Belongs here: processes of this machine and their files. Does not: Chrome's processes
(``browser/chrome/``).
"""
