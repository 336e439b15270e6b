"""Alerts as they arrive: at a web server, a mail server and a command, and what is said when they do not."""

from __future__ import annotations

import asyncio
import email
import email.policy
import hashlib
import hmac
import json
import ssl
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import pytest

from crawler.secret import Secret
from crawler.serve.alarms import trial_message
from crawler.settings import AlertSettings, SmtpSettings
from jobs.deliver import Delivery, have_delivered
from tests.integration.alert_receivers import mail_server, webhook

MESSAGE = trial_message(1e9)
SHOWN = {
    "id": MESSAGE["id"],
    "alert": "test",
    "status": "test",
    "at": "2001-09-09T01:46:40Z",
    "text": "This is a test: alerts of pacslake arrive here",
    "version": version("pacslake"),
}


def told(alert: AlertSettings, smtp: SmtpSettings | None = None) -> str | None:
    return asyncio.run(have_delivered(Delivery(MESSAGE, alert, smtp)))


def test_a_webhook_gets_json_that_the_secret_signs() -> None:
    with webhook() as server:
        assert told(AlertSettings(webhook=server.url, secret_file=Secret(None, value="hush"))) is None
        assert told(AlertSettings(webhook=server.url)) is None
    (headers, body), (unsigned, _) = server.got
    assert json.loads(body) == SHOWN
    assert headers["Content-Type"] == "application/json"
    assert headers["X-Pacslake-Signature"] == "sha256=" + hmac.new(b"hush", body, hashlib.sha256).hexdigest()
    assert "X-Pacslake-Signature" not in unsigned


@pytest.mark.parametrize("status", [302, 404, 503])
def test_a_webhook_that_says_anything_but_yes_has_not_been_told(status: int) -> None:
    with webhook() as server:
        server.status = status
        assert told(AlertSettings(webhook=server.url)) == f"HTTP status {status}"
    assert len(server.got) == 1, "a redirection is not followed"


def test_why_a_webhook_was_not_told_is_said_without_its_address(tmp_path: Path) -> None:
    with webhook() as server:
        url = server.url
        lost = tmp_path / "lost"
        assert (
            told(AlertSettings(webhook=url, secret_file=Secret(lost)))
            == f"{lost} cannot be read: No such file or directory"
        )
    assert told(AlertSettings(webhook=url)) == "Connection refused"


def test_mail_arrives_with_all_that_the_message_says() -> None:
    with mail_server() as server:
        smtp = SmtpSettings(host="127.0.0.1", port=server.port, starttls=False, sender="lake@example.org")
        assert told(AlertSettings(email=("it@example.org", "pacs@example.org")), smtp) is None
    [(sender, recipients, text)] = server.mails
    assert sender.startswith("FROM:<lake@example.org>")
    assert recipients == ["TO:<it@example.org>", "TO:<pacs@example.org>"]
    mail = email.message_from_bytes(text, policy=email.policy.default)
    assert mail["Subject"] == "[pacslake] This is a test: alerts of pacslake arrive here"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert f"<{MESSAGE['id']}@" in mail["Message-ID"]
    for name in SHOWN.keys() - {"text"}:
        assert f"{name}: {SHOWN[name]}" in mail.get_content()


def test_mail_is_not_sent_where_the_server_offers_no_tls_or_takes_nobody() -> None:
    with mail_server() as server:
        private = SmtpSettings(host="127.0.0.1", port=server.port)
        assert told(AlertSettings(email=("it@example.org",)), private) == "the mail server offers no TLS, or no login"
        open_one = SmtpSettings(host="127.0.0.1", port=server.port, starttls=False)
        assert told(AlertSettings(email=("it@refused",)), open_one) == "the mail server refuses all recipients"
    assert not server.mails


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, ssl.SSLContext]:
    key, file = tmp_path / "key.pem", tmp_path / "certificate.pem"
    words = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1"
    subprocess.run([*words.split(), "-keyout", key, "-out", file], check=True, capture_output=True)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(file, key)
    return file, tls


def test_tls_is_spoken_with_those_alone_whom_this_machine_trusts(
    certificate: tuple[Path, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    file, tls = certificate
    mail = AlertSettings(email=("it@example.org",))
    with webhook(tls) as hook, mail_server(tls) as server:

        def by(password: str) -> SmtpSettings:
            hidden = Secret(None, value=password)
            return SmtpSettings(host="127.0.0.1", port=server.port, username="pacslake", password_file=hidden)

        strange = "its certificate is not one that this machine trusts"
        assert told(AlertSettings(webhook=hook.url)) == told(mail, by("hush")) == strange
        assert not hook.got
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
        assert told(AlertSettings(webhook=hook.url)) is None
        assert told(mail, by("hush")) is None
        assert told(mail, by("loud")) == "the mail server refuses username or password"
    assert len(server.mails) == len(hook.got) == 1


def test_a_command_reads_the_message_and_its_words_are_no_shells(tmp_path: Path) -> None:
    program = "import sys; open(sys.argv[1], 'w').write(sys.stdin.read()); print('heard'); sys.exit(len(sys.argv) - 2)"
    words = (sys.executable, "-c", program, str(tmp_path / "heard; rm -rf $HOME"))
    assert told(AlertSettings(command=words)) is None
    assert json.loads((tmp_path / "heard; rm -rf $HOME").read_text()) == SHOWN
    assert told(AlertSettings(command=(*words, "3"))) == "exit code 1"
    assert told(AlertSettings(command=("/no/such/program",))) == "No such file or directory"


def test_who_does_not_answer_is_not_waited_for_and_what_was_started_is_ended(tmp_path: Path) -> None:
    left = tmp_path / "left"
    endless = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {_writes_later(left)!r}])"
    with webhook() as server:
        server.hangs.set()
        assert told(AlertSettings(webhook=server.url, timeout=0.3)) == "no answer in time"
    assert told(AlertSettings(command=(sys.executable, "-c", endless), timeout=0.1)) == "no answer in time"
    time.sleep(2)
    assert not left.exists()


def _writes_later(file: Path) -> str:
    return f"import time; time.sleep(6); open({str(file)!r}, 'w')"
