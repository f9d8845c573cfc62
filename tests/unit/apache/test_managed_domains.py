"""What mod_md is told, and what others have told it."""

from __future__ import annotations

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.apache import directives, managed_domains
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.apache.managed_domains import (
    AcmeOptions,
    ManagedDomain,
)

SERVER = ManagedDomain(("autoconfig.server.tld", "autodiscover.server.tld"))


def test_a_managed_domain_says_everything_of_itself_and_nothing_of_others() -> None:
    nodes = managed_domains.definitions([SERVER], AcmeOptions(contact="admin@server.tld"), 80, 443)
    assert directives.write(nodes) == (
        "<IfModule md_module>\n"
        "    <IfDefine !MAIL_AUTOCONFIG_MANAGED_autoconfig.server.tld>\n"
        "        <MDomainSet autoconfig.server.tld autodiscover.server.tld>\n"
        "            MDMembers manual\n"
        "            MDRenewMode always\n"
        "            MDRequireHttps off\n"
        "            MDMustStaple off\n"
        "            MDContactEmail admin@server.tld\n"
        "            MDCertificateAuthority https://acme-v02.api.letsencrypt.org/directory\n"
        "            MDCertificateAgreement accepted\n"
        "            MDCAChallenges http-01\n"
        "            MDPrivateKeys RSA 2048\n"
        "        </MDomainSet>\n"
        "        Define MAIL_AUTOCONFIG_MANAGED_autoconfig.server.tld\n"
        "    </IfDefine>\n"
        "</IfModule>\n"
    )


def test_everything_that_may_be_said() -> None:
    options = AcmeOptions(
        contact="admin@server.tld",
        directory="https://ca.tld/dir",
        profile="shortlived",
        challenges=("http-01", "dns-01"),
        dns_command="/usr/local/bin/dns",
        eab_file="/etc/eab.json",
        ca_file="/etc/ca.pem",
    )
    text = directives.write(managed_domains.definitions([SERVER], options, 8080, 443))
    for line in (
        "MDPortMap http:8080 https:443",
        "MDCertificateAuthority https://ca.tld/dir",
        "MDCAChallenges http-01 dns-01",
        "MDProfile shortlived",
        "MDChallengeDns01 /usr/local/bin/dns",
        "MDExternalAccountBinding /etc/eab.json",
        "MDCACertificateFile /etc/ca.pem",
    ):
        assert f"    {line}\n" in text


@pytest.mark.parametrize(
    ("name", "refused"),
    [
        ("autoconfig.server.tld", False),
        ("autoconfig.server.local", True),
        ("autoconfig.home.arpa", True),
        ("autoconfig.localhost", True),
        ("autoconfig.server.alt", True),
        ("autoconfig.server.example", True),
        ("autoconfig.server.internal", True),
        ("autoconfig.server.invalid", True),
        ("autoconfig.server.onion", True),
        ("autoconfig.server.test", True),
        ("autoconfig", True),
    ],
)
def test_a_public_authority_has_no_certificate_for_names_that_nobody_can_own(name: str, refused: bool) -> None:
    assert bool(AcmeOptions().refusal(name)) is refused
    assert bool(AcmeOptions(directory="https://dv.acme-v02.api.pki.goog/directory").refusal(name)) is refused
    assert not AcmeOptions(directory="https://ca.server.local/dir").refusal(name)
    # Not by a part of its name.
    assert not AcmeOptions(directory="https://notletsencrypt.org/dir").refusal(name)


@pytest.mark.parametrize(
    ("directory", "authority"),
    [
        ("https://api.buypass.com/acme/directory", "buypass.com"),
        ("https://acme.digicert.com/v2/acme/directory", "digicert.com"),
        ("https://acme-staging-v02.api.letsencrypt.org/directory", "letsencrypt.org"),
        ("https://dv.acme-v02.api.pki.goog/directory", "pki.goog"),
        ("https://acme.sectigo.com/v2/DV", "sectigo.com"),
        ("https://acme.ssl.com/sslcom-dv-rsa", "ssl.com"),
        ("https://acme.zerossl.com/v2/DV90", "sectigo.com"),
        ("https://ca.server.local/dir", ""),
    ],
)
def test_an_authority_has_its_name_of_caa_records(directory: str, authority: str) -> None:
    assert AcmeOptions(directory=directory).authority == authority


@pytest.mark.parametrize(
    ("texts", "stores"),
    [
        ([], ["/etc/apache2/md"]),
        (["MDStoreDir /var/md"], ["/var/md", "/etc/apache2/md"]),
        (['  mdstoredir "state/md"\n'], ["/etc/apache2/state/md", "/etc/apache2/md"]),
        (["# MDStoreDir /no", "MDStoreDir /one\nMDStoreDir /two\n"], ["/two", "/one", "/etc/apache2/md"]),
        (["MDStoreDir /one", "MDStoreDir /two", "MDStoreDir /one"], ["/one", "/two", "/etc/apache2/md"]),
    ],
)
def test_where_the_store_is(texts: list[str], stores: list[str]) -> None:
    assert managed_domains.stores(texts, "/etc/apache2") == stores


def test_what_others_have_managed() -> None:
    text = (
        "MDomain Shop.tld www.shop.tld\n"
        "<MDomainSet a.tld b.tld>\n"
        "  MDMember c.tld\n"
        "  MDMembers d.tld \\\n   e.tld\n"
        "</MDomainSet>\n"
        "# MDomain no.tld\n"
        "ServerName other.tld\n"
    )
    found = managed_domains.managed_in("/x", text)
    assert found == {
        "shop.tld": "/x:1",
        "www.shop.tld": "/x:1",
        "a.tld": "/x:2",
        "b.tld": "/x:2",
        "c.tld": "/x:3",
        "d.tld": "/x:4",
        "e.tld": "/x:4",
    }
    assert managed_domains.managed_in("/x", "MDomain a.tld\n\x00") == {"a.tld": "/x:1"}
