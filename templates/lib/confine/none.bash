# --sandbox bash and off: Claude Code runs as the user; with bash, it confines its own commands.
# Copied to build/ by `invoke render`: change it in templates/.

readonly CLIENT_SETTINGS=$sandbox

check_requirements() {
  refuse_bypass "${rest[@]}"
  check_claude
  check_version
}

# run_session ARGUMENTS…: becomes Claude Code.
run_session() {
  if [[ $sandbox == off ]]; then
    say 'not confined: the model can do whatever you can (--sandbox off)'
  else
    say 'only commands are confined; Read and Write, hooks and MCP servers are not (--sandbox bash)'
  fi
  umask "$users_umask"
  exec -c "$LIBEXEC/unconfined" "$KEY_FILE" "${#environment[@]}" "${environment[@]}" "$claude" "$@"
}
