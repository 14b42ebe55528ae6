"""Stored results in the admin: to look at, not to change."""

from __future__ import annotations

import json

from django.contrib import admin
from django.http import HttpRequest

from ....redaction import masked
from ....text.printable import printable
from .models import StoredResult


@admin.register(StoredResult)
class StoredResultAdmin(admin.ModelAdmin):
    """The list of results."""

    list_display = (
        *("shown_url", "crawl", "route", "status", "change", "first_seen", "last_seen", "vanished"),
    )
    fields = (
        *("crawl", "page", "shown_url", "shown_final_url", "route", "status", "depth"),
        *("shown_data", "links", "ms", "stored", "change", "first_seen", "last_seen", "vanished"),
    )
    list_filter = ("crawl", "route", "status", "change")
    search_fields = ("url",)
    list_select_related = ("crawl",)

    @admin.display(description="url", ordering="url")
    def shown_url(self, result: StoredResult) -> str:
        """Return the URL, without control characters and credentials."""
        return printable(masked(result.url))

    @admin.display(description="final url")
    def shown_final_url(self, result: StoredResult) -> str:
        """Return the final URL, without control characters and credentials."""
        return printable(masked(result.final_url or ""))

    @admin.display(description="data")
    def shown_data(self, result: StoredResult) -> str:
        """Return what was extracted, as JSON without control characters."""
        return printable(json.dumps(result.data, ensure_ascii=False))

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002 - Django passes it
        """Refuse: crawls add results."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:  # noqa: ARG002
        """Refuse: a result is what its page gave."""
        return False
