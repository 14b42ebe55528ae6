"""What Django's permissions and admin need a model for. It has no table: crawls live in Redis."""

from __future__ import annotations

from django.db import models


class Crawl(models.Model):
    """A crawl, as permissions know it: ``crawler.view_crawl`` to look, ``crawler.operate_crawl`` to
    start, stop and retry.
    """

    name = models.CharField(max_length=64, primary_key=True)

    class Meta:
        """No table, and no permissions to add or delete rows of it."""

        managed = False
        default_permissions = ("view",)
        permissions = (("operate_crawl", "Can start, pause, stop and retry crawls"),)

    def __str__(self) -> str:
        return str(self.name)
