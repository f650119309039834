# The config folder of local sessions, and the files that Claude Code reads in it.
# Copied to build/ by `invoke render`: change it in templates/.

mcp=()

check_build() {
  [[ -r $SETTINGS_DIR/off.lean.json && -r $SETTINGS_DIR/jail.full.json ]] || die "$SETTINGS_DIR is not complete" "write it again: $CHECKOUT_TASK render"
}

check_client_dir() {
  if [[ -L $CLIENT_DIR || $CLIENT_DIR -ef ${HOME:-/}/.claude ]]; then
    die "$CLIENT_DIR is a link or the normal ~/.claude, which local sessions never touch" "choose another folder: set client_dir in settings.yaml, then: $CHECKOUT_TASK render"
  fi
  [[ -d $CLIENT_DIR/cache ]] || mkdir -p "$CLIENT_DIR/cache" 2>/dev/null || die "cannot make $CLIENT_DIR/cache" "choose another folder: set client_dir in settings.yaml, then: $CHECKOUT_TASK render"
  [[ -r $CLIENT_DIR && -w $CLIENT_DIR && -x $CLIENT_DIR ]] || die "you cannot read and write $CLIENT_DIR" "correct its permissions: chmod u+rwx $(printf %q "$CLIENT_DIR"); or choose another folder: set client_dir in settings.yaml, then: $CHECKOUT_TASK render"
}

prepare_client_dir() {
  local name
  for name in "${KEPT_CLIENT_FOLDERS[@]}"; do
    [[ -d $CLIENT_DIR/$name ]] || mkdir "$CLIENT_DIR/$name"
  done
  # A session that was cut off has not tidied them.
  ! compgen -G "$STATE_DIR/sessions/*-*" >/dev/null || tidy_kept_folders
  [[ -e $CLIENT_DIR/.claude.json ]] || printf '{"hasCompletedOnboarding": true}\n' >"$CLIENT_DIR/.claude.json"
  [[ -e $CLIENT_DIR/history.jsonl ]] || : >"$CLIENT_DIR/history.jsonl"
  [[ -e $CLIENT_DIR/cache/gateway-models.json ]] || printf '{}\n' >"$CLIENT_DIR/cache/gateway-models.json"
  [[ -e $CLIENT_DIR/CLAUDE.md ]] || cp "$CONFIG_DIR/CLAUDE.md" "$CLIENT_DIR/CLAUDE.md"
}

# Deletes links and special files: the next unconfined session would read and write through a link left there.
tidy_kept_folders() {
  find "${KEPT_CLIENT_FOLDERS[@]/#/$CLIENT_DIR/}" -xdev ! -type d ! -type f -delete
}

# Sets mcp. Even in a trusted project only the user's own MCP servers start: a project's would start without asking.
choose_mcp_servers() {
  [[ $sources != user ]] || return 0
  mcp=(--strict-mcp-config)
  # Claude Code indents the outer keys of this file by two spaces, and refuses a file without this key.
  [[ $(<"$CLIENT_DIR/.claude.json") != *$'\n  "mcpServers": {'* ]] || mcp+=("--mcp-config=$CLIENT_DIR/.claude.json")
}
