"""A real Thunderbird without a screen, driven through Marionette, that looks for the settings of an address by itself.

The profile is new, the ISPDB is switched off (so that only the provider's own answers count), host names are resolved to
the address of the server under test inside Thunderbird or by a name server of the test's own, and a test authority is trusted.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .private_apache import free_ports
from .resolver import with_name_server

_PREFERENCES: dict[str, str | int | bool] = {
    "app.update.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "mail.provider.suppress_dialog_on_startup": True,
    "mail.spotlight.firstRunDone": True,
    "mail.winsearch.firstRunDone": True,
    # Thunderbird's own data base of providers is not what is tested.
    "mailnews.auto_config_url": "",
    "mailnews.auto_config.guess.enabled": False,
    "mailnews.start_page.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    # What a name leads to may be another from one look to the next.
    "network.dnsCacheExpiration": 0,
    "network.dnsCacheExpirationGracePeriod": 0,
    "toolkit.telemetry.enabled": False,
}

_TRUST = """
const [authority] = arguments;
const database = Cc["@mozilla.org/security/x509certdb;1"].getService(Ci.nsIX509CertDB);
database.addCertFromBase64(authority, "CTu,Cu,Cu");
"""

_RESOLVE = """
const [names, address] = arguments;
const override = Cc["@mozilla.org/network/native-dns-override;1"].getService(Ci.nsINativeDNSResolverOverride);
for (const name of names) { override.addIPOverride(name, address); }
"""

# The generator yields where a person would have to agree to a foreign host.
_DISCOVER = """
const [domain, address, acceptRedirect, done] = arguments;
(async () => {
  const { FindConfig } = ChromeUtils.importESModule("resource:///modules/accountcreation/FindConfig.sys.mjs");
  const search = FindConfig.parallelAutoDiscovery(domain, address, new AbortController().signal);
  let step = await search.next();
  while (!step.done) { step = await search.next({ acceptRedirect }); }
  const config = step.value;
  const server = one => one && {
    type: one.type, hostname: one.hostname, port: one.port, socketType: one.socketType, auth: one.auth, username: one.username,
  };
  done(config && {
    source: config.subSource,
    incoming: server(config.incoming),
    outgoing: server(config.outgoing),
    incomingAlternatives: config.incomingAlternatives.map(server),
    outgoingAlternatives: config.outgoingAlternatives.map(server),
  });
})().catch(error => done({ error: String(error) }));
"""

# nsMsgSocketType and nsMsgAuthMethod, as MailNewsTypes2.idl numbers them.
STARTTLS, SSL = 2, 3
PASSWORD_CLEARTEXT = 3


class Thunderbird:
    """One Thunderbird with a profile below ``directory``; a context manager that ends it.

    :arg name_server: address of the only name server that it knows (on port 53, as resolvers want it); needs root
    """

    def __init__(self, directory: Path, program: str = "thunderbird", name_server: str = "") -> None:
        found = shutil.which(program)
        if found is None:
            raise FileNotFoundError(f"{program} is not installed")
        self._directory = directory
        self._port = free_ports(1)[0]
        profile = directory / "profile"
        profile.mkdir(parents=True)
        preferences = {**_PREFERENCES, "marionette.port": self._port}
        lines = [f"user_pref({_literal(name)}, {_literal(value)});\n" for name, value in sorted(preferences.items())]
        (profile / "user.js").write_text("".join(lines))
        self._command = [
            *(with_name_server(directory, name_server) if name_server else ()),
            *(found, "--headless", "--marionette", "-remote-allow-system-access", "--no-remote"),
            *("-profile", str(profile)),
        ]

    def __enter__(self) -> Thunderbird:
        # PyPI's marionette-driver has no type hints.
        from marionette_driver.marionette import Marionette  # type: ignore[import-untyped] # noqa: PLC0415

        self._log = (self._directory / "thunderbird.log").open("wb")
        self._process = subprocess.Popen(
            self._command, stdout=self._log, stderr=subprocess.STDOUT, env=_environment(self._directory)
        )
        self._client = Marionette(host="127.0.0.1", port=self._port)
        for _attempt in range(60):
            with contextlib.suppress(OSError, ValueError):
                self._client.start_session()
                break
            time.sleep(1)
        else:
            self.__exit__()
            raise RuntimeError(
                "Thunderbird does not answer:\n" + (self._directory / "thunderbird.log").read_text("utf-8", "replace")
            )
        self._client.set_context("chrome")
        self._client.timeout.script = 90
        return self

    def __exit__(self, *_exc: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    def trust(self, authority: Path) -> None:
        """Trust a certification authority (PEM)."""
        lines = authority.read_text().splitlines()
        body = "".join(line for line in lines if line and not line.startswith("-----"))
        self._client.execute_script(_TRUST, script_args=[body])

    def resolve(self, names: Iterable[str], address: str) -> None:
        """Resolve host names to an address, without DNS."""
        self._client.execute_script(_RESOLVE, script_args=[list(names), address])

    def discover(self, address: str, agree: bool = False) -> dict[str, Any]:
        """Let Thunderbird find the settings of a mail address; what it would offer to the user, or ``{}``.

        :arg agree: whether the user would agree to ask a host of another domain than the address has
        """
        domain = address.rpartition("@")[2]
        found = self._client.execute_async_script(_DISCOVER, script_args=[domain, address, agree])
        return dict(found or {})


def _literal(value: str | int | bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f'"{value}"' if isinstance(value, str) else str(value)


def _environment(directory: Path) -> dict[str, str]:
    """No display, no session of a desktop, and a home of its own."""
    return {
        "HOME": str(directory),
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "LC_ALL": "C.UTF-8",
        "MOZ_HEADLESS": "1",
        "MOZ_CRASHREPORTER_DISABLE": "1",
    }
