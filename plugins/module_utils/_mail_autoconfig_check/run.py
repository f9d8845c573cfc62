"""A whole run: every domain asked about and judged, some at the same time.

PRIVATE to the collection.
"""

from __future__ import annotations

import concurrent.futures
import os
import ssl
import traceback
import typing as t

from .connections import Trust
from .gathering import Means, gather
from .model import ERROR, UNKNOWN, Data, DomainReport, Finding
from .names import Names, Resolver
from .options import Options
from .readers import Who
from .verdicts import report
from .wanted import wanted
from .web import Web

# Threads that ask, for each domain that is being checked: most of its questions do not depend on each other.
_QUESTIONS = 4
_MOST_QUESTIONS = 96


class _Shared(t.NamedTuple):
    """What all domains of a run have in common."""

    options: Options
    trust: ssl.SSLContext
    resolver: Resolver
    pool: concurrent.futures.Executor


def run(options: Options, resolver: Resolver | None = None) -> list[Data]:
    """The data of the reports, in the order of the domains. Raises OSError if the CA file cannot be used.

    :arg resolver: in place of one of the run's own, for whoever wants to know afterwards whether it was there
    """
    trust, resolver = Trust(options.ca_file).context(), resolver or Resolver(options.resolver, options.timeout)
    size = min(options.parallel, len(options.domains))
    threads = concurrent.futures.ThreadPoolExecutor
    with threads(min(max(size * _QUESTIONS, 16), _MOST_QUESTIONS)) as pool, threads(size) as domains:
        shared = _Shared(options, trust, resolver, pool)
        futures = [domains.submit(_checked, domain, shared) for domain in options.domains]
        return [future.result() for future in futures]


def _checked(domain: str, shared: _Shared) -> Data:
    """The data of one domain; a fault of ours is a finding, so that it costs one domain and not all."""
    try:
        return _check(domain, shared).as_data()
    except Exception as exc:  # noqa: BLE001
        # Where it happened, and nothing of what was in hand: that may be a password.
        last = traceback.extract_tb(exc.__traceback__)[-1]
        seen = f"{type(exc).__name__} in {os.path.basename(last.filename)} line {last.lineno}"
        finding = Finding("check.failed", ERROR, domain, "the check itself failed; please report it", seen)
        return DomainReport(domain, shared.options.address_for(domain), UNKNOWN, findings=(finding,)).as_data()


def _check(domain: str, shared: _Shared) -> DomainReport:
    """Ask about one domain, and judge."""
    options, trust = shared.options, shared.trust
    names = Names(shared.resolver, options.addresses, options.ports, options.timeout)
    means = Means(
        names=names,
        web=Web(names, trust, options.ports, options.timeout),
        trust=trust,
        pool=shared.pool,
        timeout=options.timeout,
        ispdb=options.ispdb,
        given=frozenset(options.addresses),
        password=options.password if options.address.endswith(f"@{domain}") else "",
    )
    wish = wanted(domain, options.providers, options.records, options.urls, options.login_for(domain))
    return report(gather(Who(options.address_for(domain)), wish, means))
