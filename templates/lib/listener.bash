# Checks whose program listens on the model server's port: another user's could read every prompt.
# Copied to build/ by `invoke render`: change it in templates/.

listeners='' # a descriptor with the output of list_listeners

# Prints the listeners on our port, one a line, in the format of ss. Without ss, reads the kernel's tables, which is slower.
list_listeners() {
  local port="${BASE_URL##*:}" file table line before LC_ALL=C
  if ss --no-header --listening --tcp --numeric --extended "sport = :$port" 2>/dev/null; then
    return 0
  fi
  printf -v line '(0100007F|0{8}|0{32}|0{16}FFFF0000(0100007F|0{8})):%04X [0-9A-F]+:0000 0A [^ ]+ [^ ]+ [^ ]+ +([0-9]+)' "$port"
  for file in /proc/net/tcp /proc/net/tcp6; do
    IFS= read -r -N 10000000 table 2>/dev/null <"$file" || true # -N reads in large pieces
    while [[ $table =~ $line ]]; do
      printf 'LISTEN *:%s uid:%s\n' "$port" "${BASH_REMATCH[3]}"
      before=${table%%"${BASH_REMATCH[0]}"*}
      table=${table:${#before}+${#BASH_REMATCH[0]}}
    done
  done
}

# Dies if another user listens; root may, because Docker's proxy runs as root. Empties listeners: it is read only once.
check_listener() {
  local found='' line
  local ours='[ ](127\.0\.0\.1|0\.0\.0\.0|\*|::|\[?::ffff:(127\.0\.0\.1|0\.0\.0\.0)\]?)(%[^ ]+)?:[0-9]+ .*uid:([0-9]+)' # addresses that receive connections to 127.0.0.1
  [[ -n $listeners ]] || exec {listeners}< <(list_listeners)
  IFS= read -r -N 100000 -u "$listeners" found || true
  exec {listeners}<&-
  listeners=''
  while IFS= read -r line; do
    if [[ $line =~ $ours && ${BASH_REMATCH[4]} != @(0|"$EUID") ]]; then
      die "another user's program listens on $BASE_URL: it could read your prompts" "ask that user to end it, or choose another port: set llama_port in settings.yaml, then: $CHECKOUT_TASK up"
    fi
  done <<<"$found"
}
