"""The virtual hosts, read line by line by a few lines of our own, and their patterns run against paths."""

from __future__ import annotations

import dataclasses
import re
import typing as t
from collections.abc import Callable

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.apache import (
    directives as language,
)
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.apache import (
    sites as site,
)
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.apache.sites import SiteOptions
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.certificates import Certificate
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.documents import (
    Document,
    apple,
    outlook,
    pacc,
    thunderbird,
)
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.files import Kind
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host.debian import Debian
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input.model import Provider

MakeProvider = Callable[..., Provider]
CERTIFICATE = Certificate("/tls/chain.pem", "/tls/key.pem")
OTHER = Certificate("/tls/other.pem", "/tls/other.key")
EVERYONE = dict.fromkeys(("autoconfig.server.tld", "autodiscover.server.tld"), CERTIFICATE)


class Line(t.NamedTuple):
    """A directive and the sections around it."""

    scopes: tuple[str, ...]
    text: str


def read(content: bytes) -> list[Line]:
    """The directives within the section that switches the whole file off."""
    scopes: list[str] = []
    lines = []
    for line in map(str.strip, content.decode().splitlines()):
        if line.startswith("</"):
            assert scopes.pop().startswith(line[2:-1])
        elif line.startswith("<"):
            scopes.append(line[1:-1])
        elif line and not line.startswith("#"):
            switch, *inner = scopes
            assert switch == "IfDefine !MAIL_AUTOCONFIG_OFF"
            lines.append(Line(tuple(inner), line))
    assert not scopes
    return lines


def rendered(
    provider: Provider, certificates: dict[str, Certificate], prefix: str = "", **options: t.Any
) -> dict[str, list[Line]]:
    """Every file of the provider's sites by its name."""
    groups = site.host_groups(provider.domains, lambda host, domain: certificates.get(host))
    documents = [document for document in (thunderbird.render(provider), outlook.render(provider)) if document]
    files = site.site_files(provider, groups, documents, SiteOptions(**options), Debian(), prefix)
    return {f"{item.enabled_in}/{item.name}": read(item.content) for item in files if item.kind is Kind.CONFIGURATION}


def of(lines: list[Line], name: str, host: str = "VirtualHost") -> list[str]:
    """The arguments of every directive of that name in virtual hosts."""
    return [
        line.text.partition(" ")[2]
        for line in lines
        if line.text.split()[0] == name and any(scope.startswith(host) for scope in line.scopes)
    ]


# -- names and files ----------------------------------------------------------------------------------------------------


def test_without_a_certificate_there_is_one_site_that_serves(make_provider: MakeProvider) -> None:
    files = rendered(make_provider(), {})
    assert list(files) == ["sites/autoconfig.server.tld.conf"]
    (lines,) = files.values()
    assert {line.scopes[0] for line in lines} == {"VirtualHost *:80"}
    assert of(lines, "ServerName") == ["autoconfig.server.tld"]
    assert of(lines, "ServerAlias") == ["autodiscover.server.tld"]
    assert len(of(lines, "AliasMatch")) == 2
    assert not [line for line in lines if line.text.startswith(("SSL", "RedirectMatch 302"))]


def test_with_a_certificate_one_site_redirects_and_one_serves(make_provider: MakeProvider) -> None:
    files = rendered(make_provider(), EVERYONE)
    assert list(files) == ["sites/autoconfig.server.tld.conf", "sites/autoconfig.server.tld-ssl.conf"]
    http, https = files.values()
    assert {line.scopes[0] for line in http} == {"VirtualHost *:80"}
    guards = ("IfModule mod_ssl.c", "IfFile /tls/chain.pem", "IfFile /tls/key.pem")
    assert {line.scopes[:4] for line in https} == {(*guards, "VirtualHost *:443")}
    assert of(http, "AliasMatch") == []
    assert of(https, "SSLEngine") == ["on"]
    assert of(https, "SSLCertificateFile") == ["/tls/chain.pem"]
    assert of(https, "SSLCertificateKeyFile") == ["/tls/key.pem"]
    for lines in (http, https):
        assert of(lines, "ServerName") == ["autoconfig.server.tld"]
        assert of(lines, "ServerAlias") == ["autodiscover.server.tld"]


