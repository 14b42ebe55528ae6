"""Pages without a browser: fetched by HTTP and parsed; what touches a tab brings a browser.

Belongs here: the session (``http_session``), its pool, the parsed document and what hooks see of
it. Does not: HTTP itself (``net/http_client``), and when a page is fetched so (``run/``).
"""
