"""upgrade-image and rollback-image with real servers: only an image that passes every check replaces the old one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from claude_local.checks import upgrade
from claude_local.checks.upgrade_checks import Check
from claude_local.machine.settings import load_settings
from support.images import Images, docker, stand_in
from support.machine import Machine, error_of

pytestmark = pytest.mark.docker

# A newer llama-server that lacks a flag which a profile uses.
WITHOUT_A_FLAG = """
#include <string.h>
#include <unistd.h>
int become(const char *program, char **argv);
int main(int argc, char **argv) {
    char *help[] = {"sh", "-c", "/usr/bin/llama-server --help | grep -v -e --chat-template-kwargs", 0};
    return become(argc > 1 && !strcmp(argv[1], "--help") ? "/bin/sh" : "/usr/bin/llama-server",
                  argc > 1 && !strcmp(argv[1], "--help") ? help : argv);
}
"""
BROKEN = 'int become(const char *p, char **a); int main(int c, char **a) { (void) c; return become("/bin/false", a); }'


def replaced(source: Path, text: str) -> Path:
    (source / "llama-server.c").write_text(text)
    return source


def test_an_image_that_passes_every_check_replaces_the_old_one_and_can_be_rolled_back(
    machine: Machine, images: Images, bases: list[str], tmp_path: Path
) -> None:
    docker("tag", bases[0], images.image)
    old = images.tags()["latest"]
    source = stand_in(tmp_path / "llama.cpp")

    done = machine.invoke("upgrade-image", "--source", str(source), *images.options(bases))
    upgraded = images.tags()
    machine.invoke_ok("rollback-image")
    rolled_back = images.tags()
    machine.invoke_ok("rollback-image")

    assert done.returncode == 0, done.stderr
    checks = [line for line in done.stderr.splitlines() if line[0] in "✓✗"]
    assert [line.partition(":")[0] for line in checks] == [
        "✓ flags",
        "✓ serves a model",
        "✓ tools of Claude Code 2.1.197",
        "✓ tools of Claude Code 2.1.329",
        "✓ forced tool call",
        "✓ prompt read once",
    ]
    assert upgraded["latest"] != old
    assert upgraded["latest-previous"] == old
    assert (rolled_back["latest"], rolled_back["latest-previous"]) == (old, upgraded["latest"])
    assert images.tags() == upgraded
    assert containers_of_upgrades() == []
    assert list(machine.state_dir.glob("upgrade-*")) == []


def containers_of_upgrades() -> list[str]:
    return docker("ps", "--all", "--filter", "name=claude-local-upgrade", "--format", "{{.Names}}").split()


def test_a_missing_flag_is_named_with_its_profiles_and_the_old_image_stays(
    machine: Machine, images: Images, bases: list[str], tmp_path: Path
) -> None:
    docker("tag", bases[0], images.image)
    old = images.tags()["latest"]
    source = replaced(stand_in(tmp_path / "llama.cpp"), WITHOUT_A_FLAG)
    machine.add_demo("fussy", seed=3, lines="  chat_template_kwargs: {a: 1}\n")

    done = machine.invoke("upgrade-image", "--source", str(source), *images.options(bases))

    message, hints = error_of(done)
    assert message.endswith(f"checks failed; {images.image} is unchanged")
    assert "flags of fussy" in done.stdout
    assert "not in this llama-server: --chat-template-kwargs" in done.stdout
    assert "flags of demo" not in done.stdout
    assert "✓ forced tool call" in done.stderr
    assert images.tags()["latest"] == old
    assert "latest-previous" not in images.tags()
    assert hints[0].startswith("the new image is kept as ")


def test_an_image_that_does_not_start_does_not_replace_the_old_one(
    machine: Machine, images: Images, bases: list[str], tmp_path: Path
) -> None:
    docker("tag", bases[0], images.image)
    old = images.tags()["latest"]
    source = replaced(stand_in(tmp_path / "llama.cpp"), BROKEN)

    done = machine.invoke("upgrade-image", "--source", str(source), *images.options(bases))

    message, _ = error_of(done)
    assert message == f"2 of 2 checks failed; {images.image} is unchanged"
    assert images.tags()["latest"] == old
    assert containers_of_upgrades() == []


def test_a_tool_that_does_not_become_a_grammar_is_named(machine: Machine, bases: list[str]) -> None:
    settings = load_settings(machine.environment, machine.checkout, user_id=os.getuid(), group_id=os.getgid())
    good = {"name": "Good", "input_schema": {"type": "object", "properties": {"a": {"type": "string"}}}}
    bad = {"name": "Bad", "input_schema": {"type": "object", "properties": {"a": {"$ref": "#/nowhere"}}}}
    seen: list[Check] = []

    results = upgrade.try_image(settings, {}, bases[0], seen.append, {"1.0": [good], "2.0": [good, bad]})

    assert seen == results
    assert {check.name: check.passed for check in results} == {
        "flags": True,
        "serves a model": True,
        "tools of Claude Code 1.0": True,
        "tools of Claude Code 2.0": False,
        "forced tool call": True,
        "prompt read once": True,
    }
    failed = next(check for check in results if not check.passed)
    assert failed.result.startswith("Bad: llama-server refuses /v1/messages: ")


def test_rollback_without_a_previous_image_is_refused(
    machine: Machine, images: Images, bases: list[str]
) -> None:
    docker("tag", bases[0], images.image)

    message, hints = error_of(machine.invoke("rollback-image"))

    assert message == f"`{images.image}` has no previous image"
    assert hints == ["there is one only after an image was replaced; to build another: invoke upgrade-image"]
