"""The ways to a page: WebDriver, and Chrome's DevTools protocol.

Belongs here: navigating, asking a document, and whether the session is alive. Does not: what a page
means to a crawl (``browser/page``, ``browser/browser``).
"""
