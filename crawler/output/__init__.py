"""What a crawl gives to people and files: results, exports, reports.

Belongs here: forms of results. Does not: how a page is read (``browser/``,
``definition/selectors``).
"""
