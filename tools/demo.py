"""The demonstration: publish the settings of server.tld through the role, then ask as mail clients ask."""

from __future__ import annotations

import json
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from .certificates import Authority, give_to_web_server
from .http_client import Client
from .loopback import Mail, NameServer
from .private_apache import PrivateApache

PROJECT = Path(__file__).resolve().parents[1]
DOMAIN = "server.tld"
ADDRESS = f"user@{DOMAIN}"
PASSWORD = "demonstration"  # noqa: S105
# Of loopback, and not that on which the machine's own mail server may listen.
MAIL_ADDRESS = "127.0.0.77"
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


def publish(apache: PrivateApache, live: Path, signing: Path, mail: Sequence[Mail]) -> dict[str, Any]:
    """Run the playbook; what the role returned."""
    result = apache.directory / "result.json"
    variables = {f"mail_autoconfig_{name}": value for name, value in apache.module_options().items()}
    variables.update(
        demo_result=str(result),
        mail_autoconfig_providers=[provider(mail)],
        mail_autoconfig_certificate_file=f"{live.parent}/{{domain}}/fullchain.pem",
        mail_autoconfig_certificate_key_file=f"{live.parent}/{{domain}}/privkey.pem",
        mail_autoconfig_addresses=["127.0.0.1"],
        mail_autoconfig_well_known=True,
        mail_autoconfig_setup_page=True,
        mail_autoconfig_pacc=True,
        mail_autoconfig_signing_certificate=f"{signing}/cert.pem",
        mail_autoconfig_signing_chain=f"{signing}/chain.pem",
        mail_autoconfig_signing_key=f"{signing}/privkey.pem",
    )
    _play("demo", variables, apache.environment)
    return dict(json.loads(result.read_text()))


def _play(playbook: str, variables: dict[str, Any], more: Mapping[str, str]) -> None:
    environment = {**os.environ, **more, "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "false"}
    environment.update(ANSIBLE_LOCALHOST_WARNING="false", ANSIBLE_INVENTORY_UNPARSED_WARNING="false")
    command = ["ansible-playbook", "-e", json.dumps(variables), str(PROJECT / f"playbooks/{playbook}.yml")]
    subprocess.run(command, env=environment, check=True)


def provider(mail: Sequence[Mail]) -> dict[str, Any]:
    """The settings of the guide's server; other ports only where somebody has the usual ones."""
    servers = [{"type": each.protocol, "hostname": f"mail.{DOMAIN}", "port": each.port, "socket_type": "SSL"} for each in mail]
    return {"domains": [DOMAIN], "incoming": servers[:1], "outgoing": servers[1:]}


def mail_servers(authority: Authority, directory: Path) -> Iterator[Mail]:
    """Servers that know one mailbox, on the usual ports if they are free and may be taken."""
    authority.issue(directory, [f"mail.{DOMAIN}"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "fullchain.pem", directory / "privkey.pem")
    for protocol, port in (("imap", 993), ("smtp", 465)):
        try:
            server = Mail(protocol, "tls", context, (MAIL_ADDRESS, port))
        except OSError:
            server = Mail(protocol, "tls", context, (MAIL_ADDRESS, 0))
        server.accounts = {ADDRESS: PASSWORD}
        yield server


def name(server: NameServer, result: dict[str, Any]) -> None:
    """Have the records that the run returned, and those that a mail domain has anyway."""
    for record in result["dns_records"]:
        server.records.setdefault((record["owner"].rstrip("."), record["type"]), []).append(record["rdata"])
    server.records[DOMAIN, "SOA"] = [f"ns.{DOMAIN}. hostmaster.{DOMAIN}. 1 3600 600 86400 300"]
    server.records[DOMAIN, "NS"] = [f"ns.{DOMAIN}."]
    server.records[DOMAIN, "MX"] = [f"10 mail.{DOMAIN}."]
    server.records[DOMAIN, "A"] = server.records[f"ns.{DOMAIN}", "A"] = ["127.0.0.1"]
    server.records[f"mail.{DOMAIN}", "A"] = [MAIL_ADDRESS]


def check(apache: PrivateApache, authority: Authority, names: NameServer, mail: Sequence[Mail]) -> list[dict[str, Any]]:
    """Ask as mail clients ask, by the playbook that does so for any domain; what it found."""
    report = apache.directory / "checked.json"
    variables = {
        "mail_autoconfig_check_domains": DOMAIN,
        "mail_autoconfig_check_providers": [provider(mail)],
        "mail_autoconfig_check_address": ADDRESS,
        "mail_autoconfig_check_password": PASSWORD,
        "mail_autoconfig_check_resolver": [f"127.0.0.1:{names.port}"],
        "mail_autoconfig_check_ports": {"53": names.port, "80": apache.http_port, "443": apache.https_port},
        "mail_autoconfig_check_ca_file": str(authority.certificate),
        "mail_autoconfig_check_reports": [{"format": "json", "path": str(report)}],
    }
    _play("check", variables, {})
    return list(json.loads(report.read_text())["domains"])


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
    """Run the demonstration; 0 if nothing is wrong with what clients find."""
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
            say(f"Publishing the settings of {DOMAIN}, with a page for people, signed profiles for Apple, and PACC")
            signing = apache.directory / "signing"
            authority.issue_for_signing(signing)
            give_to_web_server(signing / "privkey.pem")
            mail = list(mail_servers(authority, directory / "mail"))
            result = publish(apache, live, signing, mail)
            say("What the run says of itself")
            print(f"rehearsed in a twin of this host: {'yes' if result['rehearsed'] else 'no, ' + result['rehearsal']}")
            print(f"Apache reloaded: {'yes' if result['reloaded'] else 'no'}")
            print(f"questions that Apache then answered as it should: {result['asked']}")
            say(f"What mail clients find for {ADDRESS}: playbooks/check.yml, with name and mail servers of this process")
            names = NameServer()
            name(names, result)
            (found,) = check(apache, authority, names, mail)
            client = Client("127.0.0.1", authority.certificate, {"http": apache.http_port, "https": apache.https_port})
            say("What nobody gets: the sites that were there answer as before, everything else is 404")
            table([("REQUEST", "STATUS", "REDIRECT"), *negative_rows(client)])
            say("DNS records that belong to it")
            table(
                [(record["owner"], str(record["ttl"]), "IN", record["type"], record["rdata"]) for record in result["dns_records"]]
            )
            say("The file that Thunderbird gets")
            url = next(entry["url"] for entry in result["urls"] if urlsplit(entry["url"]).path == "/mail/config-v1.1.xml")
            print(client.request(url.partition("?")[0]).body.decode())
        return 0 if found["verdict"] == "works" else 1
    finally:
        shutil.rmtree(directory)


if __name__ == "__main__":
    sys.exit(main())
