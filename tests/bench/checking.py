"""How the check grows with domains, and what it costs beside the bare requests that it makes; the servers are another process."""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import resource
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_check import model, options, run

from tests.unit.check.world import DOMAIN, Certificates, World
from tools.http_client import Client

SIZES = (1, 100, 1000)


def serve(certificates: Certificates, domains: list[str], pipe: Connection) -> None:
    """Have every domain published as server.tld is, and tell what was asked when somebody wants to know."""
    made = World(certificates)
    names = [name for domain in domains for name in (domain, f"*.{domain}")]
    every = certificates.context(f"all{len(domains)}.tld", *names)
    for (owner, kind), rdatas in list(made.dns.records.items()):
        for domain in domains:
            own = [rdata.replace(f"autodiscover.{DOMAIN}", f"autodiscover.{domain}") for rdata in rdatas]
            made.dns.records[owner.replace(DOMAIN, domain), kind] = own
    for (scheme, host, path), page in list(made.web.pages.items()):
        for domain in domains:
            made.web.pages[scheme, host.replace(DOMAIN, domain), path] = renamed(page, domain)
    made.web.contexts["default"] = every
    for domain in domains:
        for label in ("", "autoconfig.", "autodiscover."):
            made.web.contexts[f"{label}{domain}"] = every
    pipe.send(made.params(domains=domains, timeout=20))
    while pipe.recv():
        pipe.send(made.web.log[:])
        made.web.log.clear()
    made.close()


def renamed(page: Any, domain: str) -> Any:
    """A page with another domain in what it says."""
    if callable(page):
        return lambda method, target, body: renamed(page(method, target, body), domain)
    status, headers, content = page
    mail, old, new = f"mail.{DOMAIN}".encode(), DOMAIN.encode(), domain.encode()
    content = content.replace(mail, b"\0").replace(old, new).replace(b"\0", mail)
    return status, {name: value.replace(DOMAIN, domain) for name, value in headers.items()}, content


def bare(params: dict[str, Any], log: list[str]) -> float:
    """Seconds for the same HTTP requests by themselves, with as many threads."""
    client = Client("127.0.0.1", Path(params["ca_file"]), {"http": params["ports"]["80"], "https": params["ports"]["443"]})

    def ask(line: str) -> int:
        method, url = line.split(" ")
        return client.request(url, method, b"" if method == "POST" else None).status

    begun = time.perf_counter()
    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        list(pool.map(ask, log))
    return time.perf_counter() - begun


def measure(certificates: Certificates, count: int) -> tuple[float, float, int, str]:
    """Seconds of the check and of the bare requests, how many those are, and how the domains fared."""
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.Process(target=serve, args=(certificates, [f"d{number}.tld" for number in range(count)], theirs))
    server.start()
    params = ours.recv()
    begun = time.perf_counter()
    summary = model.summary(run.run(options.read(params)))
    took = time.perf_counter() - begun
    ours.send(True)
    log = ours.recv()
    alone = bare(params, log)
    ours.send(False)
    server.join()
    return took, alone, len(log), f"{summary['works']} work, {summary['errors']} errors"


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as directory:
        certificates = Certificates(Path(directory))
        for count in SIZES:
            took, alone, requests, fared = measure(certificates, count)
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
            each, ratio = took / count * 1000, took / alone
            print(f"  {count:5} domains ({fared}): {took:.1f} s, {each:.0f} ms a domain, at most {memory} MiB", flush=True)
            print(f"        {ratio:.1f} times its {requests} HTTP requests alone", flush=True)
