"""Save a page that was tried, without the secrets that its crawl knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..definition.bounds import entry_pages, scope_of
from ..definition.credentials import secrets_of
from ..errors import SetupError
from ..model import Json, Page, Response
from ..output.saved_page import SavedPage, SavedResponse, check_target, write_saved_page
from ..redaction import Secrets, masked_form, secrets_of_form
from .terminal import echo

if TYPE_CHECKING:
    from ..browser.trial.trial_chrome import PageRecord, TrialChrome
    from ..definition.crawl import Crawl
    from ..net.permits import Permits
    from ..run.dry_run import DryRun


def save(
    folder: Path,
    crawl: Crawl,
    order: Any,
    record: PageRecord,
    permits: Permits,
    chrome: TrialChrome,
    outcome: DryRun | None = None,
    failure: Exception | None = None,
) -> None:
    """Save what was seen of a page in ``folder``, and say so. Of one that failed without a document
    nothing is saved.

    Raises:
        SetupError: it cannot be written.
    """
    if not record.html:
        echo(f"nothing is saved in {folder}: no document came", err=True)
        return
    page = outcome.result.page if outcome else page_of(crawl, order)
    response = record.response or Response(page.url)
    secrets = Secrets([*secrets_of(crawl), *secrets_of_form(page.form)])
    if chrome.browser:
        secrets.add(*chrome.browser.driver.secrets)
    cover = secrets.cover
    dropped = outcome.dropped if outcome else ()
    saved = SavedPage(
        replace(page, form=None if page.form is None else masked_form(page.form)),
        replace(
            response,
            headers=covered(response.headers, cover),
            request_headers=covered(response.request_headers, cover),
            console=None
            if response.console is None
            else tuple({name: cover(text) for name, text in it.items()} for it in response.console),
        ),
        cover(record.html),
        {url: cover(html) for url, html in record.frames.items()},
        tuple(
            SavedResponse(
                one.url,
                one.method,
                one.status,
                covered(one.headers, cover) or {},
                covered_body(one.body, secrets),
                one.truncated,
            )
            for one in record.responses
        ),
        crawl=cover(order.reference),
        changes=tuple(map(cover, order.changes)),
        robots_group=permits.robots_group(page.url),
        forbidden=tuple(link.url for link, reason in dropped if reason == "robots"),
        failure="" if failure is None else cover(f"{type(failure).__name__}: {failure}"),
    )
    links: dict[str, Json] = {
        "kept": [one.url for one in outcome.kept] if outcome else [],
        "dropped": [{"url": link.url, "reason": reason} for link, reason in dropped],
    }
    check_target(folder, overwrite=True)
    try:
        names = write_saved_page(
            folder,
            saved,
            item=outcome.item if outcome else None,
            links=links,
            steps=outcome.steps if outcome else {},
            picture=record.png,
        )
    except OSError as error:
        raise SetupError(f"{folder} cannot be written: {error.strerror}") from error
    echo(f"saved in {folder}: {len(names)} files; `crawler run {folder}` runs it again", err=True)


def page_of(crawl: Crawl, order: Any) -> Page:
    """Return the page that ``order`` means."""
    page = entry_pages(crawl)[0] if order.url is None else scope_of(crawl).entry(order.url)
    return replace(page, route=order.route, data=order.data, form=order.form)


def covered(headers: Mapping[str, str] | None, cover: Any) -> dict[str, str] | None:
    """Return ``headers`` without secrets."""
    return None if headers is None else {name: cover(text) for name, text in headers.items()}


def covered_body(body: bytes, secrets: Secrets) -> bytes:
    """Return ``body`` without secrets; one that is no UTF-8 as it is."""
    if not any(secrets):
        return body
    try:
        return secrets.cover(body.decode()).encode()
    except UnicodeDecodeError:
        return body
