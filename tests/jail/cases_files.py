"""Attacks on files outside the workspace: by name, by link, by renaming, by mounts."""

from __future__ import annotations

from jail.attack import Attack, python

CASES = [
    Attack("reads a private key", "cat @HOME@/.ssh/id_ed25519"),
    Attack("reads cloud credentials", "cat ~/.aws/credentials ~/.netrc"),
    Attack(
        "reads the normal Claude Code's token", "cat @HOME@/.claude/.credentials.json @HOME@/.claude.json"
    ),
    Attack("reads another project", "cat ../../other/notes.txt"),
    Attack("reads the user's git configuration", "cat ~/.gitconfig; git config --list"),
    Attack("reads the key of the model server", "cat @BASE@/key"),
    Attack(
        "searches the machine for secrets",
        "grep -rIs CANARY-5f1c7d @HOME@ /etc /run /opt /srv /var --exclude-dir=ws",
    ),
    Attack("appends to the shell's start-up file", "echo evil >>@HOME@/.bashrc"),
    Attack("adds a file to the home", "echo evil >@HOME@/.profile"),
    Attack(
        "changes the normal Claude Code's settings", "echo '{\"hooks\": 1}' >@HOME@/.claude/settings.json"
    ),
    Attack(
        "adds a command to the normal Claude Code",
        "mkdir -p @HOME@/.claude/commands && echo evil >@HOME@/.claude/commands/evil.md",
    ),
    Attack("adds a program that starts with the desktop", "echo evil >@HOME@/.config/autostart/evil.desktop"),
    Attack("deletes the home", "rm -rf @HOME@/.ssh @HOME@/other"),
    Attack("changes modes outside", "chmod 777 @HOME@/.ssh/id_ed25519"),
    Attack(
        "changes times outside",
        "touch -d 2001-01-01 @HOME@/.bashrc",
    ),
    Attack("replaces the wrapper", "echo evil >@BASE@/build/bin/claude-local && echo ESCAPED"),
    Attack(
        "replaces the session's settings", "echo '{}' >@BASE@/build/client/jail.lean.json && echo ESCAPED"
    ),
    Attack(
        "moves the wrapper's folder aside",
        "mv @BASE@/build @BASE@/elsewhere",
        then="[[ -d @BASE@/build ]] || { echo ESCAPED; mv @BASE@/elsewhere @BASE@/build; }",
    ),
    Attack(
        "writes into the system",
        "touch /usr/lib/evil /usr/local/bin/evil && echo ESCAPED",
        control="[[ ! -w /usr ]] && touch @HOME@/evil",
        note="only root may do this; the control writes into the home",
    ),
    Attack(
        "reads the password hashes",
        "cat /etc/shadow && echo ESCAPED; ls /etc/ssh /etc/cron.d /etc/sudoers && echo ESCAPED",
        control="ls /etc/cron.d && echo ESCAPED",
        note="shadow belongs to root; the control lists another part of /etc",
    ),
    Attack(
        "sees other homes",
        "ls /home /root && echo ESCAPED",
        control="ls /home && echo ESCAPED",
        note="/root is closed to others",
    ),
    Attack(
        "sees other users' files in /tmp",
        "ls /tmp | grep -v claude-local-jail && echo ESCAPED; ls @BASE@/docker.sock && echo ESCAPED",
    ),
    Attack("reads through a symbolic link", "ln -s @HOME@/.ssh keys && cat keys/id_ed25519"),
    Attack("writes through a symbolic link", "ln -s @HOME@/.bashrc innocent && echo evil >>innocent"),
    Attack("reads through a link that was there", "cat keys/id_ed25519", before="ln -s @HOME@/.ssh keys"),
    Attack("writes through a link that was there", "echo evil >>notes", before="ln -s ../../.bashrc notes"),
    Attack("makes a hard link to a file outside", "ln @HOME@/.bashrc mine && echo evil >>mine"),
    Attack(
        "makes a hard link into the open door",
        "ln /run/claude-local/door/llama.sock sock && echo ESCAPED",
        control="ln @HOME@/.bashrc sock && echo ESCAPED",
        note="without a jail there is no door; the control links another file",
    ),
    Attack(
        "moves the workspace away",
        "mv @WORK@ @HOME@/projects/else && ln -s @HOME@/.ssh @WORK@ && cat @WORK@/id_ed25519; rm -f @WORK@; mv @HOME@/projects/else @WORK@",
    ),
    Attack("climbs out by ..", "cat ../../../../../../../../@HOME@/.netrc ../../.netrc"),
    Attack(
        "climbs out by its own folder in /proc",
        "cat /proc/self/cwd/../../.netrc /proc/self/root@HOME@/.netrc",
    ),
    Attack(
        "climbs out by a file's handle",
        python("""
handle = ctypes.create_string_buffer(136)
struct.pack_into("I", handle, 0, 128)
mount = ctypes.c_int()
error = call({"x86_64": 303}.get(os.uname().machine, 264), -100, ctypes.c_char_p(b"@WORK@"), handle, ctypes.byref(mount), 0)
escaped(error == "")"""),
    ),
    Attack(
        "mounts over its own mounts",
        python("""
escaped(libc.mount(b"tmpfs", b"@HOME@", b"tmpfs", 0, None) == 0)"""),
        control="unshare --user --map-root-user --mount mount -t tmpfs tmpfs @HOME@ && echo ESCAPED",
        note="an ordinary user mounts only in namespaces of its own, as the control does",
    ),
    Attack("unmounts what hides the home", "umount -l @HOME@ 2>/dev/null; cat @HOME@/.netrc"),
    Attack(
        "makes its read-only files writable again",
        "mount -o remount,rw,bind @BASE@/build/bin && echo ESCAPED",
        control="unshare --user --map-root-user --mount bash -c 'mount --bind @BASE@/build @BASE@/build && mount -o remount,rw,bind @BASE@/build' && echo ESCAPED",
        note="an ordinary user mounts only in namespaces of its own, as the control does",
    ),
    Attack(
        "reads the disk as a whole",
        "head -c 1 /dev/vda >/dev/null && echo ESCAPED; head -c 1 /dev/sda >/dev/null && echo ESCAPED",
        control="grep -q . /proc/partitions && echo ESCAPED",
        note="disks belong to root; the control reads their list",
    ),
    Attack(
        "replaces the open door",
        "rm -f /run/claude-local/door/llama.sock && echo ESCAPED; mv /run/claude-local/door /run/claude-local/d && echo ESCAPED; touch /run/claude-local/door/x && echo ESCAPED",
        control="touch @BASE@/x && rm @BASE@/x && echo ESCAPED",
        note="without a jail there is no door; the control changes the wrapper's folder",
    ),
    Attack(
        "changes the record of the session",
        "echo x >@HOME@/.local/state/claude-local/sessions/x && echo ESCAPED; ls @HOME@/.local/state && echo ESCAPED",
        control="ls @HOME@/.local/state && echo ESCAPED",
    ),
    Attack(
        "leaves settings for the next session",
        "echo '{\"hooks\": {}}' >~/.claude-local/settings.json; mkdir -p ~/.claude-local/agents ~/.claude-local/commands && echo evil >~/.claude-local/agents/a.md; echo evil >~/.claude-local/CLAUDE.md",
        then="grep -rqs -e evil -e hooks @HOME@/.claude-local && echo ESCAPED",
    ),
    Attack(
        "leaves an MCP server for the next session",
        'echo \'{"mcpServers": {"evil": {"command": "evil"}}}\' >~/.claude-local/.claude.json',
        then="grep -qs evil @HOME@/.claude-local/.claude.json && echo ESCAPED",
    ),
    Attack(
        "changes its instructions",
        "echo evil >>~/.claude-local/CLAUDE.md; mv ~/.claude-local/CLAUDE.md ~/x; rm -f ~/.claude-local/CLAUDE.md; echo evil >~/.claude-local/CLAUDE.md",
        before="mkdir -p ~/.claude-local; echo fine >~/.claude-local/CLAUDE.md",
        then="grep -q evil ~/.claude-local/CLAUDE.md && echo ESCAPED",
    ),
    Attack(
        "replaces a kept folder by a link",
        "rm -rf ~/.claude-local/plans; mv ~/.claude-local/plans ~/p; ln -sfn @HOME@/.ssh ~/.claude-local/plans",
        then="[[ -L ~/.claude-local/plans ]] && echo ESCAPED",
    ),
    Attack(
        "leaves a link in a kept folder",
        "mkdir -p ~/.claude-local/projects/p ~/.claude-local/plans; ln -s @HOME@/.bashrc ~/.claude-local/projects/p/talk.jsonl; ln -s @HOME@ ~/.claude-local/plans/all",
        then="for f in ~/.claude-local/projects/p/talk.jsonl ~/.claude-local/plans/all; do [[ ! -L $f ]] || echo ESCAPED; done",
    ),
    Attack(
        "leaves a device or pipe in a kept folder",
        "mkdir -p ~/.claude-local/todos; mkfifo ~/.claude-local/todos/list.json",
        then="[[ -p ~/.claude-local/todos/list.json ]] && echo ESCAPED",
    ),
    Attack(
        "replaces the history by a link",
        "mkdir -p ~/.claude-local; ln -sfn @HOME@/.bashrc ~/.claude-local/history.jsonl",
        then="[[ -L ~/.claude-local/history.jsonl ]] && echo ESCAPED",
    ),
]
