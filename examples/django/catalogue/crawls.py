"""The crawls of this app. Workers find them here; so do views and the admin."""

from django.conf import settings

from crawler import Crawl

from .models import Book

books = Crawl(
    name="books",
    url=settings.SHOP_URL,
    depth_limit=None,
    concurrency_limit=2,
    delay=settings.SHOP_DELAY,
)


@books.extract
def book(page):
    if page.text("article.book h1"):
        return {"title": page.text("h1"), "price": page.text(".price") or ""}
    return None


@books.after
def save(result):
    if result.data:
        Book.objects.update_or_create(url=result.page.url, defaults=result.data)
