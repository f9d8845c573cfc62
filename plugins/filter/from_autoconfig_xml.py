# Copyright (c) The mailops.autoconfig authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: from_autoconfig_xml
short_description: Read an existing autoconfiguration file as a provider
version_added: 0.1.0
description:
  - Turns the text of a C(config-v1.1.xml) (or of a file of Mozilla's ISPDB) into an entry of C(providers), so that
    settings that are published already can be carried over.
  - What the file says and no client reads, or what must not be published (a password), is left out with a warning.
author:
  - The mailops.autoconfig authors (@mailops)
positional: _input
options:
  _input:
    description: The text of the file.
    type: str
    required: true
seealso:
  - module: mailops.autoconfig.mail_autoconfig
"""

EXAMPLES = r"""
- name: Publish what an old file said
  mailops.autoconfig.mail_autoconfig:
    providers:
      - "{{ lookup('ansible.builtin.file', 'config-v1.1.xml') | mailops.autoconfig.from_autoconfig_xml }}"
"""

RETURN = r"""
_value:
  description: An entry for the option O(mailops.autoconfig.mail_autoconfig#module:providers).
  type: dict
"""

import typing as t

from ansible.errors import AnsibleFilterError
from ansible.utils.display import Display

from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.documents import thunderbird_import
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input.reading import InputError


def from_autoconfig_xml(text: str) -> dict[str, t.Any]:
    """The filter."""
    try:
        imported = thunderbird_import.read(text)
    except InputError as exc:
        raise AnsibleFilterError(f"The autoconfiguration file cannot be used:\n{exc}") from exc
    for note in imported.notes:
        Display().warning(f"{imported.provider.id}: {note}")
    return imported.provider.to_dict()


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"from_autoconfig_xml": from_autoconfig_xml}
