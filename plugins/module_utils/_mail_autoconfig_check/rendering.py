"""The reports by their format: data in, text out. Pure.

PRIVATE to the collection.
"""

from __future__ import annotations

import json
import typing as t

from . import screen
from .model import Data
from .reports import html, junit, prometheus

Renderer = t.Callable[[t.Sequence[Data], t.Mapping[str, int]], str]


def _json(domains: t.Sequence[Data], summary: t.Mapping[str, int]) -> str:
    """What the module returns, for other programs."""
    return json.dumps({"summary": summary, "domains": domains}, indent=1, ensure_ascii=False) + "\n"


RENDERERS: dict[str, Renderer] = {
    "text": screen.render,
    "json": _json,
    "html": html.render,
    "junit": junit.render,
    "prometheus": prometheus.render,
}


def render(form: str, domains: t.Sequence[Data], summary: t.Mapping[str, int]) -> str:
    """A report; ``form`` is a key of :data:`RENDERERS`."""
    return RENDERERS[form](domains, summary)
