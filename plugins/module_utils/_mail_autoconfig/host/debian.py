"""Debian and its derivatives: README.Debian and README.multiple-instances of the package apache2, and its a2enmod.

PRIVATE to the collection. Links are made here rather than by a2enmod, which links a module's ``.conf`` before its ``.load``:
killed in between, Apache does not start any more, because not all of these files ask whether the module is there.
"""

from __future__ import annotations

import dataclasses
import glob
import os
import re
import shlex

from ..certificates import Certificate, Origin
from ..lineages import CERTBOT_DIRECTORY
from .platform import Link

DEFAULT_CONFIG_DIRECTORY = "/etc/apache2"
_CERTBOT_TIMERS = "/etc/systemd/system/timers.target.wants/*certbot*.timer"
_CERTBOT_CRON = "/etc/cron.*/*certbot*"
# Written by roles/mail_autoconfig/tasks/timer.yml.
_TIMERS = "/etc/systemd/system/mail-autoconfig-{}-{}.timer"
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
    :ivar certbot_directory: where the package certbot has its configuration and its lineages
    :ivar dehydrated_directory: where the package dehydrated has its certificates
    """

    config_directory: str = DEFAULT_CONFIG_DIRECTORY
    state_directory: str = ""
    certbot_directory: str = CERTBOT_DIRECTORY
    dehydrated_directory: str = "/var/lib/dehydrated/certs"

    @property
    def certificate_stores(self) -> tuple[tuple[Origin, Certificate], ...]:
        return tuple(
            (origin, Certificate(f"{directory}/*/fullchain.pem", f"{directory}/*/privkey.pem"))
            for origin, directory in (
                (Origin.CERTBOT, f"{self.certbot_directory}/live"),
                (Origin.DEHYDRATED, self.dehydrated_directory),
            )
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

    def reload_when_sound(self, unit: str, pid_file: str) -> str:
        variables = {"APACHE_CONFDIR": self.environment.get("APACHE_CONFDIR")}
        settings = "".join(f"export {name}={shlex.quote(value)}; " for name, value in variables.items() if value)
        # Told to reload, apache2ctl would start an Apache that does not run.
        runs = f"systemctl --quiet is-active {unit}" if unit else f"kill -0 $(cat {shlex.quote(pid_file)}) 2>/dev/null"
        reload = f"systemctl reload {unit}" if unit else "apache2ctl graceful"
        return f"{settings}if {runs}; then apache2ctl -t && {reload}; fi"

    def renews_lineages(self) -> bool:
        # Where systemd runs, the package's line for cron does nothing.
        with_systemd = os.path.isdir("/run/systemd/system")
        return self.certbot_directory == CERTBOT_DIRECTORY and bool(glob.glob(_CERTBOT_TIMERS if with_systemd else _CERTBOT_CRON))

    def timers(self) -> tuple[str, ...]:
        instance = os.path.basename(self.config_directory)
        return tuple(kind for kind in ("certificates", "signing") if os.path.lexists(_TIMERS.format(kind, instance)))

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

    def knows_directive(self, module: str, name: str) -> bool:
        try:
            with open(f"{self.available('mods')}/{module}.load", encoding="utf-8", errors="replace") as stream:
                path = re.search(r"^\s*LoadModule\s+\S+\s+(\S+)", stream.read(), re.MULTILINE)
            with open(path[1] if path else "", "rb") as program:
                return f"\0{name}\0".encode() in program.read()
        except OSError:
            return True

    def note(self, kind: str, name: str, is_on: bool) -> list[tuple[str, bool]]:
        root = self.state_directory or os.environ.get("APACHE_STATE_DIRECTORY", "/var/lib/apache2")
        base = f"{root}/{_TYPES[kind]}"
        enabled, disabled = f"{base}/enabled_by_admin/{name}", f"{base}/disabled_by_admin/{name}"
        by_package = [(f"{base}/{word}_by_maint/{name}", False) for word in ("enabled", "disabled")]
        return [(enabled, is_on), (disabled, not is_on), *by_package]
