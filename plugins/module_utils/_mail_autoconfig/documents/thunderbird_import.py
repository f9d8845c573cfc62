"""Reads an autoconfiguration file that an administrator has already (or one of the ISPDB) as a provider.

PRIVATE to the collection. Reads what Thunderbird's readFromXML reads and the parts for people that it skips; is as lenient
as Thunderbird, because the file may have served for years: what no reader understands is left out and named in the notes.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t
import xml.etree.ElementTree as ET

from ..input.model import (
    INCOMING_AUTHENTICATION,
    INCOMING_TYPES,
    OUTGOING_AUTHENTICATION,
    OUTGOING_TYPES,
    SOCKET_TYPES,
    URL_TYPES,
    Provider,
)
from ..input.reading import InputError, shown

Options = dict[str, t.Any]

# Older words for the same thing: Thunderbird's readFromXML for the first three, KMail for the last.
_OLD_AUTHENTICATION = {
    "plain": "password-cleartext",
    "secure": "password-encrypted",
    "SMTP-after-POP": "smtp-after-pop",
    "client-ip-based": "client-IP-address",
}
_KNOWN_IN_PROVIDER = [
    "domain",
    "displayName",
    "displayShortName",
    "incomingServer",
    "outgoingServer",
    "documentation",
    "instruction",
    "enable",
    "inputField",
]
_KNOWN_IN_ROOT = [
    "emailProvider",
    "webMail",
    "oAuth2",
    "enable",
    "instruction",
    "documentation",
    "calendar",
    "addressbook",
    "addressBook",
    "clientConfigUpdate",
]
_KNOWN_IN_SERVER = [
    "hostname",
    "port",
    "socketType",
    "username",
    "authentication",
    "url",
    "owaURL",
    "ewsURL",
    "easURL",
    "pop3",
    "restriction",
    "addThisServer",
]


@dataclasses.dataclass(frozen=True)
class Imported:
    """A provider and what the file said that it does not say."""

    provider: Provider
    notes: tuple[str, ...]


def read(text: str | bytes) -> Imported:
    """Read a file of version 1.0 to 1.2. Raises InputError if no client could use it either."""
    try:
        root = ET.fromstring(text, ET.XMLParser(target=_Builder()))
    except (ET.ParseError, ValueError, LookupError) as exc:
        raise InputError([f"the file is not well-formed XML: {exc}"]) from exc
    element = root.find("emailProvider")
    if root.tag != "clientConfig" or element is None:
        raise InputError(["the file has no clientConfig with an emailProvider in it"])
    notes: list[str] = []
    options = {key: value for key, value in _provider(root, element, notes).items() if value}
    return Imported(_build(options, notes), tuple(notes))


class _Builder(ET.TreeBuilder):
    """Refuses a document type: the format has none, and entities declared in it could grow without bound."""

    def doctype(self, _name: str, _public: str, _system: str) -> None:
        """Called by the parser, whatever the encoding."""
        raise InputError(["the file has a DOCTYPE; the format has none, and entities in it are not read"])


def _build(options: Options, notes: list[str]) -> Provider:
    """Build the provider, leaving out with a note what our model refuses and clients get along without."""
    while True:
        try:
            return Provider.from_dict(options)
        except InputError as exc:
            # Several mistakes of one entry take it out once.
            paths = {_part_to_drop(problem.partition(": ")[0]): problem for problem in reversed(exc.problems)}
            dropped = [problem for path, problem in paths.items() if _drop(options, path)]
            if not dropped:
                raise InputError([*exc.problems, *notes]) from exc
            notes.extend(f"left out, {problem}" for problem in reversed(dropped))


def _part_to_drop(path: str) -> str:
    """The path of the smallest part around a mistake that a provider can do without."""
    match = re.match(r"\w+(\[\d+\](\.texts\[\d+\]\.lang|\.pop3|\.username)?|\.login_form)?", path)
    return match.group() if match else path


def _drop(options: Options, path: str) -> bool:
    """Take out a part; whether it was there and can be missing.

    Called with the last path first, so that the numbers of the entries before it still hold.
    """
    match = re.match(r"(\w+)(?:\[(\d+)\])?(?:\.(\w+)(?:\[(\d+)\]\.lang)?)?", path)
    if match is None or match[1] not in options:
        return False
    key, number, inner, text = match.groups()
    place: t.Any = options
    part: t.Any = key
    if number is not None and int(number) < len(options[key]):
        place, part = options[key], int(number)
        if text is not None and inner == "texts":
            place, part = place[part]["texts"][int(text)], "lang"
        elif inner in ("pop3", "username"):
            place, part = place[part], inner
    elif inner == "login_form":
        place, part = options[key], inner
    elif number is not None or key in ("incoming", "outgoing", "domains", "id"):
        return False
    if isinstance(place, dict) and part not in place:
        return False
    del place[part]
    return True


def _text(element: ET.Element, tag: str) -> str:
    return (element.findtext(tag) or "").strip()


def _texts(element: ET.Element, tag: str) -> list[str]:
    """The distinct texts of the children with the tag, in order."""
    return list(dict.fromkeys(filter(None, ((child.text or "").strip() for child in element.findall(tag)))))


def _given(**values: t.Any) -> Options:
    return {key: value for key, value in values.items() if value or value is False}


def _unknown(element: ET.Element, known: t.Sequence[str], where: str, notes: list[str]) -> None:
    for tag in dict.fromkeys(child.tag for child in element if child.tag not in known):
        notes.append(f"{where}: <{tag}> is left out, no client reads it there")


def _provider(root: ET.Element, element: ET.Element, notes: list[str]) -> Options:
    _unknown(root, _KNOWN_IN_ROOT, "clientConfig", notes)
    _unknown(element, _KNOWN_IN_PROVIDER, "emailProvider", notes)
    for extra in root.findall("emailProvider")[1:]:
        notes.append(f"clientConfig: a second emailProvider, {shown(extra.get('id', ''))}, is left out; clients read one")
    domains = list(dict.fromkeys(name.lower() for name in _texts(element, "domain")))
    literal = [name for name in domains if "%" not in name]
    if literal != domains:
        kept = ", ".join(literal) or element.get("id", "")
        notes.append(f"emailProvider: a domain that is a placeholder is left out; the provider is for {kept} alone")
    update = root.find("clientConfigUpdate")
    return {
        "id": element.get("id", "").strip(),
        "domains": literal or [element.get("id", "").strip()],
        "display_name": _text(element, "displayName"),
        "short_name": _text(element, "displayShortName"),
        "incoming": _servers(element, "incomingServer", INCOMING_TYPES, INCOMING_AUTHENTICATION, notes),
        "outgoing": _servers(element, "outgoingServer", OUTGOING_TYPES, OUTGOING_AUTHENTICATION, notes),
        "documentation": _links((element, root), "documentation", "url", "descr"),
        "instructions": _links((element, root), "instruction", "url", "descr"),
        "enable": _links((element, root), "enable", "visiturl", "instruction"),
        "webmail": _webmail(root.find("webMail")),
        "oauth2": _oauth2(root.find("oAuth2")),
        "caldav": _dav(root, ("calendar",), "caldav"),
        "carddav": _dav(root, ("addressbook", "addressBook"), "carddav"),
        "input_fields": [
            _given(key=field.get("key"), label=field.get("label"), value=(field.text or "").strip())
            for field in element.findall("inputField")
        ],
        "config_update_url": update.get("url", "") if update is not None else "",
    }


def _servers(
    parent: ET.Element, tag: str, types: tuple[str, ...], authentication: tuple[str, ...], notes: list[str]
) -> list[Options]:
    servers = []
    for index, element in enumerate(parent.findall(tag)):
        where = f"{tag}[{index}]"
        server_type = element.get("type", "")
        if server_type not in types:
            notes.append(f"{where}: type {shown(server_type)} is left out, no client knows it")
            continue
        server = _server(element, where, authentication, notes)
        if server is not None:
            servers.append({"type": server_type, **server})
    return servers


def _server(element: ET.Element, where: str, authentication: tuple[str, ...], notes: list[str]) -> Options | None:
    """One server, or None if clients drop it for want of a known socket type or authentication."""
    _unknown(element, (*_KNOWN_IN_SERVER, "password", "useGlobalPreferredServer"), where, notes)
    if element.find("password") is not None:
        notes.append(f"{where}: <password> is left out; a published file must not carry one")
    if _text(element, "useGlobalPreferredServer") == "true":
        notes.append(f"{where}: <useGlobalPreferredServer> true is left out; Thunderbird would use another server than this one")
    methods = [_OLD_AUTHENTICATION.get(word, word) for word in _texts(element, "authentication")]
    known = list(dict.fromkeys(word for word in methods if word in authentication))
    if methods and not known:
        notes.append(f"{where}: is left out, because no client knows its authentication {', '.join(methods)}")
        return None
    sockets = _texts(element, "socketType")
    socket_type = next((word for word in sockets if word in SOCKET_TYPES), "")
    if not socket_type and element.get("type") not in URL_TYPES:
        notes.append(f"{where}: is left out, because no client knows its socketType {', '.join(sockets) or '(none)'}")
        return None
    interval = element.find("pop3/checkInterval")
    pop3 = element.find("pop3")
    options = _given(
        hostname=_text(element, "hostname"),
        port=_text(element, "port"),
        socket_type=socket_type,
        username=_text(element, "username"),
        authentication=known,
        url=_text(element, "url"),
        owa_url=_text(element, "owaURL"),
        ews_url=_text(element, "ewsURL"),
        eas_url=_text(element, "easURL"),
        restriction=_texts(element, "restriction"),
        add_this_server=_boolean(element, "addThisServer"),
    )
    if pop3 is not None:
        options["pop3"] = _given(
            leave_messages_on_server=_boolean(pop3, "leaveMessagesOnServer"),
            download_on_biff=_boolean(pop3, "downloadOnBiff"),
            days_to_leave_messages_on_server=_text(pop3, "daysToLeaveMessagesOnServer"),
            check_interval=interval.get("minutes", "") if interval is not None else "",
        )
    return options


def _boolean(element: ET.Element, tag: str) -> bool | None:
    return {"true": True, "1": True, "false": False, "0": False}.get(_text(element, tag))


def _links(parents: tuple[ET.Element, ...], tag: str, attribute: str, text_tag: str) -> list[Options]:
    return [
        {"url": link.get(attribute, ""), "texts": _localised(link, text_tag)}
        for parent in parents
        for link in parent.findall(tag)
    ]


def _localised(element: ET.Element, tag: str) -> list[Options]:
    return [
        _given(text=" ".join((child.text or "").split()), lang=child.get("lang"))
        for child in element.findall(tag)
        if (child.text or "").strip()
    ]


def _webmail(element: ET.Element | None) -> Options:
    if element is None:
        return {}
    page, form = element.find("loginPage"), element.find("loginPageInfo")
    url = page.get("url", "") if page is not None else ""
    return {"login_page": url, **_given(login_form=_login_form(form) if form is not None else None)}


def _login_form(form: ET.Element) -> Options:
    def field(tag: str) -> Options:
        child = form.find(tag)
        return _given(id=child.get("id"), name=child.get("name")) if child is not None else {}

    return {
        "url": form.get("url", ""),
        **_given(
            username=_text(form, "username"),
            username_field=field("usernameField"),
            password_field=field("passwordField"),
            login_button=field("loginButton"),
        ),
    }


def _oauth2(element: ET.Element | None) -> Options:
    if element is None:
        return {}
    return _given(
        issuer=_text(element, "issuer"),
        scope=" ".join(_text(element, "scope").split()),
        auth_url=_text(element, "authURL"),
        token_url=_text(element, "tokenURL"),
    )


def _dav(root: ET.Element, tags: tuple[str, ...], service: str) -> Options:
    for element in (child for tag in tags for child in root.findall(tag)):
        if element.get("type", service) == service:
            return _given(url=_text(element, "url") or _text(element, "serverURL"), username=_text(element, "username"))
    return {}
