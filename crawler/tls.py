"""TLS as BCP 195 has it (RFC 8996, RFC 9325; PS3.15 B.12): 1.3, or 1.2 with forward secrecy and AEAD; never less.

What goes wrong becomes a reason, and what to do about it. Touches: disk, clock.
"""

from __future__ import annotations

import ssl
import stat
from collections.abc import Mapping
from datetime import UTC, datetime

from crawler.certificates import X509
from crawler.errors import UserError
from crawler.identity import NamedFile, TlsCall, TlsIdentity, TlsListen
from crawler.secret import Secret

_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20:@SECLEVEL=2"
"""Of TLS 1.2 (RFC 9325 4.2), RSA keys of 2048 bits and more, no SHA-1; those of 1.3 are all of this kind."""

_OLD = "speaks TLS 1.1 or older alone, which is broken: have TLS 1.2 or 1.3 enabled there"
_NOT_OURS = "does not accept our certificate: have its CA, or the certificate, entered there as trusted"
_WANTED = "wants a certificate of ours: set {certificate} to one that it accepts"
_NO_TLS = "does not speak TLS at this port: {plain}"
_UNKNOWN = "shows a certificate that nobody signed whom we trust: {unknown}"
_WEAK = "shows a certificate that is too weak (RSA below 2048 bits, or SHA-1): have it renewed there"

_BY_CODE = {
    2: _UNKNOWN,
    9: "shows a certificate that is not valid yet: compare the clocks there and here",
    10: "shows a certificate that has expired: have it renewed there",
    18: _UNKNOWN,
    19: _UNKNOWN,
    20: _UNKNOWN,
    21: _UNKNOWN,
    62: "shows a certificate for another host: {host}",
    64: "shows a certificate for another host: {host}",
    66: _WEAK,
    67: _WEAK,
    68: _WEAK,
}
"""By the result of verifying a certificate (X509_V_ERR of OpenSSL's x509_vfy.h)."""

_BY_REASON = {
    "UNSUPPORTED_PROTOCOL": _OLD,
    "TLSV1_ALERT_PROTOCOL_VERSION": _OLD,
    "NO_PROTOCOLS_AVAILABLE": _OLD,
    "VERSION_TOO_LOW": _OLD,
    "NO_SHARED_CIPHER": "offers no cipher that is safe: have ECDHE with AES-GCM enabled there",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "broke off: it wants a certificate ({certificate}), or a cipher that is not safe",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": _WANTED,
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "shows no certificate: have one entered there that is signed by {trust}",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "says that our certificate has expired: renew {certificate}",
    "TLSV1_ALERT_UNKNOWN_CA": _NOT_OURS,
    "SSLV3_ALERT_BAD_CERTIFICATE": _NOT_OURS,
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": _NOT_OURS,
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": _NOT_OURS,
    "SSLV3_ALERT_CERTIFICATE_REVOKED": _NOT_OURS,
    "TLSV1_ALERT_ACCESS_DENIED": _NOT_OURS,
    "TLSV1_ALERT_DECRYPT_ERROR": _NOT_OURS,
    "WRONG_VERSION_NUMBER": _NO_TLS,
    "RECORD_LAYER_FAILURE": _NO_TLS,
    "HTTP_REQUEST": _NO_TLS,
    "UNEXPECTED_EOF_WHILE_READING": _NO_TLS,
    "EE_KEY_TOO_SMALL": _WEAK,
    "CA_KEY_TOO_SMALL": _WEAK,
    "CA_MD_TOO_WEAK": _WEAK,
    "DH_KEY_TOO_SMALL": _WEAK,
}
"""By OpenSSL's name for what went wrong, where that is no certificate."""


def calling(call: TlsCall) -> ssl.SSLContext:
    """Make what a PACS is called with. UserError where a file is not what it should be."""
    context = _context(ssl.PROTOCOL_TLS_CLIENT)
    if call.pins and call.ca is None:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # its key says who it is: see `objection`
    elif call.ca is None:
        context.load_default_certs()
    else:
        _trust(context, call.ca)
    if call.identity is not None:
        _show(context, call.identity)
    return context


def listening(listen: TlsListen) -> ssl.SSLContext:
    """Make what we answer calls with. UserError where a file is not what it should be."""
    context = _context(ssl.PROTOCOL_TLS_SERVER)
    if listen.clients is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        _trust(context, listen.clients)
    _show(context, listen.identity)
    return context


