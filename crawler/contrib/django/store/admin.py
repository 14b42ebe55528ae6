"""Stored results in the admin: to look at, not to change."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest

from .models import StoredResult


@admin.register(StoredResult)
class StoredResultAdmin(admin.ModelAdmin):
    """What pages gave."""

    list_display = ("url", "crawl", "status", "depth", "stored")
    list_filter = ("crawl", "status")
    search_fields = ("url",)
    list_select_related = ("crawl",)

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002 - Django passes it
        """Crawls add results."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:  # noqa: ARG002
        """They are what a page gave."""
        return False
