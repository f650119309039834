#!/usr/bin/env bats
bats_require_minimum_version 1.5.0
# libexec/audit on plain folders, without a session or a jail.
# Started by tests/test_bash.py, which renders build/ and sets CHECKOUT.

setup() {
  AUDIT="$CHECKOUT/build/libexec/audit"
  HOME="$BATS_TEST_TMPDIR"
  export HOME GIT_CONFIG_GLOBAL=/dev/null
  WORKSPACE="$(realpath "$BATS_TEST_TMPDIR")/my wörk"
  RECORD="$BATS_TEST_TMPDIR/1-2"
  mkdir -p "$WORKSPACE" "$RECORD/old"
  printf '%s' "$WORKSPACE" >"$RECORD/workspace"
  cd "$WORKSPACE"
}

# Prints the paths to protect, one a line.
protected() {
  tr '\0' '\n' <"$RECORD/obeyed"
}

# Prints the files in the quarantine: path and text.
put_aside() {
  find "$STATE_DIR"/quarantine/*-1 -type f -printf '%P ' -exec cat '{}' ';' | sort
}

@test "before: lists and copies files that other programs obey" {
  mkdir .vscode
  echo fine >.vscode/tasks.json
  echo fine >.envrc
  echo fine >other
  run --separate-stderr "$AUDIT" before "$RECORD"
  [ "$status" -eq 0 ]
  [ "$output$stderr" = '' ]
  [ "$(protected)" = $'.envrc\n.vscode\n.vscode/tasks.json' ]
  [ "$(cat "$RECORD/old/.envrc")" = fine ]
  [ ! -e "$RECORD/old/other" ]
}

@test "before: an empty workspace has nothing to protect" {
  run "$AUDIT" before "$RECORD"
  [ "$status" -eq 0 ]
  [ "$(protected)" = '' ]
}

@test "before: refuses a file with a name outside; with the option makes it a separate file" {
  echo shared >"$BATS_TEST_TMPDIR/outside"
  ln "$BATS_TEST_TMPDIR/outside" notes
  run --separate-stderr "$AUDIT" before "$RECORD"
  [ "$status" -eq 1 ]
  [[ "$stderr" == "claude-local: 1 file(s) here are hard links to files outside $WORKSPACE, for instance notes"* ]]
  run --separate-stderr "$AUDIT" before "$RECORD" yes
  [ "$status" -eq 0 ]
  [ "$(stat --format %h notes)" -eq 1 ]
}

@test "before: a record that cannot be written refuses the start" {
  mkdir "$RECORD/before"
  run --separate-stderr "$AUDIT" before "$RECORD"
  [ "$status" -eq 1 ]
  [[ "$stderr" == 'claude-local: cannot list the files of this folder, which the audit after the session needs: the list is incomplete'$'\n'* ]]
  [[ "$stderr" == *$'\n''claude-local: start claude-local again while no other program changes files here' ]]
}

@test "after: an empty commit is not reported" {
  git init -q .
  "$AUDIT" before "$RECORD"
  git -c user.name=A -c user.email=a commit -q --allow-empty -m one
  run --separate-stderr "$AUDIT" after "$RECORD"
  [ "$status" -eq 0 ]
  [ "$output$stderr" = '' ]
}

@test "after: new files are put aside, changed ones are restored, the rest is named" {
  echo fine >.envrc
  "$AUDIT" before "$RECORD"
  echo evil >.envrc
  mkdir sub
  echo evil >sub/.mcp.json
  echo all: >Makefile
  run --separate-stderr "$AUDIT" after "$RECORD"
  [ "$status" -eq 0 ]
  [ "$(cat .envrc)" = fine ]
  [ ! -e sub/.mcp.json ]
  [ "$(put_aside)" = $'.envrc evil\nsub/.mcp.json evil' ]
  [[ "$stderr" == 'claude-local: 2 file(s) that other programs run or follow without asking were moved out of the workspace:'* ]]
  [[ "$stderr" == *$'\n  Makefile' ]]
  rm -r "$STATE_DIR"/quarantine/*-1*
}

@test "after: hooks in the folder that the record names are audited" {
  git init -q .
  mkdir tools
  printf tools >"$RECORD/global_hooks"
  "$AUDIT" before "$RECORD"
  echo evil >tools/pre-commit
  run --separate-stderr "$AUDIT" after "$RECORD"
  [ "$status" -eq 0 ]
  [ "$(put_aside)" = 'tools/pre-commit evil' ]
  rm -r "$STATE_DIR"/quarantine/*-1*
}

@test "after: without the first list nothing is put aside" {
  "$AUDIT" before "$RECORD"
  rm "$RECORD/before"
  echo evil >.envrc
  run --separate-stderr "$AUDIT" after "$RECORD"
  [ "$status" -eq 0 ]
  [ "$(cat .envrc)" = evil ]
  [[ "$stderr" == *$'\n  .envrc' ]]
}

@test "after: what is removed from the repository has its own block" {
  mkdir "$BATS_TEST_TMPDIR/refs"
  printf '%s\0' "$BATS_TEST_TMPDIR/refs" >"$RECORD/repository"
  "$AUDIT" before "$RECORD"
  until [ "$BATS_TEST_TMPDIR/refs/main" -nt "$RECORD/stamp" ]; do ln -sf /dev/null "$BATS_TEST_TMPDIR/refs/link" && touch "$BATS_TEST_TMPDIR/refs/main"; done
  ln -sf /dev/null "$BATS_TEST_TMPDIR/refs/link"
  run --separate-stderr "$AUDIT" after "$RECORD"
  [ "$status" -eq 0 ]
  [ ! -L "$BATS_TEST_TMPDIR/refs/link" ]
  [ "$stderr" = "claude-local: removed from the repository, because git would have followed them:"$'\n'"  $BATS_TEST_TMPDIR/refs/link" ]
}

@test "after: an audit that cannot write its list fails, and moves nothing" {
  "$AUDIT" before "$RECORD"
  echo evil >.envrc
  mkdir "$RECORD/after"
  run --separate-stderr "$AUDIT" after "$RECORD"
  [ "$status" -eq 1 ]
  [ -e .envrc ]
  [[ "$stderr" == *' could not be audited: the list is incomplete'$'\n'* ]]
  [[ "$stderr" == *$'\n''claude-local: do not use what it left; start claude-local here again, which audits first' ]]
}
