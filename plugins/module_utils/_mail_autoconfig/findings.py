"""What a rule has found: reasons against a run, and warnings. Rules return it; nobody hands lists down to be filled.

PRIVATE to the collection.
"""

from __future__ import annotations

import dataclasses
import typing as t


@dataclasses.dataclass(frozen=True)
class Findings:
    """Each a line: ``problems`` forbid the run, ``warnings`` do not."""

    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def __add__(self, other: Findings) -> Findings:
        return Findings((*self.problems, *other.problems), (*self.warnings, *other.warnings))


def of_each(findings: t.Mapping[str, Findings]) -> Findings:
    """Those of several subjects, each line beginning with its subjects; what many have in common is one line."""

    def said(lines_of: t.Callable[[Findings], tuple[str, ...]]) -> tuple[str, ...]:
        subjects: dict[str, list[str]] = {}
        for subject, found in findings.items():
            for line in dict.fromkeys(lines_of(found)):
                subjects.setdefault(line, []).append(subject)
        return tuple(f"{some(names)}: {line}" for line, names in subjects.items())

    return Findings(said(lambda found: found.problems), said(lambda found: found.warnings))


def some(names: t.Sequence[str], shown: int = 6) -> str:
    """A list of names for a message, not longer than a line."""
    return ", ".join(names[:shown]) + (f" and {len(names) - shown} more" if len(names) > shown else "")


def total(findings: t.Iterable[Findings]) -> Findings:
    """All of them in one; a line that several rules say is said once."""
    found = list(findings)
    return Findings(
        tuple(dict.fromkeys(line for item in found for line in item.problems)),
        tuple(dict.fromkeys(line for item in found for line in item.warnings)),
    )
