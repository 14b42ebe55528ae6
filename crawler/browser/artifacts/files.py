"""Files that pages leave: pictures, prints, downloads. They are for their owner only.

Each crawl has a folder; the name of a file begins with its page's id.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Collection
from pathlib import Path

from ...local.private_files import FILE_MODE, NAME_BYTES, make_private, safe_name, write_private
from ...model import File, Page

#: Bytes that are read at once for a digest.
PIECE = 1 << 20


def keep(folder: Path, page: Page, ending: str, data: bytes) -> File:
    """Write ``data`` to a file of ``page``, over that of an earlier attempt."""
    make_private(folder)
    path = folder / f"{page.id}.{ending}"
    path.unlink(missing_ok=True)  # it may have had another mode
    write_private(path, data)
    return File(path.name, len(data), hashlib.sha256(data).hexdigest(), str(path))


def take(folder: Path, page: Page, source: Path, name: str, others: Collection[str] = ()) -> File:
    """Move the file ``source`` to the files of ``page``, with what is safe of ``name``.

    ``others``: names that this page's files have already, see :func:`safe_name`.
    """
    make_private(folder)
    start = f"{page.id}-"
    path = folder / f"{start}{safe_name(name, NAME_BYTES - len(start), others)}"
    source.chmod(FILE_MODE)
    shutil.move(source, path)
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            digest.update(piece)
    return File(path.name, path.stat().st_size, digest.hexdigest(), str(path))


def keep_bytes(folder: Path, page: Page, name: str, data: bytes) -> File:
    """Write ``data`` to a file of ``page``, with what is safe of ``name``."""
    start = f"{page.id}-"
    make_private(folder)
    path = folder / f"{start}{safe_name(name, NAME_BYTES - len(start), ())}"
    path.unlink(missing_ok=True)
    write_private(path, data)
    return File(path.name, len(data), hashlib.sha256(data).hexdigest(), str(path))
