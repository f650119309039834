# The editor's own door, for --ide. Nothing filters requests there, and the editor opens any file of the user's.
# Copied to build/ by `invoke render`: change it in templates/.

editor_pid='' editor_port='' editor_lock=''

# Sets editor_port and editor_lock. VS Code listens on a port of this machine and says so in a lock file.
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

# has_workspace_open LOCK: whether one of the editor's folders, of which a window may have several, has the workspace.
has_workspace_open() {
  local text folder string='^[[:space:]]*"(([^"\]|\\.)*)"[[:space:]]*,?(.*)'
  text=$(<"$1")
  [[ $text =~ \"workspaceFolders\"[[:space:]]*:[[:space:]]*\[(.*) ]] || return 1
  text=${BASH_REMATCH[1]}
  while [[ $text =~ $string ]]; do
    folder=${BASH_REMATCH[1]//'\"'/'"'} text=${BASH_REMATCH[3]}
    folder=${folder//\\\\/\\} # JSON writes these two so
    if [[ $folder == /* ]] && contains "$folder" "$workspace"; then return 0; fi
  done
  return 1
}

# Sets editor_pid, and editor_port to nothing where that is not possible.
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
