"""The pages of a crawl, in Redis: queued, delayed, processing, done or failed, exactly one of them
at every instant.

Every move is one Lua script (``crawler/frontier/lua``), every claim is a lease with a random token,
and Redis's clock is the only one. A message that is lost, doubled or late changes when a page is
done, never whether. Nothing here knows Celery, Chrome or the environment.
"""
