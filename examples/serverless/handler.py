"""What the function does: one page, and the next invocations. Its image holds Chrome, this folder
and celery-crawler.
"""

from shop import shop

import crawler
from crawler import Result


def handle(event, context):  # noqa: ARG001, Lambda passes it
    """Run one page. ``event`` is what `start` sent; the frontier, not the event, says which page it
    is.
    """
    made = crawler.execute(shop, event["ticket"])
    return {"page": made.page.url} if isinstance(made, Result) else {"outcome": str(made)}
