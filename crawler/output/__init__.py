"""Results on their way to people and files: result files, exports, reports.

Belongs here: the forms of results. Does not: how a page is read (``browser/``,
``definition/selectors``).
"""
