# Our own commands, as the first word of claude-local.
# Copied to build/ by `invoke render`: change it in templates/.

# shellcheck disable=SC2016  # these expand where they are pasted
show_env() {
  printf '# for other clients: eval "$(claude-local env)"\n'
  printf 'export ANTHROPIC_BASE_URL=%q OPENAI_BASE_URL=%q\n' "$BASE_URL" "$BASE_URL/v1"
  printf 'export ANTHROPIC_MODEL=%q OPENAI_MODEL=%q\n' "$ACTIVE_ALIAS" "$ACTIVE_ALIAS"
  if [[ -n $KEY_FILE ]]; then
    printf 'ANTHROPIC_AUTH_TOKEN=$(<%q) OPENAI_API_KEY=$ANTHROPIC_AUTH_TOKEN\n' "$KEY_FILE"
    printf 'export ANTHROPIC_AUTH_TOKEN OPENAI_API_KEY\n'
  fi
}

# Runs one of our own commands and exits. Returns if the first word is not a command.
run_own_command() {
  case ${1:-} in
    status) run_task status ;;
    verify | --verify) run_task verify "${@:2}" ;;
    doctor) run_task doctor "${@:2}" ;;
    env) show_env ;;
    usage) usage ;;
    switch)
      [[ -n ${2:-} ]] || die 'switch needs the name of a profile' "list them: $CHECKOUT_TASK profiles"
      run_task switch --model "$2"
      ;;
    quarantine) exec "$LIBEXEC/quarantine" "${@:2}" ;;
    *) return 0 ;;
  esac
  exit
}

# Names settings that have changed since config.bash was rendered, and so have no effect yet.
name_new_settings() {
  local name value written=" ${TASK_ENVIRONMENT[*]} "
  local -a names=()
  for name in "${!CLAUDE_LOCAL_@}"; do
    [[ $name=${!name} != @(CLAUDE_LOCAL_ENGINE=*|CLAUDE_LOCAL_SANDBOX=off) ]] || continue # the first is for --start, the second is set in our sessions
    value=${!name//\~\//"$HOME/"} value=${value%/}
    [[ -z $value || $written == *" $name=$value "* ]] || names+=("$name")
  done
  [[ ${#names[@]} -gt 0 ]] || return 0
  say "these settings have changed since \`invoke render\` and have no effect yet: ${names[*]}; to apply them: $CHECKOUT_TASK render"
}
