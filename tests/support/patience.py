"""How long tests wait for what must happen."""

from __future__ import annotations

#: Seconds that nothing but a hang takes, also where three tests share two busy processors.
PATIENCE = 90.0
