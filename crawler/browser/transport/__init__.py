"""The ways to a page: WebDriver, and Chrome's DevTools protocol beside it.

Belongs here: the interface (``base``), its implementations (``webdriver``, ``devtools``), the
scripts that run in pages. Does not: what came of a navigation (``browser/navigation``), and what a
page means to a crawl.
"""
