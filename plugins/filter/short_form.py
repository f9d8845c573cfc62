# Copyright (c) The mailops.autoconfig authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: short_form
short_description: The provider that a mail domain alone implies
version_added: 0.1.0
description:
  - Makes of the short form of the module M(mailops.autoconfig.mail_autoconfig) the provider that it stands for, for example as
    what M(mailops.autoconfig.mail_autoconfig_check) is to find.
author:
  - The mailops.autoconfig authors (@mailops)
positional: _input
options:
  _input:
    description: The mail domain, as O(mailops.autoconfig.mail_autoconfig#module:domain).
    type: str
    required: true
  mail_host:
    description: As O(mailops.autoconfig.mail_autoconfig#module:mail_host).
    type: str
  username:
    description: As O(mailops.autoconfig.mail_autoconfig#module:username).
    type: str
  pop3:
    description: As O(mailops.autoconfig.mail_autoconfig#module:pop3).
    type: bool
    default: false
  starttls:
    description: As O(mailops.autoconfig.mail_autoconfig#module:starttls).
    type: str
    choices: [none, outgoing, all]
    default: none
seealso:
  - module: mailops.autoconfig.mail_autoconfig
"""

EXAMPLES = r"""
- name: Check that mail clients find what is published
  mailops.autoconfig.mail_autoconfig_check:
    domains: [server.tld]
    providers:
      - "{{ 'server.tld' | mailops.autoconfig.short_form(starttls='outgoing') }}"
"""

RETURN = r"""
_value:
  description: An entry for O(mailops.autoconfig.mail_autoconfig#module:providers).
  type: dict
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input import settings
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input.model import default_provider
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input.reading import InputError


def short_form(domain: str, **wishes: t.Any) -> dict[str, t.Any]:
    """The filter."""
    try:
        settings.read({"domain": domain, **wishes})
    except InputError as exc:
        raise AnsibleFilterError(f"There is no such short form:\n{exc}") from exc
    return default_provider(domain, **wishes)


class FilterModule:
    """Ansible's way in."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """The filters by name."""
        return {"short_form": short_form}
