"""`[alerts.NAME]` and `[smtp]`: what is refused, in which words, and what people get to see."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from crawler.errors import UserError
from crawler.model import Trouble
from crawler.settings import load

EXAMPLE = Path(__file__).parents[2] / "config" / "pacslake.example.toml"
LAKE = "[lake]\npath = 'lake'\n"
SMTP = "[smtp]\nhost = 'mail.example.org'\n"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[alerts.a]\n", "alerts.a must have one of webhook, webhook_file, email and command"),
        (
            "[alerts.a]\nwebhook = 'https://x'\ncommand = ['/bin/x']\n",
            "must have one of webhook, webhook_file, email and command",
        ),
        ("[alerts.a]\nwebhook = 'ftp://x'\n", "alerts.a.webhook must be an address as 'https://"),
        ("[alerts.a]\nwebhook = 'https://me:word@x/'\n", "without user and password"),
        (
            "[alerts.a]\ncommand = ['/bin/x']\nsecret_file = 's'\n",
            "must have a webhook, whose messages the secret signs",
        ),
        ("[alerts.a]\ncommand = ['logger -t x']\n", "alerts.a.command must begin with the whole path of a program"),
        ("[alerts.a]\ncommand = 'logger'\n", "alerts.a.command must be a list"),
        ("[alerts.a]\nemail = ['nobody']\n", "alerts.a.email[0] must be an e-mail address, as 'it@example.org'"),
        ("[alerts.a]\nemail = ['a@b\\nBcc: c@d']\n", "must be an e-mail address"),
        ("[alerts.a]\nemail = ['a@b']\n", "alerts.a.email needs a section [smtp] that says by which server"),
        ("[alerts.a]\ncommand = ['/bin/x']\non = ['fire']\n", "alerts.a.on[0] must be 'job_failed', 'sweep_partial'"),
        ("[alerts.a]\ncomand = ['/bin/x']\n", "alerts.a.comand is not a known key; did you mean 'command'?"),
        ("[alerts.'a b']\ncommand = ['/bin/x']\n", "a name has letters, digits, - and _ only"),
        (f"{SMTP}username = 'u'\n", "smtp must have both username and password_file, or neither"),
        (
            f"{SMTP}username = 'u'\npassword_file = 'p'\nstarttls = false\n",
            "smtp must not send a password in the clear: leave starttls = false out",
        ),
    ],
)
def test_a_mistake_is_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    file = tmp_path / "pacslake.toml"
    file.write_text(LAKE + text)
    with pytest.raises(UserError) as caught:
        load(file)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_examples_are_right_and_show_the_defaults(tmp_path: Path) -> None:
    file = tmp_path / "pacslake.toml"
    text = EXAMPLE.read_text()
    block = text[text.index("# [alerts.team]") : text.index("# Further attributes")]
    file.write_text(LAKE + re.sub(r"^# (?=\w+ = |\[)", "", block, flags=re.MULTILINE))
    settings = load(file)
    assert list(settings.alerts) == ["team", "chat", "mail", "syslog"]
    team, mail = settings.alerts["team"], settings.alerts["mail"]
    assert (team.on, team.timeout, team.max_per_hour) == (mail.on, mail.timeout, mail.max_per_hour)
    assert team.on == tuple(Trouble)
    assert [alert.way for alert in settings.alerts.values()] == [
        "webhook at alerts.example.org",
        "webhook in the credential chat-webhook",
        "e-mail to it@example.org",
        "command /usr/bin/logger",
    ]
