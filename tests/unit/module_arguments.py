"""Options for a module that a test makes in its own process."""

from __future__ import annotations

import contextlib
import json
import typing as t
from unittest import mock

from ansible.module_utils import basic


@contextlib.contextmanager
def module_arguments(options: dict[str, t.Any]) -> t.Iterator[None]:
    """Within it, AnsibleModule finds these options instead of reading its input."""
    try:
        from ansible.module_utils.testing import patch_module_args
    except ImportError:  # ansible-core 2.18 and older
        content = json.dumps({"ANSIBLE_MODULE_ARGS": options}).encode()
        with mock.patch.object(basic, "_ANSIBLE_ARGS", content):
            yield
    else:
        with patch_module_args(options):
            yield
