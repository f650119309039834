# The whole audit. libexec/audit runs it as a program; claude-local runs it in a subshell, which saves starting a bash.
# Copied to build/ by `invoke render`: change it in templates/.

# Paths of sourced files are relative to the programs that source this one.
# shellcheck source-path=SCRIPTDIR/../..

# run_audit before|after RECORD [break]: sets record, break_hardlinks, workspace, global_hooks and global_files, and audits.
run_audit() {
  source "$HERE/lib/audit/scan.bash"
  source "$HERE/lib/audit/repositories.bash"
  source "$HERE/lib/audit/judge.bash"
  record=$2 break_hardlinks=${3:-}
  IFS= read -r -d '' workspace <"$record/workspace" || true # to the end
  [[ ! -r $record/global_hooks ]] || IFS= read -r -d '' global_hooks <"$record/global_hooks" || true
  [[ ! -r $record/global_files ]] || IFS= read -r -d '' global_files <"$record/global_files" || true
  case $1 in
    before)
      source "$HERE/lib/audit/before.bash"
      audit_before
      ;;
    after)
      source "$HERE/lib/audit/after.bash"
      source "$HERE/lib/audit/report.bash"
      audit_after
      ;;
  esac
}
