# The files of this machine that a session sees. lib/confine defines `show` and `scratch`.
# Copied to build/ by `invoke render`: change it in templates/.

# Later mounts cover earlier ones.
show_session() {
  local name path shown=() obeyed=() writable=("$workspace" "${KEPT_CLIENT_FOLDERS[@]/#/$CLIENT_DIR/}")
  read_mounts
  scratch "$HOME_MIB" 0700 "$HOME"

  # Tool chains named in the settings, read-only.
  for path in "${JAIL_READ_ONLY[@]}"; do
    [[ ! -e $path ]] || show ro "$path"
  done

  # The first program, Claude Code's settings, and our commands for it.
  for name in bin lib libexec config.bash client; do
    show ro "$BUILD_DIR/$name"
  done
  show ro "$record/git" /run/claude-local/git

  # Its own folder: conversations are kept, instructions are read-only, everything else is thrown away.
  scratch "$HOME_MIB" 0700 "$CLIENT_DIR"
  for name in "${KEPT_CLIENT_FOLDERS[@]}"; do
    show rw "$CLIENT_DIR/$name"
  done
  for name in "${READ_ONLY_CLIENT_ENTRIES[@]}"; do
    [[ ! -e $CLIENT_DIR/$name ]] || show ro "$CLIENT_DIR/$name"
  done
  show rw "$CLIENT_DIR/history.jsonl"
  show ro "$CLIENT_DIR/cache/gateway-models.json"
  [[ -z $editor_port ]] || show ro "$editor_lock" "$CLIENT_DIR/ide/${editor_lock##*/}"

  # The checked workspace; the files in it that other programs obey are read-only.
  show_workspace
  show_instructions
  protect_repository
  mapfile -d '' -t obeyed <"$record/obeyed"
  for path in "${obeyed[@]}"; do
    [[ $path != HEAD && $path != */HEAD ]] || continue
    for name in "${shown[@]}"; do
      [[ $path != "$name/"* ]] || continue 2
    done
    [[ ! -d $workspace/$path ]] || shown+=("$path")
    [[ -L $workspace/$path ]] || show ro "$workspace/$path"
  done
  protect_mounts "${writable[@]}"

  # The way out.
  show ro "$record/door" "${DOOR_SOCKET%/*}"
}
