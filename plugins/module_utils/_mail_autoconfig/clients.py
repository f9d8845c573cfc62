"""What each client asks for, in the order in which it asks: for the report of a run and for tests.

PRIVATE to the collection. Sources are the clients' own code, named at each entry.
"""

from __future__ import annotations

import dataclasses
import typing as t

WELL_KNOWN_PATH = "/.well-known/autoconfig/mail/config-v1.1.xml"
AUTOCONFIG_PATH = "/mail/config-v1.1.xml"
AUTODISCOVER_PATH = "/autodiscover/autodiscover.xml"
PROFILE_PATH = "/mail.mobileconfig"


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

    def url(host: str, path: str) -> str:
        return ("https" if host in secure_hosts else "http") + f"://{host}{path}"

    autoconfig, autodiscover = f"autoconfig.{domain}", f"autodiscover.{domain}"
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
    if profile:
        candidates.append(("Apple Mail", "GET", autoconfig, PROFILE_PATH + "?emailaddress={address}"))
    if page:
        candidates.append(("people", "GET", autoconfig, "/"))
    return [Request(client, method, url(host, path)) for client, method, host, path in candidates if host in hosts]
