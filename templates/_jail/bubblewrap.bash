# ---- The jail: bubblewrap around the whole of Claude Code

readonly INSIDE_CLAUDE=/run/claude-local/claude
readonly ERROR_FD=6 INFO_FD=7 CLAUDE_JSON_FD=8 FILTER_FD=9 # enter_jail opens them

# What runs first in a scope of systemd's: it goes on only where the kernel holds the memory, which a user's manager
# cannot always ask of it. Arguments: bytes, then the program. Our own standard error is at 6.
# shellcheck disable=SC2016  # these expand there
readonly IN_SCOPE='held=""
while IFS=: read -r _ controllers place; do
  case ,$controllers, in
    ,,) file=/sys/fs/cgroup$place/memory.max ;;
    *,memory,*) file=/sys/fs/cgroup/memory$place/memory.limit_in_bytes ;;
    *) continue ;;
  esac
  [[ ! -r $file || $held == "$1" ]] || IFS= read -r held <"$file"
done </proc/self/cgroup
[[ $held == "$1" ]] || { printf "it may not hold memory\n" >&2 && exit 1; }
exec -c "${@:2}" 2>&6 6>&-'

# Sets bwrap.
check_bubblewrap() {
  bwrap=$(type -P bwrap) || die 'bubblewrap is missing, which confines the session' 'install it: sudo apt install bubblewrap' \
    'or use another way: --sandbox container (Docker), --sandbox bash (weaker), --sandbox off (none)'
}

# Sets jail to bubblewrap's arguments. Later mounts cover earlier ones.
build_jail() {
  local name

  # New namespaces for everything, the network too; no more of them inside; it ends with this script.
  jail=(--unshare-all --unshare-user --disable-userns --cap-drop ALL --die-with-parent --hostname claude-local)
  # A session without a terminal of its own gets a session of its own; with one, resize and Ctrl-Z need ours.
  is_in_foreground || jail+=(--new-session)

  # The system: programs and libraries, and the parts of /etc that name users and time zones.
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

  # Kernel interfaces of its own; scratch places that end with the session.
  jail+=(--proc /proc --dev /dev)
  jail+=(--size "$((SHARED_MEMORY_MIB << 20))" --perms 1777 --tmpfs /dev/shm --remount-ro /dev)
  jail+=(--size "$((TEMPORARY_MIB << 20))" --perms 1777 --tmpfs /tmp --size "$((TEMPORARY_MIB << 20))" --perms 1777 --tmpfs /var/tmp)

  # Claude Code itself, and everything of this machine that the session may see.
  jail+=(--ro-bind "$claude_file" "$INSIDE_CLAUDE")
  show_session
  jail+=(--remount-ro / --chdir "$workspace")

  # The environment: only what is on our list.
  jail+=(--clearenv)
  for name in "${environment[@]}"; do
    jail+=(--setenv "${name%%=*}" "${name#*=}")
  done
}

# A repository cannot be moved aside and made anew: its folder is a mount of its own. A worktree needs the repository
# that it belongs to, if that agrees: its objects, refs and logs, and of the rest nothing that other worktrees obey.
# Adds to writable what of it a session may write.
protect_repository() {
  local git=$workspace/.git target common name
  if [[ -d $git && ! -L $git ]]; then
    is_mount "$git" || bind rw "$git"
  elif [[ -f $git ]]; then
    target=$(head --bytes 4096 "$git") target=$(realpath --canonicalize-missing -- "${target#gitdir: }")
    contains "$workspace" "$target" && return
    [[ -f $target/gitdir && $(<"$target/gitdir") -ef $git && -O $target/gitdir && -f $target/commondir ]] \
      || refuse_repository "$target"
    common=$(<"$target/commondir") common=$(cd "$target" && cd -P "$common" && pwd -P)
    [[ $target == "$common/worktrees/"* && -O $common ]] || refuse_repository "$target"
    mkdir -p "$common/logs"
    [[ -e $target/config.worktree ]] || : >"$target/config.worktree" # git obeys one that a session made as well
    bind ro "$common"
    for name in objects refs logs; do
      [[ ! -L $common/$name ]] || refuse_workspace "$name of its repository is a link"
      bind rw "$common/$name"
      writable+=("$common/$name")
    done
    bind rw "$target"
    writable+=("$target")
    for name in gitdir commondir config.worktree modules; do
      [[ ! -e $target/$name ]] || bind ro "$target/$name"
    done
    bind ro "$git"
    printf '%s\0' "$target" "$common/refs" "$common/logs" "$common/objects" >"$record/repository" # audit_repository
  fi
}

