"""Where certificates come from: found on the host, given, and gone."""

from __future__ import annotations

import shutil
import socket
import ssl
from pathlib import Path
from typing import Any

from tests.conftest import Playbook
from tools.certificates import Authority
from tools.http_client import Client
from tools.private_apache import PrivateApache

from .test_safe_hands import CONFIG, published

NAMES = ("autoconfig.server.tld", "autodiscover.server.tld")
SECURE = """\
<VirtualHost *:{port}>
    ServerName {name}
    SSLEngine on
    SSLCertificateFile {pair}/fullchain.pem
    SSLCertificateKeyFile {pair}/privkey.pem
    RedirectMatch 410 ^/
</VirtualHost>
"""


def secure_site(apache: PrivateApache, authority: Authority, *names: str) -> Path:
    """A site of somebody else with TLS and a certificate for these names; where that is."""
    pair = apache.directory / "theirs" / names[0]
    authority.issue(pair, names)
    apache.command("a2enmod", "-q", "ssl")
    apache.add_site(names[0], SECURE.format(port=apache.https_port, name=names[0], pair=pair))
    apache.stop()
    apache.start()
    return pair


def serving(result: dict[str, Any]) -> dict[str, str]:
    """The directory of the certificate of each host name, and where it was found."""
    found = result["certificate_names"]
    return {item["name"]: f"{Path(item['certificate_file']).parent.name}: {item['reason']}" for item in found}


def test_what_is_on_the_host_is_found_and_the_better_one_comes_in_its_place(
    apache: PrivateApache, playbook: Playbook, client: Client, authority: Authority
) -> None:
    theirs = secure_site(apache, authority, "shop.tld", "*.server.tld")
    first = published(apache, playbook)
    assert serving(first) == dict.fromkeys(NAMES, "shop.tld: site of others, by a wildcard")
    assert {entry["days_left"] for entry in first["certificate_names"]} == {19}
    assert [client.request(f"https://{name}{CONFIG}").status for name in NAMES] == [200, 200]
    assert first["certificates_obsolete"] == []

    ours = apache.config_directory / "md/domains/autoconfig.server.tld"
    authority.issue(ours, NAMES)
    (ours / "fullchain.pem").rename(ours / "pubcert.pem")
    second = published(apache, playbook)
    assert serving(second) == dict.fromkeys(NAMES, "autoconfig.server.tld: mod_md; 1 more would do")
    assert client.request(f"https://{NAMES[0]}{CONFIG}").status == 200
    # The shop uses it still.
    assert second["certificates_obsolete"] == []

    files = {"certificate_file": f"{theirs}/full*.pem", "certificate_key_file": f"{theirs}/privkey.pem"}
    given = published(apache, playbook, certificates="given", **files)
    assert serving(given) == dict.fromkeys(NAMES, "shop.tld: certificate_file, by a wildcard")
    left = {"certificate_file": f"{ours}/pubcert.pem", "certificate_key_file": f"{ours}/privkey.pem"}
    assert given["certificates_obsolete"] == [left]
    gone = playbook.module({**apache.module_options(), "domain": "server.tld", "state": "absent"})
    assert (gone["failed"], gone["certificates_obsolete"]) == (False, [left])
    assert (ours / "pubcert.pem").exists()


def test_a_certificate_that_is_taken_away_too_early_harms_nobody(
    apache: PrivateApache, playbook: Playbook, client: Client, certificate: dict[str, str], authority: Authority
) -> None:
    secure_site(apache, authority, "shop.tld")
    published(apache, playbook, **certificate)
    assert client.request(f"https://{NAMES[0]}{CONFIG}").status == 200

    shutil.rmtree(apache.directory / "live/server.tld")
    apache.reload()
    apache.stop()
    apache.start()
    for scheme in ("http", "https"):
        assert client.request(f"{scheme}://shop.tld/").status == (410 if scheme == "https" else 404)

    # The default pattern, because a file that is named has to be there.
    after = published(apache, playbook)
    assert serving_nothing(after) == dict.fromkeys(NAMES, "no certificate on this host names it")
    assert client.request(f"http://{NAMES[0]}{CONFIG}").status == 200
    assert client.request("https://shop.tld/").status == 410
    assert certificate_of(apache, NAMES[0]) == certificate_of(apache, "shop.tld")


def serving_nothing(result: dict[str, Any]) -> dict[str, str]:
    return {item["name"]: item["reason"] for item in result["certificate_names"] if "certificate_file" not in item}


def certificate_of(apache: PrivateApache, name: str) -> bytes | None:
    """What is shown for a name."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", apache.https_port), 5) as connection,
        context.wrap_socket(connection, server_hostname=name) as link,
    ):
        return link.getpeercert(binary_form=True)
