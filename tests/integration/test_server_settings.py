"""Settings of the whole server, which every virtual host inherits: our sites answer as before, and the others obey them."""

from __future__ import annotations

import gzip
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests import fuzzing
from tests.conftest import CACHE, Playbook, need
from tools.certificates import Authority
from tools.http_client import OUTLOOK_REQUEST, Client, Response
from tools.private_apache import PrivateApache

from .conftest import client_of

CHALLENGE = "/.well-known/acme-challenge/token_-09AZ"
OUTLOOK = "/autodiscover/autodiscover.xml"
MODULES = (
    *("access_compat", "allowmethods", "auth_basic", "authn_core", "authn_file", "authz_user", "deflate", "filter", "headers"),
    *("include", "proxy", "proxy_http", "rewrite", "setenvif", "ssl"),
)
SERVERS: dict[str, Any] = {
    "incoming": [{"type": "imap", "hostname": "mail.tld"}],
    "outgoing": [{"type": "smtp", "hostname": "mail.tld"}],
}


class Setting(NamedTuple):
    """What an administrator says to the whole server, and what shows that it counts for the site of somebody else.

    :ivar text: with ``{directory}`` for the directory of this Apache
    :ivar url: what to ask the other site for
    :ivar shows: its status, or a piece of a header
    """

    text: str
    url: str = "http://zoo.tld/mail/config-v1.1.xml"
    shows: int | str = 0
    method: str = "GET"
    headers: Mapping[str, str] = {}


LOGIN = "AuthType Basic\nAuthName x\nAuthUserFile {directory}/users\nRequire valid-user\n"
GZIP = {"Accept-Encoding": "gzip"}
SETTINGS = {
    "a password for all": Setting(f"<Location />\n{LOGIN}</Location>", shows=401),
    "a password for a path": Setting(f"<Location /mail>\n{LOGIN}</Location>", shows=401),
    "a password and merging": Setting(f"<Location />\n{LOGIN}AuthMerging And\n</Location>", shows=401),
    "no XML": Setting('<FilesMatch "\\.xml$">\nRequire all denied\n</FilesMatch>', shows=403),
    "no XML in old words": Setting('<FilesMatch "\\.(xml|json)$">\nOrder allow,deny\nDeny from all\n</FilesMatch>', shows=403),
    "nobody in old words": Setting("<Location />\nOrder deny,allow\nDeny from all\nSatisfy All\n</Location>", shows=403),
    "no directory": Setting('<Directory "{directory}/var">\nRequire all denied\n</Directory>', shows=403),
    "no root": Setting("<Directory />\nRequire all denied\nOptions None\nAllowOverride None\n</Directory>"),
    "an expression": Setting('<If "true">\nRequire all denied\n</If>', shows=403),
    "an expression for a path": Setting('<Location />\n<If "true">\nRequire all denied\n</If>\n</Location>', shows=403),
    "errors elsewhere": Setting(
        "".join(f"ErrorDocument {status} https://elsewhere.tld/\n" for status in (400, 403, 404, 405, 413, 500, 503)),
        "http://zoo.tld/none",
        302,
    ),
    "errors elsewhere for a path": Setting(
        "<Location />\nErrorDocument 404 https://elsewhere.tld/\nErrorDocument 405 /x\n</Location>", "http://zoo.tld/none", 302
    ),
    "a proxy": Setting("ProxyPass / http://127.0.0.1:1/", shows=503),
    "a proxy for a path": Setting("<Location />\nProxyPass http://127.0.0.1:1/\n</Location>", shows=503),
    "a proxy by pattern": Setting("ProxyPassMatch ^/(.*)$ http://127.0.0.1:1/$1", shows=503),
    "a proxy as handler": Setting('<Location />\nSetHandler "proxy:http://127.0.0.1:1/"\n</Location>', shows=503),
    "rules for all": Setting("RewriteEngine On\nRewriteOptions InheritDown\nRewriteRule ^ https://elsewhere.tld/ [R]", shows=302),
    "rules first": Setting("RewriteEngine On\nRewriteOptions InheritDownBefore\nRewriteRule ^ - [F]", shows=403),
    "rules of a path": Setting("<Location />\nRewriteEngine On\nRewriteRule ^ - [F]\n</Location>", shows=403),
    "a handler": Setting("<Location />\nSetHandler no-such-handler\n</Location>"),
    "a handler by name": Setting("AddHandler server-parsed .xml .json .html .mobileconfig"),
    "a type": Setting("<Location />\nForceType text/plain\n</Location>", shows="text/plain"),
    "a type by name": Setting("AddType text/plain .xml .json .html .mobileconfig", shows="text/plain"),
    "a type in a header": Setting('Header set Content-Type "text/plain"', shows="text/plain"),
    "a type in every header": Setting(
        '<Location />\nHeader always set Content-Type "text/plain"\n</Location>', shows="text/plain"
    ),
    "packed": Setting("<Location />\nSetOutputFilter DEFLATE\n</Location>", shows="gzip", headers=GZIP),
    "packed by type": Setting("AddOutputFilterByType DEFLATE text/xml application/xml", shows="gzip", headers=GZIP),
    "parsed": Setting("<Location />\nSetOutputFilter INCLUDES\n</Location>"),
    "one method": Setting("<Location />\nAllowMethods GET\n</Location>", method="POST", shows=405),
    "one method in other words": Setting(
        "<Location />\n<LimitExcept GET>\nRequire all denied\n</LimitExcept>\n</Location>", method="POST", shows=403
    ),
    "no options": Setting("<Location />\nOptions None\n</Location>"),
    "small bodies": Setting("LimitRequestBody 10\n<Location />\nLimitRequestBody 10\n</Location>"),
    "an alias": Setting('Alias /mail "{directory}/srv"', shows=404),
    "one request a connection": Setting("KeepAlive Off", shows="close"),
    "names": Setting("UseCanonicalName On\nUseCanonicalPhysicalPort On", "http://zoo.tld/mail", "zoo.tld"),
    "HTTP/1.1": Setting("Protocols http/1.1"),
    "no slash": Setting("<Location />\nDirectorySlash Off\n</Location>", "http://zoo.tld/mail", 404),
    "a client's certificate": Setting(
        "SSLCACertificateFile {directory}/ca.pem\nSSLVerifyClient require", "https://zoo.tld/mail/config-v1.1.xml", "refused"
    ),
    "a client's certificate for a path": Setting(
        "SSLCACertificateFile {directory}/ca.pem\n<Location />\nSSLVerifyClient require\n</Location>",
        "https://zoo.tld/mail/config-v1.1.xml",
        403,
    ),
    "a file for what is missing": Setting("FallbackResource /mail/config-v1.1.xml", "http://zoo.tld/none", 200),
}


