# Everything in Claude Code's environment except the key.
# Copied to build/ by `invoke render`: change it in templates/.

environment=()

# Sets environment.
build_environment() {
  local name output=8192 window=$SMALLEST_COMPACT_WINDOW
  environment=("${FIXED_ENVIRONMENT[@]}" "CLAUDE_LOCAL_SANDBOX=$sandbox")
  [[ $tools == full ]] || environment+=("${LEAN_ENVIRONMENT[@]}")
  local PATH=$session_path:$COMMANDS_DIR # for /switch-model
  for name in "${PASSED_VARIABLES[@]}" "${!LC_@}"; do
    [[ -z ${!name+set} ]] || environment+=("$name=${!name}")
  done
  if [[ -n $context ]]; then
    ((context >= GOOD_CONTEXT)) || output=4096
    ((window >= context)) || window=$context
    environment+=("CLAUDE_CODE_MAX_CONTEXT_TOKENS=$context" "CLAUDE_CODE_AUTO_COMPACT_WINDOW=$window" "CLAUDE_CODE_MAX_OUTPUT_TOKENS=$output")
  fi
}

# Adds to environment what only a confined session needs. Its key is a placeholder, which the door replaces.
confine_environment() {
  environment+=("${JAIL_ENVIRONMENT[@]}" "ANTHROPIC_AUTH_TOKEN=local" "TMPDIR=/tmp" "CLAUDE_LOCAL_UMASK=$users_umask" "CLAUDE_CODE_SSE_PORT=$editor_port" "${git_environment[@]}")
  [[ ${#instructions[@]} -eq 0 ]] || environment+=(CLAUDE_CODE_ADDITIONAL_DIRECTORIES_CLAUDE_MD=1)
}
