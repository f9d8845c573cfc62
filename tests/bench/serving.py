"""Requests per second, latency, memory, and a long run of odd requests."""

from __future__ import annotations

import bisect
import contextlib
import http.client
import re
import shutil
import statistics
import subprocess
import sys
import time
import urllib.request
import venv
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from tests import fuzzing
from tests.bench.publishing import certificate, private_apache, provider, publish_on
from tests.conftest import CACHE
from tools.certificates import Authority, give_to_web_server
from tools.http_client import OUTLOOK_REQUEST
from tools.private_apache import PrivateApache, free_ports

ROUNDS = 5
FUZZ_REQUESTS = 200_000
ENDURANCE_ROUNDS = 10
LOGINS = 10_000
TIMED = 20_000
PLAIN_SITE = """\
<VirtualHost *:{http}>
    ServerName plain.tld
    CustomLog ${{APACHE_LOG_DIR}}/plain.log combined
    DocumentRoot {root}
    <Directory {root}>
        Require all granted
    </Directory>
</VirtualHost>
<IfModule mod_ssl.c>
<VirtualHost *:{https}>
    ServerName plain.tld
    CustomLog ${{APACHE_LOG_DIR}}/plain.log combined
    DocumentRoot {root}
    SSLEngine on
    SSLCertificateFile {chain}
    SSLCertificateKeyFile {key}
    <Directory {root}>
        Require all granted
    </Directory>
</VirtualHost>
</IfModule>
"""


class Load(NamedTuple):
    """What wrk found: requests per second, and the latency that 99 of 100 stay below, in milliseconds."""

    rate: float
    p99: float


def load(url: str, host: str, connections: int, address: str = "", seconds: int = 2) -> Load:
    """Load one URL for some seconds on one thread, with keep-alive; as Outlook's POST if there is an address."""
    script = CACHE / "outlook.lua"
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-H", f"Host: {host}"]
    if address:
        body = OUTLOOK_REQUEST.format(address=address)
        script.write_text(f"wrk.method = 'POST'\nwrk.body = [[{body}]]\nwrk.headers['Content-Type'] = 'text/xml'\n")
        command += ["-s", str(script)]
    output = subprocess.run([*command, url], capture_output=True, text=True, check=True).stdout
    rate, p99 = re.search(r"Requests/sec:\s+([0-9.]+)", output), re.search(r"99%\s+([0-9.]+)(us|ms|s)", output)
    if rate is None or p99 is None or "Non-2xx" in output:
        raise RuntimeError(output)
    return Load(float(rate[1]), float(p99[1]) * {"us": 0.001, "ms": 1, "s": 1000}[p99[2]])


def add_plain_site(apache: PrivateApache, content: bytes) -> None:
    """A site of the administrator's own with one file, of the same size as the answer it is compared with."""
    root = apache.directory / "plain"
    root.mkdir(mode=0o755)
    (root / "plain.xml").write_bytes(content)
    pair = {name.partition("_")[2]: path.replace("{domain}", "server.tld") for name, path in certificate(apache).items()}
    text = PLAIN_SITE.format(http=apache.http_port, https=apache.https_port, root=root, chain=pair["file"], key=pair["key_file"])
    apache.command("a2enmod", "-q", "ssl")
    apache.add_site("000-plain", text)


