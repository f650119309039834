"""What Claude Code is told, so that it talks to the local server and to nobody else.

Every name here was measured with Claude Code 2.1.197 and 2.1.329. Several are undocumented: check them
whenever a newer version is pinned in `tests/claude_code/package.json`.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

from claude_local.machine.settings import Settings
from claude_local.profiles.profile import ACTIVE_ALIAS

# The process environment of the user that reaches Claude Code; all else stays outside.
PASSED_VARIABLES = (
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR",
    "TERM", "COLORTERM", "TERM_PROGRAM", "TERM_PROGRAM_VERSION", "NO_COLOR", "COLUMNS", "LINES",
    "TMUX", "EDITOR", "VISUAL", "PAGER", "XDG_RUNTIME_DIR", "CLAUDE_CODE_SSE_PORT",
)  # fmt: skip

# Tools that need the cloud.
CLOUD_TOOLS = ("WebSearch", "WebFetch")

# Those, and tools that cost many tokens and help a local model little.
DENIED_TOOLS = (
    "WebSearch", "WebFetch", "NotebookEdit", "CronCreate", "CronDelete", "CronList",
    "ScheduleWakeup", "Workflow", "SendMessage", "ReportFindings", "EnterWorktree", "ExitWorktree",
    "DesignSync", "RemoteTrigger", "PushNotification", "Monitor",
)  # fmt: skip

# Options before the user's own; the wrapper adds `--settings` and `--setting-sources`. This one keeps
# the folder's name out of the prompt's beginning, so that sessions in other folders can reuse it.
ARGUMENTS = ("--exclude-dynamic-system-prompt-sections",)

# The first version without known bugs in its file tools.
OLDEST_CLAUDE = "2.1.128"

# What `tests/claude_code/package.json` pins: every test with a real Claude Code runs these two.
TESTED_CLAUDE = ("2.1.197", "2.1.329")

# Claude Code keeps 13,000 tokens and the longest answer free before it compacts a conversation; its
# lean prompt takes some 7,000. Below the first number nothing useful is left, below the second little.
SMALLEST_CONTEXT_TOKENS = 32768
GOOD_CONTEXT_TOKENS = 65536

# Newer versions let the model itself decide what needs no question. A local one does not.
ASK_FIRST = "default"

# Ways in which settings of a project could send requests elsewhere. Empty, not "0": the older version
# takes a "0" for a socket's path. They stand in the process environment and in the settings.
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

# Commands that Claude Code would run to get a key.
NO_HELPERS = dict.fromkeys(
    (
        "apiKeyHelper", "awsAuthRefresh", "awsCredentialExport", "gcpAuthRefresh",
        "otelHeadersHelper", "proxyAuthHelper",
    ),
    "",
)  # fmt: skip

# What the lean set leaves out besides the denied tools.
LEAN_ENVIRONMENT = {"CLAUDE_CODE_DISABLE_CRON": "1"}
LEAN_SETTINGS = {
    "disableBundledSkills": True,
    "disableWorkflows": True,
    "autoMemoryEnabled": False,
    "includeGitInstructions": False,
}

# The jail's end of the only way out.
DOOR_SOCKET = "/run/claude-local/door/llama.sock"

# What is different in the jail. Nothing of a project runs outside it, so there is no folder to trust; and
# Claude Code lets root skip its questions only where it is told that it is confined.
JAIL_ENVIRONMENT = {
    "ANTHROPIC_UNIX_SOCKET": DOOR_SOCKET,
    "CLAUDE_CODE_SANDBOXED": "1",
    "IS_SANDBOX": "1",
}

# Claude Code's own sandbox: on from the first prompt, closed where it cannot work, no way around it, and
# questions all the same. It confines Bash only; Read, Write, hooks and MCP servers stay outside.
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
    """The fixed part of Claude Code's environment. Context size and key are added at start."""
    model = ACTIVE_ALIAS
    return {
        **NOWHERE_ELSE,
        # No settings file changes a variable that the process began with. Without it a project's
        # ANTHROPIC_UNIX_SOCKET wins over our settings in 2.1.197.
        "CLAUDE_CODE_ENVIRONMENT_KIND": "byoc",
        "CLAUDE_CONFIG_DIR": str(settings.client_dir),
        "ANTHROPIC_BASE_URL": settings.base_url,
        "ANTHROPIC_API_KEY": "",  # else Claude Code looks for one, and asks
        "ANTHROPIC_MODEL": model,
        "ANTHROPIC_DEFAULT_OPUS_MODEL": model,
        "ANTHROPIC_DEFAULT_SONNET_MODEL": model,
        "ANTHROPIC_DEFAULT_HAIKU_MODEL": model,
        "ANTHROPIC_SMALL_FAST_MODEL": model,
        "CLAUDE_CODE_SUBAGENT_MODEL": model,
        "CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY": "1",  # `/model` lists what the wrapper wrote
        # Nothing leaves the machine, nothing updates itself.
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "CLAUDE_CODE_DISABLE_OFFICIAL_MARKETPLACE_AUTOINSTALL": "1",
        "CLAUDE_CODE_IDE_SKIP_AUTO_INSTALL": "1",
        "DISABLE_AUTOUPDATER": "1",
        # The same beginning of the prompt in every request, so that the server can reuse it.
        "CLAUDE_CODE_ATTRIBUTION_HEADER": "0",
        "CLAUDE_CODE_DISABLE_TERMINAL_TITLE": "1",
        "CLAUDE_CODE_SIMPLE_SYSTEM_PROMPT": "1",
        "CLAUDE_CODE_MODEL_CAPABILITIES": "-mid_conv_system,-mid_conv_tool_change",
        "ENABLE_TOOL_SEARCH": "0",
        # A long prompt may take many minutes. All three are needed: the first alone changes nothing.
        "API_TIMEOUT_MS": "3600000",
        "API_FORCE_IDLE_TIMEOUT": "0",
        "CLAUDE_STREAM_IDLE_TIMEOUT_MS": "1800000",
        "CLAUDE_CODE_MAX_RETRIES": "3",  # a model that cannot load is reported in seconds
    }


def client_settings(settings: Settings, names: Sequence[str], *, mode: str, full: bool) -> dict[str, Any]:
    """Claude Code's settings for local sessions.

    `names` are the profiles: with the active one they are all the models that `/model` offers. `mode` is
    how the session is confined: `jail`, `bash` or `off`. Without `full` the tools that cost a local model
    many tokens and help it little are left out.
    """
    return {
        **_common_settings(settings, names, mode),
        **({} if full else LEAN_SETTINGS),
        **({"sandbox": BASH_SANDBOX} if mode == "bash" else {}),
        "permissions": {
            "defaultMode": ASK_FIRST,
            # Without questions only where little harm can be done.
            **({} if mode == "jail" else {"disableBypassPermissionsMode": "disable"}),
            **({"ask": ["Bash"]} if mode == "bash" else {}),
            "deny": [*(CLOUD_TOOLS if full else DENIED_TOOLS), *(SECRET_FILES if mode == "bash" else ())],
        },
    }


def _common_settings(settings: Settings, names: Sequence[str], mode: str) -> dict[str, Any]:
    fixed = {name: value for name, value in environment(settings).items() if name != "CLAUDE_CONFIG_DIR"}
    return {
        # A project's `env` does not override this one; a second layer below CLAUDE_CODE_ENVIRONMENT_KIND.
        "env": {**fixed, **(JAIL_ENVIRONMENT if mode == "jail" else {})},
        **NO_HELPERS,
        # The user's own memory belongs to the cloud sessions.
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
