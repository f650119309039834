# Gives a session git as it is outside, and notes what differs.
# Copied to build/ by `invoke render`: change it in templates/.

git_output='' # a descriptor with the output of list_git
git_environment=()

# Prints what a session gets, each part as three texts ended by NUL: kind, name, text.
list_git() {
  local LC_ALL=C workspace git_folder='' name i
  source "$HERE/lib/git/configuration.bash"
  source "$HERE/lib/git/surroundings.bash"
  source "$HERE/lib/audit/repositories.bash"
  workspace=$PWD git_folder=$PWD # PWD has no links (leave_workspace_programs)
  inspect_repository
  read_configuration
  for name in "${!git_texts[@]}"; do
    printf '%s\0' file "$name" "${git_texts[$name]}"
  done
  printf '%s\0' hooks '' "$git_hooks" obeyed '' "$git_obeyed"
  for ((i = 0; i < ${#git_variables[@]}; i += 2)); do
    printf '%s\0' variable "${git_variables[i]}" "${git_variables[i + 1]}"
  done
}

# Writes it into the record: files for the session, and for the audit the folders of hooks and the configuration files
# that git obeys everywhere.
write_git() {
  local kind name text
  local -i count=0
  while IFS= read -r -d '' kind && IFS= read -r -d '' name && IFS= read -r -d '' text; do
    case $kind in
      file) printf '%s' "$text" 2>/dev/null >"$record/git/$name" || refuse_full_disk ;;
      hooks) printf '%s' "$text" 2>/dev/null >"$record/global_hooks" || refuse_full_disk ;;
      obeyed) printf '%s' "$text" 2>/dev/null >"$record/global_files" || refuse_full_disk ;;
      variable)
        git_environment+=("GIT_CONFIG_KEY_$count=$name" "GIT_CONFIG_VALUE_$count=$text")
        count+=1
        ;;
    esac
  done <&"$git_output"
  exec {git_output}<&-
  ((count == 0)) || git_environment+=("GIT_CONFIG_COUNT=$count")
  for name in "${PASSED_GIT_VARIABLES[@]}"; do
    [[ -z ${!name+set} ]] || git_environment+=("$name=${!name}")
  done
}
