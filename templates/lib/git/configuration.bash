# The user's git configuration, in the form in which a session gets it.
# Copied to build/ by `invoke render`: change it in templates/.
#
# It keeps its structure: git in the session decides which conditional files apply, on every branch and in every repository.
# Values that could be secret or name a program that is not there are left out (scripts/claude_local/client/git_rules.py).

readonly LARGEST_TEXT=1048576 # bytes
readonly DEEPEST_INCLUDE=10
declare -A git_texts=() git_rules=() # name of a file for the session → its text; key → kind of its value
git_hooks='' git_obeyed='' git_variables=()
git_count=0

# Sets git_texts, git_hooks, git_obeyed and git_variables. Runs git in /, because in the current folder it would read the
# repository first, which is not trusted.
read_configuration() {
  local name config=${XDG_CONFIG_HOME:-$HOME/.config}/git
  for name in "${PLAIN_GIT_KEYS[@]}"; do git_rules[$name]="plain"; done
  for name in "${GIT_FILE_KEYS[@]}"; do git_rules[$name]="file"; done
  for name in "${GIT_COMMAND_KEYS[@]}"; do git_rules[$name]="command"; done
  if ! type -P git >/dev/null; then
    [[ ! -e $HOME/.gitconfig && ! -e $config/config ]] || differ 'git is not installed, so its configuration cannot be read'
    return 0
  fi
  # Files that git reads without being asked. As the first values, they give way to all others.
  [[ ! -f $config/ignore ]] || add_text_file config core.excludesfile "$config/ignore"
  [[ ! -f $config/attributes ]] || add_text_file config core.attributesfile "$config/attributes"
  read_values config 0 --list --includes
  complete_identity
}

# users_git ARGUMENTS…: becomes git, in no repository.
users_git() {
  cd / && unset GIT_DIR GIT_WORK_TREE GIT_COMMON_DIR GIT_CONFIG && exec git "$@"
}

# read_values NAME DEPTH ARGUMENTS…: adds the values that `git config` lists to the file NAME.
read_values() {
  local name=$1 depth=$2 scope origin entry why output git
  shift 2
  exec {output}< <(users_git config --null --show-scope --show-origin "$@" 2>/dev/null)
  git=$!
  while IFS= read -r -d '' scope && IFS= read -r -d '' origin && IFS= read -r -d '' entry; do
    [[ $scope == @(local|worktree) ]] || add_value "${origin#file:}" "${entry%%$'\n'*}" "$entry"
  done <&"$output"
  exec {output}<&-
  if ! wait "$git" && [[ $name != elsewhere ]]; then
    # Asked again for its words; without any, bash had only forgotten the first one's exit code.
    why=$(users_git config "$@" 2>&1 >/dev/null) || true
    [[ ! $why ]] || differ "your configuration cannot be read: ${why##*$'\n'}"
  fi
}

# add_value FILE KEY ENTRY: adds one value to the file `name` of read_values. ENTRY is KEY, or KEY, a line break and the value.
add_value() {
  local file=$1 key=$2 entry=$3 value rule path
  note_file "$file"
  value=${entry#*$'\n'}
  [[ $entry == *$'\n'* ]] || value=true
  rule=${git_rules[$key]:-${git_rules[${key%%.*}.*]:-}}
  [[ $key != *.*.* ]] || rule=${git_rules[${key%%.*}.*.${key##*.}]:-${git_rules[${key%%.*}.*.*]:-}}
  case $key in
    include.path) expand "$value" "${file%/*}" && note_file "$path" ;; # git has read it, if it is there
    includeif.*.path) expand "$value" "${file%/*}" && add_conditional "$file" "${key:10:${#key}-15}" "$path" ;;
    core.hookspath) expand "$value" && add_hooks "$path" ;;
    *) [[ $name == elsewhere ]] || add_known_value ;;
  esac
}

# Adds the value of add_value if a session may have it.
add_known_value() {
  case $key in
    safe.directory)
      expand "$value"
      if [[ ! $path || $path == '*' ]] || reaches_workspace "${path%/\*}"; then add_plain "$key" "$path"; fi
      ;;
    commit.gpgsign | tag.gpgsign | tag.forcesignannotated)
      git_texts["check"]=yes
      add_plain "$key" "$value"
      ;;
    init.templatedir) add_template "$value" ;;
    alias.*)
      if [[ $value == '!'* ]]; then add_command "$key" "$value"; else add_plain "$key" "$value"; fi
      ;;
    *)
      case $rule in
        plain) add_plain "$key" "$value" ;;
        file) add_text_file "$name" "$key" "$value" ;;
        command) add_command "$key" "$value" ;;
      esac
      ;;
  esac
}

