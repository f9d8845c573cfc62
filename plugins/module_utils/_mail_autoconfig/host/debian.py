"""Debian and its derivatives: README.Debian and README.multiple-instances of the package apache2, and its a2enmod.

PRIVATE to the collection. Links are made here rather than by a2enmod, which links a module's ``.conf`` before its ``.load``:
killed in between, Apache does not start any more, because not all of these files ask whether the module is there.
"""

from __future__ import annotations

import dataclasses
import os
import re

from ..certificates import Certificate, Origin
from .platform import Link

DEFAULT_CONFIG_DIRECTORY = "/etc/apache2"
_TYPES = {"mods": "module", "conf": "conf", "sites": "site"}
_VARIABLES = (
    '. "$1" >/dev/null 2>&1; printf "%s\\n" "${APACHE_RUN_USER:-www-data}" "${APACHE_RUN_GROUP:-www-data}" '
    '"${APACHE_LOG_DIR:-/var/log/apache2}" "${APACHE_PID_FILE:-/var/run/apache2/apache2.pid}"'
)


@dataclasses.dataclass(frozen=True)
class Debian:
    """One instance of Apache as Debian lays it out.

    :ivar config_directory: ``/etc/apache2``, or another for a further instance
    :ivar state_directory: where a2enmod keeps its notes
    :ivar certificate_stores: as the packages certbot and dehydrated have them
    """

    config_directory: str = DEFAULT_CONFIG_DIRECTORY
    state_directory: str = ""
    certificate_stores: tuple[tuple[Origin, Certificate], ...] = (
        (Origin.CERTBOT, Certificate("/etc/letsencrypt/live/*/fullchain.pem", "/etc/letsencrypt/live/*/privkey.pem")),
        (
            Origin.DEHYDRATED,
            Certificate("/var/lib/dehydrated/certs/*/fullchain.pem", "/var/lib/dehydrated/certs/*/privkey.pem"),
        ),
    )

    @property
    def main_file(self) -> str:
        return f"{self.config_directory}/apache2.conf"

    @property
    def environment(self) -> dict[str, str]:
        variables = {"LC_ALL": "C"}
        if self.config_directory != DEFAULT_CONFIG_DIRECTORY:
            variables["APACHE_CONFDIR"] = self.config_directory
        return variables

    @property
    def missing(self) -> str:
        return (
            f"{self.main_file} does not exist: there is no Apache here in Debian's layout; install the package apache2, or let "
            "the role do it with mail_autoconfig_manage_apache: true"
        )

    def available(self, kind: str) -> str:
        return f"{self.config_directory}/{kind}-available"

    def enabled(self, kind: str) -> str:
        return f"{self.config_directory}/{kind}-enabled"

    def suffix(self, kind: str) -> str:
        return ".load" if kind == "mods" else ".conf"

    def control(self, *arguments: str) -> list[str]:
        return ["apache2ctl", *arguments]

    def service(self, verb: str, unit: str) -> list[str]:
        return ["systemctl", verb, unit]

    def variables(self) -> list[str]:
        return ["sh", "-c", _VARIABLES, "sh", f"{self.config_directory}/envvars"]

    def links(self, kind: str, name: str) -> list[Link]:
        suffixes = (".load", ".conf") if kind == "mods" else (".conf",)
        return [
            Link(f"{self.enabled(kind)}/{name}{suffix}", f"../{kind}-available/{name}{suffix}")
            for suffix in suffixes
            if kind != "mods" or os.path.exists(f"{self.available(kind)}/{name}{suffix}")
        ]

    def requirements(self, name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        try:
            with open(f"{self.available('mods')}/{name}.load", encoding="utf-8", errors="replace") as stream:
                text = stream.read()
        except OSError:
            return (), ()
        found = dict(re.findall(r"^# (Depends|Conflicts):\s+(.*?)\s*$", text, re.MULTILINE))
        return tuple(found.get("Depends", "").split()), tuple(found.get("Conflicts", "").split())

    def note(self, kind: str, name: str, is_on: bool) -> list[tuple[str, bool]]:
        root = self.state_directory or os.environ.get("APACHE_STATE_DIRECTORY", "/var/lib/apache2")
        base = f"{root}/{_TYPES[kind]}"
        enabled, disabled = f"{base}/enabled_by_admin/{name}", f"{base}/disabled_by_admin/{name}"
        by_package = [(f"{base}/{word}_by_maint/{name}", False) for word in ("enabled", "disabled")]
        return [(enabled, is_on), (disabled, not is_on), *by_package]
