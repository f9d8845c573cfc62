"""What documents say by themselves."""

from __future__ import annotations

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_check.parsing import autodiscover
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_check.parsing.autodiscover import Protocol
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_check.readers import Who, from_autodiscover
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_check.verdicts import documents

WHO = Who("anna@server.tld")


def protocol(port: int, encryption: str | None, ssl: str = "on", kind: str = "IMAP") -> Protocol:
    return Protocol(kind, "mail.server.tld", str(port), "anna@server.tld", "off", "off", ssl, encryption, "on")


@pytest.mark.parametrize(
    ("port", "encryption", "wrong"),
    [(993, "SSL", False), (993, "TLS", True), (143, "TLS", False), (587, "SSL", True), (2143, "TLS", False), (993, None, False)],
)
def test_encryption_is_held_against_the_port(port: int, encryption: str | None, wrong: bool) -> None:
    found = [finding.code for finding in documents._protocol("here", protocol(port, encryption), ())]
    assert found == (["document.encryption"] if wrong else [])


# Port, Encryption and SSL, and what each client makes of them (stalwart#3248, ExchangeAutoDiscover.sys.mjs, auto_outlook.rs).
MODES = [
    (993, "SSL", "on", {"outlook": "tls", "thunderbird": "tls", "delta": "tls", "fairemail": "tls"}),
    (993, "TLS", "on", {"outlook": "starttls", "thunderbird": "tls", "delta": "tls", "fairemail": "tls"}),
    (587, "TLS", "on", {"outlook": "starttls", "thunderbird": "starttls", "delta": "starttls", "fairemail": "starttls"}),
    (587, "TLS", "off", {"outlook": "starttls", "thunderbird": "none", "delta": "none", "fairemail": "none"}),
    (587, None, "on", {"outlook": "tls", "thunderbird": "starttls", "delta": "starttls", "nobody": "starttls"}),
    (143, "None", "on", {"outlook": "none", "thunderbird": "none", "delta": "starttls", "nobody": "none"}),
    (2143, "TLS", "on", {"outlook": "starttls", "thunderbird": "tls", "nobody": "starttls"}),
]


@pytest.mark.parametrize(("port", "encryption", "ssl", "modes"), MODES)
def test_each_client_reads_the_mode_its_own_way(port: int, encryption: str | None, ssl: str, modes: dict[str, str]) -> None:
    both = (protocol(port, encryption, ssl), protocol(port, encryption, ssl, "SMTP"))
    answer = autodiscover.Document(accounts=1, account_type="email", action="settings", protocols=both)
    for rules, mode in modes.items():
        assert [service.tls for service in from_autodiscover(answer, rules, WHO).services] == [mode, mode], rules


def test_without_login_name_outlook_takes_the_local_part() -> None:
    nameless = [Protocol(kind, "mail.server.tld", "993", None, "off", "off", "on", "SSL") for kind in ("IMAP", "SMTP")]
    answer = autodiscover.Document(accounts=1, account_type="email", action="settings", protocols=tuple(nameless))
    names = {rules: from_autodiscover(answer, rules, WHO).services[0].username for rules in ("outlook", "thunderbird", "delta")}
    assert names == {"outlook": "%EMAILLOCALPART%", "thunderbird": "%EMAILADDRESS%", "delta": "%EMAILADDRESS%"}
