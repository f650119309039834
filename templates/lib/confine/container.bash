# --sandbox container: the same confinement in Docker, for machines without user namespaces or without Claude Code.
# Copied to build/ by `invoke render`: change it in templates/.

readonly CLIENT_SETTINGS=jail
readonly SYSTEM_FOLDERS=() # the programs and libraries are the image's
readonly IMAGE_CLAUDE=/usr/local/bin/claude
readonly IMAGE_PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
# Docker's own settings can put these into every container; their values may contain passwords.
readonly PROXY_VARIABLES=(HTTP_PROXY HTTPS_PROXY FTP_PROXY ALL_PROXY NO_PROXY http_proxy https_proxy ftp_proxy all_proxy no_proxy)
# Keys that end Docker's connection: unlikely ones, instead of Ctrl-P Ctrl-Q.
readonly DETACH_KEYS='ctrl-^,ctrl-_,ctrl-^,ctrl-_,ctrl-^'
container_name='' leash=''
container=() # arguments of docker create

check_requirements() {
  check_docker
  check_door
}

# show ro|rw SOURCE [TARGET]: adds to container.
show() {
  local source=$2 target=${3:-$2} how=''
  [[ $1 == rw ]] || how=,readonly
  # Docker parses this as CSV: quotes allow a comma in a name.
  container+=(--mount "type=bind,\"source=${source//\"/\"\"}\",\"target=${target//\"/\"\"}\"$how")
}

# scratch MIB MODE PATH: adds to container a folder in memory that is gone after the session.
scratch() {
  container+=(--tmpfs "$3:rw,exec,nosuid,nodev,size=$1m,mode=$2,uid=$EUID,gid=${GROUPS[0]}")
}

