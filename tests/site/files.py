"""What a crawler reads without a browser: robots.txt, sitemaps; and an echo of what it sent."""

from __future__ import annotations

import gzip
import json

from .server import Request, route


def urlset(request: Request, *paths: str) -> bytes:
    """A sitemap of ``paths`` on this site."""
    entries = "".join(f"<url><loc>{request.server.url(path)}</loc></url>" for path in paths)
    return (
        f"<urlset xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'>{entries}</urlset>".encode()
    )


@route("/robots.txt")
def robots(request: Request) -> None:
    body = "User-agent: *\nAllow: /\nSitemap: /sitemap.xml\n"
    request.answer(body.encode(), Content_Type="text/plain")


@route("/sitemap.xml")
def sitemap(request: Request) -> None:
    """Two pages, in an index of a plain and a compressed sitemap and one that is missing."""
    paths = ("/sitemap-a.xml", "/sitemap-b.xml.gz", "/sitemap-missing.xml")
    entries = "".join(f"<sitemap><loc>{request.server.url(path)}</loc></sitemap>" for path in paths)
    request.answer(
        f"<sitemapindex>{entries}</sitemapindex>".encode(), Content_Type="application/xml"
    )


@route("/sitemap-a.xml")
def sitemap_a(request: Request) -> None:
    request.answer(
        urlset(request, "/listed/a", "/listed/brochure.pdf"), Content_Type="application/xml"
    )


@route("/sitemap-b.xml.gz")
def sitemap_b(request: Request) -> None:
    request.answer(
        gzip.compress(urlset(request, "/listed/b", "/listed/a")), Content_Type="application/gzip"
    )


@route("/echo")
def echo(request: Request) -> None:
    """The request's headers as JSON, compressed if the client can read that."""
    body = json.dumps({name.lower(): value for name, value in request.headers.items()}).encode()
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        request.answer(gzip.compress(body), Content_Encoding="gzip")
    else:
        request.answer(body)


@route("/bomb")
def bomb(request: Request) -> None:
    """Two hundred megabytes of nothing, in two hundred kilobytes."""
    request.answer(gzip.compress(bytes(200_000_000), 9), Content_Encoding="gzip")


@route("/drip")
def drip(request: Request) -> None:
    """An answer of which one byte arrives each moment, without an end."""
    request.close_connection = True
    request.connection.sendall(b"HTTP/1.1 200 OK\r\nX-")
    while not request.server.closing.wait(0.05):
        request.connection.sendall(b"x")


@route("/sitemap-dated.xml")
def sitemap_dated(request: Request) -> None:
    """Two pages: one of long ago, and one of the year 2090."""
    entries = "".join(
        f"<url><loc>{request.server.url(f'/dated/{year}')}</loc><lastmod>{year}-01-01</lastmod></url>"
        for year in (2010, 2090)
    )
    request.answer(f"<urlset>{entries}</urlset>".encode(), Content_Type="application/xml")
