"""Deliver one alert: by webhook, e-mail or command. What goes wrong is told in a few words without a receiver's own.

Touches: network, processes, disk.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import smtplib
import socket
import ssl
import subprocess
import urllib.error
import urllib.request
from email.message import EmailMessage
from email.utils import formatdate
from typing import Any

from crawler.errors import UserError
from crawler.serve.alarms import Message, shown
from crawler.settings import AlertSettings, SmtpSettings

SIGNATURE = "X-Pacslake-Signature"


class UndeliveredError(Exception):
    """A message has not arrived; says why."""


def deliver(message: Message, alert: AlertSettings, smtp: SmtpSettings | None, version: str) -> None:
    """Deliver a message. UndeliveredError where that did not work."""
    said = {**shown(message), "version": version}
    try:
        if alert.webhook or alert.webhook_file:
            _post(said, alert)
        elif alert.email and smtp:
            _mail(said, alert, smtp)
        elif alert.command:
            _run(said, alert)
    except UserError as error:  # a secret that cannot be read
        raise UndeliveredError(str(error)) from None
    except TimeoutError:
        raise UndeliveredError("no answer in time") from None
    except ssl.SSLCertVerificationError:
        raise UndeliveredError("its certificate is not one that this machine trusts") from None
    except OSError as error:
        raise UndeliveredError(os.strerror(error.errno) if error.errno else type(error).__name__) from None


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows no redirection: what is signed for one address is not for another."""

    def redirect_request(self, *_: Any) -> None:
        """Give no request."""


def _post(said: Message, alert: AlertSettings) -> None:
    body = json.dumps(said).encode()
    headers = {"Content-Type": "application/json", "User-Agent": f"pacslake/{said['version']}"}
    if alert.secret_file:
        headers[SIGNATURE] = "sha256=" + hmac.new(alert.secret_file.read(), body, hashlib.sha256).hexdigest()
    request = urllib.request.Request(alert.address(), body, headers, method="POST")
    try:
        urllib.request.build_opener(_Stay).open(request, timeout=alert.timeout).close()
    except urllib.error.HTTPError as error:
        raise UndeliveredError(f"HTTP status {error.code}") from None
    except urllib.error.URLError as error:
        if isinstance(error.reason, OSError):
            raise error.reason from None
        raise UndeliveredError("the address leads nowhere") from None


def _mail(said: Message, alert: AlertSettings, smtp: SmtpSettings) -> None:
    here = socket.gethostname()
    mail = EmailMessage()
    mail["Subject"] = f"[pacslake] {said['text'].partition(';')[0]}"
    mail["From"] = smtp.sender or f"pacslake@{here}"
    mail["To"] = ", ".join(alert.email)
    mail["Date"] = formatdate()
    mail["Message-ID"] = f"<{said['id']}@{here}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content("\n".join([f"{said['text']}.", "", *(f"{name}: {said[name]}" for name in said if name != "text")]))
    kind = smtplib.SMTP_SSL if smtp.port == 465 else smtplib.SMTP
    try:
        # The machine's own name, since asking for its full one may take as long as all the rest.
        with kind(smtp.host, smtp.port, local_hostname=here, timeout=alert.timeout) as server:
            if smtp.starttls and smtp.port != 465:
                server.starttls(context=ssl.create_default_context())
            if smtp.username and smtp.password_file:
                server.login(smtp.username, smtp.password_file.read().decode())
            server.send_message(mail)
    except smtplib.SMTPAuthenticationError:
        raise UndeliveredError("the mail server refuses username or password") from None
    except smtplib.SMTPNotSupportedError:
        raise UndeliveredError("the mail server offers no TLS, or no login") from None
    except smtplib.SMTPResponseException as error:
        raise UndeliveredError(f"SMTP status {error.smtp_code}") from None
    except smtplib.SMTPRecipientsRefused:
        raise UndeliveredError("the mail server refuses all recipients") from None
    except smtplib.SMTPException as error:
        raise UndeliveredError(f"the mail server hung up ({type(error).__name__})") from None


def _run(said: Message, alert: AlertSettings) -> None:
    """Run a command without a limit in time: whoever waits for it ends it with all that it started."""
    line, nowhere = json.dumps(said).encode() + b"\n", subprocess.DEVNULL
    done = subprocess.run(alert.command or (), input=line, stdout=nowhere, stderr=nowhere)
    if done.returncode:
        raise UndeliveredError(f"exit code {done.returncode}")
