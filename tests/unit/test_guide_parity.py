"""Everything that the guide's five files say, we say too, or the table below says why not.

The guide is written here as statements, one a directive, element or record, with the sections around it. The library's
output for the guide's assumptions is cut into statements by the same small readers. What only one side says must be in
DIFFERENCES, and an entry there that both sides say, or neither, is a mistake as well.
"""

from __future__ import annotations

import re
import typing as t
import xml.etree.ElementTree as ET

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig import publication
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.apache.common import OFF
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.certificates import PairFacts
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host.debian import Debian
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host.survey import Survey
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input import settings
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.publication import Publications

from tests.unit.conftest import DATA

# -- the guide ----------------------------------------------------------------------------------------------------------

HTTP = "autoconfig.server.tld.conf"
HTTPS = "autoconfig.server.tld-ssl.conf"
CONFIG = "config-v1.1.xml"
AUTODISCOVER = "Autodiscover.xml"
RECORDS = "records.zone"

_TWO_SETENVS = (
    "Location / | SetEnv PHP_ADMIN_VALUE magic_quotes_gpc = Off",
    "Location / | SetEnv PHP_ADMIN_VALUE register_globals = Off",
)
GUIDE: dict[str, tuple[str, ...]] = {
    HTTP: (
        "VirtualHost *:80",
        "ServerName autoconfig.server.tld",
        "ServerAdmin admin@server.tld",
        "DocumentRoot /var/www/autoconfig",
        "Location / | AddDefaultCharset UTF-8",
        *_TWO_SETENVS,
        "RedirectMatch 404 ^/$",
        "ErrorLog ${APACHE_LOG_DIR}/autoconfig.server.tld-error.log",
        "CustomLog ${APACHE_LOG_DIR}/autoconfig.server.tld-access.log common",
    ),
    HTTPS: (
        "IfModule mod_ssl.c",
        "VirtualHost *:443",
        "ServerAdmin admin@server.tld",
        "ServerName autoconfig.server.tld",
        "SSLEngine on",
        "SSLCertificateFile /etc/letsencrypt/live/server.tld/fullchain.pem",
        "SSLCertificateKeyFile /etc/letsencrypt/live/server.tld/privkey.pem",
        "DocumentRoot /var/www/autoconfig",
        "Location / | AddDefaultCharset UTF-8",
        "Location / | IfModule mod_php5.c | php_value magic_quotes_gpc off",
        "Location / | IfModule mod_php5.c | php_value register_globals off",
        *_TWO_SETENVS,
        "RedirectMatch 404 ^/$",
        "ErrorLog /var/log/apache2/autoconfig.server.tld-error.log",
        "CustomLog /var/log/apache2/autoconfig.server.tld-access.log common",
    ),
    CONFIG: (
        "clientConfig version=1.1",
        "emailProvider id=server.tld",
        "domain: server.tld",
        "displayName: server.tld - %EMAILLOCALPART%",
        "displayShortName: Datagouvfr",
        "incomingServer type=imap",
        "imap hostname: mail.server.tld",
        "imap port: 993",
        "imap socketType: SSL",
        "imap username: %EMAILADDRESS%",
        "imap authentication: password-cleartext",
        "outgoingServer type=smtp",
        "smtp hostname: mail.server.tld",
        "smtp port: 25",
        "smtp socketType: SSL",
        "smtp authentication: password-cleartext",
        "smtp username: %EMAILADDRESS%",
    ),
    AUTODISCOVER: (
        "XML declaration, utf-8",
        "Autodiscover in http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006",
        "Response in http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a",
        "Account 1 AccountType: email",
        "Account 1 Action: settings",
        "Account 1 has IMAP",
        "Account 2 AccountType: email",
        "Account 2 Action: settings",
        "Account 2 has SMTP",
        *(
            f"{kind} {statement}"
            for kind, port in (("IMAP", 993), ("SMTP", 25))
            for statement in (
                "TTL: 1",
                "Server: mail.server.tld",
                f"Port: {port}",
                "DomainRequired: off",
                "DomainName: server.tld",
                "SPA: off",
                "SSL: on",
                "AuthRequired: on",
            )
        ),
    ),
    RECORDS: (
        "autoconfig.server.tld. 300 A 185.68.8.228",
        "_autodiscover._tcp.server.tld. 300 SRV 1 1 443 autoconfig.server.tld.",
    ),
}
# In the guide as comments, to be switched on with mod_php.
GUIDE_MOD_PHP = ("php_value magic_quotes_gpc off", "php_value register_globals off")


