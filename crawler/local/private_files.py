"""Files and folders that are for their owner only, whatever the umask, and names that stay in their
folder.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import unicodedata
from collections.abc import Collection
from pathlib import Path

#: Modes of folders and files: nobody but their owner may look.
FOLDER_MODE, FILE_MODE = 0o700, 0o600
#: Bytes of a file's name that every file system takes: eCryptfs takes the fewest.
NAME_BYTES = 143
#: Bytes that are free on a disk that is not full.
SPACE_MIN = 65_536
#: Bytes of the ending of a name (``.tar.gz``) that is kept when the name is cut.
ENDING_BYTES = 20

_UNSAFE = re.compile(r"[^\w.-]+")
_ENDING = re.compile(r"(\.\w{1,10}){1,2}$")


def make_private(folder: Path) -> None:
    """Make ``folder``, and those above it that are missing, for their owner only. One that is there
    stays as it is.
    """
    if folder.is_dir():
        return
    if folder.parent != folder:
        make_private(folder.parent)
    try:
        folder.mkdir(mode=FOLDER_MODE)
    except FileExistsError:  # another process was faster, or it is a file
        if not folder.is_dir():
            raise
        return
    folder.chmod(FOLDER_MODE)  # the umask may have taken more


def check_space(folder: Path) -> None:
    """Raise OSError if the disk that ``folder`` is on is full."""
    disk = os.statvfs(folder)
    free = disk.f_bfree if os.geteuid() == 0 else disk.f_bavail
    if disk.f_blocks and free * disk.f_frsize < SPACE_MIN:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def open_private(path: str | os.PathLike[str], flags: int) -> int:
    """Open ``path``: an ``opener`` for :func:`open`. A file that is made is for its owner only."""
    return os.open(path, flags | os.O_CLOEXEC, FILE_MODE)


def write_private(path: Path, data: bytes) -> None:
    """Write ``data`` to the file ``path``. If it is made, it is for its owner only."""
    with open(path, "wb", opener=open_private) as file:
        file.write(data)


def crawl_folder(root: Path, crawl: str) -> Path:
    """Return the folder of ``crawl`` in ``root``. Names that differ in case only have different
    ones, also on file systems that do not tell them apart.
    """
    if crawl == crawl.lower():
        return root / crawl
    return root / f"{crawl}~{digest_of_text(crawl)}"


def safe_name(text: str, size: int, others: Collection[str] = ()) -> str:
    """Return ``text``, a name that a stranger chose, as a part of a file's name with at most
    ``size`` bytes: no separators, control characters or colons, and no dot or space at its ends.

    It keeps its ending. If it is cut, or equals one of ``others`` where case does not matter (see
    :func:`folded`), a digest tells it from others.
    """
    name = _UNSAFE.sub("_", unicodedata.normalize("NFC", text)).strip("._ ") or "file"
    if len(os.fsencode(name)) <= size and folded(name) not in others:
        return name
    found = _ENDING.search(name)
    ending = found[0] if found and len(os.fsencode(found[0])) <= ENDING_BYTES else ""
    for number in range(len(others) + 1):
        mark = f"-{digest_of_text(f'{text}/{number}' if number else text)}{ending}"
        stem = os.fsencode(name.removesuffix(ending))[: size - len(os.fsencode(mark))]
        name_cut = stem.decode(errors="ignore").rstrip("._") + mark
        if folded(name_cut) not in others:
            break
    return name_cut


def folded(name: str) -> str:
    """Return ``name`` as a file system compares names that does not tell capitals apart."""
    return unicodedata.normalize("NFKC", name).casefold()


def digest_of_text(text: str) -> str:
    """Return eight hexadecimal digits that stand for ``text``."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
