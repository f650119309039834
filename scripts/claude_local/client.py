"""What Claude Code is told, so that it talks to the local server and to nobody else.

Every name here was measured with Claude Code 2.1.197 and 2.1.329. Several are undocumented: check them
whenever a newer version is pinned in `tests/client/package.json`.
"""

from __future__ import annotations

from typing import Any

from claude_local.profiles import ACTIVE_ALIAS
from claude_local.settings import Settings

# The process environment of the user that reaches Claude Code; all else stays outside.
PASSED_VARIABLES = (
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR",
    "TERM", "COLORTERM", "TERM_PROGRAM", "TERM_PROGRAM_VERSION", "NO_COLOR", "COLUMNS", "LINES",
    "TMUX", "EDITOR", "VISUAL", "PAGER", "XDG_RUNTIME_DIR", "CLAUDE_CODE_SSE_PORT",
)  # fmt: skip

# Tools that need the cloud, or that cost many tokens and help a local model little.
DENIED_TOOLS = (
    "WebSearch", "WebFetch", "NotebookEdit", "CronCreate", "CronDelete", "CronList",
    "ScheduleWakeup", "Workflow", "SendMessage", "ReportFindings", "EnterWorktree", "ExitWorktree",
    "DesignSync", "RemoteTrigger", "PushNotification", "Monitor",
)  # fmt: skip

# Options before the user's own. The first two keep a project's or a user's settings file from
# redirecting the session; the third keeps the folder name out of the prompt's constant beginning.
ARGUMENTS = ("--setting-sources", "user", "--exclude-dynamic-system-prompt-sections")


def environment(settings: Settings) -> dict[str, str]:
    """The fixed part of Claude Code's environment. Context size and key are added at start."""
    model = ACTIVE_ALIAS
    return {
        "CLAUDE_CONFIG_DIR": str(settings.client_dir),
        "ANTHROPIC_BASE_URL": settings.base_url,
        "ANTHROPIC_API_KEY": "",  # else Claude Code looks for one, and asks
        "ANTHROPIC_MODEL": model,
        "ANTHROPIC_DEFAULT_OPUS_MODEL": model,
        "ANTHROPIC_DEFAULT_SONNET_MODEL": model,
        "ANTHROPIC_DEFAULT_HAIKU_MODEL": model,
        "ANTHROPIC_SMALL_FAST_MODEL": model,
        "CLAUDE_CODE_SUBAGENT_MODEL": model,
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
        "CLAUDE_CODE_DISABLE_CRON": "1",
        "CLAUDE_CODE_MAX_OUTPUT_TOKENS": "8192",
        # A long prompt may take many minutes. All three are needed: the first alone changes nothing.
        "API_TIMEOUT_MS": "3600000",
        "API_FORCE_IDLE_TIMEOUT": "0",
        "CLAUDE_STREAM_IDLE_TIMEOUT_MS": "1800000",
        "CLAUDE_CODE_MAX_RETRIES": "3",  # a model that cannot load is reported in seconds
    }


def client_settings() -> dict[str, Any]:
    """Claude Code's settings.json for local sessions."""
    return {
        "disableDeepLinkRegistration": "disable",
        "disableRemoteControl": True,
        "disableClaudeAiConnectors": True,
        "disableBundledSkills": True,
        "disableWorkflows": True,
        "autoMemoryEnabled": False,
        "includeGitInstructions": False,
        "promptSuggestionEnabled": False,
        "awaySummaryEnabled": False,
        "respondToBashCommands": False,
        "attribution": {"commit": "", "pr": ""},
        "permissions": {"deny": list(DENIED_TOOLS)},
    }
