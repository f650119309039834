"""Settings and environment that make Claude Code talk only to the local server.

Every name here was tested with Claude Code 2.1.197 and 2.1.329. Several are undocumented: check them
whenever a newer version is pinned in `tests/claude_code/package.json`.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

from claude_local.machine.settings import Settings
from claude_local.profiles.profile import ACTIVE_ALIAS

# The user's environment variables that are passed to Claude Code; all others are dropped.
PASSED_VARIABLES = (
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR",
    "TERM", "COLORTERM", "TERM_PROGRAM", "TERM_PROGRAM_VERSION", "NO_COLOR", "COLUMNS", "LINES",
    "TMUX", "EDITOR", "VISUAL", "PAGER", "XDG_RUNTIME_DIR", "CLAUDE_CODE_SSE_PORT",
)  # fmt: skip

# Tools that need the cloud.
CLOUD_TOOLS = ("WebSearch", "WebFetch")

# The same, and tools that cost many tokens and are of little use to a local model.
DENIED_TOOLS = (
    "WebSearch", "WebFetch", "NotebookEdit", "CronCreate", "CronDelete", "CronList",
    "ScheduleWakeup", "Workflow", "SendMessage", "ReportFindings", "EnterWorktree", "ExitWorktree",
    "DesignSync", "RemoteTrigger", "PushNotification", "Monitor",
)  # fmt: skip

# Options before the user's own; the wrapper adds `--settings` and `--setting-sources`. This one keeps
# the folder name out of the beginning of the prompt, so that sessions in other folders can reuse it.
ARGUMENTS = ("--exclude-dynamic-system-prompt-sections",)

# The first version without known bugs in its file tools.
OLDEST_CLAUDE = "2.1.128"

# The versions pinned in `tests/claude_code/package.json`: every test with a real Claude Code runs both.
TESTED_CLAUDE = ("2.1.197", "2.1.329")

# Claude Code keeps 13,000 tokens and the longest answer free before it compacts a conversation; its
# lean prompt takes about 7,000. Below the first number no useful context is left, below the second little.
SMALLEST_CONTEXT_TOKENS = 32768
GOOD_CONTEXT_TOKENS = 65536

# The smallest CLAUDE_CODE_AUTO_COMPACT_WINDOW that newer versions accept without a warning on the first screen.
# Every version uses the smaller one of this and CLAUDE_CODE_MAX_CONTEXT_TOKENS.
SMALLEST_COMPACT_WINDOW_TOKENS = 100_000

# Newer versions let the model decide which actions need no question. A local model must not.
ASK_FIRST = "default"

# Variables with which project settings could send requests elsewhere. Empty, not "0": the older version
# reads a "0" as a socket path. They are set in the process environment and in the settings.
NOWHERE_ELSE = dict.fromkeys(
    (
        "CLAUDE_CODE_USE_BEDROCK", "CLAUDE_CODE_USE_VERTEX", "CLAUDE_CODE_USE_FOUNDRY",
        "CLAUDE_CODE_USE_MANTLE", "CLAUDE_CODE_USE_ANTHROPIC_AWS",
        "CLAUDE_CODE_USE_ANTHROPIC_GOOGLE_CLOUD", "CLAUDE_CODE_USE_GATEWAY", "ANTHROPIC_UNIX_SOCKET",
        "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy",
        "CLAUDE_CODE_ENABLE_PROXY_AUTH_HELPER", "ANTHROPIC_CUSTOM_HEADERS", "CLAUDE_CODE_EXTRA_BODY",
        "CLAUDE_CODE_EXTRA_METADATA", "CLAUDE_CODE_OAUTH_TOKEN", "CLAUDE_CODE_ENABLE_TELEMETRY",
        "CLAUDE_CODE_IDE_HOST_OVERRIDE",
    ),
    "",
)  # fmt: skip

# Settings with commands that Claude Code would run to get a key.
NO_HELPERS = dict.fromkeys(
    (
        "apiKeyHelper", "awsAuthRefresh", "awsCredentialExport", "gcpAuthRefresh",
        "otelHeadersHelper", "proxyAuthHelper",
    ),
    "",
)  # fmt: skip

# Features that the lean set disables besides the denied tools.
LEAN_ENVIRONMENT = {"CLAUDE_CODE_DISABLE_CRON": "1"}
LEAN_SETTINGS = {
    "disableBundledSkills": True,
    "disableWorkflows": True,
    "autoMemoryEnabled": False,
    "includeGitInstructions": False,
}

# The inner end of the jail's only exit.
DOOR_SOCKET = "/run/claude-local/door/llama.sock"

# Additional variables in the jail. No project code runs outside it, so no folder needs to be trusted; and
# Claude Code lets root skip its questions only if these say that it is confined.
JAIL_ENVIRONMENT = {
    "ANTHROPIC_UNIX_SOCKET": DOOR_SOCKET,
    "CLAUDE_CODE_SANDBOXED": "1",
    "IS_SANDBOX": "1",
}

# Claude Code's own sandbox: on from the first prompt, failing if it cannot work, without exceptions, and
# with questions anyway. It confines only Bash; Read, Write, hooks and MCP servers stay outside.
SECRETS = (
    "~/.ssh", "~/.gnupg", "~/.aws", "~/.azure", "~/.kube", "~/.docker", "~/.config/gh", "~/.config/gcloud",
    "~/.netrc", "~/.npmrc", "~/.pypirc", "~/.git-credentials", "~/.claude", "~/.claude.json", "~/.mozilla",
    "~/.password-store",
)  # fmt: skip
BASH_SANDBOX = {
    "enabled": True,
    "failIfUnavailable": True,
    "autoAllowBashIfSandboxed": False,
    "allowUnsandboxedCommands": False,
    "filesystem": {"denyRead": list(SECRETS)},
}
SECRET_FILES = tuple(
    f"{tool}({secret}{end})" for secret in SECRETS for end in ("", "/**") for tool in ("Read", "Edit")
)


def environment(settings: Settings) -> dict[str, str]:
    """The fixed part of Claude Code's environment. Context size and key are added at the start."""
    model = ACTIVE_ALIAS
    return {
        **NOWHERE_ELSE,
        # With this, no settings file changes a variable of the process environment. Without it, a project's
        # ANTHROPIC_UNIX_SOCKET wins over our settings in 2.1.197.
        "CLAUDE_CODE_ENVIRONMENT_KIND": "byoc",
        "CLAUDE_CONFIG_DIR": str(settings.client_dir),
        "ANTHROPIC_BASE_URL": settings.base_url,
        "ANTHROPIC_API_KEY": "",  # otherwise Claude Code looks for one and asks
        "ANTHROPIC_MODEL": model,
        "ANTHROPIC_DEFAULT_OPUS_MODEL": model,
        "ANTHROPIC_DEFAULT_SONNET_MODEL": model,
        "ANTHROPIC_DEFAULT_HAIKU_MODEL": model,
        "ANTHROPIC_SMALL_FAST_MODEL": model,
        "CLAUDE_CODE_SUBAGENT_MODEL": model,
        "CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY": "1",  # `/model` lists what the wrapper wrote
        # No traffic to other machines, no updates.
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "CLAUDE_CODE_DISABLE_OFFICIAL_MARKETPLACE_AUTOINSTALL": "1",
        "CLAUDE_CODE_IDE_SKIP_AUTO_INSTALL": "1",
        "DISABLE_AUTOUPDATER": "1",
        "DISABLE_INSTALLATION_CHECKS": "1",  # in the jail 2.1.197 misses its own installation and warns
        # Keeps the beginning of the prompt identical in every request, so that the server can reuse it.
        "CLAUDE_CODE_ATTRIBUTION_HEADER": "0",
        "CLAUDE_CODE_DISABLE_TERMINAL_TITLE": "1",
        "CLAUDE_CODE_SIMPLE_SYSTEM_PROMPT": "1",
        "CLAUDE_CODE_MODEL_CAPABILITIES": "-mid_conv_system,-mid_conv_tool_change",
        "ENABLE_TOOL_SEARCH": "0",
        # A long prompt may take many minutes. All three are needed: the first alone has no effect.
        "API_TIMEOUT_MS": "3600000",
        "API_FORCE_IDLE_TIMEOUT": "0",
        "CLAUDE_STREAM_IDLE_TIMEOUT_MS": "1800000",
        "CLAUDE_CODE_MAX_RETRIES": "3",  # a model that cannot load is reported in seconds
    }


