"""A `claude` that is not the program itself: what it is and what to do is said by the wrapper, doctor and installer."""

from __future__ import annotations

from pathlib import Path

import pytest

from claude_local.client.requirements import claude_kind
from jail.host import STUB, Host
from support.machine import CLIENTS

pytestmark = pytest.mark.tools

HIDDEN = 'exec @HOME@/tools/claude.exe "$@"\n'
KINDS = {
    "a wrapper": ("claude", f"#!/bin/bash\n{HIDDEN}", "a script that starts something else"),
    "mise": ("mise", f"#!/bin/bash\n{HIDDEN}", "a shim of mise"),
    "asdf": ("claude", f"#!/usr/bin/env bash\n# asdf-plugin: nodejs 24\n{HIDDEN}", "a shim of asdf"),
    "volta": ("volta-shim", f"#!/bin/bash\n{HIDDEN}", "a shim of volta"),
    "nodenv": ("claude", f'#!/bin/sh\n# exec "@HOME@/nodenv" exec\n{HIDDEN}', "a shim of nodenv"),
    "nvm": ("claude", f'#!/bin/bash\n[ ! -s @HOME@/.nvm/nvm.sh ] || . "@HOME@/.nvm/nvm.sh"\n{HIDDEN}', "a script that loads nvm"),
    "pnpm": ("claude", '#!/bin/sh\nbasedir=$(dirname "$0")\nexec "$basedir/../../tools/claude.exe" "$@"\n', "a script of pnpm"),
    "an older Claude Code": ("cli.js", "#!/usr/bin/env node\nconsole.log(require('../tools/version.js'))\n", "a Node script"),
}  # fmt: skip


def install(host: Host, file: str, text: str) -> Path:
    """Puts a command `claude` that is a link to this file first on the PATH; the program that it starts is a stub."""
    tools, shims = host.home / "tools", host.home / "shims"
    for folder in (tools, shims, shims / "bin"):
        folder.mkdir()
    (tools / "claude.exe").write_text(STUB)
    (tools / "version.js").write_text("module.exports = '2.1.329'")
    (shims / file).write_text(host.fill_in(text))
    for program in (tools / "claude.exe", shims / file):
        program.chmod(0o755)
    command = shims / "bin" / "claude"
    command.symlink_to(shims / file)
    host.give(host.home)
    return command


@pytest.mark.parametrize("name", KINDS)
def test_a_claude_that_cannot_start_in_the_jail_is_explained(host: Host, name: str) -> None:
    file, text, about = KINDS[name]
    command = install(host, file, text)
    path = {"PATH": f"{command.parent}:{host.environment['PATH']}"}

    done = host.run(host.wrapper_argv("true"), extra=path)

    kind = claude_kind(command, ())
    assert kind is not None
    assert kind.about == about
    first, second = done.stderr.splitlines()
    assert first.startswith(f"claude-local: {command} is {about}; it does not start in the jail: ")
    assert second == f"claude-local: {kind.remedy}"
    assert done.returncode == 1


def test_a_package_whose_install_script_did_not_run_is_explained(host: Host) -> None:
    """The placeholder of the real package, as npm leaves it."""
    command = install(host, "claude.exe", (CLIENTS / "claude-new" / "bin" / "claude.exe").read_text())
    path = {"PATH": f"{command.parent}:{host.environment['PATH']}"}

    jailed = host.run(host.wrapper_argv("true"), extra=path)
    host.mode = "off"
    unconfined = host.run(host.wrapper_argv("true"), extra=path)
    host.mode = "jail"

    kind = claude_kind(command, ())
    assert kind is not None
    assert jailed.stderr == unconfined.stderr
    assert jailed.stderr.splitlines() == [
        f"claude-local: {command} is {kind.about}; it does not start: Error: claude native binary not installed.",
        f"claude-local: {kind.remedy}",
    ]


def test_a_script_that_starts_a_visible_program_works(host: Host) -> None:
    command = install(host, "claude", STUB)

    done = host.run(host.wrapper_argv("echo inside"), extra={"PATH": f"{command.parent}:/usr/bin:/bin"})

    assert (done.returncode, done.stdout) == (0, "inside\n"), done.stderr
    assert claude_kind(command, ()) is None