def test_what_mod_md_brings_is_there_only_while_mod_md_is_told_of_it(make_provider: MakeProvider) -> None:
    provider = make_provider()
    pair = Certificate("/etc/apache2/md/domains/autoconfig.server.tld/pubcert.pem", "/key")
    groups = [dataclasses.replace(group, managed=True) for group in site.host_groups(provider.domains, lambda *_: pair)]
    files = site.site_files(provider, groups, [thunderbird.render(provider)], SiteOptions(), Debian("/etc/apache2-b"))
    (https,) = (item for item in files if item.name.endswith("-ssl.conf"))
    guards = (
        "IfModule mod_ssl.c",
        "IfModule md_module",
        "IfDefine MAIL_AUTOCONFIG_MANAGED_autoconfig.server.tld",
    )
    first, *lines = read(https.content)
    # Where somebody has sites read before the file that tells mod_md, they have it read.
    assert first.scopes == (*guards[:2], "IfDefine !MAIL_AUTOCONFIG_MANAGED_autoconfig.server.tld")
    assert first.text == "IncludeOptional /etc/apache2-b/conf-enabled/autoconfig.server.tld-certificates.conf"
    assert {line.scopes[:4] for line in lines} == {(*guards, "VirtualHost *:443")}
    assert (of(lines, "SSLEngine"), of(lines, "SSLCertificateFile"), of(lines, "Protocols")) == (["on"], [], [])


VALIDATED = (
    ("autoconfig.server.tld", ("autoconfig.server.tld", "autodiscover.server.tld")),
    ("autoconfig.a.tld", ("autoconfig.a.tld",)),
)


def test_names_that_are_validated_over_tls_have_tls_before_they_have_a_certificate(make_provider: MakeProvider) -> None:
    provider = make_provider(domains=["server.tld", "a.tld"])
    (group,) = site.host_groups(provider.domains, lambda *_: None)
    groups = [dataclasses.replace(group, validated=VALIDATED)]
    assert "ssl" in site.modules(SiteOptions(), groups)
    files = site.site_files(provider, groups, [thunderbird.render(provider)], SiteOptions(), Debian())
    assert [item.name for item in files] == ["autoconfig.server.tld.conf", "autoconfig.server.tld-waiting.conf"]
    everything = read(files[1].content)
    told = "IncludeOptional /etc/apache2/conf-enabled/autoconfig.server.tld-certificates.conf"
    assert [line.scopes[2] for line in everything if line.text == told] == [
        f"IfDefine !MAIL_AUTOCONFIG_MANAGED_{name}" for name, _names in VALIDATED
    ]
    lines = [line for line in everything if line.text != told]
    # Each with its managed domain, because one whose names mod_md does not know would end Apache.
    guards = {line.scopes[2]: line.scopes[3] for line in lines}
    assert guards == {f"IfDefine MAIL_AUTOCONFIG_MANAGED_{name}": "VirtualHost *:443" for name, _names in VALIDATED}
    assert of(lines, "ServerName") + of(lines, "ServerAlias") == [
        *("autoconfig.server.tld", "autoconfig.a.tld", "autodiscover.server.tld")
    ]
    assert set(of(lines, "RedirectMatch")) == {"503 ^"}
    assert set(of(lines, "Protocols")) == {"h2 http/1.1 acme-tls/1", "http/1.1 acme-tls/1"}
    assert not of(lines, "AliasMatch")


def test_sites_with_tls_go_on_answering_the_authority(make_provider: MakeProvider) -> None:
    provider = make_provider()
    (group,) = site.host_groups(provider.domains, lambda *_: CERTIFICATE)
    groups = [dataclasses.replace(group, validated=VALIDATED[:1])]
    http, https = site.site_files(provider, groups, [thunderbird.render(provider)], SiteOptions(), Debian())
    assert https.name == "autoconfig.server.tld-ssl.conf"
    protocols = {line.scopes[-1]: line.text for line in read(https.content) if line.text.startswith("Protocols")}
    assert protocols == {
        "IfModule http2_module": "Protocols h2 http/1.1 acme-tls/1",
        "IfModule !http2_module": "Protocols http/1.1 acme-tls/1",
    }
    assert not of(read(http.content), "Protocols")


def test_every_file_begins_with_a_warning_to_editors(make_provider: MakeProvider) -> None:
    provider = make_provider()
    groups = site.host_groups(provider.domains, lambda host, domain: CERTIFICATE)
    options = SiteOptions(well_known=True)
    for item in site.site_files(provider, groups, [thunderbird.render(provider)], options, Debian()):
        assert item.content.decode().splitlines()[0].lstrip("#- ").startswith("Managed by Ansible")
        assert item.content.endswith(b"\n")


