# claude-local's own options. read_options sets one variable for each.
# Copied to build/ by `invoke render`: change it in templates/.

model='' start='' tools='' sources=user sandbox=$DEFAULT_SANDBOX ide='' break_hardlinks=''
rest=() # Claude Code's arguments

# Prints the header of the program.
usage() {
  sed -n '3,/^set/ { /^set/d; /^# shellcheck/d; s/^# \{0,1\}//; p; }' "$BUILD_DIR/bin/claude-local"
}

# Sets model, start, tools, sources, sandbox, ide, break_hardlinks and rest.
read_options() {
  while [[ $# -gt 0 ]]; do
    case $1 in
      --model | --start)
        [[ -n ${2:-} ]] || die "$1 needs the name of a profile" "list them: $CHECKOUT_TASK profiles"
        if [[ $1 == --model ]]; then model=$2; else start=$2; fi
        shift
        ;;
      --full | --lean) tools=${1#--} ;;
      --trust-project) sources=user,project,local ;;
      --sandbox)
        [[ ${2:-} == @(jail|container|bash|off) ]] || die '--sandbox needs one of jail, container, bash, off'
        sandbox=$2
        shift
        ;;
      -h | --help)
        usage
        exit
        ;;
      --version)
        printf '%s\n' "$OWN_VERSION"
        exit
        ;;
      --ide) ide=yes ;;
      --no-ide) ;; # the default
      --break-hardlinks) break_hardlinks=yes ;;
      --)
        shift
        break
        ;;
      *) break ;;
    esac
    shift
  done
  rest=("$@")
}

# refuse_bypass ARGUMENTS…: dies if Claude Code would not ask. Without a jail, only its questions protect the machine.
refuse_bypass() {
  local argument open='nothing is confined'
  [[ $sandbox != bash ]] || open='Read, Write and Edit are not confined'
  for argument; do
    case $argument in
      --dangerously-skip-permissions | --allow-dangerously-skip-permissions | bypassPermissions | --permission-mode=bypassPermissions)
        die "$argument is only possible with --sandbox jail or container" "with --sandbox $sandbox $open: only your answers protect your files"
        ;;
    esac
  done
}
