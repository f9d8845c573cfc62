"""How the planning of a run grows with domains and providers."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig import run
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host.debian import Debian
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input import settings

from tests.bench.publishing import private_apache, provider, surveyor

ROUNDS = 3


def seconds(work: Callable[[], object]) -> float:
    """The median time of a piece of work."""
    times = []
    for _round in range(ROUNDS):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


def main() -> None:
    """Print the ratios."""
    with private_apache() as apache:
        platform = Debian(str(apache.config_directory))

        def plan(providers: int, domains: int) -> None:
            entries = [provider(*(f"d{number}-{index}.tld" for index in range(domains))) for number in range(providers)]
            wanted = settings.read({**apache.module_options(), "providers": entries})
            run.prepare(wanted, run.Way(check=True), platform, surveyor(apache))

        base = seconds(lambda: plan(1, 1))
        print("planning a first run, relative to one provider with one domain:")
        for providers, domains in ((1, 100), (1, 1000), (1, 10000), (100, 1), (1000, 1)):
            ratio = seconds(lambda size=(providers, domains): plan(*size)) / base
            print(f"  {providers:>5} x {domains:>5} domains: {ratio:7.1f} times, {ratio / providers / domains:5.2f} a domain")
