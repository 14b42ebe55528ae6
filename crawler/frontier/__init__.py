"""The pages of a crawl, in Redis: each is queued, delayed, processing, done or failed at every
instant.

Every move is one Lua script (``crawler/frontier/lua``), every claim is a lease with a random token,
and Redis's clock is the only one. A message that is lost, doubled or late changes when a page is
done, never whether.

Belongs here: all that reads or writes the keys of a crawl. Does not: other things in Redis
(``storage/``), starting runs (``client/``); nothing here knows Celery, Chrome or the environment.
"""
