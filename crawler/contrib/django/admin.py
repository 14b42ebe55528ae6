"""The crawls in Django's admin: a live wall screen for each, lists, and buttons for those who may
operate them. It needs no table.

For an admin site of one's own: ``site.register(Crawl, CrawlAdmin)``, with ``Crawl`` of
``crawler.contrib.django.models``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.views.decorators.http import require_GET, require_POST

from .actions import ACTIONS
from .models import Crawl
from .operations import Operations
from .pages import Pages

#: Milliseconds between two requests of an open page. Screens that are open at once in one process
#: share what was read within a second.
POLL_INTERVAL_MS = 2_000


@admin.register(Crawl)
class CrawlAdmin(Pages, Operations, admin.ModelAdmin):
    """The pages. A request that changes a crawl is a POST, and needs the permission
    ``operate_crawl``.
    """

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002 - Django passes it
        """Refuse: crawls are defined in code."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:  # noqa: ARG002
        """Refuse: no table has a row to change."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:  # noqa: ARG002
        """Refuse: no table has a row to delete."""
        return False

    def has_view_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Whether the user may see crawls; one who may operate them may."""
        return bool(super().has_view_permission(request, obj)) or self.may_operate(request)

    def may_operate(self, request: HttpRequest) -> bool:
        """Whether the user may start, stop and retry."""
        return bool(request.user.has_perm("crawler.operate_crawl"))

    def get_urls(self) -> list[Any]:
        """Return our own URLs: the admin's would read a table. No crawl's name has a ``+``."""

        def page(route: str, view: Callable[..., HttpResponse], name: str) -> Any:
            return path(route, self.admin_site.admin_view(view), name=f"crawler_crawl_{name}")

        return [
            page("", require_GET(self.index), "changelist"),
            page("+live/", require_GET(self.live_rows), "rows"),
            page("+workers/", require_GET(self.workers), "workers"),
            page("<str:name>/change/", require_GET(self.crawl), "change"),
            page("<str:name>/live/", require_GET(self.live_wall), "live"),
            page("<str:name>/failed/", require_GET(self.failed), "failed"),
            page("<str:name>/undelivered/", require_GET(self.undelivered), "undelivered"),
            page("<str:name>/hosts/", require_GET(self.hosts), "hosts"),
            page("<str:name>/errors/", require_GET(self.errors), "errors"),
            page("<str:name>/errors/<str:file>", require_GET(self.error_file), "error_file"),
            page("<str:name>/history/", require_GET(self.history), "history"),
            page("<str:name>/retry/", require_POST(self.retry), "retry"),
            page("<str:name>/limits/", require_POST(self.limits), "limits"),
            page("<str:name>/enqueue/", require_POST(self.enqueue), "enqueue"),
            page("<str:name>/do/<slug:action>/", require_POST(self.act), "act"),
        ]

    def reverse(self, page: str, *args: str) -> str:
        """Return the address of one of our pages in this admin site."""
        name = f"admin:crawler_crawl_{page}"
        return str(reverse(name, args=args, current_app=self.admin_site.name))

    def page(self, request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
        """Return the page, with the context of every page of the admin. Status 503 if crawls cannot
        be shown.
        """
        ours = {
            "opts": self.opts,
            "actions": ACTIONS,
            "may_operate": self.may_operate(request),
            "poll_ms": POLL_INTERVAL_MS,
        }
        everything = self.admin_site.each_context(request) | ours | context
        return TemplateResponse(
            request,
            f"admin/crawler/{template}.html",
            everything,
            status=503 if "away" in context else 200,
        )
