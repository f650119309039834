# The workspace: the one folder that a session may change.
# Copied to build/ by `invoke render`: change it in templates/.

workspace='' workspace_fd=''

# refuse_workspace REASON [HINT]
refuse_workspace() {
  die "$(printf %q "$workspace") cannot be a workspace: $1" "${2:-go to the folder of one project, or make one: mkdir -p ~/projects/new && cd ~/projects/new}"
}

# real_folders FOLDER…: prints where each really is, or nothing for one that cannot be entered, with a NUL after each. For a
# subshell: it changes the folder.
real_folders() {
  local folder
  for folder; do
    [[ $folder != /* || ! -d $folder ]] || ! cd -P -- "$folder" 2>/dev/null || printf %s "$PWD"
    printf '\0'
  done
}

# Sets workspace and opens it, so that the jail gets exactly the folder that was checked.
check_workspace() {
  local home place
  local -a places
  workspace=$(pwd -P)
  home=$(cd -P "$HOME" 2>/dev/null && pwd -P) || die "your home folder $HOME does not exist"
  [[ $workspace != *[[:cntrl:]]* ]] || refuse_workspace 'its name has control characters'
  [[ $workspace != / ]] || refuse_workspace 'it is the whole machine'
  ! contains "$workspace" "$home" || refuse_workspace 'it is or contains your home folder'
  for place in /tmp /var/tmp /dev/shm; do
    [[ $workspace != "$place" ]] || refuse_workspace 'every program of this machine writes there'
  done
  for place in /usr /etc /boot /dev /proc /sys /run /var/lib; do
    ! contains "$place" "$workspace" || [[ $workspace == /run/user/*/* || $workspace == /dev/shm/* ]] || refuse_workspace 'it belongs to the system'
  done
  for place in "${NO_WORKSPACES[@]}"; do
    place=$home/$place
    [[ ! -L $place ]] || place=$(realpath --canonicalize-missing -- "$place")
    ! contains "$place" "$workspace" || refuse_workspace 'other programs keep settings or secrets there'
  done
  mapfile -d '' -t places < <(real_folders "$CLIENT_DIR" "$STATE_DIR" "$BUILD_DIR" "$ROOT" "$home/.claude" "$MODELS_DIR")
  for place in "${places[@]}"; do
    [[ -n $place ]] || continue
    if contains "$workspace" "$place" || contains "$place" "$workspace"; then
      refuse_workspace "claude-local or claude itself lives in $(printf %q "$place")" 'to work on claude-local, make a second clone'
    fi
  done
  [[ -O $workspace ]] || refuse_workspace 'it belongs to another user'
  [[ -w $workspace && -x $workspace ]] || refuse_workspace 'you may not write there'
  exec {workspace_fd}<"$workspace"
  check_workspace_again
}

# A link in the path may have changed since: the path must still lead to the open folder.
check_workspace_again() {
  [[ (-z $workspace_fd || /proc/self/fd/$workspace_fd -ef $workspace) && . -ef $workspace && $(pwd -P) == "$workspace" ]] \
    || refuse_workspace 'its path now leads to another folder' 'start again'
}

# Folders and files that other programs obey must not be links out of the workspace.
check_links() {
  local name target
  for name in .git .git/config .git/hooks "${OBEYED_NAMES[@]}"; do
    [[ -L $workspace/$name ]] || continue
    target=$(realpath --canonicalize-missing -- "$workspace/$name")
    if contains "$workspace" "$target"; then
      [[ ! -e $target ]] || continue
      refuse_workspace "$name is a link to $(printf %q "${target#"$workspace/"}"), which does not exist: a session could put there what other programs obey" \
        "make the file or folder that it leads to, or remove the link"
    fi
    refuse_workspace "$name is a link that leads out of it, to $(printf %q "$target")" 'put a real file or folder in its place'
  done
}