@contextlib.contextmanager
def automx2() -> Iterator[str]:
    """automx2 under gunicorn with its own example data; its address. From PyPI, into an environment of its own."""
    directory = CACHE / "automx2"
    if not (directory / "bin/gunicorn").exists():
        venv.create(directory, with_pip=True, clear=True)
        subprocess.run([directory / "bin/pip", "install", "-q", "automx2", "gunicorn"], check=True, capture_output=True)
    port = free_ports(1)[0]
    (directory / "automx2.conf").write_text(f"[automx2]\ndb_uri = sqlite:///{directory}/data.sqlite\n")
    (directory / "data.sqlite").unlink(missing_ok=True)
    command = [str(directory / "bin/gunicorn"), "-w", "2", "-b", f"127.0.0.1:{port}", "automx2.server:app"]
    environment = {"AUTOMX2_CONF": str(directory / "automx2.conf"), "PATH": f"{directory}/bin:/usr/bin:/bin"}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _attempt in range(100):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/initdb/", timeout=5).close()
                break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def compare(name: str, ours: tuple[str, str, str], theirs: tuple[str, str, str], connections: int) -> None:
    """Print the ratio of two loads, measured in turn, and of their 99th percentiles."""
    pairs = [
        (load(ours[0], ours[1], connections, ours[2]), load(theirs[0], theirs[1], connections, theirs[2]))
        for _round in range(ROUNDS)
    ]
    rate = statistics.median(first.rate / second.rate for first, second in pairs)
    p99 = statistics.median(first.p99 / second.p99 for first, second in pairs)
    print(f"  {name:<58} {connections:>3} connections: rate {rate:5.2f}, p99 {p99:5.2f}", flush=True)


def rates() -> None:
    """Our answers relative to a plain file of the same size, and automx2's relative to ours."""
    user = "user@server.tld"
    with private_apache() as apache:
        publish_on(apache, domain="server.tld", well_known=True)
        add_plain_site(apache, next((apache.document_root / "server.tld/autodiscover").iterdir()).read_bytes())
        apache.reload()
        bases = {"http": f"http://127.0.0.1:{apache.http_port}", "https": f"https://127.0.0.1:{apache.https_port}"}
        print("relative to a plain file of the same size on a plain site of the same Apache:")
        plain, config = bases["https"] + "/plain.xml", "/mail/config-v1.1.xml"
        for connections in (1, 16, 64):
            outlook = (bases["https"] + "/autodiscover/autodiscover.xml", "autodiscover.server.tld", user)
            compare("https: Outlook's POST", outlook, (plain, "plain.tld", ""), connections)
            compare("https: Outlook's POST, to a POST of the file", outlook, (plain, "plain.tld", user), connections)
            compare(
                "https: Thunderbird's GET",
                (bases["https"] + config, "autoconfig.server.tld", ""),
                (plain, "plain.tld", ""),
                connections,
            )
        outlook = (bases["https"] + "/autodiscover/autodiscover.xml", "server.tld", user)
        compare("https: Outlook's POST on the domain's own site", outlook, (plain, "plain.tld", ""), 16)
    with private_apache() as apache:
        publish_on(apache, domain="server.tld", https=False)
        add_plain_site(apache, next((apache.document_root / "server.tld/autodiscover").iterdir()).read_bytes())
        apache.reload()
        base = f"http://127.0.0.1:{apache.http_port}"
        outlook = (f"{base}/autodiscover/autodiscover.xml", "autodiscover.server.tld", user)
        thunderbird = (base + config, "autoconfig.server.tld", "")
        for connections in (1, 16, 64):
            compare("http: Outlook's POST", outlook, (f"{base}/plain.xml", "plain.tld", ""), connections)
            compare("http: Outlook's POST, to a POST of the file", outlook, (f"{base}/plain.xml", "plain.tld", user), connections)
            compare("http: Thunderbird's GET", thunderbird, (f"{base}/plain.xml", "plain.tld", ""), connections)
        print("relative to automx2 under gunicorn with two workers, the same requests over http:")
        with automx2() as other:
            theirs = (f"{other}/autodiscover/autodiscover.xml", "example.com", "user@example.com")
            compare("Outlook's POST", outlook, theirs, 16)
            query = "?emailaddress=user%40example.com"
            compare("Thunderbird's GET", thunderbird, (f"{other}{config}{query}", "example.com", ""), 16)


