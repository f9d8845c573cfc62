"""What tests of documentation share."""

from __future__ import annotations

import typing as t

Spec = dict[str, t.Any]


def shape(options: Spec, below: str) -> Spec:
    """Types, elements, defaults and choices of options and of those below them, and nothing else."""
    kept = {}
    for name, option in options.items():
        facts = {key: option[key] for key in ("type", "elements", "default", "choices", "required") if key in option}
        kept[name] = {**facts, "below": shape(option.get(below) or {}, below)}
    return kept
