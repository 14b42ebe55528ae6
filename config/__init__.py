"""Settings: where this installation finds things, and how patient it is.

Belongs here: the only code that reads the environment, and files of deployments. Does not: what to
crawl (``definition/``), and anything that imports the rest of the package.
"""

from __future__ import annotations


class SettingsError(ValueError):
    """A variable is wrong.

    The text is one line: each faulty variable, what is wrong with it, and an example of a right
    value.
    """
