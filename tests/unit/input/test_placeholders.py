"""User names: which placeholders clients fill in, and what only looks like one."""

from __future__ import annotations

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input.placeholders import KNOWN, user_name
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    "name",
    [
        "%EMAILADDRESS%",
        "%EMAILLOCALPART%",
        "%EMAILLOCALPART%.%EMAILDOMAIN%",
        # user%domain, the login name of older servers
        "%EMAILLOCALPART%%%EMAILDOMAIN%",
        "mail-%REALNAME%",
        "anna",
        "anna%server.tld",
        "anna%domain.tld",
        "100%",
    ],
)
def test_a_user_name_that_clients_can_fill_in_passes(name: str) -> None:
    assert user_name()(name) == name


@pytest.mark.parametrize(
    ("name", "found", "meant"),
    [
        ("%EMAIL%", "%EMAIL%", "%EMAILADDRESS%"),
        ("%emailaddress%", "%emailaddress%", "%EMAILADDRESS%"),
        ("%EMAILADRESS%", "%EMAILADRESS%", "%EMAILADDRESS%"),
        ("%EMAILADDRESS", "%EMAILADDRESS", "%EMAILADDRESS%"),
        ("EMAILADDRESS%", "EMAILADDRESS%", "%EMAILADDRESS%"),
        ("%EMAILLOCAL%", "%EMAILLOCAL%", "%EMAILLOCALPART%"),
        ("%USER%", "%USER%", "%EMAILLOCALPART%"),
        ("%EMAILLOCALPART%@%DOMAIN%", "%DOMAIN%", "%EMAILDOMAIN%"),
        # Dovecot's
        ("%u", "%u", "%EMAILADDRESS%"),
        ("%n@%d", "%n", "%EMAILLOCALPART%"),
        ("%Ln", "%Ln", "%EMAILLOCALPART%"),
        ("%{user}", "%{user}", "%EMAILLOCALPART%"),
    ],
)
def test_what_only_looks_like_a_placeholder_is_refused_with_what_was_meant(name: str, found: str, meant: str) -> None:
    with pytest.raises(ValueError, match="is no placeholder") as error:
        user_name()(name)
    assert f"{found} is no placeholder that clients fill in (did you mean {meant}?); allowed are " in str(error.value)


def test_the_keys_of_input_fields_are_placeholders_too() -> None:
    assert user_name(["CUSTOMER"])("%CUSTOMER%-%EMAILLOCALPART%") == "%CUSTOMER%-%EMAILLOCALPART%"
    with pytest.raises(ValueError, match=r"%CUSTOMERS% is no .* \(did you mean %CUSTOMER%\?\); allowed are .*%CUSTOMER%$"):
        user_name(["CUSTOMER"])("%CUSTOMERS%")


@given(st.lists(st.sampled_from([*(f"%{name}%" for name in KNOWN), ".", "-", "@", "+", "a"]), min_size=1))
def test_any_mixture_of_known_placeholders_passes(parts: list[str]) -> None:
    name = "".join(parts)
    assert user_name()(name) == name
