"""Small sites to crawl from end to end."""

from __future__ import annotations

from .server import Request, route


@route("/tree/")
def tree(request: Request) -> None:
    """A binary tree of ``size`` pages (31 unless asked otherwise): /tree/0 links to 1 and 2, each
    page to its parent.
    """
    n, size = int(request.rest.partition("?")[0] or 0), int(request.query.get("size", 31))
    tail = f"?size={size}" if "size" in request.query else ""
    links = [child for child in (2 * n + 1, 2 * n + 2) if child < size] + (
        [(n - 1) // 2] if n else []
    )
    request.html(
        f"<h1>Page {n}</h1>"
        + "".join(f"<a href='/tree/{link}{tail}'>{link}</a> " for link in links),
        title=f"Page {n}",
    )
