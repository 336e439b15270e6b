"""`pacslake users`: who may log in to the service, as what. Touches: disk, standard error."""

from __future__ import annotations

import os
from pathlib import Path

import click

from crawler.errors import UserError
from crawler.serve.access import Person, Role
from crawler.serve.accounts import Account, check_name, check_password, editing, hashed, read_accounts
from crawler.serve.audit import Action, Audit
from crawler.serve.neighbours import name_of
from crawler.settings import Settings, nearest


def list_users(settings: Settings) -> list[tuple[str, str]]:
    """Give names and roles."""
    file = _file(settings)
    return [(one.name, one.role.name.lower()) for one in read_accounts(file)] if file.exists() else []


def add_user(settings: Settings, name: str, role: str, password: str) -> None:
    """Let somebody log in. UserError where the name is taken or wrong."""
    check_name(name)
    check_password(password)
    with editing(_file(settings)) as accounts:
        if name in accounts:
            raise UserError(f"there is a user {name!r} already; `pacslake users passwd {name}` sets another password")
        _note(settings, f"add {name} {role}")
        accounts[name] = Account(name, Role[role.upper()], hashed(password))
    click.echo(f"pacslake: {name} may log in as {role}", err=True)


def remove_user(settings: Settings, name: str) -> None:
    """Let somebody log in no more; who is logged in is logged out."""
    with editing(_file(settings)) as accounts:
        _known(accounts, name)
        _note(settings, f"remove {name}")
        del accounts[name]
    click.echo(f"pacslake: {name} may not log in any more", err=True)


def set_password(settings: Settings, name: str, password: str) -> None:
    """Give somebody another password; who is logged in by the old one is logged out."""
    check_password(password)
    with editing(_file(settings)) as accounts:
        account = _known(accounts, name)
        _note(settings, f"passwd {name}")
        accounts[name] = Account(name, account.role, hashed(password))
    click.echo(f"pacslake: {name} has a new password", err=True)


def require_user(settings: Settings, name: str) -> None:
    """UserError where there is none of this name, before a password is typed for nothing."""
    _known({one.name: one for one in read_accounts(_file(settings))}, name)


def _known(accounts: dict[str, Account], name: str) -> Account:
    if name not in accounts:
        raise UserError(f"there is no user named {name!r}{nearest(name, accounts)}")
    return accounts[name]


def _file(settings: Settings) -> Path:
    if settings.serve.password_file is None:
        raise UserError("nobody logs in to this service: add password_file = 'users' to [serve]")
    file = settings.serve.password_file.path
    if not file.parent.is_dir():
        raise UserError(f"serve.password_file: there is no folder {file.parent}")
    return file


def _note(settings: Settings, what: str) -> None:
    whoever = Person(name_of(os.getuid()), Role.OPERATOR, "terminal")
    Audit(settings.lake.path).note(whoever, Action.USERS_CHANGED, what=what, outcome="done")
