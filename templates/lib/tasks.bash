# Tasks of `invoke`, for what needs Python: only starting and switching models does, a session does not.
# Copied to build/ by `invoke render`: change it in templates/.

# run_task TASK…: with -P, modules in the current folder are ignored.
run_task() {
  /usr/bin/env "${TASK_ENVIRONMENT[@]}" "$PYTHON" -P -m invoke --search-root "$ROOT" "$@"
}
