"""The crawls in Django's admin: live counts, failed pages, and buttons for those who may operate
them. It needs no table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from typing import Any

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
from ...model import CRAWL_NAME
from ...redaction import masked
from . import rows
from .actions import ACTIONS
from .client import client, names, seen
from .models import Crawl

#: Crawls on a page of the list, and failed pages on one of theirs.
CRAWLS, PAGES = 50, 100
#: Pages in flight that the page of a crawl shows.
IN_FLIGHT = 20
#: Milliseconds between two looks of an open page; a look is one script in Redis for each crawl that
#: is shown.
POLL_INTERVAL_MS = 2_000
DEED = {deed.name: deed for deed in ACTIONS}


class Away(Exception):
    """There is nothing to show, and why, in one line."""


@contextmanager
def showing() -> Iterator[None]:
    """Turn what keeps crawls from being seen into one line."""
    try:
        yield
    except UnknownCrawl as error:
        raise Http404(str(error)) from error
    except (CrawlerError, SettingsError) as error:
        raise Away(masked(" ".join(str(error).split()))) from error


@admin.register(Crawl)
class CrawlAdmin(admin.ModelAdmin):
    """The pages. Whatever changes a crawl is a POST, and asks for the permission
    ``operate_crawl``.
    """

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002 - Django passes it
        """Crawls are defined in code."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:  # noqa: ARG002
        """There is no row to change."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:  # noqa: ARG002
        """There is no row to delete."""
        return False

    def has_view_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Who may operate crawls may also see them."""
        return bool(super().has_view_permission(request, obj)) or self.may_operate(request)

    def may_operate(self, request: HttpRequest) -> bool:
        """Whether its user may start, stop and retry."""
        return bool(request.user.has_perm("crawler.operate_crawl"))

    def get_urls(self) -> list[Any]:
        """Ours; the admin's own would ask a table. ``+`` is in no crawl's name."""

        def page(route: str, view: Callable[..., HttpResponse], name: str) -> Any:
            return path(route, self.admin_site.admin_view(view), name=f"crawler_crawl_{name}")

        return [
            page("", require_GET(self.index), "changelist"),
            page("+live/", require_GET(self.live), "live"),
            page("<str:name>/change/", require_GET(self.crawl), "change"),
            page("<str:name>/failed/", require_GET(self.failed), "failed"),
            page("<str:name>/retry/", require_POST(self.retry), "retry"),
            page("<str:name>/do/<slug:deed>/", require_POST(self.act), "act"),
        ]

    # Pages

    def index(self, request: HttpRequest) -> HttpResponse:
        """All crawls, or those whose names hold what is searched for."""
        allow(self.has_view_permission(request))
        wanted, start = request.GET.get("q", ""), number(request.GET.get("from"))
        context: dict[str, Any] = {"title": "Crawls", "query": wanted}
        with telling(context):
            there = client()
            found = [name for name in names(there) if wanted.lower() in name.lower()]
            context["crawls"] = [
                rows.row(there, name) | rows.links(name) for name in found[start : start + CRAWLS]
            ]
            context |= {"total": len(found)} | around(
                start, CRAWLS, more=len(found) > start + CRAWLS
            )
        return self.page(request, "crawls", context)

    def crawl(self, request: HttpRequest, name: str) -> HttpResponse:
        """One crawl."""
        allow(self.has_view_permission(request))
        name = named(name)
        context: dict[str, Any] = {"title": name, "name": name} | rows.links(name)
        with telling(context):
            there = client()
            now = seen(there, name)
            context["crawl"] = rows.facts(name, now, defined=rows.defined(there, name))
            if now:
                context["in_flight"] = [
                    rows.in_flight(claim)
                    for claim in Listing(there.frontier(name)).processing(0, IN_FLIGHT)
                ]
                context |= rows.details(now)
        return self.page(request, "crawl", context)

    def failed(self, request: HttpRequest, name: str) -> HttpResponse:
        """The pages of a crawl that failed for good, oldest first; those of one reason, if it is
        asked for.
        """
        allow(self.has_view_permission(request))
        name, reason, start = (
            named(name),
            request.GET.get("reason", ""),
            number(request.GET.get("from")),
        )
        context: dict[str, Any] = {
            "title": f"Failed pages of {name}",
            "name": name,
            "reason": reason,
        } | rows.links(name)
        with telling(context):
            handle = client().handle(name)
            there = (
                handle.failed(reason)
                if reason
                else Listing(handle.frontier).failed(start, PAGES + 1)
            )
            letters = list(islice(there, start, start + PAGES + 1)) if reason else list(there)
            context["letters"] = [rows.letter(letter) for letter in letters[:PAGES]]
            context["reasons"] = rows.ranked(handle.snapshot().reasons)
            context |= around(start, PAGES, more=len(letters) > PAGES)
        return self.page(request, "failed", context)

    def live(self, request: HttpRequest) -> HttpResponse:
        """The rows of the crawls that an open page shows, as JSON."""
        allow(self.has_view_permission(request))
        found = []
        try:
            with showing():
                there = client()
                for name in request.GET.getlist("name")[:CRAWLS]:
                    with suppress(UnknownCrawl):  # forgotten meanwhile
                        found.append(rows.row(there, name))
        except Away as error:
            return JsonResponse({"error": str(error)}, status=503)
        return JsonResponse({"crawls": found})

    # Deeds

    def act(self, request: HttpRequest, name: str, deed: str) -> HttpResponse:
        """Do something to a crawl."""
        name = named(name)
        if deed not in DEED:
            raise Http404(deed)
        return self.do(request, name, DEED[deed].label, lambda: DEED[deed].do(client(), name))

    def retry(self, request: HttpRequest, name: str) -> HttpResponse:
        """Send the chosen failed pages back, or all of one reason."""
        name, ids, reason = named(name), request.POST.getlist("id"), request.POST.get("reason", "")
        everything = "all" in request.POST

        def send() -> str:
            handle = client().handle(name)
            if everything:
                return f"tries {handle.retry(reason=reason or None)} failed pages again"
            return (
                f"tries {handle.retry(ids)} failed pages again"
                if ids
                else "was left alone: no page was chosen"
            )

        return self.do(request, name, "Retry failed pages", send)

    def do(
        self, request: HttpRequest, name: str, label: str, deed: Callable[[], str]
    ) -> HttpResponse:
        """Do it, tell its user, write it into the admin's log, and go back to where the button
        was.
        """
        allow(self.may_operate(request))
        try:
            with showing():
                said = deed()
        except Away as error:
            messages.error(request, str(error))
        else:
            messages.success(request, f"The crawl {name} {said}.")
            kind = ContentType.objects.get_for_model(Crawl)
            LogEntry(
                user_id=request.user.pk,
                content_type_id=kind.pk,
                object_id=name,
                object_repr=name,
                action_flag=CHANGE,
                change_message=label,
            ).save()
        if request.POST.get("back") == "list":
            return redirect("admin:crawler_crawl_changelist")
        return redirect("admin:crawler_crawl_change", quote(name))

    # What they share

    def page(self, request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
        """The page, with what every page of the admin has. Status 503 where there is nothing to
        show.
        """
        ours = {
            "opts": self.opts,
            "deeds": ACTIONS,
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


def allow(allowed: bool) -> None:
    """Raises PermissionDenied unless ``allowed``."""
    if not allowed:
        raise PermissionDenied


@contextmanager
def telling(context: dict[str, Any]) -> Iterator[None]:
    """Let a page show one line instead of crawls, where there are none to be seen."""
    try:
        with showing():
            context["flower"] = configuration.load().flower_url
            yield
    except Away as error:
        context["away"] = str(error)


def named(quoted: str) -> str:
    """The crawl's name in an address. Raises Http404 for what can be none."""
    name = str(unquote(quoted))
    if not CRAWL_NAME.fullmatch(name):
        raise Http404("no crawl can have this name")
    return name


def number(text: str | None) -> int:
    """A place in a list; 0 for whatever is none."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else 0


def around(start: int, size: int, *, more: bool) -> dict[str, int | None]:
    """Where the pages before and after this one begin; None where there is none."""
    return {
        "first": start + 1,
        "before": max(0, start - size) if start else None,
        "later": start + size if more else None,
    }
