# ---- The door: the only way out, a proxy that lets six requests through and adds the key

# Sets haproxy. It lies where a user's PATH does not lead.
check_door() {
  haproxy=$(PATH=$PATH:/usr/sbin:/sbin:/usr/local/sbin type -P haproxy) || die 'haproxy is missing, which is the only way from a confined session to the model' \
    "install it: sudo apt install haproxy" "or run weaker: --sandbox bash; or unconfined: --sandbox off"
}

# Starts the proxy beside other work. It ends with this script, however that ends.
start_door() {
  (
    cd "$record" || exit
    exec </dev/null >door.log 2>&1 {workspace_fd}<&-
    export DOOR_KEY=local DOOR_SWITCHING=$JAIL_SWITCHING
    [[ -z $KEY_FILE ]] || DOOR_KEY=$(<"$KEY_FILE")
    [[ -z $TOKEN_FILE || ! -r $TOKEN_FILE ]] || { DOOR_TOKEN=$(<"$TOKEN_FILE") && export DOOR_TOKEN; }
    exec setpriv --pdeathsig TERM "$haproxy" -db -f "$JAIL_DIR/door.cfg"
  ) &
  door_pid=$!
  disown "$door_pid"
}

wait_for_door() {
  local said=()
  for _ in {1..500}; do
    [[ ! -S $record/door/llama.sock ]] || return 0
    kill -0 "$door_pid" 2>/dev/null || break
    pause 0.005
  done
  mapfile -t said < <(grep --max-count 3 -e ALERT "$record/door.log" 2>/dev/null)
  die "the door to the model did not open: ${said[0]:-haproxy said nothing}" "${said[@]:1}" \
    "look at the haproxy that runs ($haproxy -v), or run weaker: --sandbox bash; or unconfined: --sandbox off"
}

# pause SECONDS, without starting a program
pause() {
  read -r -t "$1" <> <(:) || true
}

# The editor's own door, for --ide: VS Code listens on a port of this machine and says so in a lock file. Requests are
# not filtered there, and the editor opens any file of the user's.
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
