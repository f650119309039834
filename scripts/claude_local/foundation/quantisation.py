"""The quantisation of a model file, as its path names it."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from claude_local.foundation.gguf_header import SHARD

KIND = r"(?:[-._](?:[01](?!\.\d)|KSS|KS|KT|KL|K|NL|XXS|XS|S|M|L|XL|P))?"
SIZE = r"(?:[-._](?:XXS|XS|S|M|L|XL|XXL|P))?"
QUANT = re.compile(
    r"(?<![A-Za-z0-9])(?:UD[-._])?"
    rf"(?:(?:I|T|P|PT)?Q[1-8]{KIND}{SIZE}(?:_R[48]|_[48]_[48])?|MXFP4(?:[-._]MOE)?|NVFP4|BF16|FP?16|FP?32)"
    r"(?![A-Za-z0-9])",
    re.IGNORECASE,
)
"""For instance UD-Q4_K_XL, iq3-xxs, Q4_0_4_4, MXFP4_MOE, fp16."""


def quant_of(path: str) -> str:
    """The quantisation in a path, as in `UD-Q4_K_XL`: the last in the file name, else in a folder; or ""."""
    text = quant_text(path).upper()
    is_ud = re.match(r"UD[-._]", text)
    plain = re.sub(r"[-._]", "_", text[3:] if is_ud else text)
    plain = re.sub(r"^FP(16|32)$", r"F\1", plain).removesuffix("_MOE")
    return f"UD-{plain}" if is_ud else plain


def quant_text(path: str) -> str:
    """The same as the path spells it."""
    for part in reversed(PurePosixPath(SHARD.sub("", path).removesuffix(".gguf")).parts):
        found = [match[0] for match in QUANT.finditer(part)]
        if found:
            return found[-1]
    return ""
