# The terminal that a session shares with the shell, and the descriptors that it must not inherit.
# Copied to build/ by `invoke render`: change it in templates/.

# Whether this script may lend the terminal to another process group.
is_in_foreground() {
  local stat
  IFS= read -r stat <"/proc/$$/stat"
  read -ra stat <<<"${stat##*) }"
  [[ (-t 0 || -t 1 || -t 2) && ${stat[2]} == "${stat[5]}" ]]
}

# Runs the session in its own process group, so that a signal to the whole group stays inside. Returns its exit code.
# Ctrl-Z stops this script too, and `fg` continues both.
run_in_own_group() {
  local code=0
  if ! is_in_foreground; then
    (enter "$@") || code=$?
    return "$code"
  fi
  set -m
  (enter "$@") || code=$?
  while [[ -n $(jobs -s) ]]; do
    kill -STOP $$
    code=0
    fg %% >/dev/null || code=$?
  done
  set +m
  return "$code"
}

# Resets the modes that a killed session leaves set in the terminal.
tidy_terminal() {
  [[ -t 1 ]] || return 0
  printf '\e[?1000l\e[?1002l\e[?1003l\e[?1006l\e[?2004l\e[?25h\e[0m'
}

# close_descriptors KEPT…: closes all descriptors except 0, 1, 2 and these.
close_descriptors() {
  local fd
  for fd in /proc/self/fd/*; do
    fd=${fd##*/}
    [[ " 0 1 2 $* " == *" $fd "* ]] || exec {fd}<&-
  done
}
