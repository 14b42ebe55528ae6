"""The program of a worker: ``python -m crawler.local.celery_worker -A APP worker …``, which is
``celery -A APP worker …`` without Celery's other commands, its shell, and Flower.

Celery's own program imports all of them, a quarter of the time that a worker takes to start. With
``--wait MODULE… -A APP worker`` it imports the modules, and waits for what ``prepared_worker`` has
to say.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import sys
from importlib import import_module

from . import prepared_worker
from .prepared_worker import APP, WAIT


def main() -> None:
    """Import Celery, and run the command line."""
    atexit.register(gc.freeze)  # at the end, Python would look at all of it
    # what modules leave is no garbage: to look for some takes a sixth of the time of their import
    gc.disable()
    from .celery_program import program

    if sys.argv[1:2] == [WAIT]:
        wait_for_order()
    gc.freeze()  # nor later, when this process makes others
    gc.enable()
    program(auto_envvar_prefix="CELERY")


def wait_for_order() -> None:
    """Import the modules that the command line names, and become the worker that standard input
    asks for; end, if it asks for none.
    """
    from ..config import environment
    from .private_files import open_private
    from .processes import die_with_parent

    words = sys.argv[2:]
    for module in words[: words.index(APP[0])]:
        import_module(module)
    order = json.loads(sys.stdin.buffer.read() or b"null")
    if order is None:
        sys.exit()
    if arrange := die_with_parent(parent=order["parent"]):
        arrange()
    log = open_private(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for old, new in ((os.open(os.devnull, os.O_RDONLY), 0), (log, 1), (log, 2)):
        os.dup2(old, new)
    environment.replace(order["environment"])
    prepared_worker.first_crawl = order["first"]
    sys.argv[1:] = order["words"]


if __name__ == "__main__":
    main()
