"""What each client of the table asks, in its order, where nobody answers."""

from __future__ import annotations

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_check.clients import CLIENTS

from tests.unit.check.conftest import Faulty
from tests.unit.check.test_playing import clients
from tests.unit.check.world import ADDRESS, world

# By client; the sources stand in the table. What has no method is asked of nobody: Mozilla's database, unless that is wished.
ASKED = {
    "thunderbird": [
        "GET https://autoconfig.server.tld/mail/config-v1.1.xml?emailaddress=anna%40server.tld",
        "GET https://server.tld/.well-known/autoconfig/mail/config-v1.1.xml?emailaddress=anna%40server.tld",
        "GET http://autoconfig.server.tld/mail/config-v1.1.xml?emailaddress=anna%40server.tld",
        "GET http://server.tld/.well-known/autoconfig/mail/config-v1.1.xml?emailaddress=anna%40server.tld",
        "https://live.thunderbird.net/autoconfig/v1.1/server.tld",
        "MX server.tld",
        "POST https://autodiscover.server.tld/autodiscover/autodiscover.xml",
        "POST https://server.tld/autodiscover/autodiscover.xml",
        "GET http://autodiscover.server.tld/autodiscover/autodiscover.xml",
        "SRV _autodiscover._tcp.server.tld",
    ],
    "k9": [
        "GET https://autoconfig.server.tld/mail/config-v1.1.xml",
        "GET https://server.tld/.well-known/autoconfig/mail/config-v1.1.xml",
        "GET http://autoconfig.server.tld/mail/config-v1.1.xml",
        "GET http://server.tld/.well-known/autoconfig/mail/config-v1.1.xml",
        "https://autoconfig.thunderbird.net/v1.1/server.tld",
        "MX server.tld",
    ],
    "outlook": [
        "POST https://server.tld/autodiscover/autodiscover.xml",
        "POST https://autodiscover.server.tld/autodiscover/autodiscover.xml",
        "GET http://autodiscover.server.tld/autodiscover/autodiscover.xml",
        "SRV _autodiscover._tcp.server.tld",
    ],
    "outlook-cloud": [
        "GET https://autodiscover.server.tld/autodiscover/autodiscover.json?Email=anna%40server.tld&Protocol=AutodiscoverV1",
        "POST https://autodiscover.server.tld/autodiscover/autodiscover.xml",
    ],
    "apple": [
        "GET https://autoconfig.server.tld/mail.mobileconfig?emailaddress=anna%40server.tld",
    ],
    "evolution": [
        "GET https://autoconfig.server.tld/mail/config-v1.1.xml?emailaddress=anna%40server.tld&emailmd5=5efd9b59b9a9f2998801d3fab694733d",
        "GET http://autoconfig.server.tld/mail/config-v1.1.xml?emailaddress=anna%40server.tld&emailmd5=5efd9b59b9a9f2998801d3fab694733d",
        "GET https://server.tld/.well-known/autoconfig/mail/config-v1.1.xml?emailaddress=anna%40server.tld&emailmd5=5efd9b59b9a9f2998801d3fab694733d",
        "GET http://server.tld/.well-known/autoconfig/mail/config-v1.1.xml?emailaddress=anna%40server.tld&emailmd5=5efd9b59b9a9f2998801d3fab694733d",
        "https://autoconfig.thunderbird.net/v1.1/server.tld",
        "MX server.tld",
        "GET https://autoconfig.mail.server.tld/mail/config-v1.1.xml?emailaddress=anna%40server.tld&emailmd5=5efd9b59b9a9f2998801d3fab694733d",
        "SRV _imaps._tcp.server.tld",
        "SRV _imap._tcp.server.tld",
        "SRV _pop3s._tcp.server.tld",
        "SRV _pop3._tcp.server.tld",
        "SRV _submissions._tcp.server.tld",
        "SRV _submission._tcp.server.tld",
    ],
    "goa": [
        "GET https://autoconfig.server.tld/.well-known/mail-v1.xml?emailaddress=anna%40server.tld",
        "GET https://autoconfig.server.tld/mail/config-v1.1.xml?emailaddress=anna%40server.tld",
        "GET https://server.tld/.well-known/autoconfig/mail/config-v1.1.xml",
        "GET http://autoconfig.server.tld/mail/config-v1.1.xml?emailaddress=anna%40server.tld",
        "https://autoconfig.thunderbird.net/v1.1/server.tld",
        "MX server.tld",
        "GET https://autoconfig.mail.server.tld/.well-known/mail-v1.xml?emailaddress=anna%40server.tld",
    ],
    "kmail": [
        "https://autoconfig.thunderbird.net/v1.1/server.tld",
        "GET https://autoconfig.server.tld/mail/config-v1.1.xml",
        "GET http://autoconfig.server.tld/mail/config-v1.1.xml",
        "GET https://server.tld/.well-known/autoconfig/mail/config-v1.1.xml",
    ],
    "geary": [
        "GET https://autoconfig.server.tld/mail/config-v1.1.xml",
        "https://autoconfig.thunderbird.net/v1.1/server.tld",
    ],
    "fairemail": [
        "SRV _imaps._tcp.server.tld",
        "SRV _imap._tcp.server.tld",
        "SRV _submissions._tcp.server.tld",
        "SRV _submission._tcp.server.tld",
        "GET https://autoconfig.server.tld/mail/config-v1.1.xml?emailaddress=anna@server.tld",
        "GET https://server.tld/.well-known/autoconfig/mail/config-v1.1.xml?emailaddress=anna@server.tld",
        "GET http://autoconfig.server.tld/mail/config-v1.1.xml?emailaddress=anna@server.tld",
        "GET http://server.tld/.well-known/autoconfig/mail/config-v1.1.xml?emailaddress=anna@server.tld",
        "https://autoconfig.thunderbird.net/v1.1/server.tld",
        "POST https://server.tld/autodiscover/autodiscover.xml",
        "POST https://autodiscover.server.tld/autodiscover/autodiscover.xml",
    ],
    "deltachat": [
        "GET https://autoconfig.server.tld/mail/config-v1.1.xml?emailaddress=anna%40server.tld",
        "GET https://server.tld/.well-known/autoconfig/mail/config-v1.1.xml",
        "GET https://server.tld/autodiscover/autodiscover.xml",
        "GET https://autodiscover.server.tld/autodiscover/autodiscover.xml",
        "https://autoconfig.thunderbird.net/v1.1/server.tld",
    ],
    "nextcloud": [
        "GET https://autoconfig.server.tld/mail/config-v1.1.xml?emailaddress=anna%40server.tld",
        "GET https://server.tld/.well-known/autoconfig/mail/config-v1.1.xml?emailaddress=anna%40server.tld",
        "https://autoconfig.thunderbird.net/v1.1/server.tld",
        "GET http://autoconfig.server.tld/mail/config-v1.1.xml?emailaddress=anna%40server.tld",
        "GET http://server.tld/.well-known/autoconfig/mail/config-v1.1.xml?emailaddress=anna%40server.tld",
        "MX server.tld",
    ],
    "aerc": [
        "SRV _imap._tcp.server.tld",
        "SRV _imaps._tcp.server.tld",
        "SRV _submission._tcp.server.tld",
        "GET https://autoconfig.server.tld/mail/config-v1.1.xml?emailaddress=anna%40server.tld",
        "GET https://server.tld/.well-known/autoconfig/mail/config-v1.1.xml?emailaddress=anna%40server.tld",
    ],
    "himalaya": [
        "GET https://autoconfig.server.tld/mail/config-v1.1.xml",
        "GET https://server.tld/.well-known/autoconfig/mail/config-v1.1.xml",
        "https://autoconfig.thunderbird.net/v1.1/server.tld",
        "MX server.tld",
        "SRV _imaps._tcp.server.tld",
        "SRV _imap._tcp.server.tld",
        "SRV _submissions._tcp.server.tld",
        "SRV _submission._tcp.server.tld",
        "GET https://ua-auto-config.server.tld/.well-known/user-agent-configuration.json",
    ],
    "claws": [
        "SRV _imaps._tcp.server.tld",
        "SRV _pop3s._tcp.server.tld",
        "SRV _submission._tcp.server.tld",
    ],
    "horde": [
        "SRV _imaps._tcp.server.tld",
        "SRV _imap._tcp.server.tld",
        "SRV _pop3s._tcp.server.tld",
        "SRV _pop3._tcp.server.tld",
        "SRV _submission._tcp.server.tld",
        "GET http://autoconfig.server.tld/mail/config-v1.1.xml?emailaddress=anna%40server.tld",
        "GET http://server.tld/.well-known/autoconfig/mail/config-v1.1.xml?emailaddress=anna%40server.tld",
        "https://autoconfig.thunderbird.net/v1.1/server.tld",
    ],
    "snappymail": [
        "GET https://autoconfig.server.tld/.well-known/mail-v1.xml?emailaddress=anna%40server.tld",
        "GET https://server.tld/.well-known/autoconfig/mail/config-v1.1.xml",
        "GET http://autoconfig.server.tld/mail/config-v1.1.xml",
        "https://autoconfig.thunderbird.net/v1.1/server.tld",
        "POST https://autodiscover.server.tld/autodiscover/autodiscover.xml",
        "SRV _imaps._tcp.server.tld",
        "SRV _imap._tcp.server.tld",
        "SRV _submissions._tcp.server.tld",
        "SRV _submission._tcp.server.tld",
    ],
}


@pytest.fixture(scope="module")
def asked(certificates: Faulty) -> dict[str, list[str]]:
    """The questions of each client in a world without a document and without SRV records."""
    with world(certificates) as made:
        made.web.pages.clear()
        for owner, kind in list(made.dns.records):
            if kind == "SRV":
                del made.dns.records[owner, kind]
        found = clients(made, address=ADDRESS)
    return {name: [step["question"] for step in client["steps"]] for name, client in found.items()}


@pytest.mark.parametrize("client", [client.id for client in CLIENTS])
def test_a_client_that_finds_nothing_has_asked_everything_in_its_order(client: str, asked: dict[str, list[str]]) -> None:
    assert asked[client] == ASKED[client]
