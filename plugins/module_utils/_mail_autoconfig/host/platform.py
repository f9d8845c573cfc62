"""What differs between families of systems: where Apache's files lie, what its commands are, and how something is switched on.

PRIVATE to the collection. A further family is a further file beside ``debian``.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ..certificates import Certificate, Origin

# What can be switched on, in the order in which that is done: modules before what uses them, sites last.
KINDS = ("mods", "conf", "sites")


@dataclasses.dataclass(frozen=True)
class Link:
    """A link that switches something on: where it lies, and what it says."""

    path: str
    target: str


@dataclasses.dataclass(frozen=True)
class Variables:
    """What the commands of this Apache are told by their environment."""

    user: str
    group: str
    log_directory: str
    pid_file: str


class Platform(t.Protocol):
    """One instance of Apache, as a family of systems lays it out."""

    @property
    def config_directory(self) -> str:
        """Where its configuration is."""

    @property
    def main_file(self) -> str:
        """The file that is there whenever Apache is installed."""

    @property
    def environment(self) -> dict[str, str]:
        """What the commands need to mean this instance."""

    @property
    def missing(self) -> str:
        """What to say where there is no Apache."""

    @property
    def certificate_stores(self) -> tuple[tuple[Origin, Certificate], ...]:
        """Where programs that get certificates keep them, with ``*`` for a part without a slash."""

    @property
    def certbot_directory(self) -> str:
        """Where certbot has its configuration and its lineages."""

    def available(self, kind: str) -> str:
        """The directory of the files that can be switched on; ``kind`` is one of KINDS."""

    def enabled(self, kind: str) -> str:
        """The directory of the links to what is on."""

    def suffix(self, kind: str) -> str:
        """What the names of the links end in."""

    def control(self, *arguments: str) -> list[str]:
        """The command that asks or tells this instance of Apache something."""

    def service(self, verb: str, unit: str) -> list[str]:
        """The command that tells the service manager to reload, start or restart a unit."""

    def reload_when_sound(self, unit: str, pid_file: str) -> str:
        """A command for a shell that reloads this instance if it runs and its configuration is sound.

        :arg unit: of systemd, in which it runs; empty without one
        """

    def renews_lineages(self) -> bool:
        """Whether something runs ``certbot renew`` by itself."""

    def timers(self) -> tuple[str, ...]:
        """The role's timers for this instance, by what they see to: ``certificates``, ``signing``."""

    def variables(self) -> list[str]:
        """The command that prints :class:`Variables`, a line each."""

    def links(self, kind: str, name: str) -> list[Link]:
        """The links of a name, in an order in which Apache can start after each of them."""

    def requirements(self, name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The modules that a module needs, and those that it cannot stand beside."""

    def knows_directive(self, module: str, name: str) -> bool:
        """Whether a module, which may be off, has a directive; True where that cannot be told."""

    def note(self, kind: str, name: str, is_on: bool) -> list[tuple[str, bool]]:
        """The system's own notes of what was switched on by whom: paths of empty files, and whether each shall be there."""
