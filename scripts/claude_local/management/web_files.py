"""The files of the web page: every file in web/ is served under its name, index.html as `/`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "web"
MEDIA_TYPES = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}


@dataclass(frozen=True)
class WebFile:
    """One file of the page."""

    media_type: str
    content: bytes


def files(folder: Path = FOLDER) -> dict[str, WebFile]:
    """Every file of the page by its URL path; read once."""
    found = {}
    for file in sorted(folder.glob("*.*")):
        if file.suffix in MEDIA_TYPES:
            path = "/" if file.name == "index.html" else f"/{file.name}"
            found[path] = WebFile(MEDIA_TYPES[file.suffix], file.read_bytes())
    return found
