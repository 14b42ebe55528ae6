"""Chrome: a warm session for each thread, one page after another on it, and hooks' live page.

Belongs here: ``pool`` (which session is lent, and when it ends), ``browser`` (a session at work),
``navigation`` (go to a page, and find out what came), ``document`` (ask what document is there),
``page`` (hooks' questions to it), ``steps`` (waits and clicks), ``reasons`` (Chrome's errors in our
words), and three folders: ``transport`` (the ways to a page), ``chrome`` (Chrome before its first
page), ``artifacts`` (what a page leaves besides its document). What is true of Chrome, and was
measured, is told where it is dealt with.

Does not: the frontier, the environment, and what a page means to its crawl (``run``).
"""
