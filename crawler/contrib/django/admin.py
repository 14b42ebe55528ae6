"""The crawls in Django's admin: live counts, failed pages, and buttons for those who may operate
them. It needs no table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from typing import Any
from urllib.parse import unquote as percent_decoded

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.admin.utils import quote, unquote
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path
from django.views.decorators.http import require_GET, require_POST

from ...config import SettingsError
from ...config import settings as configuration
from ...errors import CrawlerError, UnknownCrawl
from ...frontier.listing import Listing
from ...frontier.outbox import Outbox
from ...model import is_crawl_name
from ...output.report import ranked
from ...redaction import masked
from . import rows
from .actions import ACTIONS
from .client import client, find_snapshot, known_names
from .models import Crawl

#: Crawls on a page of the list, and failed pages on one of theirs.
CRAWLS, PAGES = 50, 100
#: Pages in flight that the page of a crawl shows.
IN_FLIGHT = 20
#: Milliseconds between two requests of an open page; each runs one script in Redis for each crawl
#: that is shown.
POLL_INTERVAL_MS = 2_000
#: The actions by their names.
ACTION = {action.name: action for action in ACTIONS}


class Unavailable(Exception):
    """Crawls cannot be shown; the text says why, in one line."""


@contextmanager
def reading_crawls() -> Iterator[None]:
    """Turn the errors that keep crawls from being read: an unknown name is Http404, the others are
    Unavailable.
    """
    try:
        yield
    except UnknownCrawl as error:
        raise Http404(str(error)) from error
    except (CrawlerError, SettingsError) as error:
        raise Unavailable(masked(" ".join(str(error).split()))) from error


@admin.register(Crawl)
class CrawlAdmin(admin.ModelAdmin):
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
            page("+live/", require_GET(self.live), "live"),
            page("<str:name>/change/", require_GET(self.crawl), "change"),
            page("<str:name>/failed/", require_GET(self.failed), "failed"),
            page("<str:name>/retry/", require_POST(self.retry), "retry"),
            page("<str:name>/undelivered/", require_GET(self.undelivered), "undelivered"),
            page("<str:name>/do/<slug:action>/", require_POST(self.act), "act"),
        ]

    # -- pages

    def index(self, request: HttpRequest) -> HttpResponse:
        """Show all crawls, or those whose names hold the text that is searched for."""
        require(self.has_view_permission(request))
        query, start = request.GET.get("q", ""), offset(request.GET.get("from"))
        context: dict[str, Any] = {"title": "Crawls", "query": query}
        with filling(context):
            ours = client()
            names = [name for name in known_names(ours) if query.lower() in name.lower()]
            context["crawls"] = [
                rows.crawl_row(ours, name) | rows.page_links(name)
                for name in names[start : start + CRAWLS]
            ]
            more = len(names) > start + CRAWLS
            context |= {"total": len(names)} | neighbours(start, CRAWLS, more=more)
        return self.page(request, "crawls", context)

    def crawl(self, request: HttpRequest, name: str) -> HttpResponse:
        """Show one crawl."""
        require(self.has_view_permission(request))
        name = crawl_name(name)
        context: dict[str, Any] = {"title": name, "name": name} | rows.page_links(name)
        with filling(context):
            ours = client()
            snapshot = find_snapshot(ours, name)
            defined = rows.has_definition(ours, name)
            context["crawl"] = rows.snapshot_row(name, snapshot, defined=defined)
            if snapshot:
                claims = Listing(ours.frontier(name)).processing(0, IN_FLIGHT)
                context["in_flight"] = [rows.claim_row(claim) for claim in claims]
                context |= rows.details(snapshot)
        return self.page(request, "crawl", context)

    def failed(self, request: HttpRequest, name: str) -> HttpResponse:
        """Show the pages of a crawl that failed for good, oldest first; those of one reason, if the
        request names one.
        """
        require(self.has_view_permission(request))
        name, reason = crawl_name(name), request.GET.get("reason", "")
        start = offset(request.GET.get("from"))
        context: dict[str, Any] = {"title": f"Failed pages of {name}", "name": name}
        context |= {"reason": reason} | rows.page_links(name)
        with filling(context):
            handle = client().handle(name)
            failed = (
                list(islice(handle.failed(reason), start, start + PAGES + 1))
                if reason
                else Listing(handle.frontier).failed(start, PAGES + 1)
            )
            context["pages"] = [rows.failed_row(page) for page in failed[:PAGES]]
            context["reasons"] = ranked(handle.snapshot().reasons)
            context |= neighbours(start, PAGES, more=len(failed) > PAGES)
        return self.page(request, "failed", context)

    def undelivered(self, request: HttpRequest, name: str) -> HttpResponse:
        """Show the results and failures that no hook of a crawl took, oldest first, and the next
        ones of those on their way.
        """
        require(self.has_view_permission(request))
        name, start = crawl_name(name), offset(request.GET.get("from"))
        context: dict[str, Any] = {"title": f"Undelivered results of {name}", "name": name}
        context |= rows.page_links(name)
        with filling(context):
            outbox = Outbox(client().handle(name).frontier)
            letters = outbox.undelivered(start, PAGES + 1)
            context["letters"] = [rows.undelivered_row(letter) for letter in letters[:PAGES]]
            context["waiting"] = [one.record() for one in outbox.waiting(IN_FLIGHT)]
            context |= neighbours(start, PAGES, more=len(letters) > PAGES)
        return self.page(request, "undelivered", context)

    def live(self, request: HttpRequest) -> HttpResponse:
        """Return the rows of the crawls that an open page shows, as JSON."""
        require(self.has_view_permission(request))
        crawls = []
        try:
            with reading_crawls():
                ours = client()
                for name in request.GET.getlist("name")[:CRAWLS]:
                    with suppress(UnknownCrawl):  # forgotten meanwhile
                        crawls.append(rows.crawl_row(ours, name))
        except Unavailable as error:
            return JsonResponse({"error": str(error)}, status=503)
        return JsonResponse({"crawls": crawls})

    # -- actions

    def act(self, request: HttpRequest, name: str, action: str) -> HttpResponse:
        """Do an action to a crawl."""
        name = crawl_name(name)
        if action not in ACTION:
            raise Http404(action)
        chosen = ACTION[action]
        return self.perform(request, name, chosen.label, lambda: chosen.do(client(), name))

    def retry(self, request: HttpRequest, name: str) -> HttpResponse:
        """Send the chosen failed pages back, or all of one reason."""
        name, ids = crawl_name(name), request.POST.getlist("id")
        everything, reason = "all" in request.POST, percent_decoded(request.POST.get("reason", ""))

        def send() -> str:
            handle = client().handle(name)
            if not everything and not ids:
                return "was left alone: no page was chosen"
            count = handle.retry(reason=reason or None) if everything else handle.retry(ids)
            return f"tries {count} failed pages again"

        return self.perform(request, name, "Retry failed pages", send)

    def perform(
        self, request: HttpRequest, name: str, label: str, action: Callable[[], str]
    ) -> HttpResponse:
        """Do ``action``, which returns its result in words; tell the user, write it into the
        admin's log, and go back to the page of the button.
        """
        require(self.may_operate(request))
        try:
            with reading_crawls():
                result = action()
        except Unavailable as error:
            messages.error(request, str(error))
        else:
            messages.success(request, f"The crawl {name} {result}.")
            LogEntry(
                user_id=request.user.pk,
                content_type_id=ContentType.objects.get_for_model(Crawl).pk,
                object_id=name,
                object_repr=name,
                action_flag=CHANGE,
                change_message=label,
            ).save()
        if request.POST.get("back") == "list":
            return redirect("admin:crawler_crawl_changelist")
        return redirect("admin:crawler_crawl_change", quote(name))

    # -- parts

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


def require(permission: bool) -> None:
    """Raise PermissionDenied unless the user has the permission."""
    if not permission:
        raise PermissionDenied


@contextmanager
def filling(context: dict[str, Any]) -> Iterator[None]:
    """Fill the context of a page; if crawls cannot be shown, the page gets the reason instead."""
    try:
        with reading_crawls():
            context["flower"] = configuration.load().flower_url
            yield
    except Unavailable as error:
        context["away"] = str(error)


def crawl_name(quoted: str) -> str:
    """Return the crawl's name in an address. Raises Http404 if no crawl can have it."""
    name = str(unquote(quoted))
    if not is_crawl_name(name):
        raise Http404("no crawl can have this name")
    return name


def offset(text: str | None) -> int:
    """Return an offset in a list; 0 for any text that is none."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else 0


def neighbours(start: int, size: int, *, more: bool) -> dict[str, int | None]:
    """Return the offsets of the pages before and after this one; None where there is none."""
    return {
        "first": start + 1,
        "before": max(0, start - size) if start else None,
        "later": start + size if more else None,
    }
