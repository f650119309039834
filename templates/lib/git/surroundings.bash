# What git reads outside the workspace, and a session does not see.
# Copied to build/ by `invoke render`: change it in templates/.

# differ TEXT [KEY VALUE]: notes a difference between git in the session and git outside; with KEY, only if git's
# configuration has this value in the end, because it comes from a conditional file.
differ() {
  if [[ -z ${2:-} || $name == config ]]; then
    git_texts["differences"]+=$1$'\n'
  else
    git_texts["check"]=yes
    git_texts["conditional"]+=$2$'\n'$3$'\n'$1$'\n'
  fi
}

# is_shown PATH: whether a session sees it.
is_shown() {
  local folder path
  path=$(realpath --canonicalize-missing -- "$1")
  for folder in "$workspace" "${SYSTEM_FOLDERS[@]}" "${JAIL_READ_ONLY[@]}"; do
    if contains "$folder" "$path" || contains "$folder" "$1"; then return 0; fi
  done
  return 1
}

# has_entries FOLDER: whether it contains more than samples.
has_entries() {
  local path
  for path in "$1"/*; do
    [[ ! -e $path || $path == *.sample ]] || return 0
  done
  return 1
}

# reaches_workspace FOLDER: whether it is in the workspace or contains it, by the path that the user went or the real one.
reaches_workspace() {
  local place
  for place in "$workspace" "$typed_folder" "$git_folder"; do
    if contains "$1" "$place" || contains "$place" "$1"; then return 0; fi
  done
  return 1
}

# place_condition FILE CONDITION: sets conditions to what a condition of FILE means in a session, where the home folder is
# another one and no path has links; to nothing if it cannot hold for a repository in the workspace.
place_condition() {
  local kind=${2%%:*} pattern=${2#*:} start real
  conditions=("$2")
  [[ $kind == gitdir || $kind == gitdir/i ]] || return 0
  case $pattern in
    \~/*) pattern=$(cd -P "$HOME" && pwd)/${pattern#\~/} ;;
    ./*) start=$(realpath -- "$1") pattern=${start%/*}/${pattern#./} ;;
  esac
  [[ $pattern == /* ]] || return 0
  conditions=("$kind:$pattern")
  start=${pattern%%[][*?\\]*} start=${start%/*}
  [[ $kind == gitdir ]] || return 0 # upper or lower case: not compared here
  if ! reaches_workspace "${start:-/}"; then
    conditions=()
  elif [[ $typed_folder != "$workspace" && -n $start ]]; then
    real=$(realpath --canonicalize-missing -- "$start")
    [[ $real == "$start" ]] || ! contains "$start" "$typed_folder" || conditions+=("$kind:$real${pattern#"$start"}")
  fi
}

# Sets git_folder to the repository's folder, and notes what it needs from outside. It may be hostile: no git runs in it.
inspect_repository() {
  local git=$workspace/.git text='' common name='config' variable names=()
  for variable in "${LEADING_GIT_VARIABLES[@]}"; do
    [[ -z ${!variable:-} ]] || names+=("$variable")
  done
  ((${#names[@]} == 0)) || differ "not passed on: ${names[*]}"
  if [[ -f $git ]]; then
    IFS= read -r text <"$git" || true
    git_folder=${text#gitdir: }
    [[ $git_folder == /* ]] || git_folder=$workspace/$git_folder
    git_folder=$(realpath --canonicalize-missing -- "$git_folder")
  elif [[ -e $git/HEAD ]]; then
    git_folder=$git
  elif [[ -f $workspace/HEAD && -d $workspace/objects ]]; then
    git_folder=$workspace
  else
    inspect_parents
    return
  fi
  common=$git_folder
  if [[ -f $git_folder/commondir ]]; then
    IFS= read -r common <"$git_folder/commondir" || true
    [[ $common == /* ]] || common=$git_folder/$common
  fi
  inspect_file "$common/config"
  inspect_file "$git_folder/config.worktree"
  inspect_alternates "$common/objects"
}

# Git looks for a repository upwards; a session sees nothing there.
inspect_parents() {
  local folder=$workspace devices
  while [[ -n ${folder%/*} ]]; do
    folder=${folder%/*}
    [[ :${GIT_CEILING_DIRECTORIES:-}: != *":$folder:"* ]] || return 0
    [[ -f $folder/.git || -e $folder/.git/HEAD ]] || continue
    mapfile -t devices < <(stat --format %d -- "$workspace" "$folder")
    [[ ${devices[0]} != "${devices[1]}" ]] \
      || differ "no repository here: $(printf %q "$folder"), to which this folder belongs, is not visible; start there to use git"
    return 0
  done
}

# inspect_file CONFIGURATION: notes what a repository's own configuration names outside the workspace.
inspect_file() {
  local text='' lower entry key
  [[ -f $1 && -r $1 ]] || return 0
  IFS= read -r -d '' -n "$LARGEST_TEXT" text <"$1" || true
  lower=${text,,}
  [[ ! $lower =~ filter|driver|textconv|command|external|gpgsign|cmd ]] || git_texts["check"]=yes
  [[ $lower =~ excludesfile|attributesfile|hookspath|template|mailmap|revsfile|orderfile|include|worktree|promisor ]] || return 0
  while IFS= read -r -d '' entry; do
    key=${entry%%$'\n'*}
    [[ $key != include* ]] || key=include.path
    case $key in
      core.hookspath) note_hidden "${entry#*$'\n'}" 'hooks in ' ' do not run' ;;
      core.worktree) note_hidden "${entry#*$'\n'}" 'its work tree ' ' is not visible (core.worktree)' ;;
      remote.*.promisor) differ 'what this partial clone has not fetched is missing' ;;
      include.path | core.excludesfile | core.attributesfile | commit.template | mailmap.file | blame.ignorerevsfile | diff.orderfile)
        note_hidden "${entry#*$'\n'}" '' " is not read ($key of this repository)"
        ;;
    esac
  done < <(harmless_git config --file "$1" --no-includes --null --list)
}

# note_hidden PATH BEFORE AFTER: notes, with text before and after it, a path that is there, but not in the session.
note_hidden() {
  local path
  case $key in
    include.path | core.worktree) expand "$1" "$git_folder" ;;
    *) expand "$1" "$workspace" ;;
  esac
  [[ ! -e $path ]] || is_shown "$path" || contains "$common" "$(realpath -- "$path")" \
    || differ "$2$(printf %q "$path")$3"
}

# inspect_alternates OBJECTS: notes objects that the repository borrows from another one. A session does not get them:
# the repository could name any.
inspect_alternates() {
  local path
  [[ -f $1/info/alternates ]] || return 0
  while IFS= read -r path; do
    [[ $path && $path != '#'* ]] || continue
    [[ $path == /* ]] || path=$1/$path
    [[ ! -d $path ]] || is_shown "$path" || differ "objects in $(printf %q "$path") are missing; to have them here: git repack -a -d && rm .git/objects/info/alternates"
  done <"$1/info/alternates"
}
