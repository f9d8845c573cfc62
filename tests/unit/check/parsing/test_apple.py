"""What a configuration profile says."""

from __future__ import annotations

import plistlib
from typing import Any

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_check.parsing import DocumentError, apple


def profile(**mail: Any) -> bytes:
    """One with one account."""
    content = [{"PayloadType": "com.apple.mail.managed", "EmailAccountType": "EmailTypeIMAP", **mail}]
    return plistlib.dumps({"PayloadType": "Configuration", "PayloadContent": content})


@pytest.mark.parametrize(
    ("mail", "expected"), [({}, False), ({"IncomingPassword": "secret"}, True), ({"OutgoingPassword": "secret"}, True)]
)
def test_a_password_in_it_is_told(mail: dict[str, str], expected: bool) -> None:
    assert apple.read(profile(**mail)).has_password is expected


def test_another_property_list_is_no_profile() -> None:
    with pytest.raises(DocumentError) as caught:
        apple.read(plistlib.dumps({"PayloadType": "com.apple.mail.managed"}))
    assert caught.value.code == "wrong_root"
