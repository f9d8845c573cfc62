"""What a configuration profile says."""

from __future__ import annotations

import plistlib
from typing import Any

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_check.parsing import (
    LARGEST,
    DocumentError,
    apple,
)


def profile(**mail: Any) -> bytes:
    """One with one account."""
    content = [{"PayloadType": "com.apple.mail.managed", "EmailAccountType": "EmailTypeIMAP", **mail}]
    return plistlib.dumps({"PayloadType": "Configuration", "PayloadContent": content})


@pytest.mark.parametrize(
    ("mail", "expected"), [({}, False), ({"IncomingPassword": "secret"}, True), ({"OutgoingPassword": "secret"}, True)]
)
def test_a_password_in_it_is_told(mail: dict[str, str], expected: bool) -> None:
    assert apple.read(profile(**mail)).has_password is expected


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b" " * (LARGEST + 1), "too_large"),
        (b" \n", "empty"),
        (b"<html><body/></html>", "html"),
        (b"\x30\x03\x02\x01\x01", "not_signed"),
        (b"<plist><dict>", "not_xml"),
        (b"<plist><dict><key>a</key></dict></plist>", "not_plist"),
        (plistlib.dumps([]), "wrong_root"),
        (plistlib.dumps({"PayloadType": "com.apple.mail.managed"}), "wrong_root"),
    ],
)
def test_what_is_no_profile_has_a_problem_of_its_kind(data: bytes, code: str) -> None:
    with pytest.raises(DocumentError) as caught:
        apple.read(data)
    assert caught.value.code == code