def test_names_of_one_certificate_share_a_site_and_the_others_have_their_own(make_provider: MakeProvider) -> None:
    provider = make_provider(domains=["server.tld", "other.tld", "third.tld"])
    certificates = {
        **EVERYONE,
        "autoconfig.other.tld": CERTIFICATE,
        "autodiscover.other.tld": OTHER,
        "autodiscover.third.tld": OTHER,
    }
    groups = site.host_groups(provider.domains, lambda host, domain: certificates.get(host))
    assert [(group.names, group.certificate) for group in groups] == [
        (("autoconfig.server.tld", "autodiscover.server.tld", "autoconfig.other.tld"), CERTIFICATE),
        (("autodiscover.other.tld", "autodiscover.third.tld"), OTHER),
        (("autoconfig.third.tld",), None),
    ]
    files = rendered(provider, certificates)
    assert list(files) == [
        "sites/autoconfig.server.tld.conf",
        "sites/autoconfig.server.tld-ssl.conf",
        "sites/autodiscover.other.tld.conf",
        "sites/autodiscover.other.tld-ssl.conf",
        "sites/autoconfig.third.tld.conf",
    ]
    assert of(files["sites/autodiscover.other.tld-ssl.conf"], "ServerName") == ["autodiscover.other.tld"]
    assert of(files["sites/autodiscover.other.tld-ssl.conf"], "ServerAlias") == ["autodiscover.third.tld"]
    assert of(files["sites/autodiscover.other.tld-ssl.conf"], "SSLCertificateFile") == ["/tls/other.pem"]
    for kind in ("-ssl.conf", ".conf"):
        names = [
            name
            for file, lines in files.items()
            if file.endswith("-ssl.conf") == (kind == "-ssl.conf")
            for name in (*of(lines, "ServerName"), *of(lines, "ServerAlias"))
        ]
        assert len(names) == len(set(names))


def test_a_prefix_goes_before_the_names_of_the_sites_only(make_provider: MakeProvider) -> None:
    files = rendered(make_provider(), EVERYONE, "zz-", well_known=True)
    assert list(files) == [
        "sites/zz-autoconfig.server.tld.conf",
        "sites/zz-autoconfig.server.tld-ssl.conf",
        "conf/autoconfig.server.tld-well-known.conf",
    ]
    assert "zz-" not in str(list(files.values())[:2])


def test_addresses_and_ports_are_those_of_the_options(make_provider: MakeProvider) -> None:
    listen = ("203.0.113.7", "[2001:db8::7]")
    http, https = rendered(make_provider(), EVERYONE, listen=listen, http_port=8080, https_port=8443).values()
    assert http[0].scopes[0] == "VirtualHost 203.0.113.7:8080 [2001:db8::7]:8080"
    assert https[0].scopes[3] == "VirtualHost 203.0.113.7:8443 [2001:db8::7]:8443"


def test_what_the_script_reads_has_a_name_for_each_content_and_what_apache_sends_has_one(make_provider: MakeProvider) -> None:
    def paths(personal: bool, host: str) -> list[str]:
        provider = make_provider(incoming=[{"type": "imap", "hostname": host}])
        documents = [
            thunderbird.render(provider),
            *filter(None, [outlook.render(provider, personal)]),
            *apple.render(provider, personal),
        ]
        options = SiteOptions(personal=personal)
        files = site.document_files(provider, documents, options)
        assert [file.path for file in files] == [site.stored_path(provider.id, document, options) for document in documents]
        return [file.path.removeprefix("/var/www/autoconfig/server.tld/") for file in files]

    stable = ["mail/config-v1.1.xml", "autodiscover/autodiscover.xml", "mail/mail.mobileconfig"]
    assert paths(False, "a.tld") == paths(False, "b.tld") == stable
    one, other = paths(True, "a.tld"), paths(True, "b.tld")
    assert one == paths(True, "a.tld")
    assert set(one) & set(other) == {"mail/config-v1.1.xml"}
    assert not set(one) & set(stable[1:])


def test_a_script_has_a_name_for_each_content(make_provider: MakeProvider) -> None:
    def script(*domains: str) -> str:
        provider = make_provider(domains=domains)
        files = site.site_files(provider, (), [thunderbird.render(provider)], SiteOptions(personal=True), Debian())
        (found,) = [file for file in files if file.kind is Kind.SCRIPT]
        assert found.path.removeprefix("/etc/apache2/conf-available/").startswith("autoconfig.server.tld-")
        return found.path

    assert script("server.tld") == script("server.tld")
    assert script("server.tld") != script("server.tld", "other.tld")


def test_addresses_can_differ_by_port(make_provider: MakeProvider) -> None:
    provider = make_provider()
    groups = site.host_groups(provider.domains, lambda host, domain: CERTIFICATE)
    addresses = {443: ("*", "192.0.2.7", "[2001:db8::7]")}
    options = SiteOptions(listen=("203.0.113.7",))
    files = site.site_files(provider, groups, [thunderbird.render(provider)], options, Debian(), addresses=addresses)
    http, https = (read(file.content) for file in files)
    assert {line.scopes[0] for line in http} == {"VirtualHost 203.0.113.7:80"}
    assert {line.scopes[3] for line in https} == {"VirtualHost *:443 192.0.2.7:443 [2001:db8::7]:443"}


