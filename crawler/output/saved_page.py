"""A page in a folder, with all that a run of it needs: it can be run again without a network.

=================== ===============================================================================
file                holds
=================== ===============================================================================
manifest.json       the page, what answered, how long it took, and which files there are
page.html           the document as it was rendered, when hooks saw it
frames/             documents in frames, where the crawl reads them
responses/          bodies of responses that the page loaded: those captured, JSON, style sheets
responses.json      their URLs, statuses and headers, and the names of their files
screenshot.png      the whole page, at most its upper 16,384 pixels
item.json           what ``extract`` gave
links.json          the links that would be queued, and the others, each with its reason
headers.json        headers of the request and the response, *** for secrets
=================== ===============================================================================
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import SetupError
from ..local.private_files import make_private, write_private
from ..model import Json, Page, Response
from ..text.encodable import encodable
from ..version import __version__

#: The name of the file by which a folder is known as a saved page, and what it says it is.
MANIFEST, FORMAT, VERSION = "manifest.json", "celery-crawler page", 1
HTML, PICTURE, ITEM, LINKS, HEADERS = (
    "page.html", "screenshot.png", "item.json", "links.json", "headers.json",
)  # fmt: skip
RESPONSES, FRAMES = "responses", "frames"
#: Files that a saved page may consist of, besides those in its two folders.
OWN = (MANIFEST, HTML, PICTURE, ITEM, LINKS, HEADERS, f"{RESPONSES}.json")
#: Bytes of a file of a saved page that are read.
SIZE_MAX = 100_000_000
#: Endings of files by kind of content.
ENDINGS = {"text/css": "css", "text/html": "html", "text/plain": "txt", "text/csv": "csv"}


@dataclass(frozen=True, slots=True)
class SavedResponse:
    """A response that the page loaded; as :class:`CapturedResponse`, and what kind it is."""

    url: str
    method: str
    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class SavedPage:
    """A page as a folder keeps it. ``html`` is its rendered document, ``frames`` those in frames by
    their URL. ``response`` has no HTML and no links of its own: they are read again.

    ``crawl`` is the reference that its crawl was loaded from, ``changes`` what options changed;
    ``robots_group`` counted in robots.txt, which forbade the URLs ``forbidden``; ``failure``: why
    the page failed ("": it did not).
    """

    page: Page
    response: Response
    html: str = field(repr=False)
    frames: Mapping[str, str] = field(default_factory=dict, repr=False)
    responses: tuple[SavedResponse, ...] = ()
    crawl: str = ""
    changes: tuple[str, ...] = ()
    robots_group: str | None = None
    forbidden: tuple[str, ...] = ()
    failure: str = ""
    saved_at: str = ""


def is_saved_page(folder: Path) -> bool:
    """Whether ``folder`` holds a saved page."""
    return (folder / MANIFEST).is_file()


def check_target(folder: Path, *, overwrite: bool) -> None:
    """Pass if a page may be saved in ``folder``.

    Raises:
        SetupError: it is a file, or holds something that would be lost or mixed up.
    """
    if folder.exists() and not folder.is_dir():
        raise SetupError(f"{folder} is a file; a page is saved in a folder")
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    if not is_saved_page(folder):
        raise SetupError(f"{folder} holds something else than a saved page; choose another folder")
    if not overwrite:
        raise SetupError(f"{folder} holds a saved page already; --overwrite replaces it")


def write_saved_page(
    folder: Path,
    saved: SavedPage,
    *,
    item: Json = None,
    links: Mapping[str, Json] | None = None,
    steps: Mapping[str, float] | None = None,
    picture: bytes = b"",
) -> list[str]:
    """Write ``saved`` to ``folder``, in files for their owner only; return their names. What an
    earlier page left there is removed. Raises OSError.
    """
    make_private(folder)
    _remove_earlier(folder)
    files: dict[str, bytes] = {HTML: encodable(saved.html).encode()}
    if picture:
        files[PICTURE] = picture
    frames = []
    for number, (url, html) in enumerate(saved.frames.items(), 1):
        frames.append({"url": url, "file": (name := f"{FRAMES}/{number:03}.html")})
        files[name] = encodable(html).encode()
    responses = []
    for number, one in enumerate(saved.responses, 1):
        name = f"{RESPONSES}/{number:03}.{ending_of(one.headers)}"
        files[name] = one.body
        about = {"url": one.url, "method": one.method, "status": one.status, "file": name}
        responses.append(about | {"headers": dict(one.headers), "truncated": one.truncated})
    response = saved.response
    files[ITEM] = as_json(item)
    files[LINKS] = as_json(links or {})
    files[HEADERS] = as_json({"request": response.request_headers, "response": response.headers})
    files[f"{RESPONSES}.json"] = as_json(responses)
    page = saved.page
    manifest = {
        "format": FORMAT,
        "version": VERSION,
        "saved_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "crawler": __version__,
        "crawl": saved.crawl,
        "changes": list(saved.changes),
        "page": {
            "url": page.url,
            "depth": page.depth,
            "route": page.route,
            "data": dict(page.data),
            "referer": page.referer,
            "form": None if page.form is None else dict(page.form),
        },
        "response": {
            "url": response.url,
            "status": response.status,
            "status_text": response.status_text,
            "content_type": response.content_type,
            "title": response.title,
            "redirects": None if response.redirects is None else list(response.redirects),
            "timing": dict(response.timing),
            "timings": None if response.timings is None else dict(response.timings),
            "console": None if response.console is None else [dict(it) for it in response.console],
        },
        "steps": dict(steps or {}),
        "robots_group": saved.robots_group,
        "forbidden": list(saved.forbidden),
        "failure": saved.failure,
        "frames": frames,
        "files": {name: len(data) for name, data in files.items()},
    }
    for name, data in files.items():
        make_private((folder / name).parent)
        write_private(folder / name, data)
    write_private(folder / MANIFEST, as_json(manifest))  # last: without it there is no saved page
    return [*files, MANIFEST]


def read_saved_page(folder: Path) -> SavedPage:
    """Return the page that ``folder`` holds.

    Raises:
        SetupError: it holds none, or one that is damaged, or of a later version.
    """
    if not is_saved_page(folder):
        raise SetupError(f"{folder} holds no saved page: there is no {MANIFEST} in it")
    try:
        manifest = json.loads(_read(folder, MANIFEST))
        if manifest["format"] != FORMAT or not 1 <= manifest["version"] <= VERSION:
            raise SetupError(f"{folder} was saved by another program, or by a later version of it")
        headers = json.loads(_read(folder, HEADERS))
        about = json.loads(_read(folder, f"{RESPONSES}.json"))
        page, response = manifest["page"], manifest["response"]
        return SavedPage(
            Page(
                page["url"],
                depth=int(page["depth"]),
                route=page["route"],
                data=page["data"],
                referer=page["referer"],
                form=page["form"],
            ),
            Response(
                **{
                    **response,
                    "redirects": _tuple(response["redirects"]),
                    "console": _tuple(response["console"]),
                    "headers": headers["response"],
                    "request_headers": headers["request"],
                }
            ),
            _read(folder, HTML).decode("utf-8", "replace"),
            {
                one["url"]: _read(folder, one["file"]).decode("utf-8", "replace")
                for one in manifest["frames"]
            },
            tuple(_response(folder, one) for one in about),
            crawl=str(manifest["crawl"]),
            changes=tuple(map(str, manifest["changes"])),
            robots_group=manifest["robots_group"],
            forbidden=tuple(manifest["forbidden"]),
            failure=str(manifest["failure"]),
            saved_at=str(manifest["saved_at"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        what = f"{type(error).__name__}: {error}"
        raise SetupError(f"the page saved in {folder} is damaged: {what}") from error
    except OSError as error:
        raise SetupError(
            f"the page saved in {folder} is damaged: {error.strerror}: {error.filename}"
        ) from error


def _response(folder: Path, one: Mapping[str, Any]) -> SavedResponse:
    return SavedResponse(
        str(one["url"]),
        str(one["method"]),
        int(one["status"]),
        dict(one["headers"]),
        _read(folder, one["file"]),
        bool(one["truncated"]),
    )


def _tuple(value: Iterable[Any] | None) -> tuple[Any, ...] | None:
    return None if value is None else tuple(value)


def _read(folder: Path, name: str) -> bytes:
    """Return the content of a file of ours in ``folder``. Raises ValueError: no file of ours has
    that name, or it is too large; OSError.
    """
    parts = Path(name).parts
    if name not in OWN and not (len(parts) == 2 and parts[0] in (RESPONSES, FRAMES)):
        raise ValueError(f"{name!r} is no file of a saved page")
    path = folder / name
    if path.resolve().parent != (folder / name).parent.resolve() or parts[-1] in ("..", "."):
        raise ValueError(f"{name!r} leads out of the folder")
    if path.stat().st_size > SIZE_MAX:
        raise ValueError(f"{name!r} is larger than {SIZE_MAX:,} bytes")
    return path.read_bytes()


def _remove_earlier(folder: Path) -> None:
    """Remove the files of a page that was saved in ``folder`` before, the manifest first."""
    if not is_saved_page(folder):
        return
    for name in OWN:
        (folder / name).unlink(missing_ok=True)
    for inner in (RESPONSES, FRAMES):
        if (folder / inner).is_dir():
            for path in (folder / inner).iterdir():
                if path.is_file() and path.stem.isdigit():
                    path.unlink()


def ending_of(headers: Mapping[str, str]) -> str:
    """Return the ending of the name of a file with a body that has these ``headers``."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    return "json" if "json" in kind else ENDINGS.get(kind, "bin")


def as_json(value: Json) -> bytes:
    """Return ``value`` as JSON for a file that people read."""
    return (json.dumps(value, ensure_ascii=False, indent=2) + "\n").encode("utf-8", "replace")
