# Sessions that ended without an audit: they were killed, or the machine went down.
# Copied to build/ by `invoke render`: change it in templates/.

# Audits what such sessions left here. Dies if a session still runs here.
audit_interrupted() {
  local old place
  find_neighbours
  for old in "${neighbours[@]}"; do
    place=$(<"$old/workspace")
    ! has_wrapper "$old" || refuse_company "$place" ', or start this one in another folder: git worktree add ../other'
    end_jail "$old"
    [[ $place == "$workspace" ]] || continue
    end_left_container "$old" || continue
    if [[ -f $old/begun ]]; then
      if [[ -e $old/after ]]; then
        say 'the audit of the last session in this folder did not finish; auditing it again'
      else
        say 'the last session in this folder was cut off; auditing what it left'
      fi
      "$LIBEXEC/audit" after "$old" || exit 1
    fi
    rm -rf "$old"
  done
}

# end_left_container RECORD: removes the session's container. Fails if Docker does not answer: it may still run.
end_left_container() {
  [[ -f $1/container ]] || return 0
  docker rm --force --volumes "$(<"$1/container")" >/dev/null 2>&1 || docker info >/dev/null 2>&1 && return
  say 'the last session in this folder was not audited, because Docker does not answer: do not use its new files yet'
  say 'start Docker (sudo systemctl start docker), then claude-local here again, which audits first'
  return 1
}

# end_jail RECORD: kills everything that still runs in its jail, and waits for the end. bubblewrap returns as soon as its
# first program has ended. Processes left behind could be faster than the audit, or have removed process 1's death
# signal. The whole namespace ends with process 1.
end_jail() {
  local text='' pid space stat
  IFS= read -r -d '' text 2>/dev/null <"$1/jail.json" || true
  [[ $text =~ \"child-pid\":\ ([0-9]+) ]] || return 0
  pid=${BASH_REMATCH[1]}
  [[ $text =~ \"pid-namespace\":\ ([0-9]+) ]] || return 0
  space=${BASH_REMATCH[1]}
  while IFS= read -r stat 2>/dev/null <"/proc/$pid/stat" && [[ ${stat##*) } != [ZX]* ]]; do
    [[ $(readlink "/proc/$pid/ns/pid") == "pid:[$space]" ]] || return 0 # the kernel has reused the number
    kill -KILL "$pid" 2>/dev/null || true
    pause 0.002
  done
}
