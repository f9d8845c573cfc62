"""The rules that mail clients impose, one row each: an id, what it says, and a check of a running server.

To add a rule, add a row. Ids H (hosts), M (Mozilla's file), A (Autodiscover) and P (Apple's profiles) are those of the
project's fact sheet on clients, whose short form is the second column. A check is given a :class:`Target` and is true if the
rule is kept.
"""

from __future__ import annotations

import json
import plistlib
import re
import ssl
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from tools.certificates import verified
from tools.http_client import OUTLOOK_REQUEST, Client, Response

DOMAIN = "server.tld"
USER = f"user@{DOMAIN}"
AUTOCONFIG = f"https://autoconfig.{DOMAIN}/mail/config-v1.1.xml"
WELL_KNOWN = f"https://{DOMAIN}/.well-known/autoconfig/mail/config-v1.1.xml"
AUTODISCOVER = f"https://autodiscover.{DOMAIN}/autodiscover/autodiscover.xml"
APEX_AUTODISCOVER = f"https://{DOMAIN}/autodiscover/autodiscover.xml"
PROFILE = f"https://autoconfig.{DOMAIN}/mail.mobileconfig"
JSON = f"https://autodiscover.{DOMAIN}/autodiscover/autodiscover.json"
SPELLINGS = ("/autodiscover/autodiscover.xml", "/Autodiscover/Autodiscover.xml", "/AutoDiscover/AutoDiscover.xml")
QUERIES = ("", "?emailaddress=user%40server.tld", "?emailaddress=user@server.tld", "?emailaddress=user@server.tld&emailmd5=0f")
OUTLOOK_SCHEMA = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"
ROOT_SCHEMA = "http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006"
MOBILESYNC = "http://schemas.microsoft.com/exchange/autodiscover/mobilesync/responseschema/2006"
PERSONAL = {"EmailAddress", "IncomingMailServerUsername", "OutgoingMailServerUsername"}
LEAVES = ("hostname", "port", "socketType", "username", "authentication")


class Target:
    """A server that publishes server.tld with its defaults, on its own hosts and on the domain's site.

    :arg foreign: a host name of the same server that is none of ours
    :arg authority: the certificate of whoever signs TLS and profiles
    """

    def __init__(self, client: Client, foreign: str, authority: Path) -> None:
        self._client = client
        self.authority = authority
        self._answers: dict[tuple[str, str], Response] = {}
        self.foreign = foreign

    def get(self, url: str, method: str = "GET") -> Response:
        """Ask without a body, once for all rules."""
        if (url, method) not in self._answers:
            self._answers[url, method] = self._client.request(url, method)
        return self._answers[url, method]

    def post(self, url: str = AUTODISCOVER, address: str = USER, body: str = "", **headers: str) -> Response:
        """Ask as Outlook does, or with a body of one's own; headers by name with underscores."""
        text = body or OUTLOOK_REQUEST.format(address=address)
        return self._client.request(url, "POST", text.encode(), {key.replace("_", "-"): value for key, value in headers.items()})

    def is_secure(self, host: str) -> bool:
        """Whether the host has a certificate that names it."""
        try:
            return self.get(f"https://{host}/").status > 0
        except ssl.SSLError:
            return False

    def profile(self, address: str = "") -> dict[str, Any]:
        """The profile that is in a signature, the general one without an address; fails if the signature is not good."""
        content: dict[str, Any] = plistlib.loads(
            self.verified(self.get(PROFILE + f"?emailaddress={address}" * bool(address)).body)
        )
        return content

    def verified(self, signed: bytes) -> bytes:
        """What was signed; fails if the signature does not lead to the authority."""
        return verified(signed, self.authority)

    @property
    def provider(self) -> ET.Element:
        """The provider in Mozilla's file."""
        found = ET.fromstring(self.get(AUTOCONFIG).body).find("emailProvider")
        assert found is not None
        return found

    @property
    def servers(self) -> list[ET.Element]:
        """The servers in Mozilla's file."""
        return [*self.provider.findall("incomingServer"), *self.provider.findall("outgoingServer")]


def payloads(profile: dict[str, Any]) -> list[dict[str, Any]]:
    """A profile and the payloads in it."""
    return [profile, *profile["PayloadContent"]]