class Difference(t.NamedTuple):
    """What only one side says, in these files, and why."""

    files: tuple[str, ...]
    guide: tuple[str, ...]
    ours: tuple[str, ...]
    why: str


_SITES = (HTTP, HTTPS)
_DOCUMENTS = r"(?:(?:(?:v1\.1/)?mail|\.well-known/autoconfig/mail)/config-v1\.1|\.well-known/mail-v1)\.xml"
_OUTLOOK = r"(?i:autodiscover/autodiscover\.xml)"
_LOGGED = (
    rf"{_DOCUMENTS}|{_OUTLOOK}|mail\.mobileconfig|\.well-known/user-agent-configuration\.json"
    r"|(?i:autodiscover/autodiscover\.json)"
)
_CHALLENGE = r"\.well-known/acme-challenge/[A-Za-z0-9_-]{1,128}"
_ACCESS_LOG = 'CustomLog ${APACHE_LOG_DIR}/autoconfig.server.tld-access.log %h %l - %t "%m %<{MAIL_AUTOCONFIG_PATH}e %H" %>s %O'
DIFFERENCES = (
    Difference(
        _SITES,
        (),
        ("ServerAlias autodiscover.server.tld",),
        "Outlook and Thunderbird ask autodiscover.<domain>, which the guide's site does not answer for.",
    ),
    Difference(
        (HTTP,),
        (),
        (
            f"RedirectMatch 302 ^/{_DOCUMENTS}$ https://autoconfig.server.tld/mail/config-v1.1.xml",
            f"RedirectMatch 302 ^/{_OUTLOOK}$ https://autodiscover.server.tld/autodiscover/autodiscover.xml",
        ),
        "Where there is a certificate the settings are not sent in the clear: http leads to https, as Outlook expects it.",
    ),
    Difference(
        (HTTPS,),
        (),
        (
            f"AliasMatch ^/{_DOCUMENTS}$ /var/www/autoconfig/server.tld/mail/config-v1.1.xml",
            f"AliasMatch ^/{_OUTLOOK}$ /var/www/autoconfig/server.tld/autodiscover/autodiscover.xml",
        ),
        "Documents lie in one directory a provider, and every spelling of their paths finds them: the guide's "
        "Autodiscover/Autodiscover.xml is not found by clients that ask in lower case, Thunderbird among them.",
    ),
    Difference(
        (HTTP,),
        (),
        ("RedirectMatch 302 ^/mail\\.mobileconfig$ https://autoconfig.server.tld/mail.mobileconfig",),
        "Apple's devices, of which the guide does not speak, get a configuration profile.",
    ),
    Difference(
        (HTTPS,),
        (),
        ("AliasMatch ^/mail\\.mobileconfig$ /var/www/autoconfig/server.tld/mail/mail.mobileconfig",),
        "Apple's devices, of which the guide does not speak, get a configuration profile.",
    ),
    Difference(
        (HTTPS,),
        (),
        tuple(
            rf"LocationMatch ^/mail\.mobileconfig$ | {statement}"
            for statement in (
                "ForceType application/x-apple-aspen-config",
                "Header set Content-Type application/x-apple-aspen-config",
                'Header set Content-Disposition attachment; filename="server.tld.mobileconfig"',
            )
        ),
        "Apple's devices install a profile by its media type, and a browser saves it under a name.",
    ),
    Difference(
        _SITES,
        (),
        (f"RedirectMatch 404 ^/(?!(?:{_DOCUMENTS}|{_OUTLOOK}|mail\\.mobileconfig)$|{_CHALLENGE}$)",),
        "Not only / but every path except the documents and certificate challenges is 404, whatever lies in the directory.",
    ),
    Difference(
        _SITES,
        (),
        (
            "Directory /var/www/autoconfig | Options FollowSymLinks",
            "Directory /var/www/autoconfig | AllowOverride None",
            "Directory /var/www/autoconfig | Require all granted",
        ),
        "Access is said for the document root, so that the site works wherever the root lies; no listing, no .htaccess.",
    ),
    Difference(
        (HTTPS,),
        (),
        tuple(
            f"LocationMatch ^/{pattern}$ | {statement}"
            for pattern in (_DOCUMENTS, _OUTLOOK)
            for statement in ("ForceType text/xml; charset=utf-8", "Header set Content-Type text/xml; charset=utf-8")
        ),
        "Thunderbird parses only text/xml and application/xml; the type does not depend on /etc/mime.types.",
    ),
    Difference(
        _SITES,
        (),
        ("Header always set X-Content-Type-Options nosniff",),
        "Browsers do not guess another type.",
    ),
    Difference(
        _SITES,
        (),
        ("Location / | If true | LimitRequestBody 16384",),
        "An Autodiscover request is a few KiB; nothing larger is read.",
    ),
    Difference(
        _SITES,
        (),
        (
            "SetEnvIf Request_URI ^ no-proxy",
            "IfModule mod_rewrite.c | RewriteEngine Off",
            *(
                f"Location / | If true | {statement}"
                for statement in (
                    "Require all granted",
                    "IfModule mod_access_compat.c | Order deny,allow",
                    "IfModule mod_allowmethods.c | AllowMethods reset",
                    "IfModule mod_rewrite.c | RewriteEngine Off",
                    "SetHandler default-handler",
                    *(f"ErrorDocument {status} default" for status in (400, 403, 404, 405, 413, 500, 503)),
                )
            ),
        ),
        "Settings of the whole server (a password, a proxy, error pages of its own) do not reach the documents.",
    ),
    Difference(
        (HTTPS,),
        (),
        (
            "IfFile /etc/letsencrypt/live/server.tld/fullchain.pem",
            "IfFile /etc/letsencrypt/live/server.tld/privkey.pem",
        ),
        "Apache starts also when somebody has taken the certificate away.",
    ),
    Difference(
        (HTTPS,),
        (),
        ("SSLVerifyClient none", "Location / | If true | SSLVerifyClient none"),
        "Mail clients have no certificate.",
    ),
    Difference(
        _SITES,
        ("Location / | SetEnv PHP_ADMIN_VALUE register_globals = Off",),
        ("Location / | SetEnv PHP_VALUE register_globals = Off",),
        "A second SetEnv of one variable replaces the first, so that the guide's first setting never reaches PHP-FPM.",
    ),
    Difference(
        (HTTPS,),
        (
            "Location / | IfModule mod_php5.c | php_value magic_quotes_gpc off",
            "Location / | IfModule mod_php5.c | php_value register_globals off",
        ),
        (),
        "The option php chooses between PHP-FPM and mod_php; with mod_php both sites have these lines, for PHP 5, 7 and 8.",
    ),
    Difference(
        (HTTP,),
        ("CustomLog ${APACHE_LOG_DIR}/autoconfig.server.tld-access.log common",),
        (_ACCESS_LOG,),
        "The format common holds the query string, and with it mail addresses; log_queries: true brings it back.",
    ),
    Difference(
        (HTTPS,),
        (
            "ErrorLog /var/log/apache2/autoconfig.server.tld-error.log",
            "CustomLog /var/log/apache2/autoconfig.server.tld-access.log common",
        ),
        (
            "ErrorLog ${APACHE_LOG_DIR}/autoconfig.server.tld-error.log",
            _ACCESS_LOG,
        ),
        "As above, and as in the guide's own http site: ${APACHE_LOG_DIR} is right for further instances too.",
    ),
    Difference(
        _SITES,
        (),
        (
            "SetEnvIf Request_URI ^[^@%]*$ MAIL_AUTOCONFIG_PATH=$0",
            "SetEnvIf Request_URI ^([^@%]*/)[^@%/]*[@%] MAIL_AUTOCONFIG_PATH=$1...",
            f"SetEnvIf Request_URI ^(/(?:{_LOGGED})/) MAIL_AUTOCONFIG_PATH=$1...",
            "ErrorLogFormat [%{u}t] [%-m:%l] [pid %P:tid %T] %7F: %E: [client\\ %a] %M",
        ),
        "Some clients put the address into the path, and browsers into the referrer; it belongs in no log.",
    ),
    Difference(
        (CONFIG,),
        (),
        ("XML declaration, utf-8",),
        "The encoding is said, not left to the reader.",
    ),
    Difference(
        (AUTODISCOVER,),
        ("Account 2 AccountType: email", "Account 2 Action: settings", "Account 2 has SMTP"),
        ("Account 1 has SMTP",),
        "Thunderbird reads only the first Account, so that the guide's SMTP server is never found.",
    ),
    Difference(
        (AUTODISCOVER,),
        ("IMAP TTL: 1", "SMTP TTL: 1"),
        (),
        "One hour is what Microsoft documents for an absent TTL: the answer means the same.",
    ),
    Difference(
        (AUTODISCOVER,),
        ("IMAP DomainName: server.tld", "SMTP DomainName: server.tld"),
        (),
        "With DomainRequired off the domain is no part of the login.",
    ),
    Difference(
        (AUTODISCOVER,),
        (),
        ("IMAP Encryption: SSL", "SMTP Encryption: SSL"),
        "Outlook obeys Encryption rather than SSL; only it can tell STARTTLS from TLS.",
    ),
    Difference(
        (RECORDS,),
        ("_autodiscover._tcp.server.tld. 300 SRV 1 1 443 autoconfig.server.tld.",),
        ("_autodiscover._tcp.server.tld. 300 SRV 0 0 443 autodiscover.server.tld.",),
        "The target is the host that Outlook asks anyway, so that one certificate name less is asked for; priority and weight "
        "of a single record mean nothing.",
    ),
    Difference(
        (RECORDS,),
        (),
        ("autodiscover.server.tld. 300 A 185.68.8.228",),
        "The host that Outlook and Thunderbird ask.",
    ),
    Difference(
        (RECORDS,),
        (),
        (
            "_imaps._tcp.server.tld. 300 SRV 0 1 993 mail.server.tld.",
            "_submissions._tcp.server.tld. 300 SRV 0 1 25 mail.server.tld.",
        ),
        "RFC 6186 and 8314: clients that read neither file, such as Claws Mail and aerc, look these up.",
    ),
)


