"""Chrome before its first page: its endpoint, processes and options, emulation, session registry.

Does not belong here: fetching a page (``browser/transport``), and which session is lent
(``browser/pool``).
"""
