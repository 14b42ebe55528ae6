"""The live view of crawls in a terminal.

Belongs here: what is read of a crawl (``crawl_state``), how it is laid out (``screen``, ``layout``:
pure), and the terminal (``terminal_screen``, ``view``). Does not: what a command does.
"""