@pytest.mark.parametrize("prefix", ["", "zz-"])
def test_the_default_comes_before_all_other_sites_of_ours(make_provider: MakeProvider, prefix: str) -> None:
    certificates = {**EVERYONE, "autodiscover.server.tld": OTHER}
    names = [name.removeprefix("sites/") for name in rendered(make_provider(), certificates, prefix)]
    default = site.default_site({80: ("*",)}, None, SiteOptions(), Debian(), "server.tld", prefix)
    assert default.path == f"/etc/apache2/sites-available/{prefix}autoconfig-default.conf"
    assert (default.enabled_in, default.link_name) == ("sites", f"{prefix}autoconfig-default")
    assert all(default.name < name for name in names)


def test_the_default_answers_nothing_on_the_addresses_that_are_given() -> None:
    addresses = {80: ("*", "192.0.2.7"), 443: ("[2001:db8::7]",)}
    lines = read(site.default_site(addresses, CERTIFICATE, SiteOptions(), Debian(), "server.tld").content)
    hosts = dict.fromkeys(next(scope for scope in line.scopes if scope.startswith("VirtualHost")) for line in lines)
    assert list(hosts) == ["VirtualHost *:80 192.0.2.7:80", "VirtualHost [2001:db8::7]:443"]
    assert set(of(lines, "ServerName")) == {"autoconfig-default.invalid"}
    assert of(lines, "RedirectMatch") == ["404 ^"] * 2
    assert of(lines, "AliasMatch") == of(lines, "ServerAlias") == []
    assert of(lines, "SSLCertificateFile") == ["/tls/chain.pem"]
    assert len(set(of(lines, "ErrorLog"))) == 1
    alone = read(site.default_site(addresses, None, SiteOptions(), Debian(), "server.tld").content)
    assert {line.scopes[0] for line in alone} == {"VirtualHost *:80 192.0.2.7:80"}


# -- redirects ----------------------------------------------------------------------------------------------------------


def redirects(lines: list[Line]) -> dict[str, list[str]]:
    """The targets of redirects by virtual host, named by its ServerName."""
    found: dict[str, list[str]] = {}
    name = ""
    for line in lines:
        words = language.split_words(line.text)
        if words[0] == "ServerName":
            name = words[1]
        if words[:2] == ["RedirectMatch", "302"]:
            found.setdefault(name, []).append(words[3])
    return found


def test_redirects_lead_to_the_same_domains_own_hosts(make_provider: MakeProvider) -> None:
    provider = make_provider(domains=["server.tld", "other.tld"])
    everyone = {f"{label}.{domain}": CERTIFICATE for label in ("autoconfig", "autodiscover") for domain in provider.domains}
    http = rendered(provider, everyone)["sites/autoconfig.server.tld.conf"]
    assert redirects(http) == {
        f"autoconfig.{domain}": [
            f"https://autoconfig.{domain}/mail/config-v1.1.xml",
            f"https://autodiscover.{domain}/autodiscover/autodiscover.xml",
        ]
        for domain in ("server.tld", "other.tld")
    }


def test_a_redirect_never_leads_to_a_host_without_a_certificate(make_provider: MakeProvider) -> None:
    files = rendered(make_provider(), {"autodiscover.server.tld": CERTIFICATE})
    assert redirects(files["sites/autodiscover.server.tld.conf"]) == {
        "autodiscover.server.tld": [
            "https://autodiscover.server.tld/mail/config-v1.1.xml",
            "https://autodiscover.server.tld/autodiscover/autodiscover.xml",
        ]
    }
    assert redirects(files["sites/autoconfig.server.tld.conf"]) == {}


def test_a_redirect_names_the_port_if_it_is_not_the_usual_one(make_provider: MakeProvider) -> None:
    http = rendered(make_provider(), EVERYONE, https_port=8443)["sites/autoconfig.server.tld.conf"]
    assert redirects(http) == {
        "autoconfig.server.tld": [
            "https://autoconfig.server.tld:8443/mail/config-v1.1.xml",
            "https://autodiscover.server.tld:8443/autodiscover/autodiscover.xml",
        ]
    }


def test_a_redirect_takes_nothing_from_the_request(make_provider: MakeProvider) -> None:
    for lines in rendered(make_provider(), EVERYONE).values():
        for line in lines:
            if line.text.startswith("RedirectMatch 302"):
                assert not re.search(r"[$%]", line.text.split()[-1])
            assert "%{HTTP_HOST}" not in line.text


# -- paths --------------------------------------------------------------------------------------------------------------

