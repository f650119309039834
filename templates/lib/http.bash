# One HTTP GET in plain bash. HTTP_SERVER is the server's address.
# Copied to build/ by `invoke render`: change it in templates/.

# http_get PATH [KEY [SECONDS]]: sets http_answer to status line, headers and body. Fails if nothing answers. Starts no program.
http_get() {
  local authority=${HTTP_SERVER#http://} connection
  http_answer=
  { exec {connection}<>"/dev/tcp/${authority%%[:/]*}/${authority##*:}"; } 2>/dev/null || return 1
  trap : PIPE # a server that hangs up must not end us; unlike "ignore", a handler is not inherited at exec
  { printf 'GET %s HTTP/1.0\r\nHost: %s\r\n%sConnection: close\r\n\r\n' "$1" "$authority" "${2:+Authorization: Bearer $2$'\r\n'}" >&"$connection"; } 2>/dev/null || true
  IFS= read -r -N 1000000 -t "${3:-5}" -u "$connection" http_answer 2>/dev/null || true # to the end; -N reads in large pieces
  trap - PIPE
  exec {connection}>&-
  [[ -n $http_answer ]]
}