class Answering:
    """What we answer calls with; a certificate that is renewed on disk is taken up by the next call."""

    def __init__(self, listen: TlsListen) -> None:
        self._listen = listen
        self._context, self._seen = listening(listen), self._times()

    def context(self) -> ssl.SSLContext:
        """Give it; where new files are wrong, what was there before."""
        times = self._times()
        if times != self._seen:
            self._seen = times
            try:
                self._context = listening(self._listen)
            except UserError as wrong:
                import structlog  # takes 0.1 s, which who answers without TLS need not wait

                structlog.get_logger().error("the certificate is not renewed", reason=str(wrong))
        return self._context

    def _times(self) -> list[int]:
        identity, clients = self._listen.identity, self._listen.clients
        named = (identity.certificate, identity.key, *([clients] if clients else []))
        return [file.path.stat().st_mtime_ns if file.path.exists() else 0 for file in named]


def objection(call: TlsCall, certificate: X509 | None) -> str | None:
    """Say what is wrong with the certificate of a PACS whose key is pinned; None where nothing is."""
    if not call.pins:
        return None
    if certificate is None or certificate.pin not in call.pins:
        shows = certificate.pin if certificate else "none"
        return f"shows another key than {call.setting}.pinned_keys has, {shows}: ask its administrator which is right"
    if not certificate.begins <= datetime.now(UTC) <= certificate.until:
        return _BY_CODE[10 if certificate.until < datetime.now(UTC) else 9]
    return None


def why_not_called(call: TlsCall, error: OSError, *, by_web: bool = False) -> str:
    """Say why a PACS and we cannot agree on TLS, and what to do; `by_web` where it is called by HTTPS."""
    setting = call.setting
    words = {
        "certificate": f"{setting}.certificate_file",
        "trust": f"{setting}.ca_file",
        "unknown": f"set {setting}.ca_file to the CA that did, or {setting}.pinned_keys to its key",
        "host": f"set {setting}.tls_host to the name in it, or have one issued for {call.host}",
        "plain": f"set {setting}.port to its port for TLS, which often is 2762",
    }
    if by_web:
        words |= {
            "unknown": f"set {setting}.ca_file to the CA that did",
            "host": f"set {setting}.url to the name in it, or have one issued for {call.host}",
            "plain": f"check {setting}.url",
        }
    return _explained(error, words)


def why_not_answered(listen: TlsListen, error: OSError) -> str:
    """Say why a caller and we cannot agree on TLS, and what to do."""
    trust = listen.clients.setting if listen.clients else "a CA that we trust"
    return _explained(
        error,
        {
            "certificate": listen.identity.certificate.setting,
            "trust": trust,
            "unknown": f"add its CA to {trust} if it may call",
            "host": "have it renewed there",
            "plain": "have TLS enabled there for us",
        },
    )


def _explained(error: OSError, words: Mapping[str, str]) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        known = _BY_CODE.get(error.verify_code, f"shows a certificate that is not right ({error.verify_message})")
    elif isinstance(error, ssl.SSLError):
        reason = str(error.reason or "no reason given")
        known = _BY_REASON.get(reason, f"ended it: {reason.replace('_', ' ').lower()}")
    else:  # the connection was closed
        known = "hung up: does it speak TLS at this port, and take our certificate?"
    return known.format(**words)


def _context(protocol: ssl._SSLMethod) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # a file may hold the one certificate that is trusted
    return context


def _trust(context: ssl.SSLContext, file: NamedFile) -> None:
    try:
        context.load_verify_locations(file.path)
    except ssl.SSLError:
        raise UserError(f"{file.setting}: {file.path} holds no certificate as PEM") from None
    except OSError as error:
        raise UserError(f"{file.setting}: {file.path} cannot be read: {error.strerror}") from None


def _show(context: ssl.SSLContext, identity: TlsIdentity) -> None:
    certificate, key = identity.certificate, identity.key
    for file in (certificate, key):
        try:
            file.path.open().close()
        except OSError as error:
            raise UserError(f"{file.setting}: {file.path} cannot be read: {error.strerror}") from None
    Secret(key.path, barred=stat.S_IRWXO).require_private()
    try:
        context.load_cert_chain(certificate.path, key.path, password=lambda: "")  # never ask at the terminal
    except ssl.SSLError as error:
        if "MISMATCH" in str(error.reason):
            raise UserError(f"{key.setting}: {key.path} is not the key of {certificate.path}") from None
        what = "one of them is no PEM file, the key is encrypted, or too weak"
        raise UserError(f"{certificate.setting}: {certificate.path} and {key.path} cannot be used: {what}") from None
