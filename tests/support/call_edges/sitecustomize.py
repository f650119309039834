"""Records which function of claude_local calls which, in every Python process that has this folder on its path.

Appends lines `caller callee`, as `package.module:function`, to the file named by CALL_EDGES. A caller is the
nearest function of claude_local up the stack, so a call through a library counts as one of the function that
called the library.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from types import CodeType, FrameType

_FILE = os.environ.get("CALL_EDGES", "")
_PART = "/claude_local/"
_names: dict[CodeType, str] = {}
_seen: set[tuple[str, str]] = set()
_lock = threading.Lock()


def _name(code: CodeType) -> str:
    name = _names.get(code)
    if name is None:
        name = ""
        if _PART in code.co_filename and code.co_name != "<module>":
            module = code.co_filename.rpartition(_PART)[2].removesuffix(".py").replace("/", ".")
            name = f"{module}:{code.co_qualname}"
        _names[code] = name
    return name


def _on_event(frame: FrameType, event: str, _: object) -> None:
    if event != "call":
        return
    callee = _name(frame.f_code)
    if not callee:
        return
    outer = frame.f_back
    while outer is not None and not _name(outer.f_code):
        outer = outer.f_back
    if outer is None:
        return
    edge = (_name(outer.f_code), callee)
    if edge in _seen:
        return
    with _lock, contextlib.suppress(OSError):
        _seen.add(edge)
        with open(_FILE, "a", encoding="utf-8") as out:  # noqa: PTH123  no further import in every process
            out.write(" ".join(edge) + "\n")


if _FILE:
    threading.setprofile(_on_event)
    sys.setprofile(_on_event)
