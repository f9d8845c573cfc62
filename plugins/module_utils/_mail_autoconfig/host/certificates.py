"""Which certificate serves which host name.

PRIVATE to the collection. Clients hide TLS errors and take the host for absent (Thunderbird), so a name that no certificate
has must be served over HTTP alone rather than be redirected to an HTTPS that fails.
"""

from __future__ import annotations

import base64
import hashlib
import re
import typing as t

from ..apache.sites import Certificate

Exists = t.Callable[[str], bool]
# The DNS names in a certificate, None where they cannot be told.
NamesOf = t.Callable[[str], t.Optional[t.Collection[str]]]


def names_in(openssl_output: str) -> tuple[str, ...]:
    """The DNS names in the output of ``openssl x509 -ext subjectAltName``."""
    return tuple(name.lower() for name in re.findall(r"DNS:([^\s,]+)", openssl_output))


def covers(names: t.Iterable[str], host: str) -> bool:
    """Whether one of a certificate's names is the host's; ``*`` stands for one whole label (RFC 6125 section 6.4.3)."""
    parent = host.partition(".")[2]
    return any(name in (host, f"*.{parent}") for name in names)


def key_digest(public_key: str) -> str:
    """The SHA-256 of a public key (PEM, SubjectPublicKeyInfo), hexadecimal, as TLSA has it with selector 1 (RFC 6698)."""
    body = "".join(line for line in public_key.splitlines() if not line.startswith("-----"))
    return hashlib.sha256(base64.b64decode(body)).hexdigest()


class Certificates:
    """Chooses certificates for host names; reads each once, however many providers share it.

    :arg file: path pattern of the chain, ``{domain}`` is the mail domain
    :arg key: path pattern of the key
    """

    def __init__(self, file: str, key: str, exists: Exists, names_of: NamesOf) -> None:
        self._patterns = (file, key)
        self._exists = exists
        self._names_of = names_of
        self._names: dict[str, t.Collection[str] | None] = {}

    def at(self, domain: str) -> Certificate:
        """The pair of paths for a mail domain, whether it exists or not."""
        file, key = (pattern.replace("{domain}", domain) for pattern in self._patterns)
        return Certificate(file, key)

    def missing(self, domain: str) -> list[str]:
        """The paths of the pair that do not exist."""
        pair = self.at(domain)
        return [path for path in (pair.file, pair.key) if not self._exists(path)]

    def choose(self, host: str, candidates: t.Iterable[str]) -> Certificate | None:
        """The first certificate among those of the candidate domains that exists and names the host."""
        for domain in dict.fromkeys(candidates):
            pair = self.at(domain)
            if self.missing(domain):
                continue
            if pair.file not in self._names:
                self._names[pair.file] = self._names_of(pair.file)
            names = self._names[pair.file]
            if names is None or covers(names, host):
                return pair
        return None