def downloads() -> None:
    """Apple's profile, unsigned and signed, and what is left for others while people fetch signed ones."""
    with private_apache() as apache:
        config = ("http://127.0.0.1:{}/mail/config-v1.1.xml", "autoconfig.server.tld", "")
        signing = apache.directory / "signing"
        Authority(apache.directory.parent / "ca").issue_for_signing(signing)
        give_to_web_server(signing / "privkey.pem")
        pair = {"certificate": "cert.pem", "chain": "chain.pem", "key": "privkey.pem"}
        url = f"http://127.0.0.1:{apache.http_port}/mail.mobileconfig?emailaddress=user@server.tld"
        plain = (config[0].format(apache.http_port), *config[1:])
        publish_on(apache, domain="server.tld", https=False)
        print("relative to Thunderbird's file over http:")
        compare("Apple's profile, unsigned", (url, "autoconfig.server.tld", ""), plain, 16)
        publish_on(
            apache, domain="server.tld", https=False, **{f"signing_{name}": str(signing / file) for name, file in pair.items()}
        )
        with ThreadPoolExecutor(1) as pool:
            rates = []
            for flooded in (plain[0], url):
                flood = pool.submit(_flood, flooded, "autoconfig.server.tld")
                time.sleep(0.5)
                rates.append(load(*plain[:2], 4).rate)
                served, turned_away = flood.result()
        print(f"  signed, 64 at once: {served:.0f} a second signed, {turned_away:.0f} turned away with 503")
        print(f"  Thunderbird's file meanwhile, relative to a flood of that file itself: rate {rates[1] / rates[0]:.2f}")


def _flood(url: str, host: str) -> tuple[float, float]:
    """Signed profiles and refusals a second, of 64 connections for five seconds."""
    command = ["wrk", "-t1", "-c64", "-d5s", "-H", f"Host: {host}", url]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    total, refused = re.search(r"(\d+) requests in", output), re.search(r"Non-2xx or 3xx responses: (\d+)", output)
    away = int(refused[1]) if refused else 0
    return ((int(total[1]) if total else 0) - away) / 5, away / 5


def logins() -> None:
    """What a table of logins costs a request, and whether the time of an answer tells who is in it."""
    known = {f"user{number}@server.tld": f"u{number}" for number in range(LOGINS)}
    with private_apache() as without, private_apache() as one, private_apache() as many:
        requests = []
        for apache, table in ((without, {}), (one, dict([*known.items()][:1])), (many, known)):
            publish_on(apache, domain="server.tld", https=False, logins=table)
            url = f"http://127.0.0.1:{apache.http_port}/autodiscover/autodiscover.xml"
            requests.append((url, "autodiscover.server.tld", f"user{len(table) // 2}@server.tld"))
        for connections in (1, 16):
            compare(f"Outlook's POST with {LOGINS} logins to one", requests[2], requests[1], connections)
            compare(f"Outlook's POST with {LOGINS} logins to none", requests[2], requests[0], connections)
        seconds: dict[bool, list[float]] = {True: [], False: []}
        connection = http.client.HTTPConnection("127.0.0.1", many.http_port)
        for number in range(TIMED):
            for is_known in (True, False):
                address = f"user{number % LOGINS}@server.tld" if is_known else f"user{LOGINS + number % LOGINS}@server.tld"
                body = OUTLOOK_REQUEST.format(address=address).encode()
                begun = time.perf_counter()
                connection.request("POST", "/autodiscover/autodiscover.xml", body, {"Host": "autodiscover.server.tld"})
                connection.getresponse().read()
                seconds[is_known].append(time.perf_counter() - begun)
    ratio = statistics.median(seconds[True]) / statistics.median(seconds[False])
    print(f"  an address with a login to one without, {TIMED} each: median time {ratio:.3f}")
    print(f"  one with a login takes longer than one without: in {slower(seconds[True], seconds[False]):.1%} of all pairs")


def slower(first: list[float], second: list[float]) -> float:
    """In how many of all pairs the first takes longer (Mann and Whitney's U as a share); a half if nothing tells them apart."""
    ordered = sorted(second)
    return sum(bisect.bisect_left(ordered, value) for value in first) / (len(first) * len(second))