# refuse_repository FOLDER: it is not in the workspace, and not one that has the workspace as a worktree.
refuse_repository() {
  [[ $1 != */.git/*modules/* ]] || refuse_workspace "it is a submodule of $(printf %q "${1%%/.git/*}")" 'start there: its submodules are part of it'
  refuse_workspace 'its .git leads to a repository that does not know it'
}

# The user's name for commits, and nothing else of a file that may hold tokens; and where all hooks are, if one place is named.
# From /: git would look at the repository here first, and that may be anything.
list_git_identity() {
  cd /
  git config --global --get-regexp '^(user\.(name|email)|init\.defaultbranch|core\.hookspath)$' 2>/dev/null || true
}

write_git_identity() {
  local key value
  while read -r key value; do
    if [[ $key == core.hookspath ]]; then
      global_hooks=$value
      continue
    fi
    value=${value//\\/\\\\} value=${value//\"/\\\"}
    printf '[%s]\n\t%s = "%s"\n' "${key%.*}" "${key##*.}" "$value" 2>/dev/null >>"$record/gitconfig" || refuse_full_disk
  done <&"$identity"
  exec {identity}<&-
}

# Whether this script may lend the terminal to another process group.
is_in_foreground() {
  local stat
  IFS= read -r stat <"/proc/$$/stat"
  read -ra stat <<<"${stat##*) }"
  [[ (-t 0 || -t 1 || -t 2) && ${stat[2]} == "${stat[5]}" ]]
}

# The jail must be able to begin before anything is promised. It never falls back to something weaker.
probe_jail() {
  local answer
  keep_room
  answer=$( (enter_jail /usr/bin/true) 2>&1) && return 0
  check_workspace_again
  explain_refusal "${answer##*$'\n'}"
}

explain_refusal() {
  local how="or use another way: --sandbox container (Docker), --sandbox bash (weaker), --sandbox off (none)"
  local -i allowed=1
  [[ ! -r /proc/sys/user/max_user_namespaces ]] || allowed=$(</proc/sys/user/max_user_namespaces)
  if [[ -r /proc/sys/kernel/apparmor_restrict_unprivileged_userns && $(</proc/sys/kernel/apparmor_restrict_unprivileged_userns) == 1 ]]; then
    die "the jail cannot start: this Ubuntu keeps user namespaces from bubblewrap ($1)" \
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

# Room for what bubblewrap tells of a jail: where it cannot tell, what it began waits forever.
keep_room() {
  printf '%512s' '' 2>/dev/null 1<>"$record/jail.json" || refuse_full_disk
}

# enter_jail PROGRAM…: becomes bubblewrap, with no environment and no descriptor but those that it needs.
enter_jail() {
  exec 7<>"$record/jail.json" 8<"$CLIENT_DIR/.claude.json" 9< <(write_filter)
  [[ -z $scope ]] || exec 6>&2 2>"$record/scope.log"
  close_descriptors ${scope:+"$ERROR_FD"} "$INFO_FD" "$CLAUDE_JSON_FD" "$FILTER_FD" "$workspace_fd"
  # Whatever becomes scarce, the kernel shall end this first.
  printf 500 2>/dev/null >/proc/self/oom_score_adj || true
  if [[ -n $scope ]]; then
    exec systemd-run --user --scope --quiet --property "MemoryMax=${MEMORY_MIB}M" --property MemorySwapMax=0 \
      --property "TasksMax=$PROCESSES" --property OOMPolicy=kill -- "$BASH" -p -c "$IN_SCOPE" bash "$((MEMORY_MIB << 20))" \
      "$bwrap" --info-fd "$INFO_FD" --seccomp "$FILTER_FD" "${jail[@]}" --setenv CLAUDE_LOCAL_MEMORY scope -- "$@"
  fi
  exec -c "$bwrap" --info-fd "$INFO_FD" --seccomp "$FILTER_FD" "${jail[@]}" -- "$@"
}

# The system calls that are refused, as the kernel takes them. The text is one instruction a line, `\x…` and a comment.
write_filter() {
  local -a filter
  mapfile -t filter <"$JAIL_DIR/seccomp.filter"
  printf '%b' "${filter[@]%%[ #]*}"
}

# close_descriptors KEPT…: closes what this process inherited or opened, but for the first three and these.
close_descriptors() {
  local fd
  for fd in /proc/self/fd/*; do
    fd=${fd##*/}
    [[ " 0 1 2 $* " == *" $fd "* ]] || exec {fd}<&-
  done
}

has_user_scope() {
  [[ -S ${XDG_RUNTIME_DIR:-/nonexistent}/systemd/private ]] && type -P systemd-run >/dev/null
}

# Runs the session where systemd holds its memory, or else without that. Nothing is tried first, which would take time:
# where systemd refuses, bubblewrap has told of nothing and nothing has run.
run_held() {
  local code=0 reason=''
  if [[ $sandbox == jail ]] && has_user_scope; then
    scope=yes
    keep_room
    run_jailed "$@" || code=$?
    [[ $code == 1 && -f $record/jail.json && $(<"$record/jail.json") != *child-pid* ]] || return "$code"
    scope='' code=0
    reason=$(tail --lines 1 "$record/scope.log")
    # For a program that reads our output it is no error.
    [[ ! -t 2 ]] || say "systemd does not hold this session's memory, so each of its processes has a limit of its own: ${reason//[[:cntrl:]]/ }"
  fi
  run_jailed "$@"
}

# Runs the session in a process group of its own: a signal to "everybody in my group" stays inside. Returns
# its exit code. Ctrl-Z stops us too, and `fg` wakes both.
run_jailed() {
  local code=0
  if ! is_in_foreground; then
    (enter_"$sandbox" "$@") || code=$?
    return "$code"
  fi
  set -m
  (enter_"$sandbox" "$@") || code=$?
  while [[ -n $(jobs -s) ]]; do
    kill -STOP $$
    code=0
    fg %% >/dev/null || code=$?
  done
  set +m
  return "$code"
}

# A session that was cut off leaves the terminal as it was in the middle of it.
tidy_terminal() {
  [[ -t 1 ]] || return 0
  printf '\e[?1000l\e[?1002l\e[?1003l\e[?1006l\e[?2004l\e[?25h\e[0m'
}

# end_jail RECORD: ends whatever still runs in its jail, and waits for that. bubblewrap returns as soon as its first
# program has ended; what that left behind could be quicker than the audit, or have taken from process 1 the wish
# to end with its parent. With process 1 goes the whole namespace.
end_jail() {
  local text='' pid space stat
  IFS= read -r -d '' text 2>/dev/null <"$1/jail.json" || true
  [[ $text =~ \"child-pid\":\ ([0-9]+) ]] || return 0
  pid=${BASH_REMATCH[1]}
  [[ $text =~ \"pid-namespace\":\ ([0-9]+) ]] || return 0
  space=${BASH_REMATCH[1]}
  while IFS= read -r stat 2>/dev/null <"/proc/$pid/stat" && [[ ${stat##*) } != [ZX]* ]]; do
    [[ $(readlink "/proc/$pid/ns/pid") == "pid:[$space]" ]] || return 0 # the kernel gave the number out again
    kill -KILL "$pid" 2>/dev/null || true
    pause 0.002
  done
}