def identities(profile: dict[str, Any]) -> set[str]:
    """All identifiers and UUIDs of a profile."""
    return {payload[key] for payload in payloads(profile) for key in ("PayloadIdentifier", "PayloadUUID")}


def is_secret(key: str, value: object) -> bool:
    """Whether an item of a payload holds a password."""
    return key.endswith("Password") and not isinstance(value, bool)


def account(answer: Response) -> ET.Element:
    """The one account of Outlook's answer."""
    (found,) = ET.fromstring(answer.body).findall(f"{{{OUTLOOK_SCHEMA}}}Response/{{{OUTLOOK_SCHEMA}}}Account")
    return found


def names(element: ET.Element) -> list[str]:
    """The children's names without namespace."""
    return [child.tag.rpartition("}")[2] for child in element]


def protocols(answer: Response) -> list[dict[str, str]]:
    """The protocols of Outlook's answer by element."""
    found = account(answer).findall(f"{{{OUTLOOK_SCHEMA}}}Protocol")
    return [{child.tag.rpartition("}")[2]: child.text or "" for child in protocol} for protocol in found]


def logins(answer: Response) -> set[str]:
    """The login names in Outlook's answer."""
    return {protocol["LoginName"] for protocol in protocols(answer)}


def error(answer: Response) -> str:
    """The code of an error document, with the status."""
    code = ET.fromstring(answer.body).findtext(f"{{{ROOT_SCHEMA}}}Response/{{{ROOT_SCHEMA}}}Error/{{{ROOT_SCHEMA}}}ErrorCode")
    return f"{answer.status} {code}"


def schema(name: str) -> str:
    """A request for another schema."""
    return OUTLOOK_REQUEST.format(address=USER).replace(OUTLOOK_SCHEMA, name)


def prefixed(prefix: str) -> str:
    """Outlook's request with a namespace prefix."""
    text = re.sub(r"<(/?)(?=[A-Z])", rf"<\1{prefix}:", OUTLOOK_REQUEST.format(address=USER))
    return text.replace("xmlns=", f"xmlns:{prefix}=")


def is_json(answer: Response, status: int, **values: str) -> bool:
    """Whether the answer is JSON with these values."""
    said = json.loads(answer.body)
    return (
        answer.status == status
        and answer.headers["content-type"].startswith("application/json")
        and values.items() <= said.items()
    )


V1 = {"Protocol": "AutodiscoverV1", "Url": AUTODISCOVER}


class Rule(NamedTuple):
    """One rule."""

    id: str
    says: str
    check: Callable[[Target], bool]

    def __str__(self) -> str:
        return f"{self.id}: {self.says}"


