# The part of the user's git configuration that a session gets.
# Copied to build/ by `invoke render`: change it in templates/.

identity='' # a descriptor with the output of list_git_identity

# Prints the user's name for commits and the folder of global hooks, and nothing else: the file may contain tokens.
# Runs in /, because git would read the repository in the current folder first, which is not trusted.
list_git_identity() {
  cd /
  git config --global --get-regexp '^(user\.(name|email)|init\.defaultbranch|core\.hookspath)$' 2>/dev/null || true
}

# Writes the name into the record for the session, and the folder of global hooks for the audit.
write_git_identity() {
  local key value
  while read -r key value; do
    if [[ $key == core.hookspath ]]; then
      printf '%s' "$value" 2>/dev/null >"$record/global_hooks" || refuse_full_disk
      continue
    fi
    value=${value//\\/\\\\} value=${value//\"/\\\"}
    printf '[%s]\n\t%s = "%s"\n' "${key%.*}" "${key##*.}" "$value" 2>/dev/null >>"$record/gitconfig" || refuse_full_disk
  done <&"$identity"
  exec {identity}<&-
}
