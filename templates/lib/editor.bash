# The way to the editor, for --ide. Its requests are not filtered, and the editor opens any file of the user.
# Copied to build/ by `invoke render`: change it in templates/.

editor_pid='' editor_port='' editor_lock=''

# Sets editor_port and editor_lock. VS Code listens on a local port and writes it into the name of a lock file.
find_editor() {
  local lock
  editor_port='' editor_lock=''
  [[ -n $ide ]] || return 0
  for lock in "$HOME"/.claude/ide/*.lock "$CLIENT_DIR"/ide/*.lock; do
    [[ -f $lock && ${lock##*/} =~ ^[0-9]{1,5}\.lock$ ]] || continue
    [[ ${lock##*/} == "${CLAUDE_CODE_SSE_PORT:-}.lock" ]] || has_workspace_open "$lock" || continue
    editor_port=${lock##*/} editor_port=${editor_port%.lock} editor_lock=$lock
    return 0
  done
}

# has_workspace_open LOCK: whether the workspace is in one of the editor's open folders. A window may have several, and
# may have opened one through a link.
has_workspace_open() {
  local text folder string='^[[:space:]]*"(([^"\]|\\.)*)"[[:space:]]*,?(.*)'
  text=$(<"$1")
  [[ $text =~ \"workspaceFolders\"[[:space:]]*:[[:space:]]*\[(.*) ]] || return 1
  text=${BASH_REMATCH[1]}
  while [[ $text =~ $string ]]; do
    folder=${BASH_REMATCH[1]//'\"'/'"'} text=${BASH_REMATCH[3]}
    folder=${folder//\\\\/\\} # JSON escapes quotes and backslashes
    [[ $folder == /* ]] || continue
    folder=$(cd -P -- "$folder" 2>/dev/null && pwd -P) || continue
    if contains "$folder" "$workspace"; then return 0; fi
  done
  return 1
}

# Sets editor_pid. Without an editor or socat, editor_port is empty.
start_editor_bridge() {
  find_editor
  [[ -n $editor_port ]] || return 0
  type -P socat >/dev/null || { say 'socat is missing, so this session does not see your editor: sudo apt install socat'; editor_port='' && return; }
  (
    cd "$record" || exit
    exec </dev/null >/dev/null 2>&1 {workspace_fd}<&-
    exec -c "$(type -P setpriv)" --pdeathsig TERM "$(type -P socat)" UNIX-LISTEN:door/editor.sock,fork,mode=600 "TCP4:127.0.0.1:$editor_port"
  ) &
  editor_pid=$!
  disown "$editor_pid"
  for _ in {1..200}; do
    [[ ! -S $record/door/editor.sock ]] || return 0
    pause 0.005
  done
}
