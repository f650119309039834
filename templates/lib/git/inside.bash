# Git in the session, before it begins.
# Copied to build/ by `invoke render`: change it in templates/.

readonly GIT_TEXTS=/run/claude-local/git
differences=() attributes=''
declare -A noted=()

# Writes the configuration into the home folder, without commands whose programs are not here, and says what differs.
arrange_git() {
  local file line
  [[ ! -f $GIT_TEXTS/differences ]] || mapfile -t differences <"$GIT_TEXTS/differences"
  for file in "$GIT_TEXTS"/config*; do
    [[ ! -f $file || -e $HOME/.git${file##*/} ]] || copy_configuration "$file" >"$HOME/.git${file##*/}"
  done
  if [[ -f $GIT_TEXTS/check ]] && type -P git >/dev/null; then check_values; fi
  ((${#differences[@]})) || return 0
  printf -v line '; %s' "${differences[@]}"
  printf 'claude-local: git in this session differs from git outside: %s\n' "${line#; }" >&2
}

# copy_configuration FILE: prints it without the commands that cannot run. Before each command is a comment with its key
# and text; each value has two lines.
copy_configuration() {
  local line rest
  local -i dropped=0
  while IFS= read -r line; do
    if [[ $line == '#needs '* ]]; then
      rest=${line#'#needs '}
      can_run "${rest#*$'\t'}" || miss_program "${rest%%$'\t'*}"
    elif ((dropped == 0)); then
      printf '%s\n' "$line"
    else
      dropped=$((dropped - 1))
    fi
  done <"$1"
}

# miss_program KEY: notes that the command of KEY cannot run, because `missing` is not here. Sets dropped to 2 if git
# works without this value. Git refuses files whose filter fails; otherwise it would store them unfiltered.
miss_program() {
  local name=${1#*.}
  name=${name%.*}
  case $1 in
    filter.*)
      override "filter.$name.required" true
      ! uses_attribute filter "$name" || note "the filter $name does not run ($missing is not visible), so git refuses its files"
      ;;
    merge.*) ! uses_attribute merge "$name" || note "the merge driver $name does not run ($missing is not visible)" ;;
    diff.*.*)
      dropped=2
      ! uses_attribute diff "$name" || note "diffs of $name are not converted ($missing is not visible)"
      ;;
    alias.*) dropped=2 && note "no alias ${1#*.} ($missing is not visible)" ;;
    *) dropped=2 && note "$1 is not used ($missing is not visible)" ;;
  esac
}

note() {
  local text=${1//[[:cntrl:]]/ }
  [[ ! ${noted[$text]:-} ]] || return 0
  noted[$text]=yes
  differences+=("$text")
}

# override KEY VALUE: as a variable, it outranks every file.
override() {
  local -i count=${GIT_CONFIG_COUNT:-0}
  export "GIT_CONFIG_KEY_$count=$1" "GIT_CONFIG_VALUE_$count=$2" GIT_CONFIG_COUNT=$((count + 1))
}

# uses_attribute ATTRIBUTE VALUE: whether a file with git's attributes gives files this value.
uses_attribute() {
  local file text
  if [[ ! $attributes ]]; then
    attributes=' '
    while IFS= read -r -t 5 -d '' file; do # a hostile repository could make git wait forever
      [[ -f $file ]] && IFS= read -r -d '' -n 1000000 text <"$file" || attributes+=" ${text:-}"$'\n' text=''
    done < <(
      printf '%s\0' .gitattributes /etc/gitattributes "$GIT_TEXTS"/text-* "$(git rev-parse --git-path info/attributes 2>/dev/null)"
      git ls-files -z --recurse-submodules -- '*.gitattributes' 2>/dev/null
    )
  fi
  [[ ${attributes//[[:space:]]/ } == *" $1=$2 "* ]]
}

# check_values: looks at what git's configuration says here in the end: commands of the repository itself, signatures,
# and the values of conditional files.
check_values() {
  local scope entry key value
  local -A values=()
  while IFS= read -r -t 5 -d '' scope && IFS= read -r -t 5 -d '' entry; do
    key=${entry%%$'\n'*} value=${entry#*$'\n'}
    [[ $entry == *$'\n'* ]] || value=true
    values[$key]=$value
    [[ $scope == @(local|worktree) ]] || continue
    case $key in
      filter.*.clean | filter.*.smudge | filter.*.process | merge.*.driver | diff.external | diff.*.command | diff.*.textconv | trailer.*.cmd | trailer.*.command | hook.*.command)
        local -i dropped=0
        can_run "$value" || miss_program "$key"
        ;;
    esac
  done < <(git config --null --show-scope --list 2>/dev/null)
  for key in commit.gpgsign tag.gpgsign tag.forcesignannotated; do
    [[ ${values[$key]:-false} != @(false|no|off|0|) ]] || continue
    override "$key" false
    note "${key%%.*}s are not signed"
  done
  [[ -f $GIT_TEXTS/conditional ]] || return 0
  while IFS= read -r key && IFS= read -r value && IFS= read -r entry; do
    [[ ${values[$key]:-} != "$value" ]] || note "$entry"
  done <"$GIT_TEXTS/conditional"
}

# can_run COMMAND: whether the programs and files that a shell command names are here. Sets missing to one that is not.
can_run() {
  local text=$1 word previous='' first=yes
  local -a words
  text=${text#!} text=${text//\$\{HOME\}/$HOME} text=${text//\$HOME/$HOME} text=${text//[\"\']/}
  text=${text//[|;&()]/ ; }
  read -ra words <<<"$text"
  for word in "${words[@]}"; do
    missing=$word
    if [[ $word == @(';'|-c) || ($first && $word == [A-Za-z_]*=*) ]]; then
      first=yes
      continue
    fi
    [[ $word != \~/* ]] || word=$HOME/${word#\~/}
    if [[ $first && $word != */* ]]; then
      [[ $1 == *"$word()"* ]] || type "$word" &>/dev/null || return 1
      [[ $(type -t "$word") == keyword ]] || first=''
    elif [[ $first || $word == "$HOME"/* || $word == /@(home|root|opt|srv|mnt|media|data|nix|snap|usr|var|etc)/* ]]; then
      [[ -e $word ]] || return 1
      first=''
    elif [[ $previous == git ]]; then
      missing=git-$word
      type -P "git-$word" >/dev/null || [[ $word == -* || -e /usr/lib/git-core/git-$word || -e /usr/libexec/git-core/git-$word ]] || return 1
    fi
    previous=$word
  done
}