# -- small readers ------------------------------------------------------------------------------------------------------


def site_statements(text: str) -> list[str]:
    """Directives with the sections around them, other than virtual host and module, which are statements themselves.

    The section that switches a whole file of ours off is none.
    """
    found: list[str] = []
    scopes: list[str] = []
    switch = f"IfDefine !{OFF}"
    for line in map(str.strip, text.splitlines()):
        words = " ".join(re.findall(r'"(?:[^"\\]|\\.)*"|\S+', line)).replace('\\"', "\0").replace('"', "").replace("\0", '"')
        if line.startswith("</"):
            scopes.pop()
        elif line.startswith("<"):
            scopes.append(words[1:-1])
            if words[1:].startswith(("VirtualHost", "IfFile")) or [scope for scope in scopes if scope != switch] == [words[1:-1]]:
                found.append(words[1:-1])
        elif line and not line.startswith("#"):
            inner = [
                scope
                for scope in scopes
                if not scope.startswith(("VirtualHost", "IfFile")) and scope not in ("IfModule mod_ssl.c", switch)
            ]
            found.append(" | ".join([*inner, words]))
    return found


def config_statements(content: bytes) -> list[str]:
    """Elements of Mozilla's file; a server's with its type."""
    root = ET.fromstring(content)
    found = ["XML declaration, utf-8"] if re.match(rb'<\?xml [^>]*encoding="utf-8"', content, re.IGNORECASE) else []

    def walk(element: ET.Element, server: str) -> None:
        attributes = [f"{key}={value}" for key, value in sorted(element.attrib.items())]
        text = (element.text or "").strip()
        name = f"{server} {element.tag}".strip()
        found.append(f"{name}: {text}" if text and not attributes else " ".join([name, *attributes]))
        for child in element:
            walk(child, element.get("type", server))

    walk(root, "")
    return found


