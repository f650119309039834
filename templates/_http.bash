# http_get PATH [HEADER]: prints status line, headers and body of a GET to the model server; fails if nothing answers.
http_get() {
  local path=$1 header=${2:-} authority=${BASE_URL#http://}
  local host=${authority%%[:/]*} port=${authority##*:}
  exec 3<>"/dev/tcp/$host/$port" || return 1
  printf 'GET %s HTTP/1.0\r\nHost: %s\r\n%sConnection: close\r\n\r\n' "$path" "$authority" "${header:+$header$'\r\n'}" >&3
  timeout 5 cat <&3
  exec 3>&-
}
