"""Stored results in the admin: to look at, not to change."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest

from .models import StoredResult


@admin.register(StoredResult)
class StoredResultAdmin(admin.ModelAdmin):
    """The list of results."""

    list_display = ("url", "crawl", "status", "depth", "stored")
    list_filter = ("crawl", "status")
    search_fields = ("url",)
    list_select_related = ("crawl",)

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002 - Django passes it
        """Refuse: crawls add results."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:  # noqa: ARG002
        """Refuse: a result is what its page gave."""
        return False