def resident(apache: PrivateApache) -> float:
    """Proportional memory of all processes of an Apache, in MiB."""
    parent = (apache.directory / "run/apache2.pid").read_text().strip()
    total = 0
    for directory in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError):
            fields = (directory / "stat").read_text().rpartition(")")[2].split()
            if parent in (directory.name, fields[1]):
                total += int(re.findall(r"^Pss:\s+(\d+)", (directory / "smaps_rollup").read_text(), re.MULTILINE)[0])
    return total / 1024


def memory() -> None:
    """Memory after some load, and the last of many domains relative to the first: as an address, and as a host over HTTP."""
    many = [f"d{number}.tld" for number in range(10_000)]
    sizes: dict[str, float] = {}
    for name, responder, domains in (
        ("one domain, static", "none", ["server.tld"]),
        ("one domain, responder", "lua", ["server.tld"]),
        ("10,000 domains, static", "none", ["server.tld", *many]),
        ("10,000 domains, responder", "lua", ["server.tld", *many]),
    ):
        with private_apache() as apache:
            # With a single virtual host Apache compares no names.
            add_plain_site(apache, b"<x/>")
            apache.reload()
            publish_on(apache, providers=[provider(*domains)], responder=responder, https=False)
            url = f"http://127.0.0.1:{apache.http_port}/autodiscover/autodiscover.xml"
            first = load(url, "autodiscover.server.tld", 64, "user@server.tld")
            sizes[name] = resident(apache)
            if len(domains) > 1 and responder == "lua":
                first_of_all = (url, "autodiscover.server.tld", "user@server.tld")
                compare("an address in the last domain", (url, "autodiscover.server.tld", f"user@{many[-1]}"), first_of_all, 16)
                compare("the host of the last domain", (url, f"autodiscover.{many[-1]}", "user@server.tld"), first_of_all, 16)
            ratio = sizes[name] / sizes["one domain, static"]
            print(f"  {name:<28} {ratio:5.2f} times ({sizes[name]:.0f} MiB in all processes), rate {first.rate:.0f}/s")


def endurance() -> None:
    """As many requests as two threads answer in days, after which one that keeps something of each is full: it must not grow."""
    with private_apache() as apache:
        # The fewest threads that answer, so that each has the most to do.
        threads = "ThreadLimit 2\nThreadsPerChild 2\nMaxRequestWorkers 2\nMinSpareThreads 1\nMaxSpareThreads 2\n"
        (apache.config_directory / "mods-available/mpm_event.conf").write_text(f"StartServers 1\nServerLimit 1\n{threads}")
        (apache.config_directory / "conf-enabled/keep.conf").write_text("MaxKeepAliveRequests 0\n")
        apache.stop()
        apache.start()
        publish_on(apache, domain="server.tld", https=False, well_known=True)
        add_plain_site(apache, b"<x/>")
        apache.reload()
        url = f"http://127.0.0.1:{apache.http_port}/autodiscover/autodiscover.xml"
        sizes, total = [], 0.0
        for number in range(ENDURANCE_ROUNDS):
            host = ("autodiscover.server.tld", "server.tld")[number % 2]
            total += load(url, host, 2, "user@server.tld", seconds=20).rate * 20
            sizes.append(resident(apache))
        print(
            f"  {total / 1e6:.1f} million requests, all answered well; memory {sizes[-1] / sizes[1]:.2f} times that of the first"
        )


def fuzz() -> None:
    """Many odd requests; the first answer that is wrong ends it."""
    if shutil.which("apache2", path="/usr/sbin") is None:
        sys.exit("apache2 is not installed")
    with private_apache() as apache:
        page = {"provider": "server.tld", "language": "en", "html": fuzzing.PAGE}
        publish_on(apache, domain="server.tld", https=False, setup_pages=[page])
        seen = fuzzing.run(apache.http_port, FUZZ_REQUESTS, seed=2)
        print(f"  {sum(seen.values())} requests, all answered well: {dict(sorted(seen.items()))}")