SERVED = {
    "/mail/config-v1.1.xml": "mail/config-v1.1.xml",
    "/v1.1/mail/config-v1.1.xml": "mail/config-v1.1.xml",
    "/.well-known/autoconfig/mail/config-v1.1.xml": "mail/config-v1.1.xml",
    "/.well-known/mail-v1.xml": "mail/config-v1.1.xml",
    "/autodiscover/autodiscover.xml": "autodiscover/autodiscover.xml",
    "/Autodiscover/Autodiscover.xml": "autodiscover/autodiscover.xml",
    "/AutoDiscover/AutoDiscover.xml": "autodiscover/autodiscover.xml",
    "/AUTODISCOVER/AUTODISCOVER.XML": "autodiscover/autodiscover.xml",
    "/aUTODISCOVER/autoDiscover.XML": "autodiscover/autodiscover.xml",
}
CHALLENGE = "/.well-known/acme-challenge/token_-09AZ"
NOT_FOUND = [
    "/",
    "/x",
    "/index.html",
    "/mail",
    "/mail/",
    "/Mail/config-v1.1.xml",
    "/mail/config-v1x1.xml",
    "/mail/config-v1.1.xml/",
    "/mail/config-v1.1.xml/x",
    "/mail/mail-v1.xml",
    "/mail-v1.xml",
    "/.well-known/mail-v1.1.xml",
    "/.well-known/autoconfig/mail-v1.xml",
    "/mail/config-v1.1.xml.bak",
    "/x/mail/config-v1.1.xml",
    "/v1.1/v1.1/mail/config-v1.1.xml",
    "/v1.1/.well-known/autoconfig/mail/config-v1.1.xml",
    "/.well-known/",
    "/.well-known/autoconfig/",
    "/.well-known/acme-challenge",
    "/.well-known/acme-challenge/",
    "/.well-known/acme-challenge/a/b",
    "/.well-known/acme-challenge/../x/y",
    "/x/.well-known/acme-challenge/token",
    "/autodiscover/",
    "/autodiscover",
    "/autodiscover/autodiscover.json",
    "/autodiscover/autodiscover.xml/x",
    "/autodiscover/autodiscoverxxml",
    "/server.tld/mail/config-v1.1.xml",
    "/server.tld/",
    "/.htaccess",
    "/.git/config",
]


def answer(lines: list[Line], path: str) -> str:
    """What mod_alias makes of a path in the one virtual host: a status with target, a file, or the document root."""
    for name in ("RedirectMatch", "AliasMatch"):
        for line in lines:
            words = language.split_words(line.text)
            if words[0] == name and re.search(words[-2] if words[1] != "404" else words[2], path):
                return " ".join(words[1:2] + words[3:]) if name == "RedirectMatch" else words[2]
    return "document root"


@pytest.mark.parametrize(("path", "document"), SERVED.items())
@pytest.mark.parametrize("certificates", [{}, EVERYONE], ids=["http", "https"])
def test_every_spelling_of_a_documents_path_is_served(
    make_provider: MakeProvider, certificates: dict[str, Certificate], path: str, document: str
) -> None:
    files = rendered(make_provider(), certificates)
    serving = files["sites/autoconfig.server.tld" + ("-ssl" if certificates else "") + ".conf"]
    assert answer(serving, path) == f"/var/www/autoconfig/server.tld/{document}"


@pytest.mark.parametrize(("path", "document"), SERVED.items())
def test_every_spelling_of_a_documents_path_is_redirected(make_provider: MakeProvider, path: str, document: str) -> None:
    host = document.partition("/")[0].replace("mail", "autoconfig")
    http = rendered(make_provider(), EVERYONE)["sites/autoconfig.server.tld.conf"]
    assert answer(http, path) == f"302 https://{host}.server.tld/{document}"


@pytest.mark.parametrize("path", NOT_FOUND)
def test_any_other_path_is_not_found(make_provider: MakeProvider, path: str) -> None:
    for certificates in ({}, EVERYONE):
        for lines in rendered(make_provider(), certificates).values():
            assert answer(lines, path) == "404"


def test_certificate_challenges_are_answered_from_the_document_root_on_every_site(make_provider: MakeProvider) -> None:
    for certificates in ({}, EVERYONE):
        for lines in rendered(make_provider(), certificates).values():
            assert answer(lines, CHALLENGE) == "document root"


def test_the_guides_rule_for_the_root_is_there(make_provider: MakeProvider) -> None:
    for lines in rendered(make_provider(), EVERYONE).values():
        assert "404 ^/$" in of(lines, "RedirectMatch")


