"""What an administrator wants a domain to say."""

from __future__ import annotations

from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input.model import Provider, Server
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_check.wanted import wanted

SERVERS = (Server("imap", "mail.a.tld", 993, "SSL"), Server("pop3", "mail.a.tld", 995, "SSL", username="%EMAILLOCALPART%.x"))
PROVIDER = Provider(
    "a.tld", ("a.tld",), "", "", SERVERS, (Server("smtp", "mail.a.tld", 465, "SSL", username="%EMAILLOCALPART%"),)
)


def usernames(login: str) -> list[str]:
    return [service.username for service in wanted("a.tld", [PROVIDER], (), (), login).services]


def test_user_names_follow_from_the_address() -> None:
    assert usernames("") == ["%EMAILADDRESS%", "%EMAILLOCALPART%.x", "%EMAILLOCALPART%"]


def test_a_login_comes_in_the_place_of_an_address_or_its_first_part_alone() -> None:
    assert usernames("jdoe") == ["jdoe", "%EMAILLOCALPART%.x", "jdoe"]
