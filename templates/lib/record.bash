# The record of one session: a folder `PID-START` in the state folder.
# Copied to build/ by `invoke render`: change it in templates/.
#
# It contains `workspace`, `before` (the list of files), `old/` (copies), `obeyed` (paths to protect), `mounts`,
# `global_hooks` and `global_files` (what git obeys everywhere), `git/` (its configuration for the session), `stamp` (its
# time is the start of the session) and `begun` (without it, the session never ran).
# It is deleted after the audit, or if the start is refused.

record=''
neighbours=()

# Sets record and makes the folder. Its name identifies the wrapper's process, even if the number is reused.
open_record() {
  local start
  start=$(process_start "$$")
  record=$STATE_DIR/sessions/$$-$start
  [[ -d $STATE_DIR/sessions ]] || mkdir -p "$STATE_DIR/sessions"
  # shellcheck disable=SC2064  # expands now; the trap lasts until the session begins
  trap "rm -rf ${record@Q}" EXIT
  mkdir -m 700 "$record" "$record/door" "$record/git" "$record/old" || die "cannot write into $STATE_DIR" "choose another folder: set state_dir in settings.yaml, then: $CHECKOUT_TASK render"
  printf '%s' "$workspace" 2>/dev/null >"$record/workspace" || refuse_full_disk
}

# From here on, the session needs an audit.
begin_session() {
  { : >"$record/begun"; } 2>/dev/null || refuse_full_disk
  trap - EXIT
}

# Dies if the record was deleted during the session.
check_record() {
  [[ ! -f $record/begun ]] || return 0
  tidy_terminal
  die "the record of this session was deleted from $STATE_DIR, so it cannot be audited" \
    "check the files in $(printf %q "$workspace") yourself before you use them: git status --ignored"
}

# process_start PID: prints the clock tick in which a process began. With the number, which may be reused, it is unique.
process_start() {
  local stat
  IFS= read -r stat 2>/dev/null <"/proc/$1/stat" || return 1
  read -ra stat <<<"${stat##*) }"
  printf '%s' "${stat[19]}"
}

# refuse_company WORKSPACE [HINT]: a running session could replace folders by links while another one starts or is
# audited. Then files outside would be moved, or shown to it.
refuse_company() {
  die "another session runs in $(printf %q "$1")" "end it first${2:-}"
}

# Sets neighbours to the other records whose workspace is ours, lies in it or contains it.
find_neighbours() {
  local other place
  neighbours=()
  for other in "$STATE_DIR"/sessions/*-*; do
    [[ -f $other/workspace && $other != "$record" ]] || continue
    place=$(<"$other/workspace")
    if contains "$workspace" "$place" || contains "$place" "$workspace"; then neighbours+=("$other"); fi
  done
}

# has_wrapper RECORD: whether the claude-local that made it still runs.
has_wrapper() {
  local pid=${1##*/} now
  now=$(process_start "${pid%-*}") && [[ $now == "${pid#*-}" ]]
}

# why_not RECORD: prints why the list could not be made. Fails if the disk is not the reason; else prints the system's message.
why_not() {
  local answer is_disk=yes
  if answer=$( (printf '%65536s' '' >"$1/probe") 2>&1); then
    printf 'the list is incomplete' # find was killed, or a file was changed while it was copied
    is_disk=''
  else
    printf 'cannot write into %q: %s' "$STATE_DIR" "${answer##*: }"
  fi
  rm -f "$1/probe"
  [[ -n $is_disk ]]
}

# Without a complete record, the audit could not see what the session made.
refuse_full_disk() {
  local reason remedy
  check_workspace_again
  remedy="free disk space (check: df -h $(printf %q "$STATE_DIR")), or choose another folder: set state_dir in settings.yaml, then: $CHECKOUT_TASK render"
  reason=$(why_not "$record") || remedy='start claude-local again while no other program changes files here'
  die "cannot list the files of this folder, which the audit after the session needs: $reason" "$remedy"
}
