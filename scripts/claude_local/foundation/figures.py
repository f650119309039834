"""Numbers formatted for people, as text, bars and lines. Pure."""

from __future__ import annotations

from collections.abc import Sequence

UNKNOWN = "–"
BAR_FULL, BAR_EMPTY = "█", "░"
BAR_PARTS = " ▏▎▍▌▋▊▉"
SPARKS = "▁▂▃▄▅▆▇█"


def gib(used_bytes: float | None) -> str:
    """`21.4`, in GiB."""
    return UNKNOWN if used_bytes is None else f"{used_bytes / 2**30:.1f}"


def size(size_bytes: int | None) -> str:
    """`17.3 GB`, `3.1 MB`, `512 bytes`, in powers of 1000, as download pages do; `?` for None."""
    if size_bytes is None:
        return "?"
    for unit, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if abs(size_bytes) >= unit:
            return f"{size_bytes / unit:.1f} {name}"
    return f"{size_bytes} bytes"


def number(value: float | None, unit: str = "", *, digits: int = 0) -> str:
    """`1,234 W`; a dash if unknown."""
    return UNKNOWN if value is None else f"{value:,.{digits}f}{unit}"


def percent(fraction: float | None) -> str:
    """`98%` for 0.98. Never rounds up to 100%, which means "all"."""
    if fraction is None:
        return UNKNOWN
    whole = round(100 * fraction)
    return f"{99 if whole == 100 and fraction < 1 else whole}%"


def tokens(count: int | None) -> str:
    """`128k` for 131,072, as context sizes are named; smaller or odd counts in full."""
    if count is None:
        return "fit"
    for thousand in (1000, 1024):
        if count >= 10_000 and count % thousand == 0:
            return f"{count // thousand}k"
    return f"{count:,}"


def duration(seconds: float) -> str:
    """`2 h 13 min`, `4 min 5 s`, `12 s`."""
    whole = int(seconds)
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 60} min {whole % 60} s" if whole >= 60 else f"{whole} s"


def bar(fraction: float | None, width: int) -> str:
    """A bar of exactly `width` characters, filled to eighths of one."""
    if fraction is None:
        return BAR_EMPTY * width
    eighths = round(min(1.0, max(0.0, fraction)) * width * 8)
    full, part = divmod(eighths, 8)
    filled = BAR_FULL * full + (BAR_PARTS[part] if part else "")
    return filled + BAR_EMPTY * (width - len(filled))


def sparkline(values: Sequence[float | None], width: int, *, top: float) -> str:
    """The last `width` values as heights from 0 to `top`; a space for a missing value."""
    shown = list(values)[-width:] if width > 0 else []
    return "".join(_spark(value, top) for value in shown).rjust(max(0, width))


def _spark(value: float | None, top: float) -> str:
    if value is None:
        return " "
    share = min(1.0, max(0.0, value / top)) if top > 0 else 0.0
    return SPARKS[round(share * (len(SPARKS) - 1))]
