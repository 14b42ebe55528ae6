"""The admin's views that change a crawl: each is a POST of somebody who may operate, and is written
into the admin's log.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import unquote as percent_decoded

from django.contrib import messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.admin.utils import quote
from django.contrib.contenttypes.models import ContentType
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect

from ...definition.limits import check_limits
from ...errors import FrontierRefused
from ...model import Priority
from ...text.printable import printable
from .access import Unavailable, crawl_name, reading_crawls, require
from .actions import ACTIONS, Action
from .client import client
from .models import Crawl
from .rows import LIMITS, has_definition, limit_rows

#: The actions by their names.
ACTION = {action.name: action for action in ACTIONS}
#: URLs that one form queues at most, and characters of what the log says of an action.
URLS_MAX, MESSAGE_MAX = 10_000, 500


class Operations:
    """Views of ``CrawlAdmin``, for those who may operate."""

    may_operate: Callable[[HttpRequest], bool]
    page: Callable[[HttpRequest, str, dict[str, Any]], HttpResponse]
    reverse: Callable[..., str]

    def act(self, request: HttpRequest, name: str, action: str) -> HttpResponse:
        """Do an action to a crawl; one that asks before, when the answer came."""
        name = crawl_name(name)
        if action not in ACTION:
            raise Http404(action)
        require(self.may_operate(request))
        chosen = ACTION[action]
        if chosen.ask and "sure" not in request.POST:
            return self.ask(request, name, chosen)
        by = user_name(request)
        return self.perform(request, name, chosen.label, lambda: chosen.do(client(), name, by))

    def ask(self, request: HttpRequest, name: str, action: Action) -> HttpResponse:
        """Show the question before an action."""
        context = {
            "title": f"{action.label}: {name}",
            "name": name,
            "action": action,
            "back": request.POST.get("back", ""),
            "back_url": self.back_url(request, name),
            "change_url": self.reverse("change", quote(name)),
        }
        return self.page(request, "confirm", context)

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

    def limits(self, request: HttpRequest, name: str) -> HttpResponse:
        """Change the limits that differ from what the form showed."""
        name = crawl_name(name)

        def change() -> str:
            ours = client()
            shown = {row["name"]: row["value"] for row in limit_rows(ours, name)}
            texts = {
                limit: text
                for limit in LIMITS
                if (text := request.POST.get(limit, "").strip().lower() or "none")
                != shown.get(limit)
                and limit in request.POST
            }
            if not texts:
                return "keeps its limits"
            values, faults = check_limits(texts)
            if faults:
                raise FrontierRefused("; ".join(map(str, faults)))
            ours.frontier(name).set_limits(**values)
            ours.wake(name)
            return "goes by " + ", ".join(f"{limit} {text}" for limit, text in texts.items())

        return self.perform(request, name, "Limits", change)

    def enqueue(self, request: HttpRequest, name: str) -> HttpResponse:
        """Queue the URLs of the form, a line each."""
        name = crawl_name(name)
        lines = (line.strip() for line in request.POST.get("urls", "").splitlines())
        urls = [line for line in lines if line]

        def send() -> str:
            ours = client()
            if len(urls) > URLS_MAX:
                raise FrontierRefused(f"{len(urls)} URLs: at most {URLS_MAX} at once")
            if not urls:
                return "was left alone: no URL was given"
            if not has_definition(ours, name):
                raise FrontierRefused(f"the definition of {name} is not known here")
            chosen = request.POST.get("priority", "").upper()
            priority = Priority[chosen] if chosen in Priority.__members__ else Priority.NORMAL
            reopen = "reopen" in request.POST
            again = "again" in request.POST
            report = ours.enqueue(name, urls, priority=priority, reopen=reopen, again=again)
            return f"has {report}"

        return self.perform(request, name, "Enqueue", send)

    def perform(
        self, request: HttpRequest, name: str, label: str, action: Callable[[], str]
    ) -> HttpResponse:
        """Do ``action``, which returns its result in words; tell the user, write it into the
        admin's log, and go back to the page of the button.
        """
        require(self.may_operate(request))
        try:
            with reading_crawls():
                result = printable(action())
        except Unavailable as error:
            messages.error(request, printable(str(error)))
        else:
            messages.success(request, f"The crawl {name} {result}.")
            LogEntry(
                user_id=request.user.pk,
                content_type_id=ContentType.objects.get_for_model(Crawl).pk,
                object_id=name,
                object_repr=name,
                action_flag=CHANGE,
                change_message=f"{label}: it {result}"[:MESSAGE_MAX],
            ).save()
        return HttpResponseRedirect(self.back_url(request, name))

    def back_url(self, request: HttpRequest, name: str) -> str:
        """Return the address of the page whose button was pressed."""
        if request.POST.get("back") == "list":
            return self.reverse("changelist")
        return self.reverse("change", quote(name))


def user_name(request: HttpRequest) -> str:
    """Return the name of the user, as a crawl keeps it."""
    return printable(str(request.user.get_username()))[:100]
