# Mounts below a folder that a session may write. They are read-only, because find -xdev does not enter them.
# Copied to build/ by `invoke render`: change it in templates/.

all_mounts=() all_facts=()

# Sets all_mounts to the mount points of this machine, and all_facts to the identity of each.
read_mounts() {
  local line rest point
  local -a lines
  all_mounts=() all_facts=()
  mapfile -t lines </proc/self/mountinfo
  for line in "${lines[@]}"; do
    rest=${line#* * * * } point=${rest%% *}
    [[ $point != *\\* ]] || printf -v point %b "$point" # the kernel writes spaces, tabs, line breaks and backslashes as octal numbers
    all_mounts+=("$point")
    all_facts+=("${line%" $rest"}") # its number, its parent's, the device, the folder in it; not the mount point, which may be renamed
  done
}

# list_mounts FOLDER: sets mounts and mount_facts to those below FOLDER.
list_mounts() {
  local -i i
  mounts=() mount_facts=()
  [[ "${all_mounts[*]}" == *"${1%/}/"* ]] || return 0 # the usual case, without a loop over all mounts
  for i in "${!all_mounts[@]}"; do
    [[ ${all_mounts[i]} == "${1%/}/"* ]] || continue
    mounts+=("${all_mounts[i]}")
    mount_facts+=("${all_facts[i]}")
  done
}

# Records the mounts below the workspace, so that the audit can find new ones.
record_mounts() {
  local mounts mount_facts
  read_mounts
  list_mounts "$workspace"
  { printf '%s\n' "${mount_facts[@]}" >"$record/mounts"; } 2>/dev/null || refuse_full_disk
}

# protect_mounts FOLDER…: makes the mounts below these folders read-only, and names them.
protect_mounts() {
  local folder point mounts mount_facts
  local -a names=()
  for folder; do
    list_mounts "$folder"
    for point in "${mounts[@]}"; do
      [[ -e $point ]] || refuse_workspace "the mount at $(printf %q "$point") cannot be reached" 'unmount it, or go to another folder'
      show ro "$point"
      names+=("$(printf %q "${point#"$workspace/"}")")
    done
  done
  ((${#names[@]} == 0)) || say "these mounts are read-only in this session: ${names[*]}"
}

is_mount() {
  local point
  for point in "${all_mounts[@]}"; do
    [[ $point != "$1" ]] || return 0
  done
  return 1
}
