# The repository of the workspace, which may be a worktree.
# Copied to build/ by `invoke render`: change it in templates/.

# Makes a mount of the repository's folder, so that a session cannot move it aside and make a new one. A worktree needs
# its repository, if that lists the worktree: a session may write objects, refs and logs there, but nothing that other
# worktrees obey. Adds the writable folders to writable.
protect_repository() {
  local git=$workspace/.git target common name back=''
  if [[ -d $git && ! -L $git ]]; then
    is_mount "$git" || show rw "$git"
  elif [[ -f $git ]]; then
    target=$(head --bytes 4096 "$git") target=$(realpath --canonicalize-missing -- "${target#gitdir: }")
    contains "$workspace" "$target" && return
    [[ ! -f $target/gitdir ]] || back=$(<"$target/gitdir")
    [[ ${back:-/} == /* ]] || back=$target/$back # git 2.48 can write relative paths
    [[ -f $target/gitdir && $back -ef $git && -O $target/gitdir && -f $target/commondir ]] \
      || refuse_repository "$target"
    common=$(<"$target/commondir") common=$(cd "$target" && cd -P "$common" && pwd -P)
    [[ $target == "$common/worktrees/"* && -O $common ]] || refuse_repository "$target"
    mkdir -p "$common/logs"
    [[ -e $target/config.worktree ]] || : >"$target/config.worktree" # git would also obey one that a session makes
    show ro "$common"
    for name in objects refs logs; do
      [[ ! -L $common/$name ]] || refuse_workspace "the folder $name of its repository is a link" "put a real folder in its place: $(printf %q "$common/$name")"
      show rw "$common/$name"
      writable+=("$common/$name")
    done
    show rw "$target"
    writable+=("$target")
    for name in gitdir commondir config.worktree modules; do
      [[ ! -e $target/$name ]] || show ro "$target/$name"
    done
    [[ ! -e $common/objects/info/alternates ]] || show ro "$common/objects/info/alternates"
    show ro "$git"
    printf '%s\0' "$target" "$common/refs" "$common/logs" "$common/objects" >"$record/repository" # for the audit
  fi
}

# refuse_repository FOLDER: it is outside the workspace, and does not list the workspace as a worktree.
refuse_repository() {
  [[ $1 != */.git/*modules/* ]] || refuse_workspace "it is a submodule of $(printf %q "${1%%/.git/*}")" 'start there: its submodules are part of it'
  refuse_workspace 'its .git points to a repository that does not list it as a worktree'
}