def test_without_an_answer_for_outlook_its_path_is_not_found(make_provider: MakeProvider) -> None:
    provider = make_provider()
    groups = site.host_groups(provider.domains, lambda host, domain: None)
    (item,) = site.site_files(provider, groups, [thunderbird.render(provider)], SiteOptions(), Debian())
    assert answer(read(item.content), "/autodiscover/autodiscover.xml") == "404"
    assert answer(read(item.content), "/mail/config-v1.1.xml").startswith("/var/www/")


# -- what every virtual host has ----------------------------------------------------------------------------------------


def test_documents_have_their_type_and_nothing_is_listed_or_run(make_provider: MakeProvider) -> None:
    http, https = rendered(make_provider(), EVERYONE).values()
    for lines in (http, https):
        directory = [line for line in lines if "Directory /var/www/autoconfig" in line.scopes]
        assert [line.text for line in directory] == ["Options FollowSymLinks", "AllowOverride None", "Require all granted"]
        assert "SetHandler default-handler" in [line.text for line in lines if line.scopes[-2:] == ("Location /", "If true")]
    types = {line.scopes[-1].removeprefix("LocationMatch "): line for line in https if line.text.startswith("ForceType")}
    assert {line.text for line in types.values()} == {'ForceType "text/xml; charset=utf-8"'}
    for path in SERVED:
        assert [pattern for pattern in types if re.search(pattern, path)]
    assert not [pattern for path in NOT_FOUND for pattern in types if re.search(pattern, path)]
    assert not [line for line in http if line.text.startswith("ForceType")]


def test_answers_are_not_sniffed_and_bodies_are_small(make_provider: MakeProvider) -> None:
    for lines in rendered(make_provider(), EVERYONE).values():
        assert of(lines, "Header")[0] == "always set X-Content-Type-Options nosniff"
        assert of(lines, "LimitRequestBody") == ["16384"]
        assert of(lines, "DocumentRoot") == ["/var/www/autoconfig"]


def test_the_administrator_is_the_domains_unless_named(make_provider: MakeProvider) -> None:
    provider = make_provider(domains=["server.tld", "other.tld"])
    assert of(rendered(provider, {})["sites/autoconfig.server.tld.conf"], "ServerAdmin") == ["admin@server.tld"]
    named = rendered(provider, {}, server_admin="Post Master <p@x.tld>")
    assert of(named["sites/autoconfig.server.tld.conf"], "ServerAdmin") == ['"Post Master <p@x.tld>"']


@pytest.mark.parametrize(
    ("php", "expected"),
    [
        ("none", ["Location /: AddDefaultCharset UTF-8"]),
        (
            "fpm",
            [
                "Location /: AddDefaultCharset UTF-8",
                'Location /: SetEnv PHP_ADMIN_VALUE "magic_quotes_gpc = Off"',
                'Location /: SetEnv PHP_VALUE "register_globals = Off"',
            ],
        ),
        (
            "mod_php",
            [
                "Location /: AddDefaultCharset UTF-8",
                *(
                    f"IfModule {name}: php_value {setting} off"
                    for name in ("mod_php5.c", "mod_php7.c", "mod_php.c")
                    for setting in ("magic_quotes_gpc", "register_globals")
                ),
            ],
        ),
    ],
)
def test_php_settings_are_those_of_the_mode(make_provider: MakeProvider, php: str, expected: list[str]) -> None:
    for lines in rendered(make_provider(), EVERYONE, php=php).values():
        found = [line for line in lines if "Location /" in line.scopes and "If true" not in line.scopes]
        assert [f"{line.scopes[-1]}: {line.text}" for line in found] == expected


def test_all_sites_of_a_provider_share_two_logs_and_each_virtual_host_names_each_once(make_provider: MakeProvider) -> None:
    provider = make_provider(domains=["server.tld", "other.tld"])
    certificates = {**EVERYONE, "autoconfig.other.tld": OTHER}
    files = rendered(provider, certificates, personal=True)
    assert len(files) == 5
    for lines in files.values():
        hosts = len(of(lines, "ServerName"))
        assert of(lines, "ErrorLog") == ["${APACHE_LOG_DIR}/autoconfig.server.tld-error.log"] * hosts
        logs = [language.split_words(log)[0] for log in of(lines, "CustomLog")]
        assert logs == ["${APACHE_LOG_DIR}/autoconfig.server.tld-access.log"] * hosts


def test_directives_of_the_administrator_stand_in_every_virtual_host(make_provider: MakeProvider) -> None:
    extra = language.parse('Header set X-A "b c"\n<IfModule mod_evasive.c>\nDOSPageCount 5\n</IfModule>')
    provider = make_provider(domains=["server.tld", "other.tld"])
    for lines in rendered(provider, EVERYONE, extra=extra).values():
        hosts = len(of(lines, "ServerName"))
        assert of(lines, "Header").count('set X-A "b c"') == hosts
        assert of(lines, "DOSPageCount", "IfModule mod_evasive.c") == ["5"] * hosts


