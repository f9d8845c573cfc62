"""Apple's profile: what it holds for every provider, judged by Apple's own schemas where they are at hand."""

from __future__ import annotations

import datetime
import plistlib
import typing as t

import pytest
import yaml
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.documents import apple
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input.model import Provider
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.conftest import DATA

if t.TYPE_CHECKING:
    from tests.unit.conftest import ProviderOptions

SCHEMAS = DATA / "apple"
# What every device needs, for those who have not Apple's schemas; types as plistlib reads them.
MAIL: dict[str, type] = {
    "EmailAccountType": str,
    "IncomingMailServerAuthentication": str,
    "IncomingMailServerHostName": str,
    "IncomingMailServerPortNumber": int,
    "IncomingMailServerUseSSL": bool,
    "OutgoingMailServerAuthentication": str,
    "OutgoingMailServerHostName": str,
    "OutgoingMailServerPortNumber": int,
    "OutgoingMailServerUseSSL": bool,
}
COMMON: dict[str, type] = {"PayloadType": str, "PayloadVersion": int, "PayloadIdentifier": str, "PayloadUUID": str}
TYPES = {"<string>": str, "<integer>": int, "<boolean>": bool, "<array>": list, "<dictionary>": dict, "<date>": datetime.datetime}
IMAP: dict[str, t.Any] = {"type": "imap", "hostname": "mail.server.tld"}
SMTP: dict[str, t.Any] = {"type": "smtp", "hostname": "mail.server.tld"}


def is_of(value: object, kind: type) -> bool:
    """Whether a value is of that type and no other: to isinstance, True is an integer as well."""
    return isinstance(value, kind) and isinstance(value, bool) == (kind is bool)


def make(**options: t.Any) -> Provider:
    return Provider.from_dict({"domains": ["server.tld"], "incoming": [IMAP], "outgoing": [SMTP], **options})


def both(provider: Provider) -> list[dict[str, t.Any]]:
    """The general profile and the personal one, as a device reads them."""
    return [plistlib.loads(document.content) for document in apple.render(provider, personal=True)]


def mail(provider: Provider) -> dict[str, t.Any]:
    payload: dict[str, t.Any] = both(provider)[1]["PayloadContent"][0]
    return payload


# -- every provider -----------------------------------------------------------------------------------------------------


@given(data=st.data())
def test_every_profile_has_what_devices_need(provider_options: ProviderOptions, data: st.DataObject) -> None:
    provider = Provider.from_dict(data.draw(provider_options))
    for profile in both(provider):
        payloads = profile["PayloadContent"]
        assert profile["PayloadType"] == "Configuration"
        for payload in (profile, *payloads):
            for key, kind in COMMON.items():
                assert is_of(payload[key], kind), key
            assert payload["PayloadVersion"] == 1
        for key, kind in MAIL.items():
            assert is_of(payloads[0][key], kind), key
        identities = [(each["PayloadIdentifier"], each["PayloadUUID"]) for each in (profile, *payloads)]
        assert len({name for name, _uuid in identities}) == len({value for _name, value in identities}) == len(identities)
        assert not [key for each in payloads for key, value in each.items() if key.endswith("Password") and value is not True]
        assert "" not in [value for each in (profile, *payloads) for value in each.values()]


def schema_problems(values: dict[str, t.Any], keys: list[dict[str, t.Any]], path: str = "") -> t.Iterator[str]:
    """What is wrong with a dictionary by Apple's schema."""
    known = {key["key"]: key for key in keys}
    for name, key in known.items():
        if key.get("presence") == "required" and name not in values:
            yield f"{path}{name} is missing"
    for name, value in values.items():
        if name not in known:
            yield f"{path}{name} is unknown"
            continue
        key = known[name]
        if not is_of(value, TYPES[key["type"]]):
            yield f"{path}{name} is {type(value).__name__}, not {key['type']}"
        if "rangelist" in key and value not in key["rangelist"]:
            yield f"{path}{name} is {value}, not one of {key['rangelist']}"
        limits = key.get("range", {})
        if limits and not limits.get("min", value) <= value <= limits.get("max", value):
            yield f"{path}{name} is {value}, out of {limits}"


def schema(name: str) -> list[dict[str, t.Any]]:
    keys: list[dict[str, t.Any]] = yaml.safe_load((SCHEMAS / f"{name}.yaml").read_text())["payloadkeys"]
    return keys


def test_the_judgement_by_schema_finds_mistakes() -> None:
    keys = [{"key": "A", "type": "<integer>", "presence": "required", "rangelist": [1]}]
    assert list(schema_problems({"B": 1}, keys)) == ["A is missing", "B is unknown"]
    assert next(schema_problems({"A": True}, keys)) == "A is bool, not <integer>"
    assert list(schema_problems({"A": 2}, keys)) == ["A is 2, not one of [1]"]


@given(data=st.data())
def test_every_payload_fits_apples_schemas(provider_options: ProviderOptions, data: st.DataObject) -> None:
    for profile in both(Provider.from_dict(data.draw(provider_options))):
        assert list(schema_problems(profile, schema("TopLevel"))) == []
        for payload in profile["PayloadContent"]:
            keys = [*schema(payload["PayloadType"]), *schema("CommonPayloadKeys")]
            assert list(schema_problems(payload, keys)) == []


@given(data=st.data())
def test_the_same_provider_gives_the_same_bytes(provider_options: ProviderOptions, data: st.DataObject) -> None:
    options = data.draw(provider_options)
    assert apple.render(Provider.from_dict(options), True) == apple.render(Provider.from_dict(options), True)


