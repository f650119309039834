#!/usr/bin/env bats
bats_require_minimum_version 1.5.0
# The small programs in libexec/, each on its own.
# Started by tests/test_bash.py, which renders build/ and sets CHECKOUT.

setup() {
  LIBEXEC="$CHECKOUT/build/libexec"
  BIN="$BATS_TEST_TMPDIR/bin"
  mkdir -p "$BIN"
}

@test "unconfined: gives a program the listed variables and the key, and nothing else" {
  printf 'the key' >"$BATS_TEST_TMPDIR/key"
  run env SECRET=canary "$LIBEXEC/unconfined" "$BATS_TEST_TMPDIR/key" 2 A=1 'B=two words' /usr/bin/env
  [ "$status" -eq 0 ]
  [[ "$output" == *$'A=1\n'* ]]
  [[ "$output" == *'B=two words'* ]]
  [[ "$output" == *'ANTHROPIC_AUTH_TOKEN=the key'* ]]
  run env -i "$LIBEXEC/unconfined" '' 1 A=1 /usr/bin/env
  [ "$(LC_ALL=C sort <<<"$output")" = $'A=1\nANTHROPIC_AUTH_TOKEN=local\nSHLVL=0' ] # bash itself sets SHLVL
}

@test "unconfined: passes arguments and the exit code on" {
  run env -i "$LIBEXEC/unconfined" '' 0 /bin/bash -c 'printf "<%s>" "$@"; exit 37' bash 'a b' ''
  [ "$status" -eq 37 ]
  [ "$output" = '<a b><>' ]
}

@test "hold-memory: starts nothing if the kernel does not limit the memory" {
  run "$LIBEXEC/hold-memory" 4711 /usr/bin/touch "$BATS_TEST_TMPDIR/started" 6>&2
  [ "$status" -eq 1 ]
  [ "$output" = 'the user manager may not limit memory' ]
  [ ! -e "$BATS_TEST_TMPDIR/started" ]
}

@test "leash: removes the container if its wrapper ends, but not after the word done" {
  printf '#!/bin/sh\nprintf "<%%s>" "$@" >>"%s"\n' "$BATS_TEST_TMPDIR/asked" >"$BIN/docker"
  chmod +x "$BIN/docker"
  PATH="$BIN:$PATH" "$LIBEXEC/leash" the-container <<<'done'
  [ ! -e "$BATS_TEST_TMPDIR/asked" ]
  PATH="$BIN:$PATH" "$LIBEXEC/leash" the-container </dev/null
  [ "$(cat "$BATS_TEST_TMPDIR/asked")" = '<rm><--force><--volumes><the-container>' ]
}

@test "quarantine: an empty list, unknown names and unknown commands" {
  run "$LIBEXEC/quarantine"
  [ "$status" -eq 0 ]
  [ "$output" = 'claude-local: the quarantine is empty' ]
  for name in '' .. a/b none; do
    run "$LIBEXEC/quarantine" restore "$name"
    [ "$status" -eq 1 ]
  done
  run "$LIBEXEC/quarantine" delete
  [ "$status" -eq 1 ]
  [ "$output" = 'claude-local: usage: claude-local quarantine [list | restore NAME]' ]
}

@test "the installed command starts the one in build/, through a link and from anywhere" {
  ln -s "$CHECKOUT/build/shim/claude-local" "$BIN/from-anywhere"
  cd /
  run "$BIN/from-anywhere" --version
  [ "$status" -eq 0 ]
  run "$BIN/from-anywhere" usage
  [[ "${lines[0]}" == 'Claude Code on the local model:'* ]]
}

@test "every command finds its parts through a relative link" {
  cd "$BIN"
  for name in claude-local claude-local-switch claude-local-statusline llama-up; do
    ln -s "$(realpath --relative-to=. "$CHECKOUT/build/bin/$name")" "$name"
  done
  run ./claude-local env
  [ "$status" -eq 0 ]
  run ./llama-up
  [ "${lines[0]}" = 'llama-up: usage: llama-up [--no-wait] PROFILE' ]
  run ./claude-local-statusline <<<'{"model": {"id": "m"}}'
  [ "$output" = 'm · context 0 % · unconfined' ]
  CLAUDE_LOCAL_SANDBOX=jail run ./claude-local-switch 'a b'
  [ "$output" = 'claude-local-switch: there is no model named a b' ]
}
