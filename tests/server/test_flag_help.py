"""flag_help: which flags a server has, and which profiles use one that it lacks."""

from __future__ import annotations

from pathlib import Path

from claude_local.profiles.load import load_profiles
from claude_local.server.flag_help import flags_in, missing_flags

ROOT = Path(__file__).parents[2]
HELP = (ROOT / "tests" / "data" / "llama-server-help.txt").read_text(encoding="utf-8")


def test_flags_are_read_from_the_names_of_options_only() -> None:
    text = (
        "----- common params -----\n\n"
        "-c,    --ctx-size N                     size of the prompt context, see --rope-scale\n"
        "                                        and --yarn-ext-factor\n"
        "--mmap, --no-mmap                       whether to map the file\n"
        "-a-very-long-one, --alias-of-something-long STRING\n"
        "                                        set an alias\n"
        "--draft, --draft-max N                  the argument has been removed. use\n"
        "                                        --spec-draft-n-max\n"
    )

    assert flags_in(text) == {"--ctx-size", "--mmap", "--no-mmap", "--alias-of-something-long"}


def test_our_profiles_use_only_flags_of_the_recorded_server() -> None:
    assert missing_flags(HELP, load_profiles(ROOT / "profiles")) == {}


def test_a_missing_flag_is_listed_for_the_router_and_each_profile_that_uses_it() -> None:
    profiles = load_profiles(ROOT / "profiles")
    without = "\n".join(
        line for line in HELP.splitlines() if not any(name in line for name in ("--top-k", "--models-preset"))
    )

    missing = missing_flags(without, {"demo": profiles["demo"]})

    assert missing == {"router": ["--models-preset"], "demo": ["--top-k"]}
