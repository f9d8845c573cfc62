"""A private Apache with our sites in it, for the benches: without Ansible around it, because that is not what is measured."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig import run as publish
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host import transaction as apply
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host.debian import Debian
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


def host(apache: PrivateApache) -> apply.Host:
    """The library's view of it."""

    def command(arguments: Any, _environment: Mapping[str, str]) -> apply.Result:
        try:
            done = apache.command(*arguments)
        except RuntimeError as exc:
            return apply.Result(1, "", str(exc))
        return apply.Result(done.returncode, done.stdout, done.stderr)

    return apply.Host(Debian(str(apache.config_directory)), str(apache.state_directory), command)


def certificate(apache: PrivateApache) -> dict[str, str]:
    """The options for the certificate."""
    live = f"{apache.directory.parent}/live/{{domain}}"
    return {"certificate_file": f"{live}/fullchain.pem", "certificate_key_file": f"{live}/privkey.pem"}


def publish_on(apache: PrivateApache, **options: Any) -> None:
    """Publish with these options besides those of the instance, and reload."""
    where = host(apache)
    done = publish.prepare(settings.read({**apache.module_options(), **certificate(apache), **options}), where)
    where.apply(done.plan, done.current)
    apache.reload()


def provider(*domains: str) -> dict[str, Any]:
    """A provider with the usual servers."""
    server = {"hostname": "mail.server.tld"}
    return {"domains": list(domains), "incoming": [{"type": "imap", **server}], "outgoing": [{"type": "smtp", **server}]}
