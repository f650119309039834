"""Work that must be possible in the jail."""

from __future__ import annotations

import shutil
import sys
import zipfile
from pathlib import Path

import pytest

from claude_local.checks.verify.recorder import Recorded, Recorder
from jail.host import Host

pytestmark = pytest.mark.tools

GIT = "git init -q . && echo a >a && git add a && git commit -q -m one"
WORKTREE = (
    f"mkdir ../main && cd ../main && {GIT} && git branch b && rmdir @WORK@ && git worktree add -q @WORK@ b"
)

# By name: the session's script, the user's commands before it, and the output.
POSSIBLE = {
    "edit a file": ("echo x >f && sed -i s/x/y/ f && cat f", "", "y\n"),
    "make, move and delete folders": ("mkdir -p a/b && mv a c && rm -r c/b && ls", "", "c\n"),
    "commit": (
        "echo b >b && git add b && git commit -q -m two && git log --format=%an:%s",
        GIT,
        "Ada:two\nAda:one\n",
    ),
    "switch branches and merge": (
        "git checkout -q -b x && echo b >b && git add b && git commit -q -m two && git checkout -q - && git merge -q x && git branch -q -d x && ls",
        GIT,
        "a\nb\n",
    ),
    "stash and rebase": (
        "echo b >>a && git stash -q && git commit -q --allow-empty -m two && git stash pop -q && git diff --stat | tail -1",
        GIT,
        " 1 file changed, 1 insertion(+)\n",
    ),
    "commit in a worktree": (
        "echo b >b && git add b && git commit -q -m two && git status --short && git log --format=%s",
        WORKTREE,
        "two\none\n",
    ),
    "rebase, reset and tag in a worktree": (
        "git commit -q --allow-empty -m two && git tag t && git reset -q --hard HEAD~1 && git rebase -q t && git log --format=%s -1",
        WORKTREE,
        "two\n",
    ),
    "start a repository": (f"{GIT} && git status --short && git log --format=%s", "", "one\n"),
    "run node": (
        'node -e \'require("fs").writeFileSync("f", String(6 * 7)); console.log(require("os").cpus().length > 0)\' && cat f',
        "",
        "true\n42",
    ),
    "run python": (
        "/usr/bin/python3 -c 'import multiprocessing as m; print(sum(m.Pool(2).map(abs, [-1, -2])))'",
        "",
        "3\n",
    ),
    "run tests": (
        "printf 'import unittest\\nclass T(unittest.TestCase):\\n def test(self): pass\\n' >test_x.py && /usr/bin/python3 -m unittest -q 2>&1 | tail -1",
        "",
        "OK\n",
    ),
    "make temporary files": (
        "f=$(mktemp) && d=$(mktemp -d) && echo x >$f && cp $f $d && cat $d/*",
        "",
        "x\n",
    ),
    "serve and ask on its own loopback": (
        "/usr/bin/python3 -m http.server --bind 127.0.0.1 8000 >/dev/null 2>&1 & until curl --silent --fail -o /dev/null http://127.0.0.1:8000/; do :; done; echo answered",
        "",
        "answered\n",
    ),
    "compile": ("echo 'int main(void){return 7;}' >m.c && gcc m.c -o m && ./m; echo $?", "", "7\n"),
    "use shared memory and locks": (
        "flock f echo locked && /usr/bin/python3 -c 'import multiprocessing.shared_memory as s; m = s.SharedMemory(create=True, size=9); m.unlink(); print(m.size >= 9)'",
        "",
        "locked\nTrue\n",
    ),
    "watch files": (
        'node -e \'const fs = require("fs"); fs.watch(".", () => {console.log("seen"); process.exit()}); fs.writeFileSync("f", "x")\'',
        "",
        "seen\n",
    ),
    "run in the background": ("(echo x >f) & wait && cat f", "", "x\n"),
    "keep a large file": ("truncate --size 3G big && stat --format %s big", "", "3221225472\n"),
    "find out who it is": ("id --user --name && cd && pwd", "", ""),
}


@pytest.mark.parametrize("name", POSSIBLE)
def test_it_is_possible_to(host: Host, name: str) -> None:
    script, before, expected = POSSIBLE[name]
    if before:
        prepared = host.unconfined(f"set -e\n{before}")
        assert prepared.returncode == 0, prepared.stderr

    done = host.session(script)

    assert done.returncode == 0, done.stderr
    assert done.stdout == expected or not expected


