# Claude Code on this machine: which program, which version, and the PATH that leads to it.
# Copied to build/ by `invoke render`: change it in templates/.

claude='' session_path='' typed_folder=''
claude_about='' claude_remedy='' # if claude is not the program itself: what it is, and what to do

# Sets session_path to the PATH that we were given, and removes the workspace from our own: a session can write there,
# and an active virtual environment comes first in it.
leave_workspace_programs() {
  local -a parts reals
  local part ours='' here=$PWD real
  local -i i
  session_path=$PATH typed_folder=$PWD
  cd -P . || true
  # These are never workspaces, and contain programs that are not the session's.
  if [[ $PWD == @(/|/tmp|/var/tmp) ]] || contains "$PWD" "${HOME:-/}"; then return 0; fi
  IFS=: read -ra parts <<<"$PATH"
  mapfile -d '' -t reals < <(real_folders "${parts[@]}")
  for i in "${!parts[@]}"; do
    part=${parts[i]} real=${reals[i]:-${parts[i]}}
    if [[ $part != /* ]] || contains "$here" "$part" || contains "$PWD" "$part" || contains "$PWD" "$real"; then continue; fi
    ours+=${ours:+:}$part
  done
  PATH=$ours
}

# Sets claude.
check_claude() {
  claude=$(type -P claude) || die 'claude is not on the PATH' 'install Claude Code: npm install --global @anthropic-ai/claude-code' \
    "or keep it in a container: $CHECKOUT_TASK build-client-image; claude-local --sandbox container"
}

# Sets claude_about and claude_remedy for a program, which is a script or has the name of a version manager.
# describe_claude FILE
describe_claude() {
  local text=''
  local -i i
  IFS= read -r -N 4096 text 2>/dev/null <"$1" || true
  [[ $text != $'\x7fELF'* ]] || text=''
  for ((i = 0; i < ${#CLAUDE_KINDS[@]}; i += 3)); do
    [[ "$text ${1##*/}" =~ ${CLAUDE_KINDS[i]} ]] || continue
    claude_about=${CLAUDE_KINDS[i + 1]} claude_remedy=${CLAUDE_KINDS[i + 2]}
    return 0
  done
}

# is_older VERSION OTHER: whether VERSION is older than OTHER.
is_older() {
  local -a own other
  local i
  IFS=. read -ra own <<<"$1"
  IFS=. read -ra other <<<"$2"
  for i in 0 1 2; do
    own[i]=${own[i]:-0} other[i]=${other[i]:-0}
    if [[ ${own[i]%%[!0-9]*} != "${other[i]%%[!0-9]*}" ]]; then
      ((10#0${own[i]%%[!0-9]*} < 10#0${other[i]%%[!0-9]*}))
      return
    fi
  done
  return 1
}

# Dies with what Claude Code printed: the first line if we know what it is, else the last one.
refuse_claude() {
  local printed reason
  printed=$("$claude" --version 2>&1 </dev/null) || true
  describe_claude "$(realpath -- "$claude")"
  if [[ -n $claude_about && $claude_about != "${CLAUDE_KINDS[-2]}" ]]; then
    reason=${printed%%$'\n'*}
    die "$claude is $claude_about; it does not start${reason:+: ${reason//[[:cntrl:]]/ }}" "$claude_remedy"
  fi
  reason=${printed##*$'\n'}
  die "\`$claude --version\` failed${reason:+: ${reason//[[:cntrl:]]/ }}" 'install Claude Code again: npm install --global @anthropic-ai/claude-code'
}

# Asks Claude Code for its version once, and again when the program is newer than the cached answer.
check_version() {
  local seen="$CLIENT_DIR/cache/claude-version" version
  if [[ $seen -nt $claude && $(<"$seen") == "$claude" ]]; then
    return 0
  fi
  version=$("$claude" --version 2>/dev/null </dev/null) || refuse_claude
  version=${version%% *}
  [[ $version == [0-9]*.[0-9]* ]] || refuse_claude
  if is_older "$version" "$OLDEST_CLAUDE"; then
    die "Claude Code $version is too old; $OLDEST_CLAUDE or newer is needed" 'update it: npm install --global @anthropic-ai/claude-code'
  fi
  printf '%s\n' "$claude" >"$seen"
}
