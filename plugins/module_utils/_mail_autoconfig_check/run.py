"""A whole run: every domain asked about and judged, some at the same time.

PRIVATE to the collection.
"""

from __future__ import annotations

import concurrent.futures
import os
import ssl
import traceback

from .connections import Trust
from .gathering import Means, gather
from .model import ERROR, UNKNOWN, Data, DomainReport, Finding
from .names import Names
from .options import Options
from .readers import Who
from .verdicts import report
from .wanted import wanted
from .web import Web

# Threads that ask, for each domain that is being checked: most of its questions do not depend on each other.
_QUESTIONS = 4
_MOST_QUESTIONS = 96


def run(options: Options) -> list[Data]:
    """The data of the reports, in the order of the domains. Raises OSError if the CA file cannot be used."""
    trust = Trust(options.ca_file).context()
    size = min(options.parallel, len(options.domains))
    threads = concurrent.futures.ThreadPoolExecutor
    with threads(min(max(size * _QUESTIONS, 16), _MOST_QUESTIONS)) as pool, threads(size) as domains:
        futures = [domains.submit(_checked, domain, options, trust, pool) for domain in options.domains]
        return [future.result() for future in futures]


def _checked(domain: str, options: Options, trust: ssl.SSLContext, pool: concurrent.futures.Executor) -> Data:
    """The data of one domain; a fault of ours is a finding, so that it costs one domain and not all."""
    try:
        return check(domain, options, trust, pool).as_data()
    except Exception as exc:  # noqa: BLE001
        # Where it happened, and nothing of what was in hand: that may be a password.
        last = traceback.extract_tb(exc.__traceback__)[-1]
        seen = f"{type(exc).__name__} in {os.path.basename(last.filename)} line {last.lineno}"
        finding = Finding("check.failed", ERROR, domain, "the check itself failed; please report it", seen)
        return DomainReport(domain, options.address_for(domain), UNKNOWN, findings=(finding,)).as_data()


def check(domain: str, options: Options, trust: ssl.SSLContext, pool: concurrent.futures.Executor) -> DomainReport:
    """Ask about one domain, and judge."""
    names = Names(options.resolver, options.addresses, options.ports, options.timeout)
    means = Means(
        names=names,
        web=Web(names, trust, options.ports, options.timeout),
        trust=trust,
        pool=pool,
        timeout=options.timeout,
        ispdb=options.ispdb,
        given=frozenset(options.addresses),
        password=options.password if options.address.endswith(f"@{domain}") else "",
    )
    wish = wanted(domain, options.providers, options.records, options.urls)
    return report(gather(Who(options.address_for(domain)), wish, means))
