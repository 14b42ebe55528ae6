"""Files that pages leave: pictures, prints, downloads.

Each crawl has a folder; the name of a file begins with its page's id.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from pathlib import Path

from ...model import File, Page

#: Characters of a download's own name that are kept.
NAME_MAX = 100
#: Bytes that are read at once for a digest.
PIECE = 1 << 20

_UNSAFE = re.compile(r"[^\w.-]+")


def keep(folder: Path, page: Page, ending: str, data: bytes) -> File:
    """Write ``data`` to a file of ``page``, over that of an earlier attempt."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{page.id}.{ending}"
    path.write_bytes(data)
    return File(path.name, len(data), hashlib.sha256(data).hexdigest(), str(path))


def take(folder: Path, page: Page, source: Path) -> File:
    """Move the file ``source`` to the files of ``page``, with what is safe of its name."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{page.id}-{_UNSAFE.sub('_', source.name)[-NAME_MAX:].lstrip('._')}"
    shutil.move(source, path)
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            digest.update(piece)
    return File(path.name, path.stat().st_size, digest.hexdigest(), str(path))
