"""What the mail servers themselves say: asked at each address, as far as a client gets before it reads mail.

PRIVATE to the collection. :func:`probe` needs nothing but names; :func:`login` sends a password, only inside verified TLS, reads
no mail, sends none and changes none; :func:`judge` compares what was found with what is published, without the network.

``stream`` (bytes, bounded in time and size) -> ``dialogues`` (IMAP, POP3, SMTP, ManageSieve) -> ``probing``, ``logins`` ->
``facts`` -> ``judging``.
"""

from __future__ import annotations

from .facts import AddressFacts, LoginResult, Offer, ServerFacts
from .judging import judge, judge_login
from .logins import login
from .probing import probe

__all__ = ["AddressFacts", "LoginResult", "Offer", "ServerFacts", "judge", "judge_login", "login", "probe"]
