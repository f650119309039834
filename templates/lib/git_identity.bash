# What a session knows of the user's git configuration.
# Copied to build/ by `invoke render`: change it in templates/.

identity='' # a descriptor on which list_git_identity answers

# The user's name for commits, and nothing else of a file that may hold tokens; and where all hooks are, if one place is named.
# From /: git would look at the repository here first, and that may be anything.
list_git_identity() {
  cd /
  git config --global --get-regexp '^(user\.(name|email)|init\.defaultbranch|core\.hookspath)$' 2>/dev/null || true
}

# Writes the name into the record for the session, and the place of all hooks for the audit.
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
