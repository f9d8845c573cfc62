"""Managed domains of mod_md: certificates that Apache itself orders from an authority (ACME, RFC 8555) and renews.

PRIVATE to the collection. Everything that may be said of one managed domain alone stands in its own section, so that those of
others keep what the administrator says for the whole server. mod_md's source: modules/md in Apache 2.4.

A virtual host on the port of HTTP may have the names of many managed domains. One with TLS that has a certificate of its own goes
on with that until mod_md has one.
"""

from __future__ import annotations

import dataclasses
import os
import re
import typing as t
from urllib.parse import urlsplit

from .directives import ConfigurationError, Node, directive, logical_lines, section, split_words

LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"
HTTP_01, DNS_01, TLS_ALPN_01 = "http-01", "dns-01", "tls-alpn-01"
CHALLENGES = (HTTP_01, DNS_01, TLS_ALPN_01)
MODULE = "md"
# Behind the name of a provider's first host, in that of the file that has its managed domains.
_FILE = "-certificates"
_MARK = "MAIL_AUTOCONFIG_MANAGED_"
# Authorities that everybody trusts issue none for names that nobody can own (RFC 6761, RFC 6762, RFC 8375, RFC 9476).
# Each by the domain of its directory, with the name that it has in DNS (caaIdentities, RFC 8555 section 7.1.1).
_PUBLIC_AUTHORITIES = {
    "buypass.com": "buypass.com",
    "digicert.com": "digicert.com",
    "letsencrypt.org": "letsencrypt.org",
    "pki.goog": "pki.goog",
    "sectigo.com": "sectigo.com",
    "ssl.com": "ssl.com",
    "zerossl.com": "sectigo.com",
}
_NOBODYS = ("alt", "arpa", "example", "internal", "invalid", "local", "localhost", "onion", "test")
_STORE = re.compile(r'^\s*MDStoreDir\s+"?([^"\s$]+)"?\s*$', re.MULTILINE | re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class AcmeOptions:
    """What an administrator says of orders.

    :ivar directory: URL of the authority's directory (RFC 8555 section 7.1.1)
    :ivar dns_command: for dns-01, what sets and removes its records
    :ivar eab_file: path of the external account binding (JSON with ``kid`` and ``hmac``) on the host
    :ivar ca_file: root certificates by which the authority's own web server is trusted; empty for those of the system
    :ivar wait_seconds: how long a run waits for certificates
    :ivar new_orders: how many of them may be made in three hours
    """

    contact: str = ""
    agreement: bool = False
    directory: str = LETS_ENCRYPT
    profile: str = ""
    challenges: tuple[str, ...] = (HTTP_01,)
    dns_command: str = ""
    eab_file: str = ""
    ca_file: str = ""
    wait_seconds: int = 300
    new_orders: int = 250

    @property
    def files(self) -> dict[str, str]:
        """The paths of files that have to be there, by option."""
        named = {"acme_dns_command": self.dns_command, "acme_eab_file": self.eab_file, "acme_ca_file": self.ca_file}
        return {option: path for option, path in named.items() if path}

    @property
    def is_public(self) -> bool:
        """Whether the authority is one that everybody trusts."""
        return bool(self.authority)

    @property
    def authority(self) -> str:
        """The name that the authority has in CAA records and the like; empty where it is not known."""
        host = urlsplit(self.directory).hostname or ""
        return next((name for domain, name in _PUBLIC_AUTHORITIES.items() if f".{host}".endswith(f".{domain}")), "")

    def refusal(self, name: str) -> str:
        """Why the authority cannot have a certificate for a name; empty if it may."""
        if not self.is_public:
            return ""
        if "." not in name:
            return "a name of one label cannot have a certificate of a public authority"
        last = name.rpartition(".")[2]
        return f"no public authority has certificates for names below .{last}" if last in _NOBODYS else ""


@dataclasses.dataclass(frozen=True)
class ManagedDomain:
    """Host names that share a certificate; the first one names it in mod_md's store."""

    names: tuple[str, ...]

    @property
    def name(self) -> str:
        """Its name in the store."""
        return self.names[0]


def file_name(host: str) -> str:
    """What the file of a provider is called, without suffix."""
    return f"{host}{_FILE}"


def is_file_name(name: str) -> bool:
    """Whether a file of ours is one of those."""
    return name.endswith(_FILE)


def definitions(domains: t.Iterable[ManagedDomain], options: AcmeOptions, http_port: int, https_port: int) -> list[Node]:
    """What tells mod_md of managed domains. Without the module nothing is said, so that Apache starts all the same."""
    # Where a router in front leads the authority's port 80 to another one here, mod_md would think that nobody can ask it.
    ports = directive("MDPortMap", f"http:{http_port}", f"https:{https_port}")
    sets: list[Node] = []
    for domain in domains:
        said: list[Node] = [section("MDomainSet", domain.names, _of_one(options)), directive("Define", mark(domain.name))]
        # Two managed domains with the same names are an error, and a site may have had this file read already.
        sets.append(section("IfDefine", [f"!{mark(domain.name)}"], said))
    return [section("IfModule", ["md_module"], [*([] if (http_port, https_port) == (80, 443) else [ports]), *sets])]


def _of_one(options: AcmeOptions) -> list[Node]:
    said = {
        # Otherwise all names of a virtual host would join, also those that do not lead here.
        "MDMembers": ("manual",),
        "MDRenewMode": ("always",),
        # Until there is a certificate our sites answer over HTTP, and no authority has to staple for mail clients.
        "MDRequireHttps": ("off",),
        "MDMustStaple": ("off",),
        "MDContactEmail": (options.contact,),
        "MDCertificateAuthority": (options.directory,),
        "MDCertificateAgreement": ("accepted",),
        "MDCAChallenges": options.challenges,
        # The files in the store are named by the kind of key; and no mail program is too old for this one.
        "MDPrivateKeys": ("RSA", "2048"),
        "MDProfile": tuple(filter(None, [options.profile])),
        "MDChallengeDns01": tuple(filter(None, [options.dns_command])),
        "MDExternalAccountBinding": tuple(filter(None, [options.eab_file])),
        "MDCACertificateFile": tuple(filter(None, [options.ca_file])),
    }
    return [directive(name, *words) for name, words in said.items() if words]


def mark(name: str) -> str:
    """What is defined where mod_md is told of a managed domain.

    A virtual host with TLS that has no certificate of its own would end an Apache whose mod_md does not know its names.
    """
    return f"{_MARK}{name}"


def name_at(file: str) -> str:
    """The name of the managed domain whose certificate lies at a path in the store."""
    return os.path.basename(os.path.dirname(file))


def protocols() -> list[Node]:
    """What lets a virtual host with TLS answer the challenge tls-alpn-01 (RFC 8737), beside what it speaks otherwise.

    These take the place of those of the main server, so HTTP/2 is among them where Apache has it.
    """
    usual = ("http/1.1", "acme-tls/1")
    return [
        section("IfModule", ["http2_module"], [directive("Protocols", "h2", *usual)]),
        section("IfModule", ["!http2_module"], [directive("Protocols", *usual)]),
    ]


def stores(texts: t.Iterable[str], root: str) -> list[str]:
    """Where mod_md may keep what it has, the one that counts first: the last that configuration files name, else ``md``."""
    named = ["md", *(name for text in texts for name in _STORE.findall(text))]
    return [os.path.join(root, name) for name in dict.fromkeys(reversed(named))]


def managed_in(path: str, text: str) -> dict[str, str]:
    """The names that a configuration file has managed by mod_md, each with file and line."""
    found: dict[str, str] = {}
    try:
        for number, line in logical_lines(text):
            head, _space, rest = line.strip().rstrip(">").partition(" ")
            if head.lower() in ("mdomain", "<mdomain", "<mdomainset", "mdmember", "mdmembers"):
                for name in split_words(rest):
                    found.setdefault(name.lower(), f"{path}:{number}")
    except ConfigurationError:
        pass  # Apache, not this, judges what others have written
    return found