RULES = [
    Rule(
        "H1",
        "autoconfig, autodiscover and the domain itself have a certificate",
        lambda t: all(map(t.is_secure, (f"autoconfig.{DOMAIN}", f"autodiscover.{DOMAIN}", DOMAIN))),
    ),
    Rule(
        "H2",
        "the file of a hoster is at autoconfig.<domain of the MX>, without any query",
        lambda t: t.get(AUTOCONFIG).status == 200,
    ),
    Rule(
        "H3",
        "http leads to https, also for GET",
        lambda t: {t.get(f"http://autodiscover.{DOMAIN}{path}").headers["location"] for path in SPELLINGS} == {AUTODISCOVER},
    ),
    Rule(
        "H3",
        "http of autoconfig leads to https",
        lambda t: t.get(AUTOCONFIG.replace("https", "http")).headers["location"] == AUTOCONFIG,
    ),
    Rule(
        "H3", "http leads to https without authentication", lambda t: t.get(AUTODISCOVER.replace("https", "http")).status == 302
    ),
    Rule(
        "H4",
        "redirects stay in the domain",
        lambda t: (
            t.get(AUTODISCOVER.replace("https", "http") + "?x").headers["location"].startswith(f"https://autodiscover.{DOMAIN}/")
        ),
    ),
    Rule(
        "H5",
        "unknown paths are 404",
        lambda t: (
            {
                t.get(f"https://{host}.{DOMAIN}{path}").status
                for host in ("autoconfig", "autodiscover")
                for path in ("/", "/x", "/mail", "/mail/")
            }
            == {404}
        ),
    ),
    Rule(
        "H5",
        "a host that is not ours gets no settings",
        lambda t: b"clientConfig" not in t.get(f"http://{t.foreign}/.well-known/autoconfig/mail/config-v1.1.xml").body,
    ),
    Rule(
        "H5",
        "never 401",
        lambda t: 401 not in {t.get(url).status for url in (AUTOCONFIG, WELL_KNOWN, AUTODISCOVER, APEX_AUTODISCOVER)},
    ),
    Rule(
        "M1",
        "both places, byte-identical, whatever the query",
        lambda t: len({t.get(url + query).body for url in (AUTOCONFIG, WELL_KNOWN) for query in QUERIES}) == 1,
    ),
    Rule("M1", "HEAD is answered", lambda t: (t.get(AUTOCONFIG, "HEAD").status, t.get(WELL_KNOWN, "HEAD").status) == (200, 200)),
    Rule(
        "M2",
        "text/xml in UTF-8",
        lambda t: {t.get(url).headers["content-type"] for url in (AUTOCONFIG, WELL_KNOWN)} == {"text/xml; charset=utf-8"},
    ),
    Rule(
        "M2",
        "no byte order mark, well-formed",
        lambda t: t.get(AUTOCONFIG).body.startswith(b"<?xml") and ET.fromstring(t.get(AUTOCONFIG).body).tag == "clientConfig",
    ),
    Rule(
        "M3",
        "version 1.1, literal id",
        lambda t: (ET.fromstring(t.get(AUTOCONFIG).body).get("version"), t.provider.get("id")) == ("1.1", DOMAIN),
    ),
    Rule(
        "M4",
        "literal domain, display names of bearable length",
        lambda t: (
            t.provider.findtext("domain") == DOMAIN
            and 0 < len(t.provider.findtext("displayName") or "") <= 60
            and 0 < len(t.provider.findtext("displayShortName") or "") <= 20
        ),
    ),
    Rule(
        "M5",
        "IMAP first, one of it, one outgoing server",
        lambda t: [server.get("type") for server in t.servers] == ["imap", "smtp"],
    ),
    Rule("M6", "servers have the attribute type only", lambda t: all(set(server.attrib) == {"type"} for server in t.servers)),
    Rule(
        "M6",
        "leaves are plain, trimmed and not empty",
        lambda t: all(
            not leaf.attrib and len(leaf) == 0 and leaf.text and leaf.text == leaf.text.strip()
            for server in t.servers
            for leaf in server
        ),
    ),
    Rule(
        "M7",
        "literal host names, ports",
        lambda t: all("%" not in (server.findtext("hostname") or "%") and server.findtext("port") for server in t.servers),
    ),
    Rule("M8", "SSL or STARTTLS", lambda t: all(server.findtext("socketType") in ("SSL", "STARTTLS") for server in t.servers)),
    Rule(
        "M9",
        "user names are whole placeholders",
        lambda t: {server.findtext("username") for server in t.servers} == {"%EMAILADDRESS%"},
    ),
    Rule(
        "M10",
        "password-cleartext over TLS",
        lambda t: {server.findtext("authentication") for server in t.servers} == {"password-cleartext"},
    ),
    Rule(
        "M11",
        "every leaf that clients need, once",
        lambda t: all(len(server.findall(leaf)) == 1 for server in t.servers for leaf in LEAVES),
    ),
    Rule(
        "M12",
        "no password, no useGlobalPreferredServer",
        lambda t: not re.search(rb"<password>|useGlobalPreferredServer", t.get(AUTOCONFIG).body),
    ),
    Rule(
        "A1",
        "POST on both hosts in every spelling",
        lambda t: (
            {logins(t.post(f"https://{host}{path}")).pop() for host in (f"autodiscover.{DOMAIN}", DOMAIN) for path in SPELLINGS}
            == {USER}
        ),
    ),
    Rule("A1", "both hosts answer the same", lambda t: t.post(AUTODISCOVER).body == t.post(APEX_AUTODISCOVER).body),
    Rule(
        "A2",
        "any Content-Type",
        lambda t: all(
            t.post(Content_Type=kind).body == t.post().body
            for kind in (
                "text/xml",
                "text/xml; charset=UTF-8",
                "application/x-www-form-urlencoded",
                "application/octet-stream",
                "",
            )
        ),
    ),
    Rule("A2", "bodies of some KiB", lambda t: logins(t.post(body=OUTLOOK_REQUEST.format(address=USER) + " " * 12000)) == {USER}),
    Rule(
        "A2",
        "GET gives the settings without anything personal",
        lambda t: all("LoginName" not in protocol for protocol in protocols(t.get(AUTODISCOVER))),
    ),
    Rule(
        "A2",
        "GET with an address gives them with the login",
        lambda t: (
            {
                logins(t.get(f"{AUTODISCOVER}?{name}=user%40server.tld")).pop()
                for name in ("Email", "emailaddress", "email", "EMAIL")
            }
            == {USER}
        ),
    ),
    Rule("A2", "HEAD is answered", lambda t: t.get(AUTODISCOVER, "HEAD").status == 200),
    Rule(
        "A3",
        "any namespace prefix",
        lambda t: all(logins(t.post(body=prefixed(prefix))) == {USER} for prefix in ("a", "ns1", "A-b_c.d")),
    ),
    Rule(
        "A3",
        "schemas that begin alike",
        lambda t: all(logins(t.post(body=schema(OUTLOOK_SCHEMA[:-1] + end))) == {USER} for end in ("", "a", "b")),
    ),
    Rule(
        "A3",
        "escaped on output, as it came",
        lambda t: logins(t.post(address="o&apos;neil&amp;co@server.tld")) == {"o'neil&co@server.tld"},
    ),
    Rule("A3", "domain in any case", lambda t: logins(t.post(address="User@Server.TLD")) == {"User@server.tld"}),
    Rule(
        "A4",
        "200 for settings and errors, no challenge",
        lambda t: (
            {(a.status, a.headers.get("www-authenticate")) for a in (t.post(), t.post(address="x"), t.get(AUTODISCOVER))}
            == {(200, None)}
        ),
    ),
    Rule(
        "A5",
        "media type and both namespaces",
        lambda t: (
            t.post().headers["content-type"].startswith("text/xml")
            and ET.fromstring(t.post().body).tag == f"{{{ROOT_SCHEMA}}}Autodiscover"
            and len(account(t.post())) > 0
        ),
    ),
    Rule(
        "A6",
        "one account: type, action, IMAP, SMTP",
        lambda t: (
            names(account(t.post())) == ["AccountType", "Action", "Protocol", "Protocol"]
            and [account(t.post())[0].text, account(t.post())[1].text] == ["email", "settings"]
        ),
    ),
    Rule(
        "A7",
        "children in Microsoft's order",
        lambda t: all(
            list(protocol)
            == ["Type", "Server", "Port", "LoginName", "DomainRequired", "SPA", "SSL", "Encryption", "AuthRequired"]
            for protocol in protocols(t.post())
        ),
    ),
    Rule("A7", "types in upper case", lambda t: [protocol["Type"] for protocol in protocols(t.post())] == ["IMAP", "SMTP"]),
    Rule(
        "A8",
        "LoginName, no domain, no SPA, authentication",
        lambda t: all(
            (p["LoginName"], p["DomainRequired"], p["SPA"], p["AuthRequired"]) == (USER, "off", "off", "on")
            for p in protocols(t.post())
        ),
    ),
    Rule("A8", "no empty element", lambda t: all(all(protocol.values()) for protocol in protocols(t.post()))),
    Rule(
        "A9",
        "implicit TLS: SSL on, Encryption SSL",
        lambda t: {(p["SSL"], p["Encryption"]) for p in protocols(t.post())} == {("on", "SSL")},
    ),
    Rule(
        "A10",
        "malformed or without an address: 600",
        lambda t: (
            {
                error(t.post(body=body))
                for body in ("<x", "{}", "<a/>", OUTLOOK_REQUEST.format(address=""), OUTLOOK_REQUEST.format(address="user"))
            }
            == {"200 600"}
        ),
    ),
    Rule("A10", "a foreign domain: 600", lambda t: error(t.post(address="user@foreign.tld")) == "200 600"),
    Rule(
        "A10",
        "mobilesync and unknown schemas: 601",
        lambda t: {error(t.post(body=schema(name))) for name in (MOBILESYNC, "urn:x")} == {"200 601"},
    ),
    Rule(
        "A10",
        "any valid address gets settings, existing or not",
        lambda t: t.post(address="nobody.at.all@server.tld").body == t.post().body.replace(b"user@", b"nobody.at.all@"),
    ),
    Rule(
        "A11",
        "JSON in any case, address in query or path",
        lambda t: all(
            is_json(t.get(JSON + rest), 200, **V1)
            for rest in (
                "?Email=user@server.tld&Protocol=AutodiscoverV1&RedirectCount=1",
                "/v1.0/user@server.tld?Protocol=autodiscoverv1",
                "?protocol=AUTODISCOVERV1",
            )
        ),
    ),
    Rule(
        "A11",
        "JSON path in any case, on both hosts",
        lambda t: all(
            is_json(t.get(f"https://{host}/AutoDiscover/AutoDiscover.json?Protocol=Autodiscoverv1&Email={USER}"), 200, **V1)
            for host in (f"autodiscover.{DOMAIN}", DOMAIN)
        ),
    ),
    Rule(
        "A11",
        "other protocols: 400",
        lambda t: all(
            is_json(t.get(f"{JSON}?Email={USER}&Protocol={protocol}"), 400, ErrorCode="InvalidProtocol")
            for protocol in ("ActiveSync", "Ews", "")
        ),
    ),
    Rule(
        "A12",
        "the host that SRV names answers with its certificate",
        lambda t: logins(t.post(f"https://autodiscover.{DOMAIN}:443/autodiscover/autodiscover.xml")) == {USER},
    ),
    Rule(
        "P1",
        "served as a profile, over https only, not kept by caches",
        lambda t: (
            all(
                (answer.status, answer.headers["content-type"]) == (200, "application/x-apple-aspen-config")
                and answer.headers["cache-control"] == "no-store"
                for answer in (t.get(PROFILE), t.get(f"{PROFILE}?emailaddress={USER}"), t.get(f"{PROFILE}?email={USER}"))
            )
            and t.get(PROFILE.replace("https:", "http:")).headers["location"] == PROFILE
        ),
    ),
    Rule(
        "P2",
        "type, version 1, identifier and UUID everywhere",
        lambda t: all(
            # To isinstance, True is an integer as well, and 1.0 equals 1.
            repr(payload["PayloadVersion"]) == "1"
            and re.fullmatch("[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}", payload["PayloadUUID"])
            and payload["PayloadIdentifier"]
            and (payload["PayloadType"] == "Configuration") == (payload is profile)
            for profile in (t.profile(), t.profile(USER))
            for payload in payloads(profile)
        ),
    ),
    Rule(
        "P3",
        "the same identities at every download, others for every address and payload",
        lambda t: (
            t.verified(t.get(f"{PROFILE}?email={USER}").body) == t.verified(t.get(f"{PROFILE}?emailaddress={USER}").body)
            and identities(t.profile(USER)) == identities(t.profile(USER.upper()))
            and not identities(t.profile(USER)) & (identities(t.profile(f"other@{DOMAIN}")) | identities(t.profile()))
            and len(identities(t.profile(USER))) == 2 * len(payloads(t.profile(USER)))
        ),
    ),
    Rule(
        "P4",
        "mail with host, port, UseSSL and authentication each way",
        lambda t: all(
            profile["PayloadContent"][0].items()
            >= {
                "EmailAccountType": "EmailTypeIMAP",
                "IncomingMailServerHostName": f"mail.{DOMAIN}",
                "IncomingMailServerPortNumber": 993,
                "IncomingMailServerUseSSL": True,
                "IncomingMailServerAuthentication": "EmailAuthPassword",
                "OutgoingMailServerHostName": f"mail.{DOMAIN}",
                "OutgoingMailServerPortNumber": 465,
                "OutgoingMailServerUseSSL": True,
                "OutgoingMailServerAuthentication": "EmailAuthPassword",
                "OutgoingPasswordSameAsIncomingPassword": True,
            }.items()
            for profile in (t.profile(), t.profile(USER))
        ),
    ),
    Rule(
        "P4",
        "address and user names in the personal profile alone",
        lambda t: (
            {t.profile(USER)["PayloadContent"][0][key] for key in PERSONAL} == {USER}
            and not PERSONAL & set(t.profile()["PayloadContent"][0])
        ),
    ),
    Rule(
        "P4",
        "never a password",
        lambda t: not any(is_secret(*item) for payload in payloads(t.profile(USER)) for item in payload.items()),
    ),
    Rule("P5", "signed with content and intermediates", lambda t: t.verified(t.get(PROFILE).body).startswith(b"<?xml ")),
]
