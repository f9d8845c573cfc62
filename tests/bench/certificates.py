"""What certificates cost: ordered in one run, against the same orders without us; and one for each of many domains."""

from __future__ import annotations

import contextlib
import datetime
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.bench.publishing import private_apache, provider
from tests.bench.scale import Host, domains, host, median, reload_seconds, show
from tests.bench.serving import add_plain_site, resident
from tools.pebble import Pebble
from tools.private_apache import PrivateApache

ORDERED = 100
OWN = 1_000
_LONGEST = 3600
# What our managed domains say, for the whole server.
ALONE = """\
MDPortMap http:{apache.http_port} https:{apache.https_port}
MDMembers manual
MDRenewMode always
MDContactEmail admin@server.tld
MDCertificateAuthority {pebble.url}
MDCertificateAgreement accepted
MDCAChallenges http-01
MDCACertificateFile {pebble.ca_file}
MDPrivateKeys RSA 2048
"""


def main() -> None:
    """Print all ratios."""
    orders(ORDERED)
    many_of_ones_own()


def hosts(domain: str) -> list[str]:
    """The host names of a mail domain that a certificate has."""
    return [f"{label}.{domain}" for label in ("autoconfig", "autodiscover")]


def orders(count: int) -> None:
    """A playbook that brings so many domains from nothing to HTTPS, against mod_md alone, which has only to order.

    The same Pebble for both, which validates over HTTP and refuses a nonce now and then; so that is its minimum, as far as
    Apache can come to it. Needs root.
    """
    print(
        f"{count} domains ordered by mod_md from Pebble, relative to mod_md without us, from its start to the last certificate:"
    )
    names = domains(count)
    alone = _seconds_alone(names)
    with private_apache() as apache, _pebble(apache, names) as pebble:
        server = Host(apache, pebble.asking_it())
        variables = {
            "providers": [provider(*names)],
            "certificates": "mod_md",
            "acme_agreement": True,
            "acme_contact": "admin@server.tld",
            "acme_directory": pebble.url,
            "acme_ca_file": str(pebble.ca_file),
            "acme_wait_seconds": _LONGEST,
            "acme_new_orders": count,
        }
        show("the whole playbook, until HTTPS answers everywhere", server.seconds(variables, changed=True), alone)
        if _ordered(apache, names, "domains") != count:
            raise RuntimeError("certificates are missing")
        show("the playbook once more", median(lambda: server.seconds(variables, changed=False)), alone)


@contextlib.contextmanager
def _pebble(apache: PrivateApache, names: Sequence[str]) -> Iterator[Pebble]:
    """An authority in whose DNS the names lead here."""
    with Pebble(apache.directory / "pebble", apache.http_port, apache.https_port) as pebble:
        pebble.lead(host for domain in names for host in hosts(domain))
        yield pebble


def _seconds_alone(names: Sequence[str]) -> float:
    """What mod_md needs until all certificates are staged."""
    with private_apache() as apache, _pebble(apache, names) as pebble:
        lines = [f"MDomain {' '.join(hosts(domain))}\n" for domain in names]
        (apache.config_directory / "conf-enabled/md.conf").write_text(ALONE.format(apache=apache, pebble=pebble) + "".join(lines))
        apache.command("a2enmod", "-q", "md")
        apache.stop()
        begun = time.perf_counter()
        apache.start()
        while _ordered(apache, names, "staging") != len(names):
            if time.perf_counter() - begun > _LONGEST:
                raise RuntimeError("mod_md did not order all certificates")
            time.sleep(0.1)
        return time.perf_counter() - begun


def _ordered(apache: PrivateApache, names: Sequence[str], place: str) -> int:
    """How many of the certificates are there."""
    directory = apache.config_directory / "md" / place
    return sum((directory / hosts(domain)[0] / "pubcert.pem").exists() for domain in names)


def issue(directory: Path, names: Sequence[str]) -> None:
    """A pair for each of the domains, as certbot lays them out; one key for all, because making keys is slow."""
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    now = datetime.datetime.now(datetime.UTC)
    for domain in names:
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, domain)])
        alternatives = [x509.DNSName(name) for name in (domain, *hosts(domain))]
        certificate = (
            x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=60))
            .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
            .sign(key, hashes.SHA256())
        )
        (directory / domain).mkdir(parents=True)
        (directory / domain / "fullchain.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        (directory / domain / "privkey.pem").write_bytes(pem)


def descriptors(apache: PrivateApache) -> int:
    """Files that Apache's first process has open, which every worker inherits."""
    return len(os.listdir(f"/proc/{(apache.directory / 'run/apache2.pid').read_text().strip()}/fd"))


def many_of_ones_own(count: int = OWN) -> None:
    """Many domains of one provider with a certificate each, against one."""
    print(f"{count} domains with a certificate each, relative to one:")
    found: dict[int, dict[str, float]] = {}
    for number in (1, count):
        with host() as server:
            live = server.apache.directory / "live"
            issue(live, domains(number))
            add_plain_site(server.apache, b"<x/>")
            server.apache.reload()
            before = descriptors(server.apache)
            variables = {
                "providers": [provider(*domains(number))],
                "certificate_file": f"{live}/{{domain}}/fullchain.pem",
                "certificate_key_file": f"{live}/{{domain}}/privkey.pem",
            }
            found[number] = {
                "first run": server.seconds(variables, changed=True),
                "second run": median(lambda server=server, variables=variables: server.seconds(variables, changed=False)),
                "reload until a new worker answers": median(lambda server=server: reload_seconds(server)),
                "memory of all processes": resident(server.apache),
                "open files of the first process": descriptors(server.apache),
                "of which ours": descriptors(server.apache) - before,
            }
    units = {"memory of all processes": "MiB", "open files of the first process": "files", "of which ours": "files"}
    for name, one in found[1].items():
        show(name, found[count][name], one, units.get(name, "s"))
