# Tasks of `invoke`, for commands that need Python. Starting and switching models do; a session does not.
# Copied to build/ by `invoke render`: change it in templates/.

# run_task TASK…: runs invoke; -P makes Python ignore modules in the current folder.
run_task() {
  /usr/bin/env "${TASK_ENVIRONMENT[@]}" "$PYTHON" -P -m invoke --search-root "$ROOT" "$@"
}
