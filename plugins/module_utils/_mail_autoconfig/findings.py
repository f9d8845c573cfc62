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

    def of(self, subject: str) -> Findings:
        """The same, each line beginning with its subject."""
        return Findings(
            tuple(f"{subject}: {line}" for line in self.problems), tuple(f"{subject}: {line}" for line in self.warnings)
        )


def total(findings: t.Iterable[Findings]) -> Findings:
    """All of them in one; a line that several rules say is said once."""
    found = list(findings)
    return Findings(
        tuple(dict.fromkeys(line for item in found for line in item.problems)),
        tuple(dict.fromkeys(line for item in found for line in item.warnings)),
    )
