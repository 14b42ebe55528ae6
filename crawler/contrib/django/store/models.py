"""The tables: one row for each page of a crawl that gave a result, and how far each crawl's results
have been stored.
"""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from ....model import ID_LENGTH, ROUTE_NAME_MAX
from ....redaction import masked
from ....text.printable import printable


class StoredCrawl(models.Model):
    """The progress of storing a crawl's results. ``position`` is a place in its stream in Redis;
    ``lost`` counts results that Redis trimmed before they were stored.
    """

    name = models.CharField(max_length=64, unique=True)
    # which of the crawls that had this name
    origin = models.CharField(max_length=40, editable=False, default="")
    position = models.CharField(max_length=40, editable=False, default="0")
    # running number of the last result
    number = models.PositiveBigIntegerField(editable=False, default=0)
    # the origin of the crawl whose end was compared with the rows: see sink.compare
    compared = models.CharField(max_length=40, editable=False, default="")
    lost = models.PositiveBigIntegerField(editable=False, default=0)

    def __str__(self) -> str:
        return str(self.name)


class StoredResult(models.Model):
    """The last result of a page. A page of a crawl has one row, however often it is fetched.

    ``first_seen`` and ``last_seen`` are visits that went well, over all generations of the crawl;
    ``vanished`` is when it was found gone, None while it is there.
    """

    crawl = models.ForeignKey(StoredCrawl, on_delete=models.CASCADE, related_name="results")
    page = models.CharField(
        max_length=ID_LENGTH, help_text="The page's id: it stands for its canonical URL."
    )
    url = models.TextField()
    final_url = models.TextField()
    status = models.PositiveSmallIntegerField(null=True)
    depth = models.PositiveIntegerField()
    route = models.CharField(
        max_length=ROUTE_NAME_MAX,
        default="",
        blank=True,
        help_text="The route that the page took; empty: none.",
    )
    data = models.JSONField(null=True)
    links = models.PositiveIntegerField()
    ms = models.PositiveIntegerField(help_text="Milliseconds that the page took.")
    stored = models.DateTimeField(default=timezone.now)
    change = models.CharField(
        max_length=10,
        default="",
        help_text="How its item compares with the visit before: new, changed, same.",
    )
    first_seen = models.DateTimeField(default=timezone.now)
    last_seen = models.DateTimeField(default=timezone.now)
    vanished = models.DateTimeField(null=True, help_text="Since when it is gone.")

    class Meta:
        """One row for a page."""

        constraints = (
            models.UniqueConstraint(
                fields=("crawl", "page"), name="crawler_store_one_row_per_page"
            ),
        )

    def __str__(self) -> str:
        return printable(masked(str(self.url)))
