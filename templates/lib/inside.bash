# Functions of the first program in the jail and of the one in the container.
# Copied to build/ by `invoke render`: change it in templates/.

readonly SOCKETS=${DOOR_SOCKET%/*}

# bridge_editor PORT: Claude Code talks to the editor over TCP, but only a socket file leads out of here.
bridge_editor() {
  local port=$1 table='' entry
  printf -v entry '0100007F:%04X 00000000:0000 0A' "$port"
  socat "TCP4-LISTEN:$port,bind=127.0.0.1,reuseaddr,fork" "UNIX-CONNECT:$SOCKETS/editor.sock" </dev/null >/dev/null 2>&1 &
  for _ in {1..100}; do
    IFS= read -r -N 100000 table </proc/net/tcp || true
    [[ $table != *"$entry"* ]] || return 0
    read -r -t 0.01 <> <(:) || true
  done
}

limit_files() {
  ulimit -c 0
  ulimit -n "$OPEN_FILES" 2>/dev/null || true # the user's own limit may be lower
  ulimit -f "$((FILE_SIZE_MIB * 1024))" 2>/dev/null || true
}

# Sets the user's umask, removes our own variables, arranges git, and opens the way to the editor if there is one.
settle() {
  umask "${CLAUDE_LOCAL_UMASK:-077}"
  unset CLAUDE_LOCAL_MEMORY CLAUDE_LOCAL_UMASK
  [[ ! -d /run/claude-local/git ]] || arrange_git
  [[ ! -S $SOCKETS/editor.sock ]] || bridge_editor "$CLAUDE_CODE_SSE_PORT"
}
