"""Reports as pages for a browser: one file each, which asks for nothing from elsewhere.

Belongs here: the frame of such a page, its tables and charts, and the report of a crawl. Does not:
where its facts come from; the facts of load tests (``loadtest/load_report``).
"""