def autodiscover_statements(content: bytes) -> list[str]:
    """Elements of Microsoft's answer; a Protocol's with its Type."""
    found = ["XML declaration, utf-8"] if re.match(rb'<\?xml [^>]*encoding="utf-8"', content, re.IGNORECASE) else []
    root = ET.fromstring(content)
    (response,) = root
    for element in (root, response):
        namespace, _brace, name = element.tag[1:].partition("}")
        found.append(f"{name} in {namespace}")
    for number, account in enumerate(response, 1):
        for child in account:
            name = child.tag.partition("}")[2]
            if name != "Protocol":
                found.append(f"Account {number} {name}: {child.text}")
                continue
            values = {leaf.tag.partition("}")[2]: leaf.text for leaf in child}
            kind = values.pop("Type")
            found.append(f"Account {number} has {kind}")
            found.extend(f"{kind} {key}: {text}" for key, text in values.items())
    return found


def zone_statements(text: str) -> list[str]:
    """Records with absolute owners."""
    found = []
    for line in text.splitlines():
        owner, ttl, _class, *rest = line.split()
        found.append(" ".join([owner if owner.endswith(".") else f"{owner}.server.tld.", ttl, *rest]))
    return found


READERS: dict[str, t.Callable[[bytes], list[str]]] = {
    HTTP: lambda content: site_statements(content.decode()),
    HTTPS: lambda content: site_statements(content.decode()),
    CONFIG: config_statements,
    AUTODISCOVER: autodiscover_statements,
    RECORDS: lambda content: zone_statements(content.decode()),
}


