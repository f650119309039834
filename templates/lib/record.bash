# The record of one session: a folder `PID-START` in the state folder.
# Copied to build/ by `invoke render`: change it in templates/.
#
# It holds `workspace`, `before` (what was there), `old/` (copies), `obeyed` (what to protect), `mounts`, `global_hooks`,
# `stamp`, whose time is the session's beginning, and `begun`, without which nothing ran that could have left anything.
# It goes when its session was audited, or refused.

record=''
neighbours=()

# Sets record and makes it. Its name tells whether its wrapper still runs.
open_record() {
  local start
  start=$(process_start "$$")
  record=$STATE_DIR/sessions/$$-$start
  [[ -d $STATE_DIR/sessions ]] || mkdir -p "$STATE_DIR/sessions"
  # shellcheck disable=SC2064  # the value of now; this lasts until the session begins
  trap "rm -rf ${record@Q}" EXIT
  mkdir -m 700 "$record" "$record/door" "$record/old" || die "cannot write into $STATE_DIR" "choose another folder: CLAUDE_LOCAL_STATE_DIR, then $CHECKOUT_TASK render"
  printf '%s' "$workspace" 2>/dev/null >"$record/workspace" || refuse_full_disk
}

# From here on there is something to look at afterwards.
begin_session() {
  { : >"$record/begun"; } 2>/dev/null || refuse_full_disk
  trap - EXIT
}

# Somebody may have emptied the state folder meanwhile.
check_record() {
  [[ ! -f $record/begun ]] || return 0
  tidy_terminal
  die "the record of this session is gone from $STATE_DIR, so nobody can tell what it left" \
    "look yourself before you use what is in $(printf %q "$workspace"): git status --ignored"
}

# process_start PID: the tick in which a process began; the kernel gives the number out again, but not this.
process_start() {
  local stat
  IFS= read -r stat 2>/dev/null <"/proc/$1/stat" || return 1
  read -ra stat <<<"${stat##*) }"
  printf '%s' "${stat[19]}"
}

# A session that runs could exchange folders for links while another is looked at or begins: then files outside would
# be moved, or shown to it.
refuse_company() {
  die "another session runs in $(printf %q "$1")" "end it first${2:-}"
}

# Sets neighbours to the records of others whose workspaces are ours, lie in it or around it.
find_neighbours() {
  local other place
  neighbours=()
  for other in "$STATE_DIR"/sessions/*-*; do
    [[ -f $other/workspace && $other != "$record" ]] || continue
    place=$(<"$other/workspace")
    if contains "$workspace" "$place" || contains "$place" "$workspace"; then neighbours+=("$other"); fi
  done
}

# has_wrapper RECORD: whether the one that made it still runs.
has_wrapper() {
  local pid=${1##*/} now
  now=$(process_start "${pid%-*}") && [[ $now == "${pid#*-}" ]]
}

# why_not RECORD: why no list came to be, in the system's words if it is the disk.
why_not() {
  local answer
  if answer=$( (printf '%65536s' '' >"$1/probe") 2>&1); then
    printf 'find could not go through it'
  else
    printf 'cannot write into %q: %s' "$STATE_DIR" "${answer##*: }"
  fi
  rm -f "$1/probe"
}

# Without a record it cannot be told afterwards what the session made.
refuse_full_disk() {
  local reason
  check_workspace_again
  reason=$(why_not "$record")
  die "no list of what is in this folder, which is needed after the session: $reason" \
    "make room (how much there is: df -h $(printf %q "$STATE_DIR")), or choose another folder: CLAUDE_LOCAL_STATE_DIR, then $CHECKOUT_TASK render"
}
