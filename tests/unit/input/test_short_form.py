"""The filter that makes a provider of the short form."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.mailops.autoconfig.plugins.filter import short_form as plugin
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input import settings


@pytest.mark.parametrize(
    "wishes", [{}, {"mail_host": "mx.tld", "username": "%EMAILLOCALPART%", "pop3": True, "starttls": "all"}, {"mail_host": ""}]
)
def test_the_provider_means_the_same_as_the_short_form(wishes: dict[str, object]) -> None:
    provider = plugin.short_form("server.tld", **wishes)
    assert settings.read({"providers": [provider]}).providers == settings.read({"domain": "server.tld", **wishes}).providers


def test_what_is_no_short_form_is_refused() -> None:
    with pytest.raises(AnsibleFilterError, match="username: '%u': %u is no placeholder"):
        plugin.short_form("server.tld", username="%u")
    assert set(plugin.FilterModule().filters()) == {"short_form"}
