"""Reading plain values: what passes, what it becomes, and what is said of the rest."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input import reading
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input.reading import Fields, InputError
from hypothesis import given
from hypothesis import strategies as st

NOT_HOST_NAMES = {
    "nothing": "",
    "dot": ".",
    "two dots": "..",
    "empty label": "mail..tld",
    "leading dot": ".server.tld",
    "blank inside": "mail server.tld",
    "blank before": " server.tld",
    "line break at the end": "server.tld\n",
    "line break inside": "server\n.tld",
    "double quote": 'server".tld',
    "single quote": "server'.tld",
    "backslash": "server\\.tld",
    "slash": "server/.tld",
    "shell": "$(id).tld",
    "variable": "${HOST}.tld",
    "markup": "<b>.tld",
    "underscore": "_dmarc.server.tld",
    "leading hyphen": "-mail.server.tld",
    "trailing hyphen": "mail-.server.tld",
    "label of 64": "a" * 64 + ".tld",
    "254 characters": ".".join(["a" * 49] * 5) + ".abcd",
    "IPv4": "192.0.2.1",
    "IPv6": "2001:db8::1",
    "number": "12345",
    "wildcard": "*.server.tld",
    "port": "mail.server.tld:993",
    "placeholder": "%EMAILDOMAIN%",
    "null": "server\x00.tld",
}


@pytest.mark.parametrize("value", NOT_HOST_NAMES.values(), ids=NOT_HOST_NAMES.keys())
def test_a_text_that_is_no_host_name_is_refused_and_shown(value: str) -> None:
    with pytest.raises(ValueError, match=r"is not a host name|is an IP address") as error:
        reading.hostname(value)
    assert reading.shown(value) in str(error.value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("server.tld", "server.tld"),
        ("Mail.Server.TLD", "mail.server.tld"),
        ("server.tld.", "server.tld"),
        ("localhost", "localhost"),
        ("a" * 63 + ".tld", "a" * 63 + ".tld"),
        (".".join(["a" * 49] * 5) + ".abc", ".".join(["a" * 49] * 5) + ".abc"),
        ("1und1.example", "1und1.example"),
        ("xn--mller-kva.example", "xn--mller-kva.example"),
        ("müller.example", "xn--mller-kva.example"),
        ("MÜLLER.example", "xn--mller-kva.example"),
        ("例え.テスト", "xn--r8jz45g.xn--zckzah"),
    ],
)
def test_a_host_name_becomes_lower_case_ascii(value: str, expected: str) -> None:
    assert reading.hostname(value) == expected


@pytest.mark.parametrize("value", ["straße.example", "φίλος.example", "a\u200cb.example", "a\u200db.example"])
def test_letters_that_the_two_idna_read_differently_are_refused_with_the_way_out(value: str) -> None:
    with pytest.raises(ValueError, match="write its xn-- form"):
        reading.hostname(value)


@given(st.text(max_size=30))
def test_what_passes_as_a_host_name_is_one_and_stays_the_same(value: str) -> None:
    try:
        name = reading.hostname(value)
    except ValueError:
        return
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-.")
    assert reading.hostname(name) == name


@pytest.mark.parametrize("value", ["%EMAILDOMAIN%", "mail.%EMAILDOMAIN%", "%EMAILDOMAIN%.hosting.example"])
def test_the_mail_domain_may_stand_for_labels_of_a_servers_name(value: str) -> None:
    assert reading.server_hostname(value) == value


@pytest.mark.parametrize("value", ["%EMAILADDRESS%", "%emaildomain%", "%EMAILDOMAIN", "%EMAILLOCALPART%.server.tld"])
def test_other_placeholders_in_a_servers_name_are_refused(value: str) -> None:
    with pytest.raises(ValueError, match="is not a host name"):
        reading.server_hostname(value)


@pytest.mark.parametrize("value", ["%EMAILDOMAIN%ü.example", "emaildomain-placeholder.example"])
def test_a_servers_name_without_the_placeholder_does_not_get_it_nor_loses_it(value: str) -> None:
    try:
        name = reading.server_hostname(value)
    except ValueError:
        return
    assert name.replace("%EMAILDOMAIN%", "x") == reading.hostname(value.replace("%EMAILDOMAIN%", "x"))


@pytest.mark.parametrize(
    "value",
    [
        "https://server.tld/",
        "http://server.tld:8080/path?a=b&c=%EMAILADDRESS%#top",
        "  https://server.tld/with-blanks-around  ",
        "https://müller.example/",
        "HTTPS://server.tld/",
    ],
)
def test_a_url_passes_without_the_blanks_around_it(value: str) -> None:
    assert reading.url(value) == value.strip()


@pytest.mark.parametrize(
    "value",
    [
        "",
        "server.tld",
        "/path",
        "//server.tld/",
        "https://",
        "https:///path",
        "ftp://server.tld/",
        "javascript:alert(1)",
        "file:///etc/passwd",
        "https://server.tld/a b",
        "https://server.tld/a\nb",
        "https://server.tld/\x00",
        "https://[::1/",
    ],
)
def test_a_text_that_is_no_web_address_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="is not a URL"):
        reading.url(value)


@pytest.mark.parametrize("value", ["https://server.tld:99999/", "https://server.tld:mail/", "https://server.tld:0/"])
def test_a_web_address_with_an_impossible_port_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="is not a URL"):
        reading.url(value)


def test_blanks_and_line_breaks_of_a_text_become_one_blank() -> None:
    assert reading.text_line("  Mail\tof\r\n the   house ") == "Mail of the house"


@pytest.mark.parametrize("char", ["\x00", "\x08", "\x1b", "\x7f", "\x85", "\ud800", "\ufffe", "\uffff"])
def test_a_text_with_what_xml_cannot_carry_is_refused(char: str) -> None:
    with pytest.raises(ValueError, match="contains control characters"):
        reading.text_line(f"Mail{char}")


def test_an_unknown_word_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="'TLS' is unknown; allowed are SSL, STARTTLS"):
        reading.one_of("SSL", "STARTTLS")("TLS")


@pytest.mark.parametrize(
    ("value", "hint"),
    [("ssl", "SSL"), ("StartTLS", "STARTTLS"), ("STARTLS", "STARTTLS"), ("TLS", "either of them"), ("quantum", "")],
)
def test_an_unknown_word_is_answered_with_what_was_meant(value: str, hint: str) -> None:
    with pytest.raises(ValueError, match="is unknown") as error:
        reading.one_of("SSL", "STARTTLS", hints={"tls": "either of them"})(value)
    meant = f" (did you mean {hint}?)" if hint else ""
    assert str(error.value) == f"'{value}' is unknown{meant}; allowed are SSL, STARTTLS"


@pytest.mark.parametrize("value", ["https://server.tld/%EMAIL%", "https://server.tld/?user=%EMAILADDRESS"])
def test_a_web_address_with_a_placeholder_of_nobody_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="has a placeholder that no client fills in; allowed are %EMAILADDRESS%"):
        reading.url(value)


def test_a_private_key_is_not_shown_in_the_place_of_something_else() -> None:
    assert "MII" not in reading.shown(["-----BEGIN PRIVATE KEY-----\nMII"])


def test_a_value_is_shown_on_one_line_and_shortened() -> None:
    assert reading.shown("a\nb") == r"'a\nb'"
    assert len(reading.shown("x" * 1000)) == 80


# -- mappings -----------------------------------------------------------------------------------------------------------


def read(value: t.Any, use: t.Callable[[Fields], t.Any]) -> tuple[t.Any, list[str]]:
    """What reading gives, and the problems."""
    problems: list[str] = []
    fields = Fields(value, "here", problems)
    return use(fields), problems


@pytest.mark.parametrize("value", [{}, {"key": None}, {"key": ""}])
def test_an_absent_an_empty_and_a_null_text_are_the_same(value: dict[str, t.Any]) -> None:
    assert read(value, lambda fields: fields.text("key", default="usual")) == ("usual", [])
    assert read(value, lambda fields: fields.text("key", required=True)) == ("", ["here.key: is required"])
    assert read(value, lambda fields: fields.given("key")) == (False, [])


def test_a_text_of_blanks_counts_as_absent() -> None:
    assert read({"key": " \n "}, lambda fields: fields.text("key", default="usual")) == ("usual", [])
    assert read({"key": "  "}, lambda fields: fields.text("key", required=True)) == ("", ["here.key: is required"])


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (12, ": without quotes it is a number; put it in quotes"),
        (1.1, ": without quotes it is a number; put it in quotes"),
        (False, ": without quotes, yes, no, on and off are true and false in YAML; put it in quotes"),
        (["a"], ""),
        ({"a": 1}, ""),
    ],
)
def test_what_is_no_string_is_not_turned_into_one(value: t.Any, reason: str) -> None:
    """The language `no` is false in YAML, 010 is 8, and 1.10 is 1.1."""
    assert read({"key": value}, lambda fields: fields.text("key")) == ("", [f"here.key: {value!r} is not a string{reason}"])
    problems = read({"key": ["a.tld", value]}, lambda fields: fields.texts("key"))[1]
    assert problems == [f"here.key[1]: {value!r} is not a string{reason}"]


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (0, "here.port: 0 is not a port (1 to 65535)"),
        (-1, "here.port: -1 is not a port (1 to 65535)"),
        (65536, "here.port: 65536 is not a port (1 to 65535)"),
        (99999, "here.port: 99999 is not a port (1 to 65535)"),
        ("99999", "here.port: 99999 is not a port (1 to 65535)"),
        ("imap", "here.port: 'imap' is not a port (1 to 65535)"),
        ("9 93", "here.port: '9 93' is not a port (1 to 65535)"),
        ("٩٩٣", "here.port: '٩٩٣' is not a port (1 to 65535)"),
        ("1" * 30, f"here.port: '{'1' * 30}' is not a port (1 to 65535)"),
        (993.0, "here.port: 993.0 is not a port (1 to 65535)"),
        (True, "here.port: True is not a port (1 to 65535)"),
    ],
)
def test_what_is_no_port_is_refused_with_the_range(value: t.Any, problem: str) -> None:
    assert read({"port": value}, lambda fields: fields.port("port", 7)) == (7, [problem])


@pytest.mark.parametrize(("value", "expected"), [(1, 1), (65535, 65535), ("993", 993), (None, 7)])
def test_a_port_is_a_number_or_digits(value: t.Any, expected: int) -> None:
    assert read({"port": value}, lambda fields: fields.port("port", 7)) == (expected, [])


@pytest.mark.parametrize("value", ["yes", "true", 1, "no"])
def test_a_truth_value_is_not_guessed(value: t.Any) -> None:
    result = read({"key": value}, lambda fields: fields.boolean("key"))
    assert result == (False, [f"here.key: {value!r} is not true or false"])


@pytest.mark.parametrize("value", [True, False])
def test_a_truth_value_is_read_as_it_is(value: bool) -> None:
    assert read({"key": value}, lambda fields: fields.boolean("key", None)) == (value, [])


def test_a_list_of_texts_keeps_its_order_and_names_each_wrong_entry() -> None:
    values, problems = read(
        {"hosts": ["b.tld", "not a host", "a.tld", "B.tld", 5]}, lambda fields: fields.texts("hosts", reading.hostname)
    )
    assert values == ("b.tld", "a.tld")
    assert [problem.partition(": ")[0] for problem in problems] == ["here.hosts[1]", "here.hosts[3]", "here.hosts[4]"]
    assert problems[1] == "here.hosts[3]: 'B.tld' is listed twice"


@pytest.mark.parametrize("value", [None, []])
def test_a_required_list_must_have_an_entry(value: t.Any) -> None:
    result = read({"hosts": value}, lambda fields: fields.texts("hosts", required=True))
    assert result == ((), ["here.hosts: at least one entry is needed"])


@pytest.mark.parametrize("value", ["a.tld", {"a": 1}, 3])
def test_what_is_no_list_is_refused(value: t.Any) -> None:
    problem = f"here.key: {value!r} is not a list; put a single entry into [ ]"
    assert read({"key": value}, lambda fields: fields.texts("key"))[1] == [problem]
    assert read({"key": value}, lambda fields: fields.mappings("key"))[1] == [problem]


def test_what_is_no_mapping_is_refused_where_it_stands() -> None:
    assert read([1], lambda fields: None)[1] == ["here: [1] is not a mapping of options"]
    assert read({"key": "x"}, lambda fields: fields.mapping("key"))[1] == ["here.key: 'x' is not a mapping of options"]
    problems = read({"key": [{}, 7]}, lambda fields: fields.mappings("key"))[1]
    assert problems == ["here.key[1]: 7 is not a mapping of options"]


def test_paths_lead_through_lists_and_mappings() -> None:
    value = {"outer": [{}, {"inner": {"port": 0}}]}

    def use(fields: Fields) -> None:
        inner = fields.mappings("outer")[1].mapping("inner")
        assert inner is not None
        inner.port("port")

    assert read(value, use)[1] == ["here.outer[1].inner.port: 0 is not a port (1 to 65535)"]


def test_a_field_that_nobody_reads_is_reported_with_the_known_ones() -> None:
    def use(fields: Fields) -> None:
        fields.text("host")
        fields.port("port")
        fields.close()

    problems = read({"hots": "x", "port": 1, "Host": "y", "password": "z"}, use)[1]
    assert problems == [
        "here.Host: is unknown (did you mean host?); allowed are host, port",
        "here.hots: is unknown (did you mean host?); allowed are host, port",
        "here.password: is unknown; allowed are host, port",
    ]


def test_a_refused_input_says_all_that_is_wrong() -> None:
    error = InputError(["a: is required", "b: is required"])
    assert error.problems == ("a: is required", "b: is required")
    assert str(error) == "a: is required\nb: is required"


def test_a_message_of_very_many_mistakes_ends() -> None:
    error = reading.InputError(f"a[{number}]: is wrong" for number in range(102))
    assert str(error).splitlines()[-2:] == ["a[99]: is wrong", "... and 2 more, which the result has in problems"]
    assert len(error.problems) == 102
    assert str(reading.InputError(error.problems[:100])).splitlines() == list(error.problems[:100])


def test_half_a_character_is_a_mistake_wherever_a_string_is_read() -> None:
    problems: list[str] = []
    assert Fields({"html": "a\ud800"}, "page", problems).text("html", str) == ""
    assert problems == ["page.html: 'a\\ud800' contains half of a character (a lone surrogate)"]
