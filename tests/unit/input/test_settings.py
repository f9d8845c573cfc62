"""The input of a run: defaults, and all its mistakes at once."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.apache.directives import Directive, Section
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.apache.managed_domains import AcmeOptions
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.apache.signing import Signer
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.apache.sites import SiteOptions
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.dns.records import DnsOptions, Validation
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.dns.remembered import Gone
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input import settings
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input.model import Provider
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input.reading import InputError

if t.TYPE_CHECKING:
    from tests.unit.conftest import Options

SERVERS: Options = {
    "incoming": [{"type": "imap", "hostname": "mail.server.tld"}],
    "outgoing": [{"type": "smtp", "hostname": "mail.server.tld"}],
}
NOT_A_PATH = "is not an absolute path of letters, digits and / . _ @ + , : = -"
ACCOUNT = "https://acme-v02.api.letsencrypt.org/acme/acct/4711"


def problems_of(**options: t.Any) -> list[str]:
    """What is wrong with the options, given a domain unless they say otherwise."""
    if not {"domain", "providers"} & set(options):
        options["domain"] = "server.tld"
    try:
        settings.read(options)
    except InputError as exc:
        return list(exc.problems)
    return []


# -- defaults -----------------------------------------------------------------------------------------------------------


def test_a_domain_is_enough() -> None:
    assert settings.read({"domain": "Server.TLD"}) == settings.Settings(
        providers=(Provider.for_domain("server.tld"),),
        site=SiteOptions(),
        responder="auto",
        https=True,
        certificates="found",
        certificate_extra_names=(),
        certificate_file="/etc/letsencrypt/live/{domain}/fullchain.pem",
        certificate_key_file="/etc/letsencrypt/live/{domain}/privkey.pem",
        certificate_is_given=False,
        acme=AcmeOptions(),
        signing_host="",
        signing_with_tls_key=False,
        pages={},
        logins={},
        dns=DnsOptions(),
        dns_records_gone=Gone(),
        list_domains=True,
        pacc=False,
        tlsa=False,
        zone_file="",
        config_directory="/etc/apache2",
        certbot_directory="/etc/letsencrypt",
        state_directory="/var/lib/mail_autoconfig",
        adopt=False,
        purge=False,
        allow_removal=False,
        removed_domains=(),
    )


def test_options_that_ansible_passes_as_none_are_as_good_as_absent() -> None:
    nothing = dict.fromkeys(("mail_host", "providers", "certificate_file", "server_admin", "extra_directives", "log_directory"))
    assert settings.read({"domain": "server.tld", **nothing}) == settings.read({"domain": "server.tld"})


def test_every_option_arrives() -> None:
    read = settings.read(
        {
            "providers": [{"domains": ["a.tld"], **SERVERS}, {"domains": ["b.tld"], **SERVERS}],
            "https": False,
            "certificate_file": "/tls/{domain}/chain.pem",
            "certificate_key_file": "/tls/key of all.pem",
            "document_root": "/srv/auto config/",
            "server_admin": "Post Master <p@a.tld>",
            "listen": ["203.0.113.7", "2001:db8::7", "[2001:DB8::8]"],
            "http_port": 8080,
            "https_port": 8443,
            "php": "fpm",
            "well_known": True,
            "log_directory": "/srv/log",
            "log_queries": True,
            "extra_directives": "Timeout 5\n<If x>\nSetEnv A b\n</If>\n",
            "addresses": ["203.0.113.7", "2001:DB8:0::7"],
            "dns_ttl": 0,
            "config_directory": "/etc/apache2-mail",
            "state_directory": "/srv/state",
            "adopt": True,
            "purge": True,
            "allow_removal": True,
            "removed_domains": ["Gone.TLD"],
        }
    )
    assert [provider.id for provider in read.providers] == ["a.tld", "b.tld"]
    assert read.site == SiteOptions(
        document_root="/srv/auto config",
        server_admin="Post Master <p@a.tld>",
        listen=("203.0.113.7", "[2001:db8::7]", "[2001:db8::8]"),
        http_port=8080,
        https_port=8443,
        php="fpm",
        well_known=True,
        log_directory="/srv/log",
        log_queries=True,
        extra=(Directive("Timeout", (), "5"), Section("If", (), (Directive("SetEnv", (), "A b"),), "x")),
    )
    assert (read.https, read.adopt, read.purge) == (False, True, True)
    assert (read.allow_removal, read.removed_domains, read.removable) == (True, ("gone.tld",), None)
    assert (read.certificate_file, read.certificate_key_file) == ("/tls/{domain}/chain.pem", "/tls/key of all.pem")
    assert read.certificate_is_given
    assert read.dns.addresses == ("203.0.113.7", "2001:db8::7")
    assert read.dns.ttl == 0
    assert (read.config_directory, read.state_directory) == ("/etc/apache2-mail", "/srv/state")


def test_the_mail_host_goes_with_the_domain() -> None:
    (provider,) = settings.read({"domain": "server.tld", "mail_host": "MX.hosting.example"}).providers
    assert provider == Provider.for_domain("server.tld", mail_host="mx.hosting.example")


def test_what_else_goes_with_the_domain() -> None:
    wishes = {"username": "%EMAILLOCALPART%", "pop3": True, "starttls": "outgoing"}
    (provider,) = settings.read({"domain": "server.tld", **wishes}).providers
    assert provider == Provider.for_domain("server.tld", **wishes)


# -- which providers ----------------------------------------------------------------------------------------------------


def test_neither_domain_nor_providers_is_a_mistake() -> None:
    assert problems_of(domain=None) == ["domain: is required, or providers"]
    assert problems_of(domain="", providers=[]) == ["domain: is required, or providers"]


def test_both_domain_and_providers_are_a_mistake() -> None:
    assert problems_of(domain="a.tld", providers=[{"domains": ["b.tld"], **SERVERS}]) == [
        "domain: is the short form of providers; give one of them"
    ]


def test_a_domain_cannot_be_served_and_removed() -> None:
    assert problems_of(removed_domains=["gone.tld", "a.tld"], domain="a.tld") == [
        "removed_domains: 'a.tld' is among the domains of provider a.tld; take it out of one of the two"
    ]
    assert settings.read({"domain": "a.tld", "removed_domains": ["gone.tld"]}).removable == ("gone.tld",)


def test_records_that_are_gone_are_named_one_by_one_or_by_their_domain() -> None:
    entries = [
        {"domain": "a.tld", "owner": "_imaps._tcp.A.tld.", "type": "srv", "ttl": 300, "rdata": "0 1 993 mail.tld."},
        {"owner": "autoconfig.b.tld.", "type": "A"},
        {"domain": "C.tld"},
    ]
    found = settings.read({"domain": "x.tld", "dns_records_gone": entries}).dns_records_gone
    assert found == Gone(frozenset({("_imaps._tcp.a.tld.", "SRV"), ("autoconfig.b.tld.", "A")}), frozenset({"c.tld"}))
    wrong = [{}, {"owner": "a.tld."}, {"type": "A", "domain": "a.tld"}, {"domain": "no domain"}, {"domain": "a.tld", "name": "x"}]
    found_wrong = problems_of(dns_records_gone=wrong)
    assert [problem.partition(": ")[0] for problem in found_wrong] == [
        "dns_records_gone[0].domain",
        "dns_records_gone[1].type",
        "dns_records_gone[2].owner",
        "dns_records_gone[3].domain",
        "dns_records_gone[4].name",
    ]


def test_purge_alone_needs_no_provider() -> None:
    assert settings.read({"purge": True}).providers == ()


def test_a_mail_host_without_domain_is_a_mistake() -> None:
    assert problems_of(mail_host="mail.server.tld", providers=[{"domains": ["b.tld"], **SERVERS}]) == [
        "mail_host: goes with domain; with providers each server has its own hostname"
    ]


def test_what_else_goes_with_the_domain_alone() -> None:
    wishes = {"username": "%EMAILLOCALPART%", "pop3": True, "starttls": "all"}
    assert problems_of(**wishes, providers=[{"domains": ["b.tld"], **SERVERS}]) == [
        "username: goes with domain; with providers each server has its own username",
        "pop3: goes with domain; with providers a server of type pop3 is among incoming",
        "starttls: goes with domain; with providers each server has its own socket_type",
    ]
    usual = {"username": "", "pop3": False, "starttls": "none"}
    assert settings.read({**usual, "providers": [{"domains": ["b.tld"], **SERVERS}]}).providers


def test_wrong_wishes_for_a_domain_are_reported_once() -> None:
    assert [problem.partition(" (did")[0] for problem in problems_of(username="%USER%", starttls="smtp")] == [
        "username: '%USER%': %USER% is no placeholder that clients fill in",
        "starttls: 'smtp' is unknown; allowed are none, outgoing, all",
    ]


def test_a_wrong_domain_is_reported_once() -> None:
    (problem,) = problems_of(domain="not a domain")
    assert problem.startswith("domain: 'not a domain' is not a host name")


def test_a_wrong_mail_host_is_reported_once() -> None:
    (problem,) = problems_of(mail_host="..")
    assert problem.startswith("mail_host: '..' is not a host name")


# -- wrong values -------------------------------------------------------------------------------------------------------

PATHS = {
    "relative": "var/www",
    "home": "~/www",
    "double quote": '/var/www/"x"',
    "single quote": "/var/www/'x'",
    "variable": "/var/${HOME}",
    "dollar": "/var/$x",
    "upwards": "/var/www/../../etc",
    "upwards at the end": "/var/www/..",
    "two slashes": "/var//www",
    "line break": "/var/www\nInclude /etc/passwd",
    "line break at the end": "/var/www\n",
    "backslash": "/var\\www",
    "markup": "/var/<x>",
    "percent": "/var/%{HTTP_HOST}",
    "glob": "/var/*",
    "hash": "/var/#x",
    "null": "/var/\x00",
    "letters beyond ASCII": "/var/é",
}


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS.keys())
@pytest.mark.parametrize("option", ["document_root", "log_directory", "config_directory", "state_directory"])
def test_a_path_that_something_would_read_otherwise_is_refused(option: str, path: str) -> None:
    assert problems_of(**{option: path}) == [f"{option}: {path!r} {NOT_A_PATH}"]


@pytest.mark.parametrize(
    "path",
    [*(path for path in PATHS.values() if path != "/var/*"), "/tls/{domain}/../x.pem", "/tls/{other}.pem", "/tls/{{domain}}.pem"],
)
def test_a_certificates_path_is_checked_likewise(path: str) -> None:
    shown = path.replace("{domain}", "domain")
    assert problems_of(certificate_file=path, certificate_key_file=path) == [
        f"certificate_file: {shown!r} {NOT_A_PATH}",
        f"certificate_key_file: {shown!r} {NOT_A_PATH}",
    ]


@pytest.mark.parametrize("path", ["/", "/./", "/."])
def test_the_root_of_the_file_system_is_no_document_root(path: str) -> None:
    assert problems_of(document_root=path)


@pytest.mark.parametrize(
    ("given", "asked"), [("certificate_file", "certificate_key_file"), ("certificate_key_file", "certificate_file")]
)
def test_certificate_and_key_go_together(given: str, asked: str) -> None:
    assert problems_of(**{given: "/tls/x.pem"}) == [f"{asked}: is required with its counterpart"]


def test_a_star_in_the_path_of_a_key_stands_for_one_in_that_of_its_certificate() -> None:
    files = {"certificate_file": "/tls/*/{domain}*.pem", "certificate_key_file": "/tls/*/key"}
    assert settings.read({"domain": "server.tld", **files}).certificate_file == "/tls/*/{domain}*.pem"
    assert problems_of(certificate_file="/tls/*.pem", certificate_key_file="/tls/*/*.key") == [
        "certificate_key_file: has more * than certificate_file, whose parts they stand for"
    ]


def test_where_certificates_come_from_can_be_said_for_all_and_for_one() -> None:
    providers = [{"domains": ["a.tld"], "certificates": "given", **SERVERS}, {"domains": ["b.tld"], **SERVERS}]
    read = settings.read({"certificates": "found", "providers": providers})
    assert (read.certificates, [provider.certificates for provider in read.providers]) == ("found", ["given", ""])
    assert problems_of(certificates="bought") == ["certificates: 'bought' is unknown; allowed are found, given, mod_md, certbot"]
    assert problems_of(providers=[{**providers[0], "certificates": "bought"}]) == [
        "providers[0].certificates: 'bought' is unknown; allowed are found, given, mod_md, certbot"
    ]


ORDERED: Options = {"certificates": "certbot", "acme_agreement": True, "acme_contact": "admin@server.tld"}


def test_further_names_of_certificates_are_those_of_each_domain() -> None:
    providers = [
        {"domains": ["a.tld", "b.tld"], **SERVERS},
        {"domains": ["c.tld"], **SERVERS, "certificate_extra_names": ["{domain}", "smtp.host.tld"]},
        {"domains": ["d.tld"], **SERVERS, "certificates": "found"},
    ]
    read = settings.read({**ORDERED, "providers": providers, "certificate_extra_names": ["Mail.{domain}", "mx.host.tld."]})
    assert read.extra_names == {
        "a.tld": ("mail.a.tld", "mx.host.tld"),
        "b.tld": ("mail.b.tld",),
        "c.tld": ("c.tld", "smtp.host.tld"),
    }
    assert settings.read({**ORDERED, "domain": "a.tld"}).extra_names == {}


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["*.{domain}"], "[0]: '*.{domain}' is a wildcard, which only the challenge dns-01 validates; name the hosts"),
        (["a b"], "[0]: 'a b' is not a host name (labels of 1 to 63 letters, digits and inner hyphens, joined by dots)"),
        (["mail{domain}"], "[0]: 'mail{domain}' is not a host name: {domain} stands at the end, alone or behind a dot"),
        (["{domain}.tld"], "[0]: '{domain}.tld' is not a host name: {domain} stands at the end, alone or behind a dot"),
        (["mail.{domain}", "MAIL.{domain}"], "[1]: 'MAIL.{domain}' is listed twice"),
        (["autoconfig.{domain}"], ": 'autoconfig.server.tld' is among the host names of server.tld already"),
        (
            ["profiles.{domain}"],
            ": 'profiles.server.tld' would be in the certificates of signing_host and of server.tld; name it for one",
        ),
        (
            ["x" * 63 + "." + ".".join(["y" * 60] * 3) + ".{domain}"],
            f": '{'x' * 63}.{'.'.join(['y' * 60] * 3)}.server.tld' is longer than 253",
        ),
        (["mail.server.tld", "mail.{domain}"], ": 'mail.server.tld' is there twice for server.tld"),
    ],
)
def test_a_further_name_that_cannot_be_in_a_certificate_is_refused(names: list[str], expected: str) -> None:
    (problem,) = problems_of(**ORDERED, signing_host="profiles.server.tld", certificate_extra_names=names)
    assert problem.startswith(f"certificate_extra_names{expected}"), problem


def test_a_further_name_is_in_one_certificate_and_only_where_one_is_ordered() -> None:
    providers = [
        {"domains": ["a.tld"], **SERVERS, "certificate_extra_names": ["mail.host.tld", "mail.b.tld"]},
        {"domains": ["b.tld"], **SERVERS, "certificate_extra_names": ["mail.{domain}", "mail.host.tld"]},
        {"domains": ["c.tld"], **SERVERS, "certificates": "found", "certificate_extra_names": ["mail.c.tld"]},
    ]
    assert problems_of(**ORDERED, providers=providers) == [
        "certificate_extra_names: of provider c.tld goes with certificates: mod_md or certbot",
        "certificate_extra_names: 'mail.b.tld' would be in the certificates of a.tld and of b.tld; name it for one",
        "certificate_extra_names: 'mail.host.tld' would be in the certificates of a.tld and of b.tld; name it for one",
    ]
    assert problems_of(certificate_extra_names=["mail.{domain}"]) == [
        "certificate_extra_names: goes with certificates: mod_md or certbot"
    ]


CHAIN = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
KEY = "-----BEGIN EC PRIVATE KEY-----\nc2VjcmV0\n-----END EC PRIVATE KEY-----\n"
CONTENT = {"certificate_content": CHAIN, "certificate_key_content": KEY}


def test_a_certificate_as_text_is_that_of_every_provider_that_has_none_of_its_own() -> None:
    own = {"certificate_content": CHAIN.replace("MIIB", "MIIC"), "certificate_key_content": KEY.replace("\n", "\r\n")}
    providers = [{"domains": ["a.tld"], **SERVERS}, {"domains": ["b.tld"], **SERVERS, **own}]
    first, second = settings.read({"providers": providers, **CONTENT}).providers
    assert (first.certificate_content, first.certificate_key_content) == (CHAIN, KEY)
    assert (second.certificate_content, second.certificate_key_content) == (CHAIN.replace("MIIB", "MIIC"), KEY)
    assert "c2VjcmV0" not in repr(first)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"certificate_content": ""}, "certificate_content: is required with its counterpart"),
        ({"certificate_key_content": None}, "certificate_key_content: is required with its counterpart"),
        (
            {"certificate_content": KEY},
            "certificate_content: has a private key in it, which belongs into certificate_key_content",
        ),
        ({"certificate_content": "MIIB"}, "certificate_content: is not a certificate in PEM form (-----BEGIN CERTIFICATE-----)"),
        (
            {"certificate_key_content": CHAIN},
            "certificate_key_content: is not a private key in PEM form (-----BEGIN PRIVATE KEY-----)",
        ),
        (
            {"certificate_key_content": f"\xe9{KEY}"},
            "certificate_key_content: is not a private key in PEM form (-----BEGIN PRIVATE KEY-----)",
        ),
        (
            {"certificate_key_content": f"{KEY}\ud800"},
            "certificate_key_content: the value contains half of a character (a lone surrogate)",
        ),
        ({"certificate_key_content": [KEY]}, "certificate_key_content: the value is not a string"),
        (
            {"certificate_file": "/c", "certificate_key_file": "/k"},
            "certificate_content: comes in the place of certificate_file; give one of them",
        ),
    ],
)
def test_what_is_wrong_with_a_certificate_as_text_is_told_without_the_text(changes: Options, expected: str) -> None:
    assert problems_of(**{**CONTENT, **changes}) == [expected]
    if "certificate_file" not in changes:
        (problem,) = problems_of(providers=[{"domains": ["a.tld"], **SERVERS, **CONTENT, **changes}])
        assert problem == f"providers[0].{expected}"


WRONG: dict[str, tuple[Options, str]] = {
    "line break in the administrator": (
        {"server_admin": "a@b.tld\nInclude /etc/passwd"},
        r"server_admin: 'a@b.tld\nInclude /etc/passwd' holds line breaks or more than one blank in a row",
    ),
    "variable in the administrator": (
        {"server_admin": "${PATH}"},
        "server_admin: '${PATH}' holds ${, which Apache would replace",
    ),
    "control character in the administrator": (
        {"server_admin": "a\x00b"},
        r"server_admin: 'a\x00b' contains control characters",
    ),
    "two blanks in the administrator": (
        {"server_admin": "a  b"},
        "server_admin: 'a  b' holds line breaks or more than one blank in a row",
    ),
    "no address to listen on": ({"listen": ["mail.tld"]}, "listen[0]: 'mail.tld' is not an IPv4 or IPv6 address"),
    "an address with port": ({"listen": ["*", "203.0.113.7:80"]}, "listen[1]: '203.0.113.7:80' is not an IPv4 or IPv6 address"),
    "the same address twice": ({"listen": ["::1", "[::1]"]}, "listen[1]: '[::1]' is listed twice"),
    "port 0": ({"http_port": 0}, "http_port: 0 is not a port (1 to 65535)"),
    "port 65536": ({"https_port": 65536}, "https_port: 65536 is not a port (1 to 65535)"),
    "another PHP": ({"php": "cgi"}, "php: 'cgi' is unknown; allowed are none, mod_php, fpm"),
    "no truth": ({"well_known": "yes"}, "well_known: 'yes' is not true or false"),
    "no address": ({"addresses": ["203.0.113.300"]}, "addresses[0]: '203.0.113.300' is not an IPv4 or IPv6 address"),
    "one address in two spellings": ({"addresses": ["::1", "0::1"]}, "addresses[1]: '0::1' is listed twice"),
    "negative TTL": ({"dns_ttl": -1}, "dns_ttl: -1 is not a TTL in seconds (0 to 2147483647)"),
    "TTL of 32 bits": ({"dns_ttl": 2**31}, "dns_ttl: 2147483648 is not a TTL in seconds (0 to 2147483647)"),
    "a section left open": ({"extra_directives": "<If x>\nTimeout 5"}, "extra_directives: <If> is not closed"),
    "a section closed": (
        {"extra_directives": "</VirtualHost>\nInclude /etc/passwd\n<VirtualHost *:80>"},
        "extra_directives: line 1: </VirtualHost> closes a section that is not open",
    ),
    "a virtual host within": (
        {"extra_directives": "<VirtualHost *:80>\n</VirtualHost>"},
        "extra_directives: <VirtualHost> cannot stand in a virtual host",
    ),
    "a virtual host in other letters": (
        {"extra_directives": "<virtualhost *:80>\n</virtualhost>"},
        "extra_directives: <virtualhost> cannot stand in a virtual host",
    ),
    "a macro within": ({"extra_directives": "<Macro x>\n</Macro>"}, "extra_directives: <Macro> cannot stand in a virtual host"),
    "no configuration": ({"extra_directives": "1 2 3"}, "extra_directives: line 1: '1' is not the name of a directive"),
    "a backslash at the end": (
        {"extra_directives": "Timeout 5 \\"},
        "extra_directives: line 1: ends in a backslash with nothing to continue",
    ),
}


@pytest.mark.parametrize(("options", "problem"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_value_is_refused_with_its_option(options: Options, problem: str) -> None:
    assert problems_of(**options) == [problem]


def test_an_unknown_option_is_refused() -> None:
    (problem,) = problems_of(documentroot="/x")
    assert problem.startswith("documentroot: is unknown (did you mean document_root?); allowed are acme_agreement, acme_ca_file,")


def test_all_mistakes_are_reported_at_once() -> None:
    provider = {"domains": ["a b"], "incoming": [{"type": "imap", "hostname": "..", "port": 99999}], "outgoing": []}
    problems = problems_of(
        providers=[provider, {**SERVERS, "domains": ["b.tld"], "id": "b.tld"}, {**SERVERS, "domains": ["b.tld"]}],
        mail_host="mail.server.tld",
        https="no",
        certificate_file="/a",
        document_root="x",
        server_admin="a\x00",
        listen=["all"],
        http_port=0,
        https_port=99999,
        php="cgi",
        well_known=1,
        log_directory="y",
        log_queries="no",
        extra_directives="</VirtualHost>",
        addresses=["here"],
        dns_ttl=-1,
        config_directory="z",
        state_directory="'",
        adopt=2,
        purge=3,
        allow_removal=4,
        removed_domains=["no domain"],
        state="gone",
    )
    assert sorted(problem.partition(": ")[0] for problem in problems) == [
        "addresses[0]",
        "adopt",
        "allow_removal",
        "certificate_key_file",
        "config_directory",
        "dns_ttl",
        "document_root",
        "extra_directives",
        "http_port",
        "https",
        "https_port",
        "listen[0]",
        "log_directory",
        "log_queries",
        "mail_host",
        "php",
        "providers[0].domains[0]",
        "providers[0].incoming[0].hostname",
        "providers[0].incoming[0].port",
        "providers[0].outgoing",
        "providers[2].domains",
        "purge",
        "removed_domains[0]",
        "server_admin",
        "state",
        "state_directory",
        "well_known",
    ]


def test_a_virtual_host_deep_in_the_extra_directives_is_refused() -> None:
    assert problems_of(extra_directives="<IfModule x>\n<VirtualHost *:80>\n</VirtualHost>\n</IfModule>")


def test_extra_directives_that_cannot_be_written_are_refused() -> None:
    assert problems_of(extra_directives="Timeout 5\\ ")


# -- DNS ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            {"dns_host": "web.tld", "addresses": ["203.0.113.7"]},
            "dns_host: is for host names that are aliases; give it or addresses",
        ),
        (
            {"dns_host": "web.tld", "dns_caa": ["ca.tld"]},
            "dns_caa: cannot stand beside the alias that dns_host makes (RFC 1034 section 3.6.2)",
        ),
        (
            {"dns_host": "web.tld", "dns_further_domains": "srv"},
            "dns_further_domains: srv needs addresses instead of dns_host: the target of SRV must be no alias (RFC 2782)",
        ),
        (
            {"dns_host": "autoconfig.server.tld"},
            "dns_host: 'autoconfig.server.tld' is one of the names that would be its aliases",
        ),
        (
            {"dns_caa": ["ca.tld"]},
            "dns_caa: goes with addresses: beside an alias of your own it could not stand (RFC 1034 section 3.6.2)",
        ),
        (
            {"addresses": ["fe80::1%eth0"]},
            "addresses[0]: 'fe80::1%eth0' has a zone index, which means something on one host only",
        ),
        ({"addresses": ["224.0.0.1"]}, "addresses[0]: '224.0.0.1' is not the address of a host"),
        (
            {"dns_zone_file": "/etc/bind/{domain}/"},
            "dns_zone_file: '/etc/bind/{domain}/' is not the plain path of a file: it has a part '.' or '..', or ends in /",
        ),
        ({"dns_further_domains": "mx"}, "dns_further_domains: 'mx' is unknown; allowed are own, cname, srv"),
        ({"dns_mx": [{"preference": 70000, "host": "mx.tld"}]}, "dns_mx[0].preference: 70000 is not a preference (0 to 65535)"),
        ({"dns_mx": [{"host": "203.0.113.7"}]}, "dns_mx[0].host: '203.0.113.7' is an IP address or a number, not a host name"),
        ({"dns_zone_file": "zones/x"}, f"dns_zone_file: 'zones/x' {NOT_A_PATH}"),
        (
            {"dns_zone_file": "/etc/bind/{domain}.conf"},
            "dns_zone_file: '/etc/bind/{domain}.conf' has the suffix of another of our files (.conf, .lua, .html, .json, "
            ".mobileconfig, .xml)",
        ),
    ],
)
def test_mistakes_of_dns_options(options: dict[str, t.Any], expected: str) -> None:
    assert problems_of(**options) == [expected]


def test_certificate_authorities_may_stand_beside_addresses() -> None:
    read = settings.read({"domain": "server.tld", "addresses": ["203.0.113.7"], "dns_caa": ["letsencrypt.org", "CA.tld"]})
    assert read.dns.caa == ("letsencrypt.org", "ca.tld")


@pytest.mark.parametrize(
    ("directory", "authority"),
    [
        (None, "letsencrypt.org"),
        ("https://acme-staging-v02.api.letsencrypt.org/directory", "letsencrypt.org"),
        ("https://acme.zerossl.com/v2/DV90", "sectigo.com"),
    ],
)
def test_the_authority_of_the_orders_can_be_told_by_a_word(directory: str | None, authority: str) -> None:
    given = {"domain": "server.tld", "addresses": ["203.0.113.7"], "acme_directory": directory}
    read = settings.read({**given, "dns_caa": ["ca.tld", "auto", authority], "dns_validation_persist": {"accounturi": ACCOUNT}})
    assert read.dns.caa == ("ca.tld", authority)
    assert read.dns.validation == Validation(authority, ACCOUNT)
    assert settings.read({"domain": "server.tld", "dns_validation_persist": {}}).dns.validation is None


def test_mistakes_about_an_authority_are_told() -> None:
    unknown = "the name of the authority of acme_directory is not known here; it is among caaIdentities in that directory"
    assert problems_of(
        acme_directory="https://ca.lan/dir",
        addresses=["203.0.113.7"],
        dns_caa=["auto"],
        dns_validation_persist={"accounturi": "https://ca.lan/1;x", "until": 0, "untl": 1},
    ) == [
        f"dns_caa: 'auto': {unknown}",
        "dns_validation_persist.accounturi: 'https://ca.lan/1;x' cannot stand in a record: ASCII without ; is allowed",
        f"dns_validation_persist.until: 0 is not a time in seconds since 1970 (1 to {2**63 - 1})",
        f"dns_validation_persist.issuer: is required: {unknown}",
        "dns_validation_persist.untl: is unknown (did you mean until?); allowed are accounturi, issuer, until, wildcard",
    ]
    assert problems_of(dns_validation_persist={"wildcard": True}) == ["dns_validation_persist.accounturi: is required"]


# -- signing ------------------------------------------------------------------------------------------------------------


def test_a_certificate_that_signs_and_its_key_may_have_a_chain() -> None:
    given = {"signing_certificate": "/tls/s.pem", "signing_key": "/tls/s.key"}
    for chain in ({}, {"signing_chain": "/tls/chain.pem"}):
        read = settings.read({"domain": "server.tld", **given, **chain})
        assert read.site.signer == Signer("/tls/s.pem", "/tls/s.key", chain.get("signing_chain", ""))


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({"signing_chain": "/tls/chain.pem"}, ["signing_certificate", "signing_key"]),
        ({"signing_certificate": "/tls/s.pem"}, ["signing_key"]),
        ({"signing_key": "/tls/s.key"}, ["signing_certificate"]),
    ],
)
def test_what_signs_is_given_as_a_pair(given: Options, missing: list[str]) -> None:
    assert problems_of(**given) == [f"{option}: is required with its counterpart" for option in missing]


@pytest.mark.parametrize("option", ["signing_certificate", "signing_key", "signing_chain"])
def test_a_path_in_a_command_line_has_no_space(option: str) -> None:
    given = {"signing_certificate": "/tls/s.pem", "signing_key": "/tls/s.key", "signing_chain": "/tls/c.pem"}
    (problem,) = problems_of(**{**given, option: "/tls/my key.pem"})
    assert problem.startswith(f"{option}: '/tls/my key.pem' ")
    assert problems_of(**given) == []


# -- certificates that are ordered --------------------------------------------------------------------------------------


def test_orders_need_an_agreement_a_contact_and_https() -> None:
    assert problems_of(certificates="mod_md", https=False) == [
        "certificates: mod_md orders certificates, and https is off",
        "acme_agreement: must be true for certificates: mod_md: it says that you agree to the terms of "
        "https://acme-v02.api.letsencrypt.org/directory",
        "acme_contact: is required for certificates: mod_md: an address at which the authority may write to you",
    ]
    given = {"acme_agreement": True, "acme_contact": "admin@server.tld"}
    assert problems_of(certificates="mod_md", **given) == []
    (problem,) = problems_of(certificates="mod_md", dns_tlsa=True, **given)
    assert problem == "dns_tlsa: cannot go with certificates: mod_md, which makes a new key for each certificate"
    # A provider of its own may order, too.
    assert len(problems_of(providers=[{"domains": ["a.tld"], **SERVERS, "certificates": "mod_md"}])) == 2


@pytest.mark.parametrize(
    ("option", "value", "problem"),
    [
        ("acme_contact", "admin", "'admin' is not a mail address"),
        ("acme_contact", "a b@server.tld", "'a b@server.tld' is not a mail address"),
        ("acme_directory", "http://ca.tld/dir", "'http://ca.tld/dir' is not an https URL"),
        ("acme_directory", "https://ca.tld/${dir}", "'https://ca.tld/${dir}' holds ${"),
        ("acme_profile", "a b", "'a b' is not the name of a profile"),
        (
            "acme_challenges",
            ["tls-sni-01"],
            "'tls-sni-01' is unknown (did you mean tls-alpn-01?); allowed",
        ),
        ("acme_challenges", ["http-01", "dns-01"], "is required for the challenge dns-01"),
        ("acme_dns_command", "/usr/bin/dns", "goes with acme_challenges: [dns-01]"),
        ("acme_eab_file", "eab.json", f"'eab.json' {NOT_A_PATH}"),
        ("acme_ca_file", "ca.pem", f"'ca.pem' {NOT_A_PATH}"),
        ("acme_wait_seconds", -1, "-1 is not a time to wait in seconds (0 to 3600)"),
        ("acme_new_orders", 0, "0 is not a number of orders (1 to 100000)"),
    ],
)
def test_what_an_order_cannot_have(option: str, value: t.Any, problem: str) -> None:
    (found,) = problems_of(**{option: value})
    assert problem in found


def test_what_is_no_site_cannot_be_validated_over_tls_alone() -> None:
    given = {
        **ORDERED,
        "certificates": "mod_md",
        "signing_host": "profiles.server.tld",
        "certificate_extra_names": ["mail.{domain}"],
    }
    missing = "is no site of ours, which the challenge tls-alpn-01 needs; give http-01 in acme_challenges, too"
    assert problems_of(**given, acme_challenges=["tls-alpn-01"]) == [
        f"signing_host: {missing}",
        f"certificate_extra_names: 'mail.server.tld' {missing}",
    ]
    assert problems_of(**given, acme_challenges=["tls-alpn-01", "http-01"]) == []
    (problem,) = problems_of(**ORDERED, acme_challenges=["tls-alpn-01"])
    assert problem.startswith("acme_challenges: is for certificates: mod_md")


def test_all_that_may_be_said_of_orders() -> None:
    given = {
        "acme_agreement": True,
        "acme_contact": "Admin+x@Server.TLD",
        "acme_directory": "https://ca.tld/dir",
        "acme_profile": "tlsserver",
        "acme_challenges": ["dns-01"],
        "acme_dns_command": "/usr/bin/dns",
        "acme_eab_file": "/etc/eab.json",
        "acme_ca_file": "/etc/ca.pem",
        "acme_wait_seconds": 5,
        "acme_new_orders": 7,
    }
    assert settings.read({"domain": "server.tld", **given}).acme == AcmeOptions(
        contact="Admin+x@server.tld",
        agreement=True,
        directory="https://ca.tld/dir",
        profile="tlsserver",
        challenges=("dns-01",),
        dns_command="/usr/bin/dns",
        eab_file="/etc/eab.json",
        ca_file="/etc/ca.pem",
        wait_seconds=5,
        new_orders=7,
    )


# -- logins -------------------------------------------------------------------------------------------------------------


def test_logins_are_of_addresses_whatever_the_case_of_letters_and_form_of_the_domain() -> None:
    given = {"Jane.Doe@Bücher.example": "jdoe", "jane.doe@xn--bcher-kva.example": "jdoe", "Ü@bücher.example": "u e"}
    found = settings.read({"domain": "bücher.example", "logins": given}).logins
    assert found == {"jane.doe@xn--bcher-kva.example": "jdoe", "Ü@xn--bcher-kva.example": "u e"}


def test_each_provider_has_the_logins_of_its_domains() -> None:
    providers = [{"domains": [domain, f"more.{domain}"], **SERVERS} for domain in ("a.tld", "b.tld")]
    read = settings.read({"providers": providers, "logins": {"x@a.tld": "1", "x@more.b.tld": "2", "y@b.tld": "3"}})
    assert [read.logins_of(provider) for provider in read.providers] == [{"x@a.tld": "1"}, {"x@more.b.tld": "2", "y@b.tld": "3"}]


@pytest.mark.parametrize(
    ("logins", "problem"),
    [
        ({"jane": "j"}, "logins.jane: is not a mail address (RFC 5321 section 4.1.2, without quotes)"),
        ({"@server.tld": "j"}, "logins.@server.tld: is not a mail address (RFC 5321 section 4.1.2, without quotes)"),
        ({"a b@server.tld": "j"}, "logins.a b@server.tld: is not a mail address (RFC 5321 section 4.1.2, without quotes)"),
        (
            {"x" * 65 + "@server.tld": "j"},
            f"logins.{'x' * 65}@server.tld: is not a mail address (RFC 5321 section 4.1.2, without quotes)",
        ),
        ({"jane@other.tld": "j"}, "logins.jane@other.tld: other.tld is a domain of no provider"),
        (
            {"a@server.tld": "two\nlines"},
            "logins.a@server.tld: 'two\\nlines' is not a login name (one line of at most 254 octets)",
        ),
        ({"a@server.tld": 7}, "logins.a@server.tld: 7 is not a string: without quotes it is a number; put it in quotes"),
        ({"a@server.tld": "j", "A@server.tld": "k"}, "logins.A@server.tld: is there twice, with the logins 'j' and 'k'"),
        (["jane"], "logins: ['jane'] is not a mapping of options"),
    ],
)
def test_a_login_that_cannot_be_one_is_refused(logins: t.Any, problem: str) -> None:
    assert problems_of(logins=logins) == [problem]


def test_all_wrong_logins_are_told_at_once() -> None:
    assert len(problems_of(logins={"jane": "j", "a@other.tld": "k", "b@server.tld": "x" * 300})) == 3
