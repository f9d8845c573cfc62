"""How pushing records grows with the domains of a zone and with the zones of a name server."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.dns import records as dns
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input import settings
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_dns import push, records
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_dns.exchange import Exchange
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_dns.server import NameServer as Server

from tools.name_servers import Bind, NameServer


def run(server: NameServer, domains: Iterable[str], zones: list[str]) -> tuple[float, bool]:
    """What the module does, without Ansible: seconds, and whether anything was changed."""
    provider = {"domains": list(domains), "incoming": [{"type": "imap", "hostname": "mail.server.tld"}]}
    provider["outgoing"] = [{"type": "smtp", "hostname": "mail.server.tld"}]
    (wanted,) = settings.read({"providers": [provider]}).providers
    entries = [record.to_dict() for record in dns.records(wanted, dns.DnsOptions(addresses=("192.0.2.80", "2001:db8::80")))]
    begun = time.perf_counter()
    options = records.read({**server.module_options(), "records": entries, "zones": zones})
    with Exchange(options.server, options.port, options.key, 60) as exchange:
        reports = push.push(push.prepare(options, Server(exchange)).plans, Server(exchange))
    return time.perf_counter() - begun, any(report["changed"] for report in reports)


def measure(zones: list[str], domains: list[str], may_transfer: bool = True, named: bool = True) -> tuple[float, float]:
    """Seconds of a first run, which writes everything, and of a second, which only reads."""
    with tempfile.TemporaryDirectory() as directory:
        files = dict.fromkeys(zones, "")
        with Bind(Path(directory, "server"), files, may_transfer=may_transfer) as server:
            first, changed = run(server, domains, zones if named else [])
            second, changed_again = run(server, domains, zones if named else [])
    if not changed or changed_again:
        raise RuntimeError("the first run must change everything and the second nothing")
    return first, second


def line(what: str, small: tuple[float, float], large: tuple[float, float]) -> None:
    """Print how the two runs grow."""
    first, second = (large[run] / small[run] for run in (0, 1))
    print(f"  {what:<48} {first:6.1f} times ({large[0]:5.1f} s), unchanged {second:6.1f} times ({large[1]:5.1f} s)", flush=True)


def main() -> None:
    """Print the ratios; 7 record sets a domain."""
    print("pushing ten times as many, with BIND on the same machine:")
    sizes = [[f"d{number}.server.tld" for number in range(count)] for count in (1000, 10000)]
    line("10,000 domains in one zone", *(measure(["server.tld"], size) for size in sizes))
    line("the same without the right to transfer", *(measure(["server.tld"], size, may_transfer=False) for size in sizes))
    lists = [[f"d{number}.tld" for number in range(count)] for count in (100, 1000)]
    line("1,000 zones of one domain", *(measure(names, names) for names in lists))
    line("the same without naming the zones", *(measure(names, names, named=False) for names in lists))


if __name__ == "__main__":
    main()