# add_plain KEY VALUE: values of GIT_CONFIG_COUNT and the like outrank the repository's own, so they stay variables.
add_plain() {
  if [[ ${scope:-} == command && $name == config ]]; then
    git_variables+=("$1" "$2")
  else
    write_value "$name" "$1" "$2"
  fi
}

# write_value NAME KEY VALUE: adds a value to a file in git's own notation.
write_value() {
  local value=$3 middle=${2#*.}
  if [[ $middle == *.* ]]; then middle=${middle%.*}; else middle=''; fi
  middle=${middle//\\/\\\\} middle=${middle//\"/\\\"}
  value=${value//\\/\\\\} value=${value//\"/\\\"} value=${value//$'\n'/\\n}
  git_texts[$1]+="[${2%%.*}${middle:+ \"$middle\"}]"$'\n\t'"${2##*.} = \"$value\""$'\n'
}

# add_command KEY COMMAND: the session drops it if its programs are not there (lib/git/inside.bash).
add_command() {
  git_texts[$name]+="#needs ${1//[[:cntrl:]]/ }"$'\t'"${2//[[:cntrl:]]/ }"$'\n'
  write_value "$name" "$1" "$2"
}

# expand PATH [FOLDER]: sets path to what git reads as PATH, which may begin in FOLDER.
expand() {
  path=${1#:(optional)}
  [[ $path != \~/* ]] || path=$HOME/${path#\~/}
  [[ -z ${2:-} || $path == /* ]] || path=$2/$path
}

# add_text_file NAME KEY PATH: gives the session a copy of the text, because it does not see the file.
add_text_file() {
  local path text=''
  expand "$3"
  if [[ $path != /* || ! -e $path ]] || is_shown "$path"; then
    write_value "$1" "$2" "$path"
  elif [[ -f $path && -r $path ]] && { IFS= read -r -d '' -n "$LARGEST_TEXT" text <"$path" || ((${#text} < LARGEST_TEXT)); }; then
    git_count=$((git_count + 1))
    git_texts[text-$git_count]=$text
    write_value "$1" "$2" "/run/claude-local/git/text-$git_count"
  else
    differ "$(printf %q "$path") is not read ($2)"
  fi
}

# add_hooks PATH: also a folder that is not there counts, because git then runs no hooks at all.
add_hooks() {
  [[ $name == elsewhere && $1 != /* ]] || git_hooks+=$1$'\n'
  [[ $name != elsewhere ]] || return 0
  write_value "$name" core.hookspath "$1"
  [[ $1 != /* ]] || ! has_entries "$1" || is_shown "$1" || differ "hooks in $(printf %q "$1") do not run" core.hookspath "$1"
}

add_template() {
  local path
  expand "$1"
  if [[ $path != /* ]] || is_shown "$path"; then
    write_value "$name" init.templatedir "$path"
  elif has_entries "$path"; then
    differ "new repositories are made without the template $(printf %q "$path")"
  fi
}

# add_conditional FILE CONDITION PATH: adds the file that FILE includes under a condition. If that cannot hold here, the
# audit still needs to know what the file names: a session could change hooks that run elsewhere.
add_conditional() {
  local conditions condition file=elsewhere
  note_file "$3"
  ((depth < DEEPEST_INCLUDE)) && [[ -r $3 && ! -d $3 ]] || return 0
  place_condition "$1" "$2"
  if [[ $name != elsewhere && ${#conditions[@]} -gt 0 ]]; then
    git_count=$((git_count + 1))
    file=config-$git_count
    git_texts[$file]=''
    for condition in "${conditions[@]}"; do
      write_value "$name" "includeif.$condition.path" "$HOME/.git$file"
    done
  fi
  read_values "$file" "$((depth + 1))" --file "$3" --list --includes
}

# note_file FILE: git obeys this file. If it is in the workspace, the audit watches it.
note_file() {
  local file=$1
  [[ ! -L $file ]] || file=$(realpath -- "$file" 2>/dev/null) || return 0
  if contains "$workspace" "$file" && [[ $'\n'$git_obeyed != *$'\n'"$file"$'\n'* ]]; then git_obeyed+=$file$'\n'; fi
}

# The identity that git would derive from the user's account and the machine's name, which the session does not have.
complete_identity() {
  local said text=${git_texts["config"]:-} name=yes email=yes
  [[ $text != *$'[user]\n\tname = '* ]] || name=''
  [[ $text != *$'[user]\n\temail = '* && -z ${EMAIL:-} ]] || email=''
  [[ $name || $email ]] || return 0
  said=$(unset GIT_AUTHOR_NAME GIT_AUTHOR_EMAIL && users_git var GIT_AUTHOR_IDENT 2>/dev/null) || return 0
  said=${said%'> '*}
  git_texts["config"]=''
  [[ ! $name ]] || write_value config user.name "${said%' <'*}"
  [[ ! $email ]] || write_value config user.email "${said##*'<'}"
  git_texts["config"]+=$text # so it gives way
}
