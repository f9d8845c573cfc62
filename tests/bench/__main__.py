"""Measures, as ratios within one run: ``./dev bench``. No test, because seconds say more of a machine than of us."""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig import apply, publish, settings
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.layout import DebianLayout

from tests.conftest import CACHE
from tools.private_apache import PrivateApache

ROUNDS = 3


def seconds(work: Callable[[], object]) -> float:
    """The median time of a piece of work."""
    times = []
    for _round in range(ROUNDS):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


def planning(apache: PrivateApache) -> None:
    """How planning grows with domains on one provider, and with providers."""

    def no_command(_arguments: object, _environment: object) -> apply.Result:
        return apply.Result(0, "", "")

    def options(providers: int, domains: int) -> dict[str, object]:
        server = {"hostname": "mail.server.tld"}
        return {
            **apache.module_options(),
            "providers": [
                {
                    "domains": [f"d{provider}-{number}.tld" for number in range(domains)],
                    "incoming": [{"type": "imap", **server}],
                    "outgoing": [{"type": "smtp", **server}],
                }
                for provider in range(providers)
            ],
        }

    host = apply.Host(DebianLayout(str(apache.config_directory)), str(apache.state_directory), no_command)
    print("planning a first run, relative to one provider with one domain:")
    base = seconds(lambda: publish.prepare(settings.read(options(1, 1)), host))
    for providers, domains in ((1, 100), (1, 1000), (1, 10000), (100, 1), (1000, 1)):
        ratio = seconds(lambda size=(providers, domains): publish.prepare(settings.read(options(*size)), host)) / base
        print(
            f"  {providers:>5} providers x {domains:>5} domains: {ratio:8.1f} times, {ratio / providers / domains:5.2f} a domain"
        )


def requests_per_second(url: str, host: str) -> float:
    """What wrk measures on one thread with 16 connections."""
    command = ["wrk", "-t1", "-c16", "-d3s", "-H", f"Host: {host}", url]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = re.search(r"Requests/sec:\s+([0-9.]+)", done.stdout)
    if found is None or "Non-2xx" in done.stdout:
        raise RuntimeError(done.stdout)
    return float(found[1])


def serving(apache: PrivateApache, directory: Path) -> None:
    """Our answers relative to a plain file of the same size on a plain site of the same Apache."""
    root = directory / "plain"
    root.mkdir()
    directory.chmod(0o755)
    site = f"<VirtualHost *:{apache.http_port}>\nServerName plain.tld\nDocumentRoot {root}\n"
    apache.add_site("000-plain", site + f"<Directory {root}>\nRequire all granted\n</Directory>\n</VirtualHost>\n")

    def command(arguments: object, environment: object) -> apply.Result:
        done = apache.command(*arguments)  # type: ignore[misc]
        return apply.Result(done.returncode, done.stdout, done.stderr)

    host = apply.Host(DebianLayout(str(apache.config_directory)), str(apache.state_directory), command)
    wanted = settings.read({**apache.module_options(), "domain": "server.tld", "well_known": True})
    done = publish.prepare(wanted, host)
    host.apply(done.plan, done.current)
    document = apache.document_root / "server.tld/mail/config-v1.1.xml"
    (root / "plain.xml").write_bytes(document.read_bytes())
    apache.reload()
    base = f"http://127.0.0.1:{apache.http_port}"
    questions = {
        "Thunderbird's document on its own host": ("/mail/config-v1.1.xml", "autoconfig.server.tld"),
        "Outlook's document on its own host": ("/Autodiscover/Autodiscover.xml", "autodiscover.server.tld"),
        "Thunderbird's document on the domain's site": ("/.well-known/autoconfig/mail/config-v1.1.xml", "server.tld"),
    }
    print("requests per second, relative to a plain file of the same size (median of pairs):")
    for name, (path, virtual_host) in questions.items():
        pairs = [
            requests_per_second(base + path, virtual_host) / requests_per_second(f"{base}/plain.xml", "plain.tld")
            for _round in range(ROUNDS)
        ]
        print(f"  {name}: {statistics.median(pairs):.2f} ({min(pairs):.2f} to {max(pairs):.2f})")


def main() -> int:
    """Run all of it."""
    with tempfile.TemporaryDirectory(prefix="mail_autoconfig-bench-") as name:
        directory = Path(name)
        with PrivateApache(directory / "apache", CACHE) as apache:
            planning(apache)
            serving(apache, directory)
    return 0


if __name__ == "__main__":
    sys.exit(main())