# Adds to container a folder with a link for each of the project's instructions.
show_instructions() {
  local -i i
  local link
  for ((i = 0; i < ${#instructions[@]}; i += 2)); do
    link=$record/project/${instructions[i + 1]}
    mkdir -p "${link%/*}" || refuse_full_disk
    ln -s -- "${instructions[i]}" "$link" || refuse_full_disk
  done
  [[ ${#instructions[@]} -eq 0 ]] || show ro "$record/project" "$INSTRUCTIONS"
}

# Adds to container the workspace, which `inside-container` compares with the checked folder, and a file to copy.
show_workspace() {
  show ro "$CLIENT_DIR/.claude.json" /run/claude-local/claude.json
  scratch "$HOME_MIB" 0700 "$CLIENT_DIR/cache"
  show rw "$workspace"
}

# prepare ARGUMENTS…
prepare() {
  create_container "$@"
}

run_session() {
  run_in_own_group
}

# Dies unless Docker can give containers our user's files, and only those, and the image is ours.
check_docker() {
  local facts version
  local instead='or use another mode: --sandbox jail (bubblewrap), --sandbox bash (weaker), --sandbox off (unconfined)'
  local build="build it: $CHECKOUT_TASK build-client-image"
  type -P docker >/dev/null || die 'docker, which runs the container, is not installed' 'install it: sudo apt install docker.io' "$instead"
  facts=$(docker info --format '{{.OperatingSystem}}{{range .SecurityOptions}} {{.}}{{end}}' 2>&1) \
    || die "Docker does not answer: ${facts##*$'\n'}" 'start it: sudo systemctl start docker (and be in the group docker, which is as good as root)' "$instead"
  case $facts in
    *'Docker Desktop'*) die 'Docker Desktop runs containers in a virtual machine, which the proxy to the model cannot reach' "$instead" ;;
    *name=rootless*) die 'this Docker is rootless: files that a session writes would not belong to you' 'this machine has user namespaces: use --sandbox jail' ;;
    *name=selinux*) die 'SELinux labels of this Docker keep containers from reading your files, and claude-local does not change labels' "$instead" ;;
  esac
  version=$(docker image inspect --format '{{index .Config.Labels "claude-local.claude"}}' "$CLIENT_IMAGE" 2>/dev/null) \
    || die "there is no image $CLIENT_IMAGE" "$build"
  [[ $version =~ ^[0-9]+(\.[0-9]+)+$ ]] || die "the image $CLIENT_IMAGE was not built for claude-local" "$build"
  ! is_older "$version" "$OLDEST_CLAUDE" || die "the image $CLIENT_IMAGE has Claude Code $version; $OLDEST_CLAUDE or newer is needed" "$build"
  [[ $HOME != *:* && $CLIENT_DIR != *:* ]] || die "Docker cannot mount a path with a colon: $HOME, $CLIENT_DIR" "$instead"
}

# Sets container_name and creates the container without starting it. From here on, it is removed when this script ends.
create_container() {
  local name
  container_name=claude-local-${record##*/}
  printf '%s' "$container_name" >"$record/container"
  hold_leash
  write_container_files

  # New namespaces for everything, no network, no capabilities, no new privileges, a read-only root.
  container=(--name "$container_name" --label "claude-local.workspace=$workspace" --pull never --init
    --user "$EUID:${GROUPS[0]}" --userns host --network none --ipc private --hostname claude-local
    --read-only --cap-drop ALL --security-opt no-new-privileges --log-driver none --no-healthcheck)
  # A terminal only if input and output both are one: a terminal would change output for a pipe.
  if [[ ! -t 0 ]]; then
    container+=(--interactive)
  elif [[ -t 1 ]]; then
    container+=(--interactive --tty)
  fi

  # Limits and scratch folders.
  container+=(--pids-limit "$PROCESSES" --memory "${MEMORY_MIB}m" --memory-swap "${MEMORY_MIB}m" --oom-score-adj 500
    --shm-size "${SHARED_MEMORY_MIB}m")
  scratch "$TEMPORARY_MIB" 1777 /tmp
  scratch "$TEMPORARY_MIB" 1777 /var/tmp

  # Its user, and no names of other machines.
  for name in passwd group resolv.conf; do
    show ro "$record/$name" "/etc/$name"
  done
  show ro "$JAIL_DIR/hosts" /etc/hosts
  [[ ! -f /etc/gitattributes ]] || show ro /etc/gitattributes
  show ro "$record/seccomp" /run/claude-local/seccomp
  show_session

  # The environment: only the variables on our list.
  container+=(--env-file "$record/environment")
  for name in "${PROXY_VARIABLES[@]}"; do
    container+=(--env "$name=")
  done
  container+=(--workdir "$workspace" --entrypoint /usr/bin/setpriv "$CLIENT_IMAGE"
    --no-new-privs --seccomp-filter /run/claude-local/seccomp -- "$LIBEXEC/inside-container" "$IMAGE_CLAUDE" "$@")
  (close_descriptors && exec docker create "${container[@]}") >/dev/null 2>"$record/docker.log" || refuse_container
}

refuse_container() {
  local reason
  check_workspace_again
  reason=$(tail --lines 1 "$record/docker.log")
  die "the container cannot start: $reason" 'or use another mode: --sandbox jail (bubblewrap), --sandbox bash (weaker), --sandbox off (unconfined)'
}

# Sets leash. A separate process waits until this script ends, for whatever reason, and then removes the container.
hold_leash() {
  exec {leash}> >(close_descriptors && exec setsid "$LIBEXEC/leash" "$container_name" >/dev/null 2>&1)
}

# Writes the files that are made for this container.
write_container_files() {
  local entry user
  user=$(id --user --name)
  printf 'root:x:0:0:root:/root:/usr/sbin/nologin\n' >"$record/passwd"
  printf 'root:x:0:\n' >"$record/group"
  ((EUID == 0)) || printf '%s:x:%s:%s::%s:/bin/bash\n' "$user" "$EUID" "${GROUPS[0]}" "$HOME" >>"$record/passwd"
  ((GROUPS[0] == 0)) || printf '%s:x:%s:\n' "$user" "${GROUPS[0]}" >>"$record/group"
  : >"$record/resolv.conf"
  write_filter >"$record/seccomp"
  for entry in "${environment[@]}"; do
    case $entry in
      *$'\n'* | SHELL=* | LANG=* | LANGUAGE=* | LC_*) ;; # the image has only one shell and one language
      PATH=*) printf '%s:%s\n' "$entry" "$IMAGE_PATH" ;;
      *) printf '%s\n' "$entry" ;;
    esac
  done >"$record/environment"
  printf '%s\n' SHELL=/bin/bash LANG=C.UTF-8 "CLAUDE_LOCAL_WORKSPACE=$(stat --dereference --format %d:%i "/proc/$$/fd/$workspace_fd")" >>"$record/environment"
}

# Becomes Docker's client, which connects the terminal. The container already has its arguments.
enter() {
  local input=(--interactive)
  [[ ! -t 0 || -t 1 ]] || input=() # only input is a terminal: the session has none, and does not read from it
  close_descriptors
  exec docker start --attach "${input[@]}" --detach-keys "$DETACH_KEYS" "$container_name"
}

# Removes the container, which must be gone before the audit.
finish() {
  local state=''
  ((code == 0)) || state=$(docker container inspect --format '{{.State.Status}} {{.State.OOMKilled}}' "$container_name" 2>/dev/null) || true
  case $state in
    created\ *) say 'the container did not start: see the message of Docker above, or: docker info' ;;
    *\ true) say "the session needed more memory than its $MEMORY_MIB MiB and was ended" ;;
  esac
  docker rm --force --volumes "$container_name" >/dev/null 2>"$record/docker.log" \
    || die "the container $container_name cannot be removed: $(tail --lines 1 "$record/docker.log")" 'the next session here audits what this one left'
  printf 'done\n' >&"$leash"
}
