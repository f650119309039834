"""What llama.cpp knows about an architecture's KV cache and a model file does not say. Pure data.

Compared with what llama.cpp (builds 11549 and 11669) allocates for a small file of each architecture.
"""

from __future__ import annotations

WINDOW_PERIODS = {
    "gemma2": 2, "gemma3": 6, "gemma3n": 5, "gpt-oss": 2, "cohere2": 4, "exaone4": 4, "exaone-moe": 4, "olmo2": 4,
    "afmoe": 4, "llama4": 4, "plamo3": 8, "smallthinker": 4,
}  # fmt: skip
"""One of this many layers attends to everything, the others to a sliding window."""
FULL_FIRST = ("smallthinker",)
"""Here it is the first of each period, elsewhere the last."""
FIXED_WINDOWS = {"llama4": 8192}
"""Windows that do not come from the file."""
WINDOWS_OF_FILES = {"smallthinker": 4096}
"""The window of every file that says that it has one."""
WINDOW_ONLY_WITH_LAYERS = {"exaone4": 64}
"""Other models of this architecture have no window."""

CACHE_LAYERS = {"gemma3n": 20}
"""The first of these layers have a cache, the others use those of the last ones."""

RECURRENT = ("mamba", "mamba2", "rwkv6", "rwkv6qwen2", "rwkv7", "arwkv7")
"""No layer has a KV cache, whatever the number of heads."""
BOTH = ("falcon-h1",)
"""Every layer has a KV cache and a state."""
NEITHER = ("deci", "nemotron_h", "nemotron_h_moe")
"""A layer without heads may have no state either."""
INDEXED = ("deepseek32", "glm-dsa")
"""A second cache with a key for each token chooses what the first one is read for."""

FULL = (
    *(
        "arcee",
        "arctic",
        "baichuan",
        "bailingmoe",
        "bailingmoe2",
        "bitnet",
        "bloom",
        "chatglm",
        "cogvlm",
        "command-r",
    ),
    *(
        "deci",
        "deepseek",
        "deepseek2",
        "deepseek32",
        "dots1",
        "ernie4_5",
        "ernie4_5-moe",
        "exaone",
        "falcon",
        "falcon-h1",
        "gemma",
    ),
    *(
        "glm-dsa",
        "glm4",
        "glm4moe",
        "gpt2",
        "granite",
        "granitehybrid",
        "granitemoe",
        "grok",
        "hunyuan-dense",
    ),
    *(
        "hunyuan-moe",
        "internlm2",
        "jais",
        "kimi-linear",
        "lfm2moe",
        "llama",
        "minicpm",
        "minicpm3",
        "minimax-m2",
    ),
    *(
        "mistral3",
        "mpt",
        "nemotron",
        "nemotron_h",
        "nemotron_h_moe",
        "openelm",
        "orion",
        "pangu-embedded",
        "phi3",
    ),
    *(
        "phimoe",
        "plamo",
        "plamo2",
        "qwen",
        "qwen2",
        "qwen2moe",
        "qwen2vl",
        "qwen3",
        "qwen35",
        "qwen35moe",
        "qwen3moe",
    ),
    *(
        "qwen3next",
        "qwen3vl",
        "qwen3vlmoe",
        "refact",
        "seed_oss",
        "smollm3",
        "stablelm",
        "starcoder2",
        "xverse",
    ),
)
"""Layers with attention keep every token, even if the file has a window."""
PATTERN_IN_FILE = ("gemma4", "mimo2", "step35")
NEVER_COMPARED = ("rwkv6", "rwkv6qwen2", "rwkv7", "arwkv7")
"""Their rule is from llama.cpp's source; no small file of theirs loads."""
COMPARED = frozenset((*WINDOW_PERIODS, *FULL, *RECURRENT, *PATTERN_IN_FILE, "lfm2")) - {*NEVER_COMPARED}
"""The architectures whose figures are exact."""