def client_settings(settings: Settings, names: Sequence[str], *, mode: str, full: bool) -> dict[str, Any]:
    """Claude Code's settings for local sessions.

    `names` are the profiles; together with the active one they are the models in `/model`. `mode` is the
    confinement of the session: `jail`, `bash` or `off`. Without `full` the tools that cost many tokens and
    are of little use to a local model are left out.
    """
    return {
        **_common_settings(settings, names, mode),
        **({} if full else LEAN_SETTINGS),
        **({"sandbox": BASH_SANDBOX} if mode == "bash" else {}),
        "permissions": {
            "defaultMode": ASK_FIRST,
            # Skipping questions is allowed only in the jail.
            **({} if mode == "jail" else {"disableBypassPermissionsMode": "disable"}),
            **({"ask": ["Bash"]} if mode == "bash" else {}),
            "deny": [*(CLOUD_TOOLS if full else DENIED_TOOLS), *(SECRET_FILES if mode == "bash" else ())],
        },
    }


def _common_settings(settings: Settings, names: Sequence[str], mode: str) -> dict[str, Any]:
    fixed = {name: value for name, value in environment(settings).items() if name != "CLAUDE_CONFIG_DIR"}
    return {
        # A project's `env` does not override this one; it is a second layer besides CLAUDE_CODE_ENVIRONMENT_KIND.
        "env": {**fixed, **(JAIL_ENVIRONMENT if mode == "jail" else {})},
        **NO_HELPERS,
        # The user's own memory files are for cloud sessions.
        "claudeMdExcludes": [
            f"{settings.home}/CLAUDE.md",
            f"{settings.home}/CLAUDE.local.md",
            f"{settings.home}/.claude/CLAUDE.md",
            f"{settings.home}/.claude/rules/**",
        ],
        "availableModels": [ACTIVE_ALIAS, *names],
        "disableDeepLinkRegistration": "disable",
        "disableRemoteControl": True,
        "disableClaudeAiConnectors": True,
        "promptSuggestionEnabled": False,
        "awaySummaryEnabled": False,
        "respondToBashCommands": False,
        "attribution": {"commit": "", "pr": ""},
        "statusLine": {
            "type": "command",
            "command": shlex.quote(str(settings.build_dir / "bin" / "claude-local-statusline")),
        },
    }