def publish(apache: PrivateApache, playbook: Playbook, authority: Authority) -> None:
    """A provider with the responder, one without; each over HTTPS, and one host of the first over HTTP alone."""
    names = ("autoconfig", "autodiscover", "ua-auto-config")
    for domain in ("server.tld", "static.tld"):
        authority.issue(apache.directory / "live" / domain, [f"{name}.{domain}" for name in names])
    pattern = f"{apache.directory}/live/{{domain}}"
    files = {"certificate_file": f"{pattern}/fullchain.pem", "certificate_key_file": f"{pattern}/privkey.pem"}
    options = {**apache.module_options(), **files, "pacc": True}
    page = {"provider": "server.tld", "language": "en", "html": fuzzing.PAGE}
    personal = {"domains": ["server.tld", "plain.tld"], **SERVERS}
    logins = {"user@server.tld": "login"}
    assert not playbook.module({**options, "providers": [personal], "setup_pages": [page], "logins": logins})["failed"]
    static = {"domains": ["static.tld"], **SERVERS}
    assert not playbook.module({**options, "providers": [static], "responder": "none"})["failed"]
    file = Path(f"{apache.document_root}{CHALLENGE}")
    file.parent.mkdir(parents=True)
    file.write_text("token.thumbprint")


def add_zoo(apache: PrivateApache, authority: Authority) -> None:
    """A site that is not ours."""
    root = apache.directory / "var/zoo"
    (root / "mail").mkdir(parents=True)
    (root / "mail/config-v1.1.xml").write_text("<zoo/>" * 100)
    authority.issue(apache.directory / "live/zoo.tld", ["zoo.tld"])
    tls = f"SSLEngine on\nSSLCertificateFile {root}/../../live/zoo.tld/fullchain.pem\n"
    tls += f"SSLCertificateKeyFile {root}/../../live/zoo.tld/privkey.pem\n"
    ports = ((apache.http_port, ""), (apache.https_port, tls))
    # Without a directive of mod_rewrite a virtual host does not inherit its rules.
    host = "<VirtualHost *:{}>\nServerName zoo.tld\nDocumentRoot {}\nRewriteEngine On\n{}</VirtualHost>\n"
    apache.add_site("zoo", "".join(host.format(port, root, more) for port, more in ports))
    (apache.config_directory / "conf-enabled/files.conf").write_text(
        f'<Directory "{apache.directory}">\nRequire all granted\n</Directory>\n'
    )
    (apache.directory / "users").write_text("")
    (apache.directory / "ca.pem").write_bytes(authority.certificate.read_bytes())


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateApache]:
    need("apache2", "openssl", "perl")
    directory = tmp_path_factory.mktemp("settings")
    server = PrivateApache(directory / "apache", CACHE)
    server.command("a2enmod", "-q", *MODULES)
    authority = Authority(directory / "ca")
    add_zoo(server, authority)
    publish(server, Playbook(directory, server.environment), authority)
    with server:
        yield server


