#!/usr/bin/env bats
bats_require_minimum_version 1.5.0
# The generated wrapper, with a `claude` that prints its arguments and records its environment.
# Started by tests/test_bash.py, which renders build/ and sets CHECKOUT.

setup() {
  HOME="$BATS_TEST_TMPDIR/home with space"
  BIN="$BATS_TEST_TMPDIR/bin"
  mkdir -p "$HOME" "$BIN"
  cat >"$BIN/claude" <<'SCRIPT'
#!/usr/bin/env bash
[[ $* != --version ]] || exec printf '%s (Claude Code)\n' "${FAKE_VERSION:-2.1.329}"
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

# Runs the wrapper without a jail, and removes its warning about that.
wrap() {
  local status
  {
    "$WRAPPER" --sandbox off "$@" 2>&1 >&3 3>&- | sed '/^claude-local: not confined: /d' >&2
    status=${PIPESTATUS[0]}
  } 3>&1
  return "$status"
}

own_arguments() {
  wrap </dev/null | wc -l
}

@test "forwards every argument as it is" {
  run --separate-stderr wrap -p 'two words' '' '--' "it's" '$HOME' '*' $'tab\there' </dev/null
  [ "$status" -eq 0 ]
  expected=$(printf '<%s>\n' -p 'two words' '' '--' "it's" '$HOME' '*' $'tab\there')
  own=$(own_arguments)
  [ "$(printf '%s\n' "$output" | tail -n +"$((own + 1))")" = "$expected" ]
}

@test "puts its own arguments first" {
  run wrap </dev/null
  [ "${lines[0]}" = '<--settings>' ]
  [ "${lines[1]}" = "<$CHECKOUT/build/client/off.lean.json>" ]
  [ "${lines[2]}" = '<--setting-sources>' ]
  [ "${lines[3]}" = '<user>' ]
  [ "${lines[4]}" = '<--exclude-dynamic-system-prompt-sections>' ]
  [ "${#lines[@]}" -eq 5 ]
}

@test "passes standard input and the exit code on" {
  sed -i 's/^exit .*/exit 37/' "$BIN/claude"
  run bash -c 'printf "from stdin" | "$1" --sandbox off' bash "$WRAPPER"
  [ "$status" -eq 37 ]
  [[ "$output" == *'from stdin' ]]
}

@test "gives Claude Code the allowed variables and its own, and nothing else" {
  AWS_SECRET_ACCESS_KEY=canary GITHUB_TOKEN=canary ANTHROPIC_API_KEY=canary SSH_AUTH_SOCK=canary \
    http_proxy=canary NODE_OPTIONS=canary BASH_ENV=/dev/null LC_TIME=C TERM=xterm wrap </dev/null
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
  run env -i HOME="$HOME" PATH="$PATH" "$BIN/my-claude" --sandbox off --continue </dev/null
  [ "$status" -eq 0 ]
  [ "${lines[-1]}" = '<--continue>' ]
}

@test "says how to install a missing claude" {
  rm "$BIN/claude"
  run wrap
  [ "$status" -eq 1 ]
  [ "${lines[0]}" = 'claude-local: claude is not on the PATH' ]
  [ "${lines[1]}" = 'claude-local: install Claude Code: npm install --global @anthropic-ai/claude-code' ]
}

@test "says how to write missing settings again" {
  mv "$CHECKOUT/build/client/off.lean.json" "$BATS_TEST_TMPDIR/kept"
  run wrap
  mv "$BATS_TEST_TMPDIR/kept" "$CHECKOUT/build/client/off.lean.json"
  [ "$status" -eq 1 ]
  [ "${lines[1]}" = "claude-local: write it again: cd '$CHECKOUT' && invoke render" ]
}

@test "takes its own options only before the first foreign argument" {
  run wrap --full --trust-project -p --lean --model x </dev/null
  [ "${lines[1]}" = "<$CHECKOUT/build/client/off.full.json>" ]
  [ "${lines[3]}" = '<user,project,local>' ]
  [ "${lines[5]}" = '<--strict-mcp-config>' ]
  [ "${lines[6]}" = '<-p>' ]
  [ "${lines[7]}" = '<--lean>' ]
}

@test "hands everything after -- to Claude Code, its own commands too" {
  run wrap -- status --full </dev/null
  [ "${lines[5]}" = '<status>' ]
  [ "${lines[6]}" = '<--full>' ]
}

@test "knows its own commands as the first word" {
  run "$WRAPPER" env
  [ "${lines[1]}" = "export ANTHROPIC_BASE_URL=$BASE_URL OPENAI_BASE_URL=$BASE_URL/v1" ]
  run "$WRAPPER" usage
  [[ "${lines[0]}" == 'Claude Code on the local model:'* ]]
  [ ! -e "$HOME/environment" ]
}

@test "shows help everywhere, also in folders that cannot be workspaces" {
  for folder in "$CHECKOUT" /tmp / "$HOME"; do
    cd "$folder"
    for words in --help -h '--sandbox jail --help' usage; do
      # shellcheck disable=SC2086  # they are words
      run "$WRAPPER" $words
      [ "$status" -eq 0 ]
      [ "${lines[0]}" = "Claude Code on the local model:  claude-local [our options] [--] [Claude Code's arguments]" ]
      [ "${#lines[@]}" -lt 20 ]
    done
    run "$WRAPPER" env
    [ "$status" -eq 0 ]
    run "$WRAPPER" quarantine
    [ "$status" -eq 0 ]
  done
  [ ! -e "$HOME/environment" ]
}

@test "passes --help to Claude Code after --" {
  run wrap -- --help </dev/null
  [ "${lines[5]}" = '<--help>' ]
}

@test "a command without its name is refused" {
  run "$WRAPPER" switch
  [ "$status" -eq 1 ]
  [ "${lines[0]}" = 'claude-local: switch needs the name of a profile' ]
  [ "${lines[1]}" = "claude-local: list them: cd '$CHECKOUT' && invoke profiles" ]
  run "$WRAPPER" quarantine restore
  [ "$status" -eq 1 ]
  [ "${lines[0]}" = 'claude-local: restore needs the name of a quarantine' ]
}

@test "an option without its value is refused" {
  run wrap --model
  [ "$status" -eq 1 ]
  [ "${lines[0]}" = 'claude-local: --model needs the name of a profile' ]
}

@test "refuses an old Claude Code, and asks for the version only once" {
  FAKE_VERSION=2.1.9 run wrap </dev/null
  [ "$status" -eq 1 ]
  [ "${lines[0]}" = 'claude-local: Claude Code 2.1.9 is too old; 2.1.128 or newer is needed' ]
  touch -d '1 hour ago' "$BIN/claude"
  wrap </dev/null
  FAKE_VERSION=2.1.9 run wrap </dev/null
  [ "$status" -eq 0 ]
}

@test "a Claude Code that does not start is reported with its own last line" {
  printf '#!/bin/bash\necho first >&2\necho "node: not found" >&2\nexit 127\n' >"$BIN/claude"
  run wrap </dev/null
  [ "$status" -eq 1 ]
  [ "${lines[0]}" = "claude-local: \`$BIN/claude --version\` failed: node: not found" ]
  [ "${lines[1]}" = 'claude-local: install Claude Code again: npm install --global @anthropic-ai/claude-code' ]
}

@test "without questions it does not start unless everything is confined" {
  run wrap --dangerously-skip-permissions </dev/null
  [ "$status" -eq 1 ]
  [ "${lines[0]}" = 'claude-local: --dangerously-skip-permissions is only possible with --sandbox jail or container' ]
  [ "${lines[1]}" = 'claude-local: with --sandbox off nothing is confined: only your answers protect your files' ]
}

@test "compares versions by their numbers" {
  for version in 2.1.128 2.1.129 2.2.0 2.10.1 3.0.0 10.0.0; do
    touch "$BIN/claude"
    rm -f "$CLIENT_DIR/cache/claude-version"
    FAKE_VERSION=$version run wrap </dev/null
    [ "$status" -eq 0 ]
  done
  for version in 2.1.127 2.1.99 2.0.999 1.99.999 0; do
    rm -f "$CLIENT_DIR/cache/claude-version"
    FAKE_VERSION=$version run wrap </dev/null
    [ "$status" -eq 1 ]
  done
}

@test "refuses a config folder that is a link to the normal one" {
  mkdir "$HOME/.claude"
  rm -rf "$CLIENT_DIR"
  ln -s "$HOME/.claude" "$CLIENT_DIR"
  run wrap </dev/null
  rm "$CLIENT_DIR"
  [ "$status" -eq 1 ]
  [ "${lines[0]}" = "claude-local: $CLIENT_DIR is a link or the normal ~/.claude, which local sessions never touch" ]
  [ -z "$(ls -A "$HOME/.claude")" ]
}

@test "a config folder that cannot be made is reported" {
  rm -rf "$CLIENT_DIR"
  touch "$CLIENT_DIR"
  run wrap </dev/null
  rm "$CLIENT_DIR"
  [ "$status" -eq 1 ]
  [ "${lines[0]}" = "claude-local: cannot make $CLIENT_DIR/cache" ]
}

@test "the status line shows model, context and reuse" {
  run "$CHECKOUT/build/bin/claude-local-statusline" <<<'{"model":{"id":"qwen3.8-27b","display_name":"x"},"context_window":{"used_percentage":12.5,"current_usage":{"input_tokens":10,"output_tokens":5,"cache_read_input_tokens":990}}}'
  [ "$status" -eq 0 ]
  [ "$output" = 'qwen3.8-27b · context 12 % · reused 99 % · unconfined' ]
}

@test "never touches the normal configuration" {
  mkdir "$HOME/.claude"
  printf '{"own": true}' >"$HOME/.claude.json"
  before=$(cd "$HOME" && stat --format '%n %y %s' .claude .claude.json)
  wrap </dev/null
  [ "$(cd "$HOME" && stat --format '%n %y %s' .claude .claude.json)" = "$before" ]
}
