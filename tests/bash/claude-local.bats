#!/usr/bin/env bats
bats_require_minimum_version 1.5.0
# The generated wrapper, with a `claude` that writes down what it was given.
# Started by tests/test_bash.py, which renders build/ and sets CHECKOUT.

setup() {
  HOME="$BATS_TEST_TMPDIR/home with space"
  BIN="$BATS_TEST_TMPDIR/bin"
  mkdir -p "$HOME" "$BIN"
  cat >"$BIN/claude" <<'SCRIPT'
#!/usr/bin/env bash
printf '<%s>\n' "$@"
env >"$HOME/environment"
cat
exit "${FAKE_EXIT:-0}"
SCRIPT
  chmod +x "$BIN/claude"
  export HOME
  PATH="$BIN:/usr/bin:/bin"
  WRAPPER="$CHECKOUT/build/bin/claude-local"
}

own_arguments() {
  "$WRAPPER" </dev/null | wc -l
}

@test "forwards every argument as it is" {
  run --separate-stderr "$WRAPPER" -p 'two words' '' '--' "it's" '$HOME' '*' $'tab\there' </dev/null
  [ "$status" -eq 0 ]
  expected=$(printf '<%s>\n' -p 'two words' '' '--' "it's" '$HOME' '*' $'tab\there')
  own=$(own_arguments)
  [ "$(printf '%s\n' "$output" | tail -n +"$((own + 1))")" = "$expected" ]
}

@test "puts its own arguments first" {
  run "$WRAPPER" </dev/null
  [ "${lines[0]}" = '<--settings>' ]
  [ "${lines[1]}" = "<$CHECKOUT/build/claude-local/settings.json>" ]
  [ "${lines[2]}" = '<--setting-sources>' ]
  [ "${lines[3]}" = '<user>' ]
  [ "${lines[4]}" = '<--exclude-dynamic-system-prompt-sections>' ]
  [ "${#lines[@]}" -eq 5 ]
}

@test "passes standard input and the exit code on" {
  sed -i 's/^exit .*/exit 37/' "$BIN/claude"
  run bash -c 'printf "from stdin" | "$1"' bash "$WRAPPER"
  [ "$status" -eq 37 ]
  [[ "$output" == *'from stdin' ]]
}

@test "gives Claude Code the allowed variables and its own, and nothing else" {
  AWS_SECRET_ACCESS_KEY=canary GITHUB_TOKEN=canary ANTHROPIC_API_KEY=canary SSH_AUTH_SOCK=canary \
    http_proxy=canary NODE_OPTIONS=canary BASH_ENV=/dev/null LC_TIME=C TERM=xterm "$WRAPPER" </dev/null
  run cat "$HOME/environment"
  [[ "$output" != *canary* ]]
  [[ "$output" == *$'\n'LC_TIME=C* ]]
  [[ "$output" == *$'\n'ANTHROPIC_API_KEY=$'\n'* ]]
  [[ "$output" == *"CLAUDE_CONFIG_DIR=$CLIENT_DIR"* ]]
  [[ "$output" == *"ANTHROPIC_BASE_URL=$BASE_URL"* ]]
  [[ "$output" == *ANTHROPIC_AUTH_TOKEN=local* ]]
}

@test "works through a symlink, from any directory, with an almost empty environment" {
  ln -s "$WRAPPER" "$BIN/my-claude"
  mkdir "$HOME/elsewhere ä"
  cd "$HOME/elsewhere ä"
  run env -i HOME="$HOME" PATH="$PATH" "$BIN/my-claude" --version </dev/null
  [ "$status" -eq 0 ]
  [ "${lines[-1]}" = '<--version>' ]
}

@test "says how to install a missing claude" {
  rm "$BIN/claude"
  run "$WRAPPER"
  [ "$status" -eq 1 ]
  [ "${lines[0]}" = 'claude-local: claude is not on the PATH' ]
  [ "${lines[1]}" = 'claude-local: install Claude Code: npm install --global @anthropic-ai/claude-code' ]
}

@test "says how to write missing settings again" {
  mv "$CHECKOUT/build/claude-local/settings.json" "$BATS_TEST_TMPDIR/kept"
  run "$WRAPPER"
  mv "$BATS_TEST_TMPDIR/kept" "$CHECKOUT/build/claude-local/settings.json"
  [ "$status" -eq 1 ]
  [ "${lines[1]}" = 'claude-local: write it again: invoke render' ]
}

@test "never touches the normal configuration" {
  mkdir "$HOME/.claude"
  printf '{"own": true}' >"$HOME/.claude.json"
  before=$(cd "$HOME" && stat --format '%n %y %s' .claude .claude.json)
  "$WRAPPER" </dev/null
  [ "$(cd "$HOME" && stat --format '%n %y %s' .claude .claude.json)" = "$before" ]
}