def test_paths_with_blanks_are_quoted(make_provider: MakeProvider) -> None:
    (lines,) = rendered(make_provider(), {}, document_root="/srv/auto config").values()
    assert of(lines, "DocumentRoot") == ['"/srv/auto config"']
    assert any('Directory "/srv/auto config"' in line.scopes for line in lines)
    assert all(alias.endswith('.xml"') for alias in of(lines, "AliasMatch"))


def test_only_the_modules_that_the_sites_use_are_asked_for(make_provider: MakeProvider) -> None:
    with_tls = site.host_groups(make_provider().domains, lambda host, domain: CERTIFICATE)
    without = site.host_groups(make_provider().domains, lambda host, domain: None)
    assert site.modules(SiteOptions(), without) == ("alias", "authz_core", "headers", "setenvif")
    assert site.modules(SiteOptions(php="mod_php"), without) == ("alias", "authz_core", "headers", "setenvif")
    assert site.modules(SiteOptions(php="fpm"), without) == ("alias", "authz_core", "env", "headers", "setenvif")
    assert site.modules(SiteOptions(personal=True), without) == ("alias", "authz_core", "headers", "lua", "setenvif")
    assert site.modules(SiteOptions(well_known=True), with_tls) == ("alias", "authz_core", "headers", "lua", "setenvif", "ssl")


# -- the responder ------------------------------------------------------------------------------------------------------

JSON_PATHS = [
    "/autodiscover/autodiscover.json",
    "/Autodiscover/Autodiscover.JSON",
    "/autodiscover/autodiscover.json/v1.0/user@server.tld",
    "/AutoDiscover/AutoDiscover.json/V1.0/user@server.tld",
]
NO_JSON_PATHS = [
    "/autodiscover/autodiscover.json/",
    "/autodiscover/autodiscover.json/v2.0/user@server.tld",
    "/autodiscover/autodiscover.json/v1.0/a/b",
    "/x/autodiscover/autodiscover.json",
    "/autodiscover/autodiscoverxjson",
]
SCRIPT = r"/etc/apache2/conf-available/autoconfig\.server\.tld-[0-9a-f]{8}\.lua"
TEMPLATE = r"/var/www/autoconfig/server\.tld/autodiscover/autodiscover-[0-9a-f]{8}\.xml"


@pytest.mark.parametrize("certificates", [{}, EVERYONE], ids=["http", "https"])
def test_the_responder_answers_outlook_and_only_outlook(
    make_provider: MakeProvider, certificates: dict[str, Certificate]
) -> None:
    files = rendered(make_provider(), certificates, personal=True)
    serving = files["sites/autoconfig.server.tld" + ("-ssl" if certificates else "") + ".conf"]
    (handler,) = of(serving, "LuaMapHandler")
    pattern, script, function = language.split_words(handler)
    assert function == "handle"
    assert re.fullmatch(SCRIPT, script)
    assert of(serving, "LuaScope") == ["server 1 256"]
    assert of(serving, "LuaCodeCache") == ["forever"]
    for path, document in SERVED.items():
        mine = document.startswith("mail/")
        assert bool(re.search(pattern, path)) != mine
        expected = re.escape(f"/var/www/autoconfig/server.tld/{document}") if mine else TEMPLATE
        assert re.fullmatch(expected, answer(serving, path))
    for path in JSON_PATHS:
        assert re.search(pattern, path)
        # A file that exists, which the responder does not send.
        assert re.fullmatch(TEMPLATE, answer(serving, path))
    for path in (*NO_JSON_PATHS, *set(NOT_FOUND) - set(JSON_PATHS)):
        assert not re.search(pattern, path)
        assert answer(serving, path) == "404"


def test_with_the_responder_both_forms_of_outlooks_request_are_redirected_to_a_fixed_host(make_provider: MakeProvider) -> None:
    http = rendered(make_provider(), EVERYONE, personal=True, https_port=8443)["sites/autoconfig.server.tld.conf"]
    for path in JSON_PATHS:
        assert answer(http, path) == "302 https://autodiscover.server.tld:8443$1"
    for path in NO_JSON_PATHS:
        assert answer(http, path) == "404"
    assert answer(http, "/Autodiscover/Autodiscover.xml") == (
        "302 https://autodiscover.server.tld:8443/autodiscover/autodiscover.xml"
    )
    assert of(http, "LuaMapHandler") == []


