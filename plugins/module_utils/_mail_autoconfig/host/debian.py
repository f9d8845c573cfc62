"""Where Apache's files lie and what its commands are called.

PRIVATE to the collection. Debian and its derivatives: README.Debian and README.multiple-instances of the package apache2.
"""

from __future__ import annotations

import dataclasses
import typing as t

KINDS = ("sites", "conf", "mods")
DEFAULT_CONFIG_DIRECTORY = "/etc/apache2"


@dataclasses.dataclass(frozen=True)
class DebianLayout:
    """One instance of Apache as Debian lays it out.

    :ivar config_directory: ``/etc/apache2``, or another for a further instance
    """

    config_directory: str = DEFAULT_CONFIG_DIRECTORY

    @property
    def main_file(self) -> str:
        """The file that is there whenever Apache is installed."""
        return f"{self.config_directory}/apache2.conf"

    @property
    def environment(self) -> dict[str, str]:
        """What the commands need to mean this instance, and to speak English."""
        variables = {"LC_ALL": "C"}
        if self.config_directory != DEFAULT_CONFIG_DIRECTORY:
            variables["APACHE_CONFDIR"] = self.config_directory
        return variables

    @property
    def configtest(self) -> list[str]:
        """The command that checks the whole configuration."""
        return ["apache2ctl", "configtest"]

    def available(self, kind: str) -> str:
        """The directory of the files that can be enabled; ``kind`` is one of KINDS."""
        return f"{self.config_directory}/{kind}-available"

    def enabled(self, kind: str) -> str:
        """The directory of the links to what is enabled."""
        return f"{self.config_directory}/{kind}-enabled"

    def suffix(self, kind: str) -> str:
        """What the names of the links end in."""
        return ".load" if kind == "mods" else ".conf"

    def enable(self, kind: str, names: t.Iterable[str]) -> list[str]:
        """The command that enables them all."""
        return [{"sites": "a2ensite", "conf": "a2enconf", "mods": "a2enmod"}[kind], "-q", *names]

    def disable(self, kind: str, names: t.Iterable[str]) -> list[str]:
        """The command that disables them all; never used for modules."""
        return [{"sites": "a2dissite", "conf": "a2disconf"}[kind], "-q", *names]
