"""Error snapshots as files: the index of a crawl's folder, and its documents and pictures, for
those who look at them. See ``run/snapshots.py``, which writes them.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterable
from contextlib import suppress
from io import BufferedReader
from pathlib import Path

from ..local.private_files import crawl_folder, make_private, write_private
from ..model import ID_LENGTH, Json

#: The file that lists the snapshots, one JSON object per line.
INDEX = "errors.jsonl"
#: Bytes of the index, from its end, that are read; of a document or a picture at most.
INDEX_MAX, FILE_MAX = 500_000, 8_000_000
#: The name of a document or a picture, as it is written.
NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,200}\.(?:html|png)")
PNG = b"\x89PNG\r\n\x1a\n"


def read_index(folder: Path) -> list[dict[str, Json]]:
    """Return the records of the snapshots in ``folder``, the newest first; none if nothing can be
    read there.
    """
    try:
        with _open(folder / INDEX) as file:
            cut = file.seek(0, os.SEEK_END) - INDEX_MAX
            file.seek(max(0, cut))
            lines = file.read(INDEX_MAX).split(b"\n")
    except OSError:
        return []
    records = map(_record, reversed(lines[1:] if cut > 0 else lines))
    return [record for record in records if record]


def kept_of_pages(folders: Iterable[Path]) -> dict[str, dict[str, str]]:
    """Return by the id of a page the paths of its last error snapshot in ``folders``: ``html``,
    and ``png`` if there is a picture.
    """
    kept: dict[str, dict[str, str]] = {}
    for folder in folders:
        for record in reversed(read_index(folder)):
            paths = {name: str(folder / text) for name in ("html", "png") if (text := record[name])}
            if "html" in paths:
                kept[Path(paths["html"]).stem[-ID_LENGTH:]] = paths
    return kept


def note_folder(state: Path, crawl: str, folder: Path) -> None:
    """Take note in the private state that error snapshots of ``crawl`` are in ``folder``. Where
    that fails, a list of failed pages does not name them.
    """
    with suppress(OSError):
        make_private(state / "exports")
        write_private(_note(state, crawl), json.dumps(str(folder.absolute())).encode())


def folders_of(state: Path, crawl: str, usual: Path | None) -> list[Path]:
    """Return the folders with error snapshots of ``crawl``: in the ``usual`` one, and that of the
    last `crawler start --output`.
    """
    roots = [usual] if usual else []
    with suppress(OSError, ValueError, TypeError):
        roots.append(Path(json.loads(_note(state, crawl).read_text())))
    return [folder for root in roots if (folder := crawl_folder(root, crawl)).is_dir()]


def _note(state: Path, crawl: str) -> Path:
    return crawl_folder(state / "exports", crawl).with_suffix(".errors")


def _record(line: bytes) -> dict[str, Json]:
    """Return the record of a line; {} if it is none of ours."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(record, dict):
        return {}
    texts = {name: record.get(name) for name in ("at", "url", "shown", "reason", "html", "png")}
    if not all(isinstance(text, str) or text is None for text in texts.values()):
        return {}
    for name in ("html", "png"):
        if not NAME.fullmatch(texts[name] or ""):
            texts[name] = None
    return texts | {"status": record.get("status")}


def read_file(folder: Path, name: str) -> bytes | None:
    """Return the document or picture ``name`` of ``folder``; None if there is no such file, or what
    has this name is none: a link, a device, or too large.
    """
    if not NAME.fullmatch(name):
        return None
    try:
        with _open(folder / name) as file:
            content = file.read(FILE_MAX + 1)
    except OSError:
        return None
    is_right = len(content) <= FILE_MAX and (name.endswith(".html") or content.startswith(PNG))
    return content if is_right else None


def _open(path: Path) -> BufferedReader:
    """Open a regular file, and no link. Raises OSError."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    handle = os.open(path, flags)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(f"{path} is no file")
    return os.fdopen(handle, "rb")
