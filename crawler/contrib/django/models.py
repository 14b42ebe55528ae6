"""The model that Django's permissions and admin need. It has no table: crawls live in Redis."""

from __future__ import annotations

from django.db import models


class Crawl(models.Model):
    """A crawl, as permissions know it: ``crawler.view_crawl`` to look at it,
    ``crawler.operate_crawl`` to start, stop and retry.
    """

    name = models.CharField(max_length=64, primary_key=True)

    class Meta:
        """No table, and no permissions to add or delete rows of it."""

        managed = False
        default_permissions = ("view",)
        permissions = (("operate_crawl", "Can start, pause, stop and retry crawls"),)

    def __str__(self) -> str:
        return str(self.name)
