"""Renders a conversation with a model's own chat template, in a sandbox: the template is not trusted."""

from __future__ import annotations

import json

import jinja2
import jinja2.ext
import jinja2.nodes
import jinja2.parser
import jinja2.sandbox


class Generation(jinja2.ext.Extension):
    """`{% generation %}…{% endgeneration %}` marks what a model said, for training; it renders what is inside."""

    tags = {"generation"}  # noqa: RUF012  as jinja2 declares it

    def parse(self, parser: jinja2.parser.Parser) -> list[jinja2.nodes.Node]:
        """The statements inside the block."""
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def render_chat(template: str, messages: list[dict[str, str]]) -> str:
    """The prompt that a model's chat template makes of `messages`. Raises jinja2's errors as ValueError.

    The template is not trusted: it cannot reach Python, but it can run forever.
    """

    def raise_exception(message: str) -> None:
        raise jinja2.TemplateError(message)

    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols", Generation]
    )
    environment.filters["tojson"] = lambda value, **_: json.dumps(value, ensure_ascii=False)
    known = {
        "raise_exception": raise_exception,
        "strftime_now": lambda form: "2026-01-01" if form else "",
        "tools": [{"type": "function", "function": {"name": "Read", "parameters": {"type": "object"}}}],
        "bos_token": "",
        "eos_token": "",
    }
    try:
        return environment.from_string(template, globals=known).render(
            messages=messages, add_generation_prompt=True
        )
    except (jinja2.TemplateError, TypeError, ArithmeticError, LookupError, AttributeError) as error:
        raise ValueError(str(error) or type(error).__name__) from None
