# Questions to the model server before each session.
# Copied to build/ by `invoke render`: change it in templates/.

served='' active='' context=''

# Fails if no server answers. A server must refuse a wrong key before we send it the right one.
check_server() {
  check_listener
  http_get /models not-the-key || return 1
  [[ $http_answer == HTTP/1.?' 401 '* ]] || die "the server on $BASE_URL is not ours: it does not ask for a key" "end it, or choose another port: set llama_port in settings.yaml, then: $CHECKOUT_TASK up"
}

# Starts a model and empties model: no switch is needed then.
start_model() {
  local engine=()
  [[ ${CLAUDE_LOCAL_ENGINE:-} != @(auto|docker|embedded) ]] || engine=(--engine "$CLAUDE_LOCAL_ENGINE")
  if [[ -z $start ]]; then start=$model model=''; fi
  if [[ -n $start ]]; then
    run_task up --detach "${engine[@]}" --model "$start" >&2 || exit
  elif [[ -t 0 && -t 2 ]]; then
    say 'no model is running; choose one to start'
    run_task up --detach "${engine[@]}" >&2 || exit
  else
    die "nothing answers on $BASE_URL" "start a model: $CHECKOUT_TASK up; or claude-local --start NAME"
  fi
  check_server || die "nothing answers on $BASE_URL" 'see: claude-local status'
}

# Sets served (the server's list of models), active (the active model) and context (its size in tokens).
ask_server() {
  local key pause tried answer
  check_server || start_model
  [[ -z $model ]] || run_task switch --model "$model" >&2 || exit
  [[ -r $KEY_FILE ]] || die "cannot read $KEY_FILE" "start a model to create it: $CHECKOUT_TASK up"
  key=$(<"$KEY_FILE")
  ask_for_models "$key"
  for pause in 0.5 1 2 4 ''; do
    http_get "/props?model=$ACTIVE_ALIAS" "$key" 600 || true # loads the model if it is not in memory
    [[ ! $http_answer =~ \"n_ctx\":\ *([0-9]+) ]] || context=${BASH_REMATCH[1]}
    [[ -z $context ]] || return 0
    [[ -n $pause && $http_answer == HTTP/1.?' 5'* ]] || die 'the server does not report the context size of its model' 'see: claude-local status'
    tried=$active answer=$http_answer
    sleep "$pause" # during a switch, the old model is being unloaded
    ask_for_models "$key"
    [[ $answer != *'failed to load'* || $active != "$tried" ]] || ! has_failed "$active" || die "the model \`$active\` cannot be loaded" 'see why: claude-local status'
  done
}

# ask_for_models KEY: sets served and active.
ask_for_models() {
  http_get /models "$1" || true
  [[ $http_answer == HTTP/1.?' 200 '* ]] || die "the server on $BASE_URL does not accept our key" 'see: claude-local status'
  served=$http_answer
  # A server with one model has no alias and does not need one.
  if [[ $served =~ \"id\":\"([^\"]+)\",\"aliases\":\[[^]]*\"$ACTIVE_ALIAS\" || $served =~ \"id\":\"([^\"]+)\" ]]; then
    active=${BASH_REMATCH[1]}
  fi
}

has_failed() {
  local entry=${served#*\"id\":\""$1"\"}
  [[ ${entry%%\"id\":\"*} == *'"failed":true'* ]]
}

# Sets tools to lean if the context is small; dies if it is too small.
check_context() {
  if ((context < SMALLEST_CONTEXT)); then
    die "the model has a context of $context tokens; Claude Code needs $SMALLEST_CONTEXT" "set server/ctx_size in profiles/${active:-NAME}.yaml to 65536 or more and start it again"
  fi
  if ((context < GOOD_CONTEXT)); then
    tools=lean
    say "the context is small ($context tokens): only the lean tools, and early compaction; to change this, raise server/ctx_size in profiles/${active:-NAME}.yaml"
  fi
}

# Sets tools, unless an option has set them.
choose_tools() {
  local name
  [[ -z $tools ]] || return 0
  tools=lean
  for name in "${FULL_PROFILES[@]}"; do
    [[ $name != "$active" ]] || tools=full
  done
}
