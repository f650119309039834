# Sessions that ended without an audit, because they were killed or the machine went down.
# Copied to build/ by `invoke render`: change it in templates/.

# Looks at what they left here. A session that still runs here refuses ours.
audit_interrupted() {
  local old place
  find_neighbours
  for old in "${neighbours[@]}"; do
    place=$(<"$old/workspace")
    ! has_wrapper "$old" || refuse_company "$place" ', or give this one a folder of its own: git worktree add ../other'
    end_jail "$old"
    [[ $place == "$workspace" ]] || continue
    end_left_container "$old" || continue
    if [[ -f $old/begun ]]; then
      if [[ -e $old/after ]]; then
        say 'the last session in this folder was not looked at to the end; looking at what it left'
      else
        say 'the last session in this folder was cut off; looking at what it left'
      fi
      "$LIBEXEC/audit" after "$old" || exit 1
    fi
    rm -rf "$old"
  done
}

# end_left_container RECORD: of a container it is known only when it is gone.
end_left_container() {
  [[ -f $1/container ]] || return 0
  docker rm --force --volumes "$(<"$1/container")" >/dev/null 2>&1 || docker info >/dev/null 2>&1 && return
  say 'cannot look at what the last session in this folder left: Docker does not answer'
  return 1
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
