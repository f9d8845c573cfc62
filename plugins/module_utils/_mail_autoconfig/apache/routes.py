"""The paths that clients ask for, and the document that each leads to.

PRIVATE to the collection.
"""

from __future__ import annotations

import dataclasses

from .. import clients
from ..documents import apple, outlook, pacc, thunderbird

# A token of a challenge is base64url (RFC 8555 section 8.1), and what Apache cannot open it would write into the error log.
ACME_PATH = r"\.well-known/acme-challenge/[A-Za-z0-9_-]{1,128}$"


@dataclasses.dataclass(frozen=True)
class Route:
    """Where clients ask for a document.

    :ivar pattern: regular expression of the paths on our own hosts, without the leading slash
    :ivar apex_pattern: the same for the sites of the mail domains themselves; empty for what no client asks for there
    :ivar path: the path that redirects lead to
    :ivar service: the first label of the host that redirects lead to
    """

    pattern: str
    apex_pattern: str
    path: str
    service: str


# /v1.1/mail/ is what Nine on Android asks for, and /.well-known/mail-v1.xml, at this host alone, GNOME Online Accounts
# (goamailclient.c; at the host of the MX it asks nothing else) and SnappyMail. Outlook's path was seen in every mixture of cases.
OUTLOOK_PATTERN = r"(?i:autodiscover/autodiscover\.xml)"
# Autodiscover's second version, which only the responder answers; the address may be part of the path.
JSON_FILE_PATTERN = r"(?i:autodiscover/autodiscover\.json)"
JSON_PATTERN = r"(?i:autodiscover/autodiscover\.json(?:/v1\.0/[^/]*)?)"
ROUTES = {
    thunderbird.PATH: Route(
        r"(?:(?:(?:v1\.1/)?mail|\.well-known/autoconfig/mail)/config-v1\.1|\.well-known/mail-v1)\.xml",
        r"\.well-known/autoconfig/mail/config-v1\.1\.xml",
        clients.AUTOCONFIG_PATH,
        "autoconfig",
    ),
    outlook.PATH: Route(OUTLOOK_PATTERN, OUTLOOK_PATTERN, clients.AUTODISCOVER_PATH, "autodiscover"),
    apple.GENERAL_PATH: Route(r"mail\.mobileconfig", "", clients.PROFILE_PATH, "autoconfig"),
    pacc.PATH: Route(r"\.well-known/user-agent-configuration\.json", "", clients.PACC_PATH, clients.PACC_LABEL),
}