def test_without_an_answer_for_outlook_there_is_nothing_for_the_responder(make_provider: MakeProvider) -> None:
    provider = make_provider()
    groups = site.host_groups(provider.domains, lambda host, domain: None)
    files = site.site_files(provider, groups, [thunderbird.render(provider)], SiteOptions(personal=True), Debian())
    lines = read(files[0].content)
    assert of(lines, "LuaMapHandler") == []
    assert answer(lines, JSON_PATHS[0]) == "404"


def test_the_responder_answers_on_the_domains_own_sites_too(make_provider: MakeProvider) -> None:
    lines, script = well_known(make_provider(), personal=True)
    answering = [line for line in lines if line.text == "SetHandler lua-script"]
    assert [line.scopes[-1] for line in answering] == ["If \"reqenv('MAIL_AUTOCONFIG') == 'responder'\""]
    pattern = lines[-1].scopes[0].removeprefix("LocationMatch ")
    assert all(re.search(pattern, path) for path in JSON_PATHS)
    assert not [path for path in NO_JSON_PATHS if re.search(pattern, path)]
    assert '["kind"] = "responder"' in script


# -- the sites of the domains themselves --------------------------------------------------------------------------------


def well_known(provider: Provider, *more: Document, **options: t.Any) -> tuple[list[Line], str]:
    """The snippet and its script, with ``more`` documents than Thunderbird's and Outlook's."""
    groups = site.host_groups(provider.domains, lambda host, domain: None)
    documents = [document for document in (thunderbird.render(provider), outlook.render(provider), *more) if document]
    files = site.site_files(provider, groups, documents, SiteOptions(well_known=True, **options), Debian())
    snippet, script = files[-2:]
    assert (script.kind, script.enabled_in) == (Kind.SCRIPT, "")
    assert (snippet.kind, snippet.enabled_in, snippet.link_name) == (
        Kind.CONFIGURATION,
        "conf",
        "autoconfig.server.tld-well-known",
    )
    return read(snippet.content), script.content.decode()


def test_the_snippet_asks_the_script_for_the_documents_paths_only(make_provider: MakeProvider) -> None:
    lines, _script = well_known(make_provider())
    (hook,) = [line for line in lines if line.text.startswith("LuaHookTranslateName")]
    assert re.fullmatch(f"LuaHookTranslateName {SCRIPT} translate early", hook.text)
    pattern = hook.scopes[0].removeprefix("LocationMatch ")
    own_hosts_only = ("/mail/config-v1.1.xml", "/v1.1/mail/config-v1.1.xml", "/.well-known/mail-v1.xml")
    served = set(SERVED) - {*own_hosts_only}
    assert {path for path in (*SERVED, *NOT_FOUND, CHALLENGE) if re.search(pattern, path)} == served


def test_documents_that_no_client_asks_of_the_domains_themselves_change_nothing_in_the_snippet(
    make_provider: MakeProvider,
) -> None:
    provider = make_provider()
    alone, _script = well_known(provider)
    settings_of_pacc = pacc.render(provider)
    assert settings_of_pacc is not None
    for document in (apple.render(provider)[0], settings_of_pacc):
        lines, _script = well_known(provider, document)
        assert [line.scopes for line in lines] == [line.scopes for line in alone]


def test_the_snippet_changes_no_request_that_the_script_has_not_taken(make_provider: MakeProvider) -> None:
    lines, _script = well_known(make_provider())
    taken = [line.text for line in lines if line.scopes[-1] == "If \"-n reqenv('MAIL_AUTOCONFIG')\""]
    assert taken == [
        "Require all granted",
        "SetHandler none",
        "Header always set X-Content-Type-Options nosniff",
        "LimitRequestBody 16384",
    ]
    others = [line for line in lines if line.text not in taken and line.scopes[0].startswith("LocationMatch")]
    assert [line.text.split()[0] for line in others] == ["LuaScope", "LuaCodeCache", "LuaHookTranslateName"]


def test_the_script_knows_the_domains_and_the_files(make_provider: MakeProvider) -> None:
    _lines, script = well_known(make_provider(id="id.tld", domains=["server.tld", "müller.example"]))
    assert '"|m\\195\\188ller.example=xn--mller-kva.example|server.tld|xn--mller-kva.example|"' in script
    assert '["autoconfig"] = "/var/www/autoconfig/id.tld/mail/config-v1.1.xml"' in script
    assert '["autodiscover"] = "/var/www/autoconfig/id.tld/autodiscover/autodiscover.xml"' in script
    assert '["kind"] = "document"' in script
    assert '["kind"] = "responder"' not in script


def test_without_the_option_there_is_no_snippet(make_provider: MakeProvider) -> None:
    assert not [name for name in rendered(make_provider(), EVERYONE) if name.startswith("conf/")]