def test_a_package_can_be_installed_from_a_local_cache_into_a_new_virtual_environment(host: Host) -> None:
    wheel = host.work / "wheels" / "tiny-1-py3-none-any.whl"
    wheel.parent.mkdir()
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("tiny.py", "print('installed')\n")
        archive.writestr("tiny-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1\n")
        archive.writestr(
            "tiny-1.dist-info/WHEEL",
            "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        archive.writestr("tiny-1.dist-info/RECORD", "")
    host.give(host.work)
    pip = next(Path(sys.prefix).glob("lib/python*/site-packages/pip"))
    shutil.copytree(pip, host.work / "wheels" / "pip")  # as ensurepip would, which Debian's Python may lack
    host.give(host.work)

    done = host.session(
        "/usr/bin/python3 -m venv --without-pip .venv && PYTHONPATH=wheels .venv/bin/python -m pip --quiet --disable-pip-version-check "
        "install --no-index --find-links wheels tiny && .venv/bin/python -c 'import tiny'"
    )

    assert done.stdout == "installed\n", done.stderr


def test_git_status_is_the_same_before_and_after_a_session(host: Host) -> None:
    host.unconfined(
        f"{GIT}; mkdir .vscode; echo x >.vscode/s; echo x >.envrc; git add -A; git commit -q -m all; echo x >new"
    )
    before = host.unconfined("git status --porcelain --ignored && git config --list --local && ls -A").stdout

    inside = host.session("git status --porcelain --ignored && git config --list --local && ls -A").stdout

    assert (
        inside,
        host.unconfined("git status --porcelain --ignored && git config --list --local && ls -A").stdout,
    ) == (before, before)


def test_conversations_are_kept_and_the_rest_is_not(host: Host) -> None:
    host.session(
        "mkdir -p ~/.claude-local/projects/p && echo talk >~/.claude-local/projects/p/a.jsonl; echo x >>~/.claude-local/history.jsonl; echo x >~/.claude-local/other"
    )

    done = host.session(
        "cat ~/.claude-local/projects/p/a.jsonl ~/.claude-local/history.jsonl; ls ~/.claude-local/other"
    )

    assert done.stdout == "talk\nx\n"


def script_for(tools: list[dict[str, object]]) -> object:
    """A model that uses these tools one after the other, then ends. Subagents end immediately."""
    left = list(tools)

    def answer(request: Recorded) -> list[dict[str, object]]:
        if "be the subagent" in str(request.json().get("messages", [{}])[0]):
            return [{"type": "text", "text": "the subagent was here"}]
        if left:
            return [{"type": "tool_use", "id": f"toolu_{len(left)}", **left.pop(0)}]
        return [{"type": "text", "text": "done"}]

    return answer


def run_real(host: Host, client: str, tools: list[dict[str, object]], *options: str) -> tuple[str, Recorder]:
    """Runs the real Claude Code with a scripted model. Returns its output with all requests, and the server."""
    folder = host.real_claude(client)
    with Recorder(script_for(tools)) as server:  # type: ignore[arg-type]  # blocks are plain data
        host.render(external_url=server.url)
        try:
            argv = [str(host.wrapper), "--full", "--", "--dangerously-skip-permissions", *options, "-p", "go"]
            done = host.run(argv, extra={"PATH": f"{folder}:/usr/bin:/bin"})
        finally:
            host.render()
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + "".join(request.raw for request in server.requests), server


@pytest.mark.real_cli
@pytest.mark.parametrize("client", ["new", "old"])
def test_the_real_claude_code_edits_and_runs(host: Host, client: str) -> None:
    file = str(host.work / "hello.txt")
    tools: list[dict[str, object]] = [
        {"name": "Write", "input": {"file_path": file, "content": "hello\n"}},
        {"name": "Edit", "input": {"file_path": file, "old_string": "hello", "new_string": "goodbye"}},
        {"name": "Bash", "input": {"command": "cat hello.txt | tr a-z A-Z >loud.txt", "description": "x"}},
    ]

    run_real(host, client, tools)

    assert (host.work / "loud.txt").read_text() == "GOODBYE\n"


@pytest.mark.real_cli
@pytest.mark.parametrize("client", ["new", "old"])
def test_a_subagent_answers(host: Host, client: str) -> None:
    tools: list[dict[str, object]] = [
        {
            "name": name,
            "input": {"description": "x", "prompt": "be the subagent", "subagent_type": "general-purpose"},
        }
        for name in ("Agent", "Task")
    ]

    said, _ = run_real(host, client, tools)

    assert "the subagent was here" in said


MCP_SERVER = """
import json, sys
for line in sys.stdin:
    request = json.loads(line)
    if "id" not in request:
        continue
    result = {}
    if request["method"] == "initialize":
        result = {"protocolVersion": request["params"]["protocolVersion"], "capabilities": {"tools": {}}, "serverInfo": {"name": "x", "version": "1"}}
    elif request["method"] == "tools/list":
        result = {"tools": [{"name": "mark", "description": "marks", "inputSchema": {"type": "object", "properties": {}}}]}
    elif request["method"] == "tools/call":
        open("marked", "w").write("by the server")
        result = {"content": [{"type": "text", "text": "marked it"}]}
    print(json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": result}), flush=True)
"""


@pytest.mark.real_cli
@pytest.mark.parametrize("client", ["new", "old"])
def test_an_mcp_server_runs_inside(host: Host, client: str) -> None:
    (host.work / "server.py").write_text(MCP_SERVER)
    (host.work / "servers.json").write_text(
        '{"mcpServers": {"own": {"command": "/usr/bin/python3", "args": ["server.py"]}}}'
    )
    host.give(host.work)

    said, _ = run_real(
        host,
        client,
        [{"name": "mcp__own__mark", "input": {}}],
        "--mcp-config",
        str(host.work / "servers.json"),
    )

    assert (host.work / "marked").read_text() == "by the server"
    assert "marked it" in said
