"""The table of logins as Lua reads it, under the Lua versions of Apache's mod_lua."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.documents import logins
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .conftest import Answer, Lua, Script

IDN = "xn--bcher-kva.example"
DOMAINS = ("server.tld", IDN)
DOCUMENTS = {
    "autodiscover": "<Autodiscover><LoginName>%EMAILLOGINADDRESS%</LoginName>%EMAILADDRESS%</Autodiscover>\n",
    "personal_autoconfig": "<clientConfig>%EMAILLOGINADDRESS% %EMAILLOGINLOCALPART% %EMAILADDRESS%</clientConfig>\n",
    "profile": "<plist>%EMAILLOGINLOCALPART%</plist>\n",
    "general_profile": "<plist/>\n",
}
LOGINS = {"jane.doe@server.tld": "jdoe", "info@xn--bcher-kva.example": "o'neil & söhne", "a@server.tld": "x" * 200}
LOCAL_PARTS = st.text("abcdefghij.+", min_size=1, max_size=12)
TEXTS = st.text("abcüß☃ %&", min_size=1, max_size=70).map(str.strip).filter(bool)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("logins")


@pytest.fixture(scope="module")
def script(lua: Lua, directory: Path) -> Script:
    return Script(lua, directory, DOMAINS, DOCUMENTS, logins=str(directory / "table"), profile_name="server.mobileconfig")


@pytest.fixture
def table(script: Script, directory: Path) -> Path:
    file = directory / "table"
    file.write_bytes(logins.table("Managed by Ansible", LOGINS))
    return file


def asked(script: Script, address: str) -> Answer:
    return script.call("autoconfig", uri="/mail/config-v1.1.xml", args=f"emailaddress={address}")


def config(login: str, local_part: str, address: str) -> bytes:
    return f"<clientConfig>{login} {local_part} {address}</clientConfig>\n".encode()


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("jane.doe@server.tld", config("jdoe", "jdoe", "jane.doe@server.tld")),
        ("Jane.DOE@Server.TLD", config("jdoe", "jdoe", "Jane.DOE@server.tld")),
        ("info@bücher.example", config("o&apos;neil &amp; söhne", "o&apos;neil &amp; söhne", "info@bücher.example")),
        (
            "info@xn--bcher-kva.example",
            config("o&apos;neil &amp; söhne", "o&apos;neil &amp; söhne", "info@xn--bcher-kva.example"),
        ),
        ("a@server.tld", config("x" * 200, "x" * 200, "a@server.tld")),
        ("jane@server.tld", config("jane@server.tld", "jane", "jane@server.tld")),
        (
            "jane.doe@xn--bcher-kva.example",
            config("jane.doe@xn--bcher-kva.example", "jane.doe", "jane.doe@xn--bcher-kva.example"),
        ),
    ],
)
def test_an_address_has_its_login_or_what_follows_from_it(script: Script, address: str, expected: bytes) -> None:
    answer = asked(script, address)
    assert (answer.returned, answer.content_type, answer.body) == (0, "text/xml; charset=utf-8", expected)


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize("query", ["", "emailaddress=", "emailaddress=jane.doe@elsewhere.tld", "emailaddress=%EMAILADDRESS%"])
def test_without_an_address_of_ours_apache_sends_the_plain_file(script: Script, query: str) -> None:
    assert script.call("autoconfig", uri="/mail/config-v1.1.xml", args=query).returned == -1


@pytest.mark.usefixtures("table")
def test_the_plain_file_is_left_to_apache_for_methods_that_it_refuses(script: Script) -> None:
    assert script.call("autoconfig", method="POST", args="emailaddress=jane.doe@server.tld").returned == -1


@pytest.mark.usefixtures("table")
def test_outlook_and_apple_get_the_login(script: Script) -> None:
    query = "email=jane.doe@server.tld"
    outlook = script.call("handle", uri="/autodiscover/autodiscover.xml", args=query)
    assert outlook.body == b"<Autodiscover><LoginName>jdoe</LoginName>jane.doe@server.tld</Autodiscover>\n"
    assert script.call("profile", uri="/mail.mobileconfig", args=query).body == b"<plist>jdoe</plist>\n"


@pytest.mark.usefixtures("table")
def test_who_asks_without_an_address_is_told_no_login(script: Script) -> None:
    assert script.call("handle", uri="/autodiscover/autodiscover.xml").body == b"<Autodiscover>%EMAILADDRESS%</Autodiscover>\n"


def test_a_new_table_counts_at_once(script: Script, table: Path) -> None:
    assert asked(script, "new@server.tld").body == config("new@server.tld", "new", "new@server.tld")
    table.write_bytes(logins.table("Managed by Ansible", {"new@server.tld": "n"}))
    assert asked(script, "new@server.tld").body == config("n", "n", "new@server.tld")
    assert asked(script, "jane.doe@server.tld").body == config("jane.doe@server.tld", "jane.doe", "jane.doe@server.tld")


def test_without_the_table_everybody_has_what_follows_from_the_address(script: Script, table: Path) -> None:
    table.unlink()
    answer = asked(script, "jane.doe@server.tld")
    assert answer.body == config("jane.doe@server.tld", "jane.doe", "jane.doe@server.tld")
    assert answer.log == [f"mail_autoconfig: {table} is missing or damaged"]


def test_a_table_that_was_cut_off_is_never_an_error(script: Script, table: Path) -> None:
    whole = table.read_bytes()
    right = {config("jdoe", "jdoe", "jane.doe@server.tld"), config("jane.doe@server.tld", "jane.doe", "jane.doe@server.tld")}
    for length in range(len(whole)):
        table.write_bytes(whole[:length])
        assert asked(script, "jane.doe@server.tld").body in right


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(LOCAL_PARTS, TEXTS, max_size=60), LOCAL_PARTS)
def test_every_login_is_found_and_no_other(script: Script, table: Path, known: dict[str, str], unknown: str) -> None:
    table.write_bytes(logins.table("x", {f"{user}@server.tld": login for user, login in known.items()}))
    for user in {*known, unknown}:
        login = known.get(user, f"{user}@server.tld").replace("&", "&amp;")
        answer = script.call("handle", uri="/autodiscover/autodiscover.xml", args=f"email={user.replace('+', '%2B')}@server.tld")
        assert answer.body.decode() == f"<Autodiscover><LoginName>{login}</LoginName>{user}@server.tld</Autodiscover>\n"


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_table_is_never_an_error(script: Script, table: Path, data: st.DataObject) -> None:
    content = bytearray(logins.table("x", LOGINS))
    for _number in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    table.write_bytes(content)
    ET.fromstring(asked(script, "jane.doe@server.tld").body)
