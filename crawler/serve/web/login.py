"""Log in and out. Touches: disk."""

from __future__ import annotations

import math
from typing import cast

from fastapi import APIRouter, HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from crawler.serve.web.doors import PasswordDoor, TurnedAwayError
from crawler.serve.web.parts import Form, Looking
from crawler.serve.web.rendering import page

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

LOGIN = "/login"
HOME = "/"


def _door(request: Request) -> PasswordDoor:
    door = request.app.state.door
    if not isinstance(door, PasswordDoor):
        raise HTTPException(404, "nobody logs in here")
    return door


@router.get(LOGIN)
def login_page(request: Request, next: str = HOME) -> Response:
    """Show where to type one's name and password."""
    return _asked(request, _door(request), next)


@router.post(LOGIN)
async def login(request: Request, form: Form) -> Response:
    """Log in, and go on where it was asked for."""
    door, onward = _door(request), form.get("next", HOME)
    try:
        session = await door.log_in(request, form.get("name", ""), form.get("password", ""))
    except TurnedAwayError as error:
        answer = _asked(request, door, onward, wrong=str(error), status=error.status)
        answer.headers["Retry-After"] = str(math.ceil(error.wait))
        return answer
    if session is None:
        return _asked(request, door, onward, wrong="Name or password is wrong.", status=401)
    answer = RedirectResponse(_inside(onward), status_code=303)
    answer.delete_cookie(door.form_cookie, secure=door.secure, httponly=True, samesite="strict")
    answer.set_cookie(door.cookie, session, secure=door.secure, httponly=True, samesite="strict")
    return answer


@router.post("/logout")
def logout(request: Request, person: Looking) -> Response:
    """Log out."""
    door = _door(request)
    door.log_out(request, person)
    answer = RedirectResponse(LOGIN, status_code=303)
    answer.delete_cookie(door.cookie, secure=door.secure, httponly=True, samesite="strict")
    return answer


def _asked(request: Request, door: PasswordDoor, onward: str, *, wrong: str = "", status: int = 200) -> Response:
    form, request.state.token = door.form_token()
    answer = page(request, "login.html", status=status, next=_inside(onward), wrong=wrong)
    answer.set_cookie(door.form_cookie, form, secure=door.secure, httponly=True, samesite="strict")
    return cast("Response", answer)


def _inside(path: str) -> str:
    """Give a path of our own pages; for anything else, which may lead elsewhere, the first page."""
    is_ours = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if is_ours else HOME
