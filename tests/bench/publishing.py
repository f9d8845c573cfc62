"""A private Apache with our sites in it, for the benches: without Ansible around it, because that is not what is measured."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig import run
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host import commands
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host.debian import Debian
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host.survey import Surveyor
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input import settings

from tests.conftest import CACHE
from tools.certificates import Authority
from tools.private_apache import PrivateApache


@contextlib.contextmanager
def private_apache() -> Iterator[PrivateApache]:
    """An Apache with a certificate for server.tld beside it."""
    with tempfile.TemporaryDirectory(prefix="mail_autoconfig-bench-") as name:
        directory = Path(name)
        names = ["server.tld", "autoconfig.server.tld", "autodiscover.server.tld", "plain.tld"]
        Authority(directory / "ca").issue(directory / "live/server.tld", names)
        with PrivateApache(directory / "apache", CACHE) as apache:
            yield apache


def command(apache: PrivateApache) -> commands.Runner:
    """Runs commands so that Debian's mean this instance."""
    return lambda arguments, environment: commands.run(arguments, {**apache.environment, **environment})


def surveyor(apache: PrivateApache) -> Surveyor:
    """What looks at it."""
    return Surveyor(Debian(str(apache.config_directory)), command(apache), str(apache.state_directory))


def certificate(apache: PrivateApache) -> dict[str, str]:
    """The options for the certificate."""
    live = f"{apache.directory.parent}/live/{{domain}}"
    return {"certificate_file": f"{live}/fullchain.pem", "certificate_key_file": f"{live}/privkey.pem"}


def publish_on(apache: PrivateApache, **options: Any) -> None:
    """Publish with these options besides those of the instance."""
    wanted = settings.read({**apache.module_options(), **certificate(apache), **options})
    way = run.Way(rehearse=False, lists=())
    run.run(wanted, way, Debian(str(apache.config_directory)), command(apache))


def provider(*domains: str) -> dict[str, Any]:
    """A provider with the usual servers."""
    server = {"hostname": "mail.server.tld"}
    return {"domains": list(domains), "incoming": [{"type": "imap", **server}], "outgoing": [{"type": "smtp", **server}]}
