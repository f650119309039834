# ---- What a session sees of this machine, in the words of bubblewrap or of Docker

# bind ro|rw SOURCE [TARGET]
bind() {
  local source=$2 target=${3:-$2} how=''
  if [[ $sandbox == container ]]; then
    [[ $1 == rw ]] || how=,readonly
    # Docker reads them as CSV: in quotes, a comma may be part of a name.
    container+=(--mount "type=bind,\"source=${source//\"/\"\"}\",\"target=${target//\"/\"\"}\"$how")
  elif [[ $1 == ro ]]; then
    jail+=(--ro-bind "$source" "$target")
  else
    jail+=(--bind "$source" "$target")
  fi
}

# scratch MIB MODE PATH: a place in memory that ends with the session.
scratch() {
  if [[ $sandbox == container ]]; then
    container+=(--tmpfs "$3:rw,exec,nosuid,nodev,size=$1m,mode=$2,uid=$EUID,gid=${GROUPS[0]}")
  else
    jail+=(--size "$(($1 << 20))" --perms "$2" --tmpfs "$3")
  fi
}

# Later mounts cover earlier ones.
show_session() {
  local name path shown=() writable=("$workspace" "${KEPT_CLIENT_FOLDERS[@]/#/$CLIENT_DIR/}")
  scratch "$HOME_MIB" 0700 "$HOME"

  # Tool chains that the settings name, read-only.
  for path in "${JAIL_READ_ONLY[@]}"; do
    [[ ! -e $path ]] || bind ro "$path"
  done

  # What runs first, what Claude Code is told, and our commands for it.
  bind ro "$JAIL_DIR/inside" /run/claude-local/inside
  bind ro "$COMMANDS_DIR"
  bind ro "$SETTINGS_DIR"
  [[ ! -s $record/gitconfig ]] || bind ro "$record/gitconfig" /run/claude-local/gitconfig

  # Its own folder: what is worth keeping stays, what it is told is read-only, all else is thrown away.
  scratch "$HOME_MIB" 0700 "$CLIENT_DIR"
  for name in "${KEPT_CLIENT_FOLDERS[@]}"; do
    bind rw "$CLIENT_DIR/$name"
  done
  for name in "${READ_ONLY_CLIENT_ENTRIES[@]}"; do
    [[ ! -e $CLIENT_DIR/$name ]] || bind ro "$CLIENT_DIR/$name"
  done
  bind rw "$CLIENT_DIR/history.jsonl"
  bind ro "$CLIENT_DIR/cache/gateway-models.json"
  [[ -z $editor_port ]] || bind ro "$editor_lock" "$CLIENT_DIR/ide/${editor_lock##*/}"

  # The workspace as it was checked; in it, what other programs obey is read-only.
  if [[ $sandbox == container ]]; then
    bind ro "$CLIENT_DIR/.claude.json" /run/claude-local/claude.json # `inside` makes the copy
    scratch "$HOME_MIB" 0700 "$CLIENT_DIR/cache"
    bind rw "$workspace" # `inside` compares it with what was checked
  else
    jail+=(--file "$CLAUDE_JSON_FD" "$CLIENT_DIR/.claude.json")
    jail+=(--bind-fd "$workspace_fd" "$workspace")
  fi
  protect_repository
  for path in "${obeyed[@]}"; do
    [[ $path != HEAD && $path != */HEAD ]] || continue
    for name in "${shown[@]}"; do
      [[ $path != "$name/"* ]] || continue 2
    done
    [[ ! -d $workspace/$path ]] || shown+=("$path")
    [[ -L $workspace/$path ]] || bind ro "$workspace/$path"
  done
  protect_mounts "${writable[@]}"

  # The way out.
  bind ro "$record/door" "${DOOR_SOCKET%/*}"
}
