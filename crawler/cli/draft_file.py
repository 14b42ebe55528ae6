"""The file that `generate` writes: whole or not at all, and over no other unless that is asked."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..drafts.python_text import python_text
from ..drafts.toml_text import toml_text
from ..errors import SetupError
from ..local.private_files import NAME_BYTES
from .click_errors import Mistake
from .terminal import echo

#: The form of a file, by the ending of its name.
FORMATS = {".toml": toml_text, ".py": python_text}
#: Stands for standard output.
STDOUT = "-"


@dataclass(frozen=True)
class DraftFile:
    """A file at ``path`` (None: standard output), in the form that ``ending`` names."""

    path: Path | None
    ending: str
    force: bool = False

    @classmethod
    def named(cls, name: str, *, python: bool, force: bool) -> DraftFile:
        """Return the file ``name``. Raises Mistake if its ending is of another form."""
        if name == STDOUT:
            return cls(None, ".py" if python else ".toml")
        path = Path(name)
        ending = path.suffix.lower()
        if ending not in FORMATS:
            raise Mistake(f"{name!r} has no ending that says its form: .toml or .py")
        if python and ending != ".py":
            raise Mistake(f"--python writes Python, and {name!r} is TOML; name a file.py")
        if len(os.fsencode(path.name)) > NAME_BYTES or "\0" in name:
            raise Mistake(f"the name of the file has more than {NAME_BYTES} bytes, or none it may")
        return cls(path, ending, force)

    def check(self) -> None:
        """Raise Mistake if the file is there, or cannot be there."""
        if self.path is None:
            return
        folder = self.path.parent
        if self.path.is_dir():
            raise Mistake(f"{self.path} is a folder")
        if not folder.is_dir():
            raise Mistake(f"there is no folder {folder}")
        if not os.access(folder, os.W_OK):
            raise Mistake(f"the folder {folder} cannot be written")
        if os.path.lexists(self.path) and not self.force:
            raise self._taken()

    def _taken(self) -> Mistake:
        return Mistake(f"{self.path} exists: --force overwrites it, -o names another file")

    def write(self, fields: Mapping[str, Any], title: str) -> None:
        """Write a definition with ``fields``. Raises Mistake if the file is there by now,
        SetupError if it cannot be written.
        """
        text = FORMATS[self.ending](fields, title)
        if self.path is None:
            echo(text, nl=False, data=True)
            return
        target = self.path.resolve() if self.force else self.path
        temporary = target.with_name(f".{target.name[:80]}.{os.getpid()}.new")
        try:
            with temporary.open("x", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            if self.force:
                temporary.replace(target)
            else:
                target.hardlink_to(temporary)  # fails if the file is there by now
        except FileExistsError:
            raise self._taken() from None
        except OSError as error:
            raise SetupError(f"cannot write {self.path}: {error.strerror or error}") from error
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
