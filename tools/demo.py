"""The demonstration: publish the settings of server.tld through the role, then ask for them as each client would."""

from __future__ import annotations

import json
import os
import plistlib
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from .certificates import Authority, give_to_web_server, verified
from .http_client import OUTLOOK_REQUEST, Client, Response
from .private_apache import PrivateApache

PROJECT = Path(__file__).resolve().parents[1]
DOMAIN = "server.tld"
ADDRESS = f"user@{DOMAIN}"
# A site that was there before, as on any mail server: the domain's own.
OWN_SITE = """\
<VirtualHost *:{http}>
    ServerName {domain}
    Redirect permanent / https://{domain}/
</VirtualHost>
<IfModule mod_ssl.c>
<VirtualHost *:{https}>
    ServerName {domain}
    SSLEngine on
    SSLCertificateFile {live}/fullchain.pem
    SSLCertificateKeyFile {live}/privkey.pem
    RedirectMatch 403 ^/
</VirtualHost>
</IfModule>
"""


def say(text: str) -> None:
    """Print a heading, at once."""
    print(f"\n== {text}", flush=True)


def publish(apache: PrivateApache, live: Path, signing: Path) -> dict[str, Any]:
    """Run the playbook; what the role returned."""
    result = apache.directory / "result.json"
    variables = {f"mail_autoconfig_{name}": value for name, value in apache.module_options().items()}
    variables.update(
        demo_result=str(result),
        mail_autoconfig_domain=DOMAIN,
        mail_autoconfig_certificate_file=f"{live.parent}/{{domain}}/fullchain.pem",
        mail_autoconfig_certificate_key_file=f"{live.parent}/{{domain}}/privkey.pem",
        mail_autoconfig_addresses=["185.68.8.228"],
        mail_autoconfig_well_known=True,
        mail_autoconfig_setup_page=True,
        mail_autoconfig_pacc=True,
        mail_autoconfig_signing_certificate=f"{signing}/cert.pem",
        mail_autoconfig_signing_chain=f"{signing}/chain.pem",
        mail_autoconfig_signing_key=f"{signing}/privkey.pem",
    )
    environment = {**os.environ, **apache.environment, "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "false"}
    environment.update(ANSIBLE_LOCALHOST_WARNING="false", ANSIBLE_INVENTORY_UNPARSED_WARNING="false")
    command = ["ansible-playbook", "-e", json.dumps(variables), str(PROJECT / "playbooks/demo.yml")]
    subprocess.run(command, env=environment, check=True)
    return dict(json.loads(result.read_text()))


def ask(client: Client, method: str, url: str) -> Response:
    """Ask as a client does, and follow its redirects as all of them do."""
    for _redirect in range(5):
        body = OUTLOOK_REQUEST.format(address=ADDRESS).encode() if method == "POST" else None
        answer = client.request(url, method, body)
        if answer.status not in (301, 302):
            return answer
        url = answer.headers["location"]
    raise RuntimeError(f"{url} redirects without end")


def settings_in(answer: Response, authority: Path) -> Iterator[str]:
    """The servers that a document names, in words."""
    media_type = answer.headers["content-type"].partition(";")[0]
    if media_type == "text/html":
        yield "a page with the settings, the profile and a QR code"
        return
    if media_type == "application/json":
        for protocol, server in json.loads(answer.body)["protocols"].items():
            yield f"{protocol} {server.get('host') or server['url']}"
        return
    if media_type == "application/x-apple-aspen-config":
        mail = plistlib.loads(verified(answer.body, authority))["PayloadContent"][0]
        for direction, name in (("Incoming", "IMAP"), ("Outgoing", "SMTP")):
            host, port = mail[f"{direction}MailServerHostName"], mail[f"{direction}MailServerPortNumber"]
            yield f"{name} {host}:{port} SSL"
        yield f"signed, for {mail['EmailAddress']}"
        return
    root = ET.fromstring(answer.body)
    if root.tag == "clientConfig":
        for server in root.iterfind("emailProvider/*[@type]"):
            hostname, port = server.findtext("hostname"), server.findtext("port")
            yield f"{str(server.get('type')).upper()} {hostname}:{port} {server.findtext('socketType')}"
        return
    for protocol in root.findall(".//{*}Protocol"):
        values = [protocol.findtext(f"{{*}}{name}") for name in ("Type", "Server", "Port", "Encryption")]
        yield "{} {}:{} {}".format(*values)


def rows(client: Client, authority: Path, urls: list[dict[str, str]]) -> Iterator[tuple[str, str, str, str]]:
    """One line of the table for each look-up."""
    for entry in urls:
        url = entry["url"].replace("{address}", quote(ADDRESS, safe=""))
        answer = ask(client, entry["method"], url)
        got = ", ".join(settings_in(answer, authority)) if answer.status == 200 else "nothing"
        yield entry["client"], f"{entry['method']} {url}", f"{answer.status}", got


def table(lines: list[tuple[str, ...]]) -> None:
    """Print lines in columns, as wide as need be."""
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def negative_rows(client: Client) -> list[tuple[str, ...]]:
    """What must not be answered."""
    found: list[tuple[str, ...]] = []
    for url in (
        f"https://autodiscover.{DOMAIN}/mail/",
        f"https://autoconfig.{DOMAIN}/anything-else",
        f"https://{DOMAIN}/",
        "http://foreign.tld/mail/config-v1.1.xml",
    ):
        answer = client.request(url)
        location = answer.headers.get("location", "")
        found.append((f"GET {url}", str(answer.status), location))
    return found


def main() -> int:
    """Run the demonstration; 0 if every client got its settings."""
    directory = Path(tempfile.mkdtemp(prefix="mail_autoconfig-demo-"))
    try:
        say("Starting a private Apache on loopback, with the web site of server.tld on it")
        authority = Authority(directory / "ca")
        live = directory / "live" / DOMAIN
        authority.issue(live, [DOMAIN, *(f"{label}.{DOMAIN}" for label in ("autoconfig", "autodiscover", "ua-auto-config"))])
        with PrivateApache(directory / "apache", PROJECT / ".cache") as apache:
            apache.command("a2enmod", "-q", "ssl")
            site = OWN_SITE.format(http=apache.http_port, https=apache.https_port, domain=DOMAIN, live=live)
            apache.add_site(DOMAIN, site)
            apache.reload()
            say(f"Publishing mail_autoconfig_domain: {DOMAIN}, with a page for people, signed profiles for Apple, and PACC")
            signing = apache.directory / "signing"
            authority.issue_for_signing(signing)
            give_to_web_server(signing / "privkey.pem")
            result = publish(apache, live, signing)
            say("What the run says of itself")
            print(f"rehearsed in a twin of this host: {'yes' if result['rehearsed'] else 'no, ' + result['rehearsal']}")
            print(f"Apache reloaded: {'yes' if result['reloaded'] else 'no'}")
            print(f"questions that Apache then answered as it should: {result['asked']}")
            client = Client("127.0.0.1", authority.certificate, {"http": apache.http_port, "https": apache.https_port})
            say(f"What each client gets for {ADDRESS}")
            answers = list(rows(client, authority.certificate, result["urls"]))
            for line in answers:
                print(f"{line[0]:<50} {line[2]}  {line[3]}\n    {line[1]}")
            say("What nobody gets: the sites that were there answer as before, everything else is 404")
            table([("REQUEST", "STATUS", "REDIRECT"), *negative_rows(client)])
            say("DNS records that belong to it")
            table(
                [(record["owner"], str(record["ttl"]), "IN", record["type"], record["rdata"]) for record in result["dns_records"]]
            )
            say("The file that Thunderbird gets")
            url = next(entry["url"] for entry in result["urls"] if urlsplit(entry["url"]).path == "/mail/config-v1.1.xml")
            print(client.request(url.partition("?")[0]).body.decode())
        return 0 if all(status == "200" for _client, _request, status, _settings in answers) else 1
    finally:
        shutil.rmtree(directory)


if __name__ == "__main__":
    sys.exit(main())