# -- choices ------------------------------------------------------------------------------------------------------------


def test_the_general_profile_leaves_out_what_is_personal() -> None:
    general, personal = both(make(caldav={"url": "https://dav.server.tld/%EMAILADDRESS%/"}))
    assert {key for key in personal["PayloadContent"][0] if key not in general["PayloadContent"][0]} == {
        "EmailAddress",
        "IncomingMailServerUsername",
        "OutgoingMailServerUsername",
    }
    assert {key for key in personal["PayloadContent"][1] if key not in general["PayloadContent"][1]} == {
        "CalDAVUsername",
        "CalDAVPrincipalURL",
    }
    assert [document.path for document in apple.render(make())] == ["mail/mail.mobileconfig"]


def test_imap_comes_before_pop3_and_implicit_tls_before_starttls() -> None:
    pop3 = {"type": "pop3", "hostname": "pop.server.tld"}
    starttls = {**IMAP, "port": 143}
    payload = mail(make(incoming=[pop3, starttls, IMAP], outgoing=[{**SMTP, "port": 587}, SMTP]))
    assert (payload["EmailAccountType"], payload["IncomingMailServerPortNumber"]) == ("EmailTypeIMAP", 993)
    assert payload["OutgoingMailServerPortNumber"] == 465
    assert mail(make(incoming=[pop3]))["EmailAccountType"] == "EmailTypePOP"


@pytest.mark.parametrize(("port", "secure"), [(993, True), (143, True)])
def test_tls_is_always_asked_for(port: int, secure: bool) -> None:
    assert mail(make(incoming=[{**IMAP, "port": port}]))["IncomingMailServerUseSSL"] is secure


def test_plain_connections_are_a_warning() -> None:
    provider = make(incoming=[{**IMAP, "port": 143, "socket_type": "plain"}])
    assert mail(provider)["IncomingMailServerUseSSL"] is False
    assert apple.render(provider)[0].warnings == ("imap: Apple Mail will send the password in the clear to port 143",)


@pytest.mark.parametrize(
    ("methods", "expected"),
    [
        (["OAuth2", "password-cleartext"], "EmailAuthPassword"),
        (["password-encrypted"], "EmailAuthCRAMMD5"),
        (["NTLM"], "EmailAuthNTLM"),
    ],
)
def test_the_first_method_that_apple_knows_is_taken(methods: list[str], expected: str) -> None:
    assert mail(make(incoming=[{**IMAP, "authentication": methods}]))["IncomingMailServerAuthentication"] == expected


def test_a_server_that_apple_cannot_log_in_to_has_no_profile() -> None:
    assert apple.render(make(incoming=[{**IMAP, "authentication": ["OAuth2"]}])) == ()
    assert apple.render(make(incoming=[{"type": "jmap", "url": "https://jmap.server.tld/"}])) == ()


def test_sending_without_a_password_asks_for_none() -> None:
    payload = mail(make(outgoing=[{**SMTP, "authentication": ["client-IP-address"]}]))
    assert payload["OutgoingMailServerAuthentication"] == "EmailAuthNone"
    assert not {"OutgoingMailServerUsername", "OutgoingPasswordSameAsIncomingPassword"} & set(payload)


def test_calendars_and_contacts() -> None:
    provider = make(caldav={"url": "http://%EMAILDOMAIN%/cal"}, carddav={"url": "https://dav.server.tld:8443"})
    general, personal = both(provider)
    assert [each["PayloadType"] for each in general["PayloadContent"]] == [
        "com.apple.mail.managed",
        "com.apple.caldav.account",
        "com.apple.carddav.account",
    ]
    calendar, contacts = general["PayloadContent"][1:]
    assert (calendar["CalDAVHostName"], calendar["CalDAVPort"], calendar["CalDAVUseSSL"]) == ("server.tld", 80, False)
    assert (contacts["CardDAVHostName"], contacts["CardDAVPort"], contacts["CardDAVUseSSL"]) == ("dav.server.tld", 8443, True)
    assert personal["PayloadContent"][1]["CalDAVHostName"] == "%EMAILDOMAIN%"


def test_the_administrators_texts() -> None:
    options = {
        "organization": "Server Ltd",
        "description": "Mail",
        "consent": [{"text": "Yes?"}, {"text": "Ja?", "lang": "de"}],
        "removal_disallowed": False,
        "removal_date": "2030-01-31",
    }
    for profile in both(make(profile=options)):
        assert profile["PayloadOrganization"] == "Server Ltd"
        assert profile["PayloadDescription"] == "Mail"
        assert profile["ConsentText"] == {"default": "Yes?", "de": "Ja?"}
        assert profile["PayloadRemovalDisallowed"] is False
        assert profile["RemovalDate"] == datetime.datetime(2030, 1, 31)
    assert both(make(display_name="Name"))[0]["PayloadOrganization"] == "Name"


def test_a_date_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match=r"profile\.removal_date: '2030-02-30' is not a date \(YYYY-MM-DD\)"):
        make(profile={"removal_date": "2030-02-30"})


def test_what_a_profile_cannot_say_is_a_warning() -> None:
    server = {"type": "imap", "hostname": "mail.%EMAILDOMAIN%", "username": "%REALNAME%"}
    (general,) = apple.render(make(domains=["server.tld", "other.tld"], incoming=[server]))
    assert general.warnings == (
        "imap: a profile without an address has mail.server.tld for the addresses of every domain",
        "imap: Apple Mail cannot be told %REALNAME%",
    )
