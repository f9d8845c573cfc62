"""The responder: a script for Apache's mod_lua that answers Outlook personally, without a process of our own.

PRIVATE to the collection. The script finds the mail address in a request, validates it, fills it into the document on disk
and answers. It keeps nothing between requests, opens no file that a request names, and looks no mailbox up. One script a
provider: a table of values (``config``) before a body that is the same for all (``script``). Protocols: Autodiscover for
Exchange, "Autodiscover request (POX)" and "Error (POX)"; for the JSON form, what Outlook was seen to ask and what mailcow,
Stalwart and gromox answer. It fills Apple's profile and the setup page likewise, and judges what a signing filter made of a
profile.
"""

from __future__ import annotations

from .config import DOCUMENT, MARK, POLICY, RESPONDER, Answers, script

__all__ = ["DOCUMENT", "MARK", "POLICY", "RESPONDER", "Answers", "script"]
