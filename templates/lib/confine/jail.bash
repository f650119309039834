# --sandbox jail: bubblewrap around the whole of Claude Code.
# Copied to build/ by `invoke render`: change it in templates/.

readonly CLIENT_SETTINGS=jail
readonly SYSTEM_FOLDERS=(/usr)
readonly INSIDE_CLAUDE=/run/claude-local/claude
readonly ERROR_FD=6 INFO_FD=7 CLAUDE_JSON_FD=8 FILTER_FD=9 # `enter` opens them
bwrap='' claude_file='' scope=''
jail=() # bubblewrap's arguments

# Sets bwrap and claude_file.
check_requirements() {
  check_claude
  check_version
  bwrap=$(type -P bwrap) || die 'bubblewrap, which confines the session, is not installed' 'install it: sudo apt install bubblewrap' \
    'or use another mode: --sandbox container (Docker), --sandbox bash (weaker), --sandbox off (unconfined)'
  claude_file=$(realpath -- "$claude")
  describe_claude "$claude_file"
  check_door
}

# show ro|rw SOURCE [TARGET]: adds to jail.
show() {
  if [[ $1 == ro ]]; then
    jail+=(--ro-bind "$2" "${3:-$2}")
  else
    jail+=(--bind "$2" "${3:-$2}")
  fi
}

# scratch MIB MODE PATH: adds to jail a folder in memory that is gone after the session.
scratch() {
  jail+=(--size "$(($1 << 20))" --perms "$2" --tmpfs "$3")
}

