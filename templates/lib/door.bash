# The door: the only way out, a proxy that lets six requests through and adds the key.
# Copied to build/ by `invoke render`: change it in templates/.

haproxy='' door_pid=''

# Sets haproxy. It is often in a folder that a user's PATH does not contain.
check_door() {
  haproxy=$(PATH=$PATH:$SYSTEM_PROGRAMS type -P haproxy) || die 'haproxy, the only way from a confined session to the model, is not installed' \
    "install it: sudo apt install haproxy" "or run weaker: --sandbox bash; or unconfined: --sandbox off"
}

# Sets door_pid. Starts the proxy in the background. It ends when this script ends, for whatever reason.
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
  die "the proxy to the model did not start: ${said[0]:-haproxy printed no reason}" "${said[@]:1}" \
    "check the installed version ($haproxy -v), or run weaker: --sandbox bash; or unconfined: --sandbox off"
}
