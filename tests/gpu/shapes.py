"""The models that are measured: real dimensions, weights of zero.

What a model takes is its shape's, and most of its speed. What depends on the weights is not measured: with a router of
zeros the same experts are chosen for every token.
"""

from __future__ import annotations

from dataclasses import dataclass

from support.runnable_models import MODELS, Q4_0, Shape


@dataclass(frozen=True)
class Sizes:
    """What is loaded, and how much is read and written."""

    models: dict[str, Shape]
    context_tokens: int
    prompts: tuple[int, ...]
    """Tokens of the prompts, the longest last."""
    generated_tokens: int


REAL = Sizes(
    {
        # Llama 3.1 8B
        "dense": Shape(
            *("llama", 32, 4096, 32, 8, 14336, 128), vocabulary=128_256, merges=True, weights=Q4_0
        ),
        # Qwen3 30B-A3B
        "moe": Shape(
            *("qwen3moe", 48, 2048, 32, 4, 6144, 128),
            vocabulary=151_936,
            merges=True,
            experts=128,
            weights=Q4_0,
            more={"expert_used_count": 8, "expert_feed_forward_length": 768},
        ),
        # Qwen3.5 35B-A3B: three of four layers are linear attention
        "hybrid": Shape(
            *("qwen35moe", 40, 2048, 16, 2, 0, 256),
            vocabulary=248_320,
            merges=True,
            experts=256,
            weights=Q4_0,
            more={
                "expert_used_count": 8,
                "expert_feed_forward_length": 512,
                "expert_shared_feed_forward_length": 512,
                "full_attention_interval": 4,
                "rope.dimension_count": 64,
                "rope.dimension_sections": [11, 11, 10, 0],
                "ssm.conv_kernel": 4,
                "ssm.inner_size": 4096,
                "ssm.state_size": 128,
                "ssm.time_step_rank": 32,
                "ssm.group_count": 16,
            },
        ),
    },
    context_tokens=65_536,
    prompts=(512, 8_192, 25_000),
    generated_tokens=96,
)

TINY = Sizes(
    {
        "dense": Shape(*("llama", 2, 256, 4, 2, 512, 64), weights=Q4_0),
        "moe": Shape(
            *("qwen3moe", 2, 256, 4, 2, 512, 64),
            experts=4,
            weights=Q4_0,
            more={"expert_used_count": 2, "expert_feed_forward_length": 128},
        ),
        "hybrid": MODELS["qwen35moe"],
    },
    context_tokens=4_096,
    prompts=(64, 256, 1_024),
    generated_tokens=8,
)