# Adds to jail a link for each of the project's instructions.
show_instructions() {
  local -i i
  for ((i = 0; i < ${#instructions[@]}; i += 2)); do
    jail+=(--symlink "${instructions[i]}" "$INSTRUCTIONS/${instructions[i + 1]}")
  done
}

# Adds to jail the checked folder, by its open descriptor, and a copy of a file that Claude Code may change.
show_workspace() {
  jail+=(--file "$CLAUDE_JSON_FD" "$CLIENT_DIR/.claude.json")
  jail+=(--bind-fd "$workspace_fd" "$workspace")
}

# Checks first that the jail can start. There is no automatic fallback to a weaker mode.
prepare() {
  build_jail
  probe_jail
}

# run_session ARGUMENTS…: Claude Code in the jail.
run_session() {
  run_held "$LIBEXEC/inside" "$INSIDE_CLAUDE" "$@"
}

finish() {
  end_jail "$record"
}

# Sets jail to bubblewrap's arguments. Later mounts cover earlier ones.
build_jail() {
  local name

  # New namespaces for everything, also the network; no further ones inside; it ends with this script.
  jail=(--unshare-all --unshare-user --disable-userns --cap-drop ALL --die-with-parent --hostname claude-local)
  # Without the terminal it gets a new process session. With the terminal, resize and Ctrl-Z need ours.
  is_in_foreground || jail+=(--new-session)

  # The system: programs, libraries, and a few files of /etc such as users and time zone.
  jail+=(--ro-bind /usr /usr)
  for name in bin sbin lib lib32 lib64 libx32; do
    if [[ -L /$name ]]; then
      jail+=(--symlink "usr/$name" "/$name")
    elif [[ -d /$name ]]; then
      jail+=(--ro-bind "/$name" "/$name")
    fi
  done
  for name in "${VISIBLE_ETC[@]}"; do
    jail+=(--ro-bind-try "/etc/$name" "/etc/$name")
  done
  jail+=(--ro-bind "$JAIL_DIR/hosts" /etc/hosts)

  # Its own kernel interfaces; scratch folders that are gone after the session.
  jail+=(--proc /proc --dev /dev)
  jail+=(--size "$((SHARED_MEMORY_MIB << 20))" --perms 1777 --tmpfs /dev/shm --remount-ro /dev)
  jail+=(--size "$((TEMPORARY_MIB << 20))" --perms 1777 --tmpfs /tmp --size "$((TEMPORARY_MIB << 20))" --perms 1777 --tmpfs /var/tmp)

  # Claude Code itself, and all files of this machine that the session may see.
  jail+=(--ro-bind "$claude_file" "$INSIDE_CLAUDE")
  show_session
  jail+=(--remount-ro / --chdir "$workspace")

  # The environment: only the variables on our list.
  jail+=(--clearenv)
  for name in "${environment[@]}"; do
    jail+=(--setenv "${name%%=*}" "${name#*=}")
  done
}

probe_jail() {
  local answer
  keep_room
  answer=$( (enter /usr/bin/true) 2>&1) || {
    check_workspace_again
    explain_refusal "${answer##*$'\n'}"
  }
  [[ -z $claude_about ]] || probe_claude
}

# Only if claude is not the program itself: it may need files that the jail does not show.
probe_claude() {
  local answer
  answer=$( (enter "$INSIDE_CLAUDE" --version) 2>&1) && return 0
  die "$claude is $claude_about; it does not start in the jail: ${answer##*$'\n'}" "$claude_remedy"
}

explain_refusal() {
  local how="or use another mode: --sandbox container (Docker), --sandbox bash (weaker), --sandbox off (unconfined)"
  local -i allowed=1
  [[ ! -r /proc/sys/user/max_user_namespaces ]] || allowed=$(</proc/sys/user/max_user_namespaces)
  if [[ -r /proc/sys/kernel/apparmor_restrict_unprivileged_userns && $(</proc/sys/kernel/apparmor_restrict_unprivileged_userns) == 1 ]]; then
    die "the jail cannot start: this Ubuntu does not let bubblewrap use user namespaces ($1)" \
      "allow it: $APPARMOR_REMEDY" "$how"
  elif ((allowed == 0)); then
    die "the jail cannot start: user namespaces are switched off ($1)" 'allow them: sudo sysctl user.max_user_namespaces=15000' "$how"
  elif [[ -r /proc/sys/kernel/unprivileged_userns_clone && $(</proc/sys/kernel/unprivileged_userns_clone) == 0 ]]; then
    die "the jail cannot start: user namespaces are switched off ($1)" 'allow them: sudo sysctl kernel.unprivileged_userns_clone=1' "$how"
  elif [[ $1 == *'nknown option'* ]]; then
    die "the jail cannot start: bubblewrap is too old ($1)" "$BIND_FD_REMEDY" "$how"
  fi
  die "the jail cannot start: $1" "$how"
}

# Reserves disk space for bubblewrap's facts about the jail: if it cannot write them, its child waits forever.
keep_room() {
  printf '%512s' '' 2>/dev/null 1<>"$record/jail.json" || refuse_full_disk
}

# enter PROGRAM…: becomes bubblewrap, with an empty environment and only the descriptors that it needs.
enter() {
  exec 7<>"$record/jail.json" 8<"$CLIENT_DIR/.claude.json" 9< <(write_filter)
  [[ -z $scope ]] || exec 6>&2 2>"$record/scope.log"
  close_descriptors ${scope:+"$ERROR_FD"} "$INFO_FD" "$CLAUDE_JSON_FD" "$FILTER_FD" "$workspace_fd"
  # If memory runs out, the kernel kills this first.
  printf 500 2>/dev/null >/proc/self/oom_score_adj || true
  if [[ -n $scope ]]; then
    exec systemd-run --user --scope --quiet --property "MemoryMax=${MEMORY_MIB}M" --property MemorySwapMax=0 \
      --property "TasksMax=$PROCESSES" --property OOMPolicy=kill -- "$LIBEXEC/hold-memory" "$((MEMORY_MIB << 20))" \
      "$bwrap" --info-fd "$INFO_FD" --seccomp "$FILTER_FD" "${jail[@]}" --setenv CLAUDE_LOCAL_MEMORY scope -- "$@"
  fi
  exec -c "$bwrap" --info-fd "$INFO_FD" --seccomp "$FILTER_FD" "${jail[@]}" -- "$@"
}

has_user_scope() {
  [[ -S ${XDG_RUNTIME_DIR:-/nonexistent}/systemd/private ]] && type -P systemd-run >/dev/null
}

# Sets scope. Runs the session in a scope in which systemd limits its memory; if systemd refuses, runs it without one.
# A test run beforehand would take time. It is not needed: if bubblewrap has written no facts, nothing has run.
run_held() {
  local code=0 reason=''
  if has_user_scope; then
    scope=yes
    keep_room
    run_in_own_group "$@" || code=$?
    [[ $code == 1 && -f $record/jail.json && $(<"$record/jail.json") != *child-pid* ]] || return "$code"
    scope='' code=0
    reason=$(tail --lines 1 "$record/scope.log")
    # Only for a person: a program that reads our output could take this for an error.
    [[ ! -t 2 ]] || say "systemd does not limit this session's memory (${reason//[[:cntrl:]]/ }); each process has its own limit instead"
  fi
  run_in_own_group "$@"
}