# -- ours ---------------------------------------------------------------------------------------------------------------


def prepared(php: str) -> Publications:
    """What the library makes of the guide's assumptions, its certificate among them."""
    wanted = settings.read(
        {
            "providers": [
                {
                    "domains": ["server.tld"],
                    "display_name": "server.tld - %EMAILLOCALPART%",
                    "short_name": "Datagouvfr",
                    "incoming": [{"type": "imap", "hostname": "mail.server.tld"}],
                    "outgoing": [{"type": "smtp", "hostname": "mail.server.tld", "port": 25, "socket_type": "SSL"}],
                }
            ],
            "server_admin": "admin@server.tld",
            "php": php,
            # The guide's answer to Outlook is a file; the responder, which is the default, has tests of its own.
            "responder": "none",
            "addresses": ["185.68.8.228"],
        }
    )
    (pair,) = publication.candidates(wanted).pairs
    names = ("server.tld", "autoconfig.server.tld", "autodiscover.server.tld")
    return publication.publish(wanted, Survey(installed=True, pairs={pair: PairFacts(names=names)}), Debian())


def ours(php: str = "fpm") -> dict[str, bytes]:
    """What we have in the place of each of the guide's files."""
    found = prepared(php)
    written = {file.path: file.content for item in found.desired for file in item.files}
    zone = "".join(f"{record.owner} {record.ttl} IN {record.type} {record.rdata}\n" for record in found.records)
    return {
        HTTP: written["/etc/apache2/sites-available/autoconfig.server.tld.conf"],
        HTTPS: written["/etc/apache2/sites-available/autoconfig.server.tld-ssl.conf"],
        CONFIG: written["/var/www/autoconfig/server.tld/mail/config-v1.1.xml"],
        AUTODISCOVER: written["/var/www/autoconfig/server.tld/autodiscover/autodiscover.xml"],
        RECORDS: zone.encode(),
    }


# -- tests --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", GUIDE)
def test_the_statements_above_are_the_guides(file: str) -> None:
    assert sorted(READERS[file]((DATA / "guide" / file).read_bytes())) == sorted(GUIDE[file])


@pytest.mark.parametrize("file", GUIDE)
def test_we_say_what_the_guide_says_but_for_the_differences(file: str) -> None:
    mine = READERS[file](ours()[file])
    assert len(mine) == len(set(mine))
    entries = [entry for entry in DIFFERENCES if file in entry.files]
    only_guide = sorted(statement for entry in entries for statement in entry.guide)
    only_ours = sorted(statement for entry in entries for statement in entry.ours)
    assert sorted(set(GUIDE[file]) - set(mine)) == only_guide
    assert sorted(set(mine) - set(GUIDE[file])) == only_ours


def test_every_difference_has_a_reason_and_a_file() -> None:
    for entry in DIFFERENCES:
        assert entry.guide or entry.ours
        assert entry.files
        assert set(entry.files) <= set(GUIDE)
        assert entry.why.endswith(".")


@pytest.mark.parametrize("file", [HTTP, HTTPS])
def test_with_mod_php_both_sites_have_the_guides_lines_for_it(file: str) -> None:
    mine = READERS[file](ours("mod_php")[file])
    for statement in GUIDE_MOD_PHP:
        assert f"Location / | IfModule mod_php5.c | {statement}" in mine
    assert not [statement for statement in mine if "| SetEnv " in statement]


def test_the_guides_mod_php_lines_are_the_comments_of_its_http_site() -> None:
    comments = [line.strip() for line in (DATA / "guide" / HTTP).read_text().splitlines() if line.strip().startswith("# ")]
    assert [line.removeprefix("# ") for line in comments] == list(GUIDE_MOD_PHP)


def test_sites_are_enabled_under_the_guides_names_with_the_modules_they_need() -> None:
    found = prepared("fpm")
    assert found.desired[0].enabled["sites"] == (HTTP.removesuffix(".conf"), HTTPS.removesuffix(".conf"))
    assert "ssl" in found.modules


def test_the_order_of_elements_in_the_documents_is_the_guides() -> None:
    for file in (CONFIG, AUTODISCOVER):
        mine = READERS[file](ours()[file])
        both = [statement for statement in mine if statement in GUIDE[file]]
        expected = [statement for statement in GUIDE[file] if statement in both]
        if file == CONFIG:
            # The guide has user name and authentication in another order for SMTP than for IMAP; we have one.
            both.remove("smtp username: %EMAILADDRESS%")
            expected.remove("smtp username: %EMAILADDRESS%")
        assert both == expected