@pytest.fixture(scope="module")
def client(published: PrivateApache, tmp_path_factory: pytest.TempPathFactory) -> Client:
    return client_of(published, Authority(published.directory.parent / "ca"))


Answer = tuple[int, str, bytes, str]


def ours(client: Client) -> dict[str, Answer]:
    """Status, type (where it matters), body and target of everything that our sites answer."""
    found = {}
    for domain, schemes in (("server.tld", ("https", "http")), ("plain.tld", ("http",)), ("static.tld", ("https", "http"))):
        body = OUTLOOK_REQUEST.format(address=f"user@{domain}").encode()
        for scheme in schemes:
            config, discover = f"{scheme}://autoconfig.{domain}", f"{scheme}://autodiscover.{domain}"
            requests = [
                ("GET", f"{config}/mail/config-v1.1.xml", None),
                ("GET", f"{config}/mail/config-v1.1.xml?emailaddress=user@{domain}", None),
                ("GET", f"{config}/.well-known/autoconfig/mail/config-v1.1.xml", None),
                ("POST", discover + OUTLOOK, body),
                ("GET", discover + OUTLOOK, None),
                ("PUT", discover + OUTLOOK, b"x"),
                ("POST", discover + OUTLOOK, b"x" * 20000),
                ("GET", f"{discover}/autodiscover/autodiscover.json?Protocol=AutodiscoverV1&Email=user@{domain}", None),
                ("GET", f"{discover}/autodiscover/autodiscover.json", None),
                ("GET", f"{config}/mail.mobileconfig?emailaddress=user@{domain}", None),
                ("GET", f"{config}/mail.mobileconfig?emailaddress=nobody", None),
                ("GET", f"{config}/", None),
                ("POST", f"{config}/", b"emailaddress=nobody"),
                ("GET", f"{config}/none.xml", None),
                ("GET", config + CHALLENGE, None),
            ]
            if scheme == "https":
                requests.append(("GET", f"https://ua-auto-config.{domain}/.well-known/user-agent-configuration.json", None))
            for method, url, content in requests:
                answer = client.request(url, method, content)
                matters = answer.status == 200 and not url.endswith(CHALLENGE)
                kind = answer.headers.get("content-type", "") if matters else ""
                location = answer.headers.get("location", "")
                found[f"{method} {len(content or b'')} {url}"] = (answer.status, kind, answer.body, location)
    return found


def zoo(client: Client, setting: Setting) -> Response:
    """What the site of somebody else answers."""
    try:
        return client.request(setting.url, setting.method, b"x" if setting.method == "POST" else None, setting.headers)
    except (ssl.SSLError, ConnectionError):
        return Response(0, {"tls": "refused"}, b"")


class Before(NamedTuple):
    """What was answered without any setting."""

    ours: dict[str, Answer]
    zoo: dict[str, Response]


@pytest.fixture(scope="module")
def before(published: PrivateApache, client: Client) -> Before:
    found = ours(client)
    assert {status for status, _kind, _body, _location in found.values()} == {200, 302, 400, 404, 405, 413}
    assert (
        b"<username>login<" in found["GET 0 https://autoconfig.server.tld/mail/config-v1.1.xml?emailaddress=user@server.tld"][2]
    )
    return Before(found, {name: zoo(client, setting) for name, setting in SETTINGS.items()})


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_of_the_server_counts_for_others_and_not_for_us(
    published: PrivateApache, client: Client, before: Before, name: str
) -> None:
    setting = SETTINGS[name]
    text = setting.text.replace("{directory}", str(published.directory))
    (published.config_directory / "conf-enabled/setting.conf").write_text(f"{text}\n")
    published.reload()
    after = ours(client)
    assert {request: answer for request, answer in after.items() if answer != before.ours[request]} == {}
    if setting.shows:
        answer = zoo(client, setting)
        assert answer != before.zoo[name]
        assert setting.shows == answer.status or any(str(setting.shows) in value for value in answer.headers.values())
    if "DEFLATE" in setting.text:
        url = "https://autoconfig.server.tld/mail/config-v1.1.xml"
        assert gzip.decompress(client.request(url, headers=GZIP).body) == client.request(url).body
