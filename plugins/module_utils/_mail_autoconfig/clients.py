"""What each client asks for, in the order in which it asks: for the report of a run and for tests.

PRIVATE to the collection. Sources are the clients' own code, named at each entry.
"""

from __future__ import annotations

import dataclasses
import typing as t

# The hosts of a mail domain that answer clients, by their first labels; the last one is PACC's (draft-ietf-mailmaint-pacc).
LABELS = ("autoconfig", "autodiscover")
PACC_LABEL = "ua-auto-config"
ALL_LABELS = (*LABELS, PACC_LABEL)
WELL_KNOWN_PATH = "/.well-known/autoconfig/mail/config-v1.1.xml"
AUTOCONFIG_PATH = "/mail/config-v1.1.xml"
AUTODISCOVER_PATH = "/autodiscover/autodiscover.xml"
PROFILE_PATH = "/mail.mobileconfig"
PACC_PATH = "/.well-known/user-agent-configuration.json"


@dataclasses.dataclass(frozen=True)
class Request:
    """One look-up of a client; ``{address}`` in the URL stands for the percent-encoded mail address."""

    client: str
    method: str
    url: str

    def to_dict(self) -> dict[str, t.Any]:
        """As the module returns it."""
        return dataclasses.asdict(self)


def requests(
    domain: str, secure_hosts: t.Collection[str], hosts: t.Collection[str], profile: bool = False, page: bool = False
) -> list[Request]:
    """The look-ups for one domain that these hosts answer, those in ``secure_hosts`` over HTTPS.

    :arg profile: whether there is a profile for Apple's devices, to which people follow a link
    :arg page: whether there is a setup page
    """
    autoconfig, autodiscover, pacc = (f"{label}.{domain}" for label in ALL_LABELS)
    candidates = [
        # FetchConfig.sys.mjs (Thunderbird), e-mail-autoconfig.c (Evolution), IspDb.php (Nextcloud Mail)
        ("Thunderbird, Evolution, FairEmail, Nextcloud Mail", "GET", autoconfig, AUTOCONFIG_PATH + "?emailaddress={address}"),
        # ProviderAutoconfigUrlProvider (K-9), ispdbservice.cpp (KMail), accounts-autoconfig.vala (Geary): no query
        ("Thunderbird for Android, K-9, KMail, Geary", "GET", autoconfig, AUTOCONFIG_PATH),
        ("Thunderbird, Evolution, aerc, Delta Chat", "GET", domain, WELL_KNOWN_PATH),
        # Autodiscover for Exchange: the domain itself first; ExchangeAutoDiscover.sys.mjs: autodiscover.* first
        ("Outlook, FairEmail", "POST", domain, AUTODISCOVER_PATH),
        ("Outlook, Thunderbird", "POST", autodiscover, AUTODISCOVER_PATH),
        ("Outlook (older spelling)", "POST", autodiscover, "/Autodiscover/Autodiscover.xml"),
        ("Delta Chat", "GET", autodiscover, AUTODISCOVER_PATH),
    ]
    if pacc in secure_hosts:
        # io-pim-discovery (himalaya), src/pacc, which reads an older draft; nobody else yet
        candidates.append(("clients of PACC (experimental)", "GET", pacc, PACC_PATH))
    if profile:
        candidates.append(("Apple Mail", "GET", autoconfig, PROFILE_PATH + "?emailaddress={address}"))
    if page:
        candidates.append(("people", "GET", autoconfig, "/"))
    return [Request(client, method, _url(host, path, secure_hosts)) for client, method, host, path in candidates if host in hosts]


def request_by_srv(host: str, secure_hosts: t.Collection[str]) -> Request:
    """The look-up for a domain that has no host of its own but a record ``_autodiscover`` that names this one."""
    return Request("Outlook, Thunderbird (by the SRV record)", "POST", _url(host, AUTODISCOVER_PATH, secure_hosts))


def _url(host: str, path: str, secure_hosts: t.Collection[str]) -> str:
    return ("https" if host in secure_hosts else "http") + f"://{host}{path}"
