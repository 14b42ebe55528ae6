"""The admin's pages that only show: crawls and jobs, the wall screen of one, and its lists."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from itertools import islice
from typing import Any
from urllib.parse import unquote as percent_decoded

from django.contrib import messages
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string

from ...api.job import PREFIX as JOB
from ...config import settings as configuration
from ...errors import UnknownCrawl
from ...frontier.frontier import Frontier
from ...frontier.listing import Listing
from ...frontier.operations import Operations
from ...frontier.outbox import Outbox
from ...local.private_files import crawl_folder
from ...model import Priority
from ...output.error_files import read_file
from ...output.report import ranked
from ...storage.server import server_time
from . import rows, wall
from .access import (
    Unavailable,
    cache,
    crawl_name,
    filling,
    neighbours,
    offset,
    reading_crawls,
    require,
)
from .actions import NOT_STARTED
from .client import client, known_names
from .models import Crawl

#: Rows of a page: crawls; failed pages and the like; hosts; error snapshots; entries of the log.
CRAWLS, PAGES, HOSTS, SNAPSHOTS, ENTRIES = 50, 100, 100, 12, 50
#: Deliveries on their way, and entries of the log, that a page of other things shows.
WAITING, LATEST = 20, 5
#: Seconds for which the names of a crawl's hosts, up to some 200,000, are not read again.
HOSTS_LIFE = 10.0
#: The panels of a wall screen, each a template.
PANELS = ("state", "flight", "recent", "items", "failures", "hosts", "workers", "facts")
#: How a document and a picture are served: a document as text, so that nothing in it comes alive.
TYPES = {"html": "text/plain; charset=utf-8", "png": "image/png"}


class Pages:
    """Views of ``CrawlAdmin``, for all who may look."""

    admin_site: Any
    has_view_permission: Callable[..., bool]
    may_operate: Callable[[HttpRequest], bool]
    page: Callable[[HttpRequest, str, dict[str, Any]], HttpResponse]

    def links(self, name: str) -> dict[str, Any]:
        """Return the addresses of a crawl's pages."""
        return rows.page_links(name, self.admin_site.name)

    # -- all crawls

    def index(self, request: HttpRequest) -> HttpResponse:
        """Show crawls, or jobs: all, or those whose names hold the text that is searched for, or
        that have a status.
        """
        require(self.has_view_permission(request))
        query, start = request.GET.get("q", ""), offset(request.GET.get("from"))
        jobs, status = request.GET.get("kind") == "jobs", request.GET.get("status", "")
        context: dict[str, Any] = {"title": "Jobs" if jobs else "Crawls", "query": query}
        context |= {"jobs": jobs, "status": status, "statuses": rows.STATUSES}
        with filling(context):
            ours = client()
            every = known_names(ours)
            names = [
                name
                for name in every
                if name.startswith(JOB) is jobs and query.lower() in name.lower()
            ]
            if status:
                found = Frontier.statuses(ours.redis, names, ours.settings.key_prefix)
                names = [name for name in names if found.get(name, NOT_STARTED) == status]
            context["crawls"] = [
                rows.crawl_row(ours, name) | self.links(name)
                for name in names[start : start + CRAWLS]
            ]
            context["job_count"] = sum(name.startswith(JOB) for name in every)
            context["crawl_count"] = len(every) - context["job_count"]
            more = len(names) > start + CRAWLS
            context |= {"total": len(names)} | neighbours(start, CRAWLS, more=more)
        return self.page(request, "crawls", context)

    def live_rows(self, request: HttpRequest) -> HttpResponse:
        """Return the rows of the crawls that an open page shows, as JSON."""
        require(self.has_view_permission(request))
        crawls = []
        try:
            with reading_crawls():
                ours = client()
                for name in request.GET.getlist("name")[:CRAWLS]:
                    with suppress(UnknownCrawl):  # forgotten meanwhile
                        crawls.append(wall.list_row(ours, name))
        except Unavailable as error:
            return JsonResponse({"error": str(error)}, status=503)
        return JsonResponse({"crawls": crawls})

    def workers(self, request: HttpRequest) -> HttpResponse:
        """Show the live workers, of all crawls."""
        require(self.has_view_permission(request))
        query, start = request.GET.get("q", ""), offset(request.GET.get("from"))
        context: dict[str, Any] = {"title": "Workers", "query": query}
        with filling(context):
            registry = client().workers
            found = [
                worker
                for worker in registry.workers()
                if query.lower() in f"{worker.name} {worker.version} {worker.host}".lower()
            ]
            shown = found[start : start + PAGES]
            context["workers"] = [
                rows.worker_row(worker) | {"names": sorted(worker.crawls)[:PAGES]}
                for worker in shown
            ]
            context["refused"] = registry.refused()
            more = len(found) > start + PAGES
            context |= {"total": len(found)} | neighbours(start, PAGES, more=more)
        return self.page(request, "workers", context)

    # -- one crawl

    def crawl(self, request: HttpRequest, name: str) -> HttpResponse:
        """Show the wall screen of one crawl."""
        require(self.has_view_permission(request))
        name = crawl_name(name)
        context: dict[str, Any] = {"title": name, "name": name} | self.links(name)
        with filling(context):
            ours = client()
            shown = wall.wall(ours, name)
            context |= shown
            context |= {"record": wall.record(shown), "panels": PANELS}
            context["history"] = history(name, LATEST)
            if self.may_operate(request) and "snapshot" in shown:
                context["limits"] = rows.limit_rows(ours, name)
                context["priorities"] = [priority.name.lower() for priority in Priority]
        return self.page(request, "crawl", context)

    def live_wall(self, request: HttpRequest, name: str) -> HttpResponse:
        """Return what changes on the wall screen, as JSON; the samples after the time ``since``."""
        require(self.has_view_permission(request))
        name = crawl_name(name)
        try:
            since = float(request.GET.get("since", "0"))
        except ValueError:
            since = 0.0
        try:
            with reading_crawls():
                shown = wall.wall(client(), name)
        except Unavailable as error:
            return JsonResponse({"error": str(error)}, status=503)
        answer = wall.record(shown)
        answer["samples"] = [sample for sample in answer["samples"] if sample[0] > since]
        if "snapshot" in shown:
            context = shown | self.links(name)
            answer["panels"] = {
                panel: render_to_string(f"admin/crawler/panel_{panel}.html", context, request)
                for panel in PANELS
            }
        return JsonResponse(answer)

    def failed(self, request: HttpRequest, name: str) -> HttpResponse:
        """Show the pages of a crawl that failed for good, oldest first; those of one reason, or
        whose URLs hold a text, if the request names one.
        """
        require(self.has_view_permission(request))
        # in the form that searches, the reason is in per cent signs, for it may have any characters
        coded = percent_decoded(request.GET.get("coded_reason", ""))
        name, reason = crawl_name(name), request.GET.get("reason", "") or coded
        query, start = request.GET.get("q", ""), offset(request.GET.get("from"))
        context: dict[str, Any] = {"title": f"Failed pages of {name}", "name": name}
        context |= {"reason": reason, "query": query} | self.links(name)
        with filling(context):
            handle = client().handle(name)
            if reason or query:
                chosen = (
                    one
                    for one in handle.failed(reason or None)
                    if query.lower() in one.page.url.lower()
                )
                failed = list(islice(chosen, start, start + PAGES + 1))
            else:
                failed = Listing(handle.frontier).failed(start, PAGES + 1)
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
        context |= self.links(name)
        with filling(context):
            outbox = Outbox(client().handle(name).frontier)
            letters = outbox.undelivered(start, PAGES + 1)
            context["letters"] = [rows.undelivered_row(letter) for letter in letters[:PAGES]]
            context["waiting"] = [
                rows.without_credentials(one.record()) for one in outbox.waiting(WAITING)
            ]
            context |= neighbours(start, PAGES, more=len(letters) > PAGES)
        return self.page(request, "undelivered", context)

    def hosts(self, request: HttpRequest, name: str) -> HttpResponse:
        """Show the hosts of a crawl, by name: all, or those that hold a text."""
        require(self.has_view_permission(request))
        query, start = request.GET.get("q", ""), offset(request.GET.get("from"))
        name = crawl_name(name)
        context: dict[str, Any] = {"title": f"Hosts of {name}", "name": name, "query": query}
        context |= self.links(name)
        with filling(context):
            ours = client()
            listing = Listing(ours.handle(name).frontier)
            every = cache.get(("hosts", ours, name), HOSTS_LIFE, lambda: sorted(listing.lanes()))
            found = [lane for lane in map(bytes.decode, every) if query.lower() in lane]
            now = server_time(ours.redis)
            context["lanes"] = [
                rows.lane_row(lane, now)
                for lane in listing.lane_states(found[start : start + HOSTS])
            ]
            more = len(found) > start + HOSTS
            context |= {"total": len(found)} | neighbours(start, HOSTS, more=more)
        return self.page(request, "hosts", context)

    def history(self, request: HttpRequest, name: str) -> HttpResponse:
        """Show who did what to a crawl, the latest first."""
        require(self.has_view_permission(request))
        name, start = crawl_name(name), offset(request.GET.get("from"))
        try:
            with reading_crawls():
                entries = history(name, start + ENTRIES + 1)[start:]
        except Unavailable as error:  # the admin's own log is there
            messages.warning(request, str(error))
            entries = [*map(log_row, log_entries(name)[start : start + ENTRIES + 1])]
        context: dict[str, Any] = {"title": f"History of {name}", "name": name}
        context |= {"history": entries[:ENTRIES], "flower": None} | self.links(name)
        context |= neighbours(start, ENTRIES, more=len(entries) > ENTRIES)
        return self.page(request, "history", context)

    def errors(self, request: HttpRequest, name: str) -> HttpResponse:
        """Show the error snapshots of a crawl, the latest first."""
        require(self.has_view_permission(request))
        name, start = crawl_name(name), offset(request.GET.get("from"))
        context: dict[str, Any] = {"title": f"Error snapshots of {name}", "name": name}
        context |= self.links(name)
        with filling(context):
            found = wall.snapshots(name)
            context["kept"] = configuration.load().errors_dir is not None
            context["snapshots"] = [
                rows.without_credentials(one) for one in found[start : start + SNAPSHOTS]
            ]
            more = len(found) > start + SNAPSHOTS
            context |= {"total": len(found)} | neighbours(start, SNAPSHOTS, more=more)
        return self.page(request, "errors", context)

    def error_file(self, request: HttpRequest, name: str, file: str) -> HttpResponse:
        """Return the document, as text, or the picture of an error snapshot."""
        require(self.has_view_permission(request))
        name, content = crawl_name(name), None
        if folder := configuration.load().errors_dir:
            content = read_file(crawl_folder(folder, name), file)
        if content is None:
            raise Http404("there is no such snapshot")
        response = HttpResponse(content, content_type=TYPES[file.rpartition(".")[2]])
        response["X-Content-Type-Options"] = "nosniff"
        response["Content-Security-Policy"] = "default-src 'none'; sandbox"
        response["Cache-Control"] = "private, max-age=3600"
        return response


def history(name: str, count: int) -> list[dict[str, Any]]:
    """Return who did what to a crawl, the latest ``count``: in the admin, and elsewhere."""
    entries = [*map(log_row, log_entries(name)[:count])]
    entries += [
        {"at": rows.moment(one.at), "who": one.by, "what": f"it {one.what}"}
        for one in Operations(client().frontier(name)).latest()
    ]
    return sorted(entries, key=lambda row: row["at"].timestamp(), reverse=True)[:count]


def log_row(entry: LogEntry) -> dict[str, Any]:
    """Return the row of an entry of the admin's log."""
    who = entry.user.get_username()
    return {"at": entry.action_time, "who": who, "what": entry.change_message}


def log_entries(name: str) -> list[LogEntry]:
    """Return the entries of the admin's log about a crawl, the latest first: a lazy list."""
    kind = ContentType.objects.get_for_model(Crawl)
    entries = LogEntry.objects.filter(content_type=kind, object_id=name)
    return entries.select_related("user").order_by("-action_time", "-pk")  # type: ignore[no-any-return]
