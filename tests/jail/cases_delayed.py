"""Delayed attacks: files left in the workspace that the user's programs obey after the session."""

from __future__ import annotations

from jail.attack import Attack, python

GIT = "git init -q . && echo a >a && git add a && git commit -q -m one"
EVIL = "touch @HOME@/escaped"
EVIL_CONFIG = f"printf '[core]\\n\\tfsmonitor = \"{EVIL}; false\"\\n'"
HOOK = f"printf '#!/bin/sh\\n{EVIL}\\n'"
STATUS = "git status"
COMMIT = "git -c core.editor=true commit -q --allow-empty -m two"
REPOSITORY = "mkdir -p {0}/objects {0}/refs && echo 'ref: refs/heads/main' >{0}/HEAD"


def planted(path: str) -> str:
    """Reports the file if it exists: the user's program would obey it. The program itself is not run."""
    return f"[[ ! -e {path} && ! -L {path} ]] || echo ESCAPED"


# Files that programs obey without asking.
PLANTS = (
    ".claude/settings.json", ".claude/settings.local.json", ".mcp.json", ".vscode/tasks.json", ".vscode/settings.json",
    ".idea/workspace.xml", ".cursor/mcp.json", ".devcontainer/devcontainer.json", ".devcontainer.json", ".husky/pre-commit",
    ".githooks/pre-commit", ".zed/tasks.json", ".envrc", ".exrc", ".nvim.lua", ".vimrc", ".gdbinit", ".lldbinit",
    ".dir-locals.el", "sitecustomize.py", "usercustomize.py", ".bashrc", ".zshrc", ".hg/hgrc", ".jj/repo/config.toml",
    ".Rprofile", ".irbrc", ".pdbrc", ".gemini/settings.json", ".codex/config.toml", ".rvmrc",
)  # fmt: skip

GITS = [
    Attack("adds a hook", f"{HOOK} >.git/hooks/pre-commit && chmod +x .git/hooks/pre-commit", GIT, COMMIT),
    Attack(
        "adds a hook where there is no folder of hooks",
        f"mkdir -p .git/hooks; {HOOK} >.git/hooks/pre-commit && chmod +x .git/hooks/pre-commit",
        f"{GIT} && rm -rf .git/hooks",
        COMMIT,
    ),
    Attack(
        "changes a hook",
        f"{HOOK} >.git/hooks/pre-commit",
        f"{GIT} && printf '#!/bin/sh\\n' >.git/hooks/pre-commit && chmod +x .git/hooks/pre-commit",
        COMMIT,
    ),
    Attack("changes the configuration", f"{EVIL_CONFIG} >>.git/config", GIT, STATUS),
    Attack(
        "sets another folder for hooks",
        f"git config core.hooksPath my; mkdir my; {HOOK} >my/pre-commit; chmod +x my/pre-commit",
        GIT,
        COMMIT,
    ),
    Attack(
        "changes hooks that lie in the tree",
        f"{HOOK} >tools/hooks/pre-commit; chmod +x tools/hooks/pre-commit",
        f"{GIT} && mkdir -p tools/hooks && git config core.hooksPath tools/hooks",
        COMMIT,
    ),
    Attack(
        "changes hooks in the tree by moving their folder",
        f"mv tools t && mkdir -p tools/hooks; {HOOK} >tools/hooks/pre-commit; chmod +x tools/hooks/pre-commit",
        f"{GIT} && mkdir -p tools/hooks && touch tools/hooks/x && git config core.hooksPath tools/hooks",
        COMMIT,
    ),
    Attack(
        "includes another file in the configuration",
        f"{EVIL_CONFIG} >evil; git config include.path ../evil",
        GIT,
        STATUS,
    ),
    *(
        Attack(
            f"changes a file that is included by {who}", f"{EVIL_CONFIG} >team", f"{GIT} && {before}", STATUS
        )
        for who, before in {
            "the repository": "touch team && git config include.path ../team",
            "the repository, if it is there": "git config include.path ../team",
            "a file of the repository": "printf '[include]\\n\\tpath = team\\n' >first && git config include.path ../first",
            "the repository on a branch": "touch team && git config includeIf.onbranch:*.path ../team",
            "the user": "touch team && git config --global include.path @WORK@/team",
            "the user on a condition": "git config --global includeIf.gitdir:~/projects/.path @WORK@/team",
            "a link of the user": "mv ~/.gitconfig team && ln -s @WORK@/team ~/.gitconfig",
        }.items()
    ),
    Attack(
        "changes a file that the user's configuration includes elsewhere",
        f"{EVIL_CONFIG} >team",
        f"{GIT} && git config --global includeIf.gitdir:~/other/.path @WORK@/team && git init -q ~/other",
        "git -C ~/other status",
    ),
    Attack(
        "adds a hook where the whole workspace is the folder of hooks",
        f"{HOOK} >pre-commit; chmod +x pre-commit",
        f"{GIT} && git config --file team core.hooksPath @WORK@ && git config --global includeIf.gitdir:@WORK@/.path @WORK@/team",
        COMMIT,
    ),
    Attack(
        "borrows objects from another repository",
        "echo @HOME@/other/.git/objects >.git/objects/info/alternates",
        GIT,
        planted(".git/objects/info/alternates"),
    ),
    Attack(
        "changes hooks of a conditional configuration",
        f"{HOOK} >tools/pre-commit; chmod +x tools/pre-commit",
        f"{GIT} && mkdir tools && git config --file ~/c core.hooksPath tools && git config --global includeIf.gitdir:~/projects/.path ~/c",
        COMMIT,
    ),
    Attack(
        "moves the repository aside and makes it anew",
        f"mv .git old; cp -r old .git; {EVIL_CONFIG} >>.git/config",
        GIT,
        STATUS,
    ),
    Attack(
        "deletes the repository and makes it anew",
        f"rm -rf .git; git init -q .; {EVIL_CONFIG} >>.git/config",
        GIT,
        STATUS,
    ),
    Attack(
        "makes a repository where there was not one",
        f"git init -q .; {EVIL_CONFIG} >>.git/config",
        "",
        STATUS,
    ),
    Attack(
        "makes a nested repository",
        f"git init -q sub; {EVIL_CONFIG} >>sub/.git/config",
        GIT,
        "cd sub && git status",
    ),
    Attack(
        "makes a bare repository",
        f"git init -q --bare sub; {EVIL_CONFIG} >>sub/config",
        GIT,
        "cd sub && git --work-tree=. status",
    ),
    Attack(
        "makes the workspace a bare repository",
        f"{REPOSITORY.format('.')}; {EVIL_CONFIG} >config",
        "",
        "git --work-tree=. status",
    ),
    Attack(
        "makes a repository without git",
        f"{REPOSITORY.format('sub/.git')}; {EVIL_CONFIG} >sub/.git/config",
        "",
        "cd sub && git status",
    ),
    Attack(
        "leads .git elsewhere by a file",
        f"{REPOSITORY.format('data')}; {EVIL_CONFIG} >data/config; mkdir sub; echo 'gitdir: ../data' >sub/.git",
        GIT,
        "cd sub && git status",
    ),
    Attack(
        "leads .git elsewhere by a link",
        f"{REPOSITORY.format('data')}; {EVIL_CONFIG} >data/config; mkdir sub; ln -s ../data sub/.git",
        GIT,
        "cd sub && git status",
    ),
    Attack(
        "leads a repository's configuration elsewhere by commondir",
        f"{REPOSITORY.format('data')}; {EVIL_CONFIG} >data/config; echo ../data >.git/commondir",
        GIT,
        STATUS,
    ),
    Attack(
        "leads a repository's configuration elsewhere by a link",
        f"{EVIL_CONFIG} >data; git init -q sub; ln -sf ../../data sub/.git/config",
        GIT,
        "cd sub && git status",
    ),
    Attack(
        "leads a repository's hooks elsewhere by a link",
        f"mkdir h; {HOOK} >h/pre-commit; chmod +x h/pre-commit; git init -q sub; rm -rf sub/.git/hooks; ln -s ../../h sub/.git/hooks",
        GIT,
        f"cd sub && {COMMIT}",
    ),
    Attack(
        "leaves a hook as a link",
        f"{HOOK} >run.sh; chmod +x run.sh; git init -q sub; mkdir -p sub/.git/hooks; ln -s ../../../run.sh sub/.git/hooks/pre-commit",
        GIT,
        f"cd sub && {COMMIT}",
    ),
    Attack(
        "makes a configuration for one worktree",
        f"{EVIL_CONFIG} >.git/config.worktree",
        f"{GIT} && git config extensions.worktreeConfig true",
        STATUS,
    ),
    Attack(
        "changes a submodule's configuration",
        f"{EVIL_CONFIG} >>.git/modules/m/config",
        f"git init -q ../../other/m && git -C ../../other/m commit -q --allow-empty -m x && {GIT} && git -c protocol.file.allow=always submodule --quiet add @HOME@/other/m && git commit -q -m m",
        STATUS,
    ),
    Attack(
        "moves a folder over a repository",
        f"mkdir -p n/.git; {REPOSITORY.format('n/.git')}; {EVIL_CONFIG} >n/.git/config; mv sub old; mv n sub",
        f"{GIT} && git init -q sub",
        "cd sub && git status",
    ),
    Attack(
        "leaves an address that runs a program",
        "git init -q sub; git -C sub config protocol.ext.allow always; git -C sub remote add origin 'ext::touch @HOME@/escaped'",
        GIT,
        "cd sub && git fetch",
    ),
    Attack(
        "leaves an alias", f"git init -q sub; git -C sub config alias.st '!{EVIL}'", GIT, "cd sub && git st"
    ),
    Attack(
        "leaves a pager",
        f"git init -q sub; git -C sub config core.pager '{EVIL}'; git -C sub config pager.branch true",
        GIT,
        "cd sub && git commit -q --allow-empty -m x; script -qec 'git branch' /dev/null",
    ),
    Attack(
        "leaves a filter",
        f"git init -q sub; git -C sub config filter.x.clean '{EVIL}; cat'; echo '* filter=x' >sub/.gitattributes; echo x >sub/f",
        GIT,
        "cd sub && git add f",
    ),
    Attack(
        "leaves a hook below a name that is not valid text",
        f"mkdir $'a\\xff'; git init -q $'a\\xff/sub'; {EVIL_CONFIG} >>$'a\\xff/sub/.git/config'",
        GIT,
        "cd $'a\\xff/sub' && git status",
    ),
    Attack(
        "hides a repository in a folder that cannot be listed",
        f"mkdir d; git init -q d/sub; {EVIL_CONFIG} >>d/sub/.git/config; chmod 0300 d",
        GIT,
        "cd d/sub && git status",
    ),
    Attack(
        "protects a repository by a folder that cannot be changed",
        f"git init -q sub; {EVIL_CONFIG} >>sub/.git/config; chmod 0500 sub/.git",
        GIT,
        "cd sub && git status",
    ),
    Attack(
        "writes the shell's start-up file by git's log",
        "git init -q sub; git -C sub config user.name '$(touch @HOME@/escaped)'; rm -rf sub/.git/logs; mkdir sub/.git/logs; ln -s @HOME@/.bashrc sub/.git/logs/HEAD",
        GIT,
        f"cd sub && {COMMIT}",
    ),
    Attack(
        "writes the shell's start-up file by git's message",
        "git commit -q --allow-empty -m x; ln -sf @HOME@/.bashrc .git/COMMIT_EDITMSG",
        GIT,
        COMMIT,
    ),
    Attack(
        "leads git's log elsewhere by a link that was there",
        "rm -rf .git/logs; mv x .git/logs",
        f"{GIT} && mkdir x && ln -s @HOME@/.bashrc x/HEAD",
        COMMIT,
    ),
    Attack(
        "leaves a command in an unfinished rebase",
        "GIT_SEQUENCE_EDITOR=\"sed -i '1i break'\" git rebase -q -i HEAD~1; echo 'exec touch @HOME@/escaped' >>.git/rebase-merge/git-rebase-todo",
        f"{GIT} && git commit -q --allow-empty -m two",
        "git rebase --continue",
    ),
]

WORKTREE = (
    f"mkdir ../main && cd ../main && {GIT} && git branch b && rmdir @WORK@ && git worktree add -q @WORK@ b"
)
MAIN = "cd @HOME@/projects/main && git status"
WORKTREES = [
    Attack(
        "changes the configuration of the repository behind a worktree",
        f"{EVIL_CONFIG} >>@HOME@/projects/main/.git/config",
        WORKTREE,
        MAIN,
    ),
    Attack(
        "adds a hook to the repository behind a worktree",
        f"mkdir -p @HOME@/projects/main/.git/hooks; {HOOK} >@HOME@/projects/main/.git/hooks/pre-commit; chmod +x @HOME@/projects/main/.git/hooks/pre-commit",
        f"{WORKTREE} && rm -rf ../main/.git/hooks",
        f"cd @HOME@/projects/main && {COMMIT}",
    ),
    Attack(
        "leads the repository behind a worktree elsewhere",
        f"{REPOSITORY.format('data')}; {EVIL_CONFIG} >data/config; echo @WORK@/data >@HOME@/projects/main/.git/commondir",
        WORKTREE,
        MAIN,
    ),
    Attack(
        "leads another worktree elsewhere",
        f"{REPOSITORY.format('data')}; {EVIL_CONFIG} >data/config; echo @WORK@/data >@HOME@/projects/main/.git/worktrees/second/commondir",
        f"{WORKTREE} && git worktree add -q ../second",
        "cd @HOME@/projects/second && git status",
    ),
    Attack(
        "makes its own worktree's folder anew",
        f"{REPOSITORY.format('data')}; {EVIL_CONFIG} >data/config; cd @HOME@/projects/main/.git/worktrees && cp -r ws new && mv ws old && mv new ws && echo @WORK@/data >ws/commondir",
        WORKTREE,
        STATUS,
    ),
    Attack(
        "makes a configuration for its own worktree",
        f"{EVIL_CONFIG} >@HOME@/projects/main/.git/worktrees/ws/config.worktree",
        f"{WORKTREE} && git config extensions.worktreeConfig true",
        STATUS,
    ),
    Attack(
        "changes a submodule behind a worktree",
        f"mkdir -p @HOME@/projects/main/.git/modules/m && {EVIL_CONFIG} >>@HOME@/projects/main/.git/modules/m/config",
        f"git init -q ../m && git -C ../m commit -q --allow-empty -m x && {WORKTREE} && git -c protocol.file.allow=always submodule --quiet add @HOME@/projects/m m",
        MAIN,
    ),
    Attack(
        "leads the log of the repository behind a worktree elsewhere",
        "rm -rf @HOME@/projects/main/.git/logs/HEAD; ln -s @HOME@/.bashrc @HOME@/projects/main/.git/logs/HEAD",
        WORKTREE,
        f"cd @HOME@/projects/main && {COMMIT}",
    ),
    Attack(
        "borrows objects for the repository behind a worktree",
        "echo @HOME@/other/.git/objects >@HOME@/projects/main/.git/objects/info/alternates",
        WORKTREE,
        planted("@HOME@/projects/main/.git/objects/info/alternates"),
    ),
    Attack(
        "leads a branch's log behind a worktree elsewhere",
        "rm -rf @HOME@/projects/main/.git/logs/refs/heads/master; ln -s @HOME@/.bashrc @HOME@/projects/main/.git/logs/refs/heads/master",
        WORKTREE,
        f"cd @HOME@/projects/main && {COMMIT}",
    ),
    Attack(
        "reads files of the repository behind a worktree",
        "cat @HOME@/projects/main/secret",
        f"{WORKTREE} && echo CANARY-5f1c7d >../main/secret",
    ),
]

OTHERS = [
    *(
        Attack(
            f"plants {name}",
            f"mkdir -p {name.rpartition('/')[0] or '.'} && echo evil >{name}",
            "",
            planted(name),
        )
        for name in PLANTS
    ),
    Attack(
        "plants deep in the tree",
        "mkdir -p a/b/c/.vscode && echo evil >a/b/c/.vscode/tasks.json",
        "",
        planted("a/b/c/.vscode/tasks.json"),
    ),
    Attack(
        "plants by renaming", "mkdir x && echo evil >x/tasks.json && mv x .vscode", "", planted(".vscode")
    ),
    Attack(
        "plants by renaming a folder above",
        "mkdir -p x/.vscode && echo evil >x/.vscode/tasks.json; mv sub old; mv x sub",
        "mkdir -p sub/.vscode && touch sub/.vscode/settings.json",
        planted("sub/.vscode/tasks.json"),
    ),
    Attack(
        "plants as a link",
        "mkdir conf && echo evil >conf/tasks.json && ln -s conf .vscode",
        "",
        planted(".vscode"),
    ),
    Attack("plants a file as a link", "echo evil >rc && ln -s rc .envrc", "", planted(".envrc")),
    Attack(
        "changes files that exist",
        "echo evil >.envrc; echo evil >.vscode/tasks.json",
        "mkdir .vscode && touch .envrc .vscode/tasks.json",
        "grep -rqs evil .envrc .vscode && echo ESCAPED",
    ),
    Attack(
        "replaces files that exist",
        "rm -f .envrc; mv .envrc x; echo evil >.envrc",
        "touch .envrc",
        "grep -qs evil .envrc && echo ESCAPED",
    ),
    Attack(
        "replaces files that exist deep in the tree",
        "mv a old; mkdir -p a; echo evil >a/.envrc",
        "mkdir a && touch a/.envrc",
        "grep -qs evil a/.envrc && echo ESCAPED",
    ),
    Attack(
        "changes a file in place, deep in the tree",
        python("""
with open("a/.envrc", "r+") as file:
    file.write("evil")"""),
        "mkdir a && echo fine >a/.envrc",
        "grep -qs evil a/.envrc && echo ESCAPED",
    ),
    Attack(
        "sets the time of a changed file back",
        "mv a old; cp -a old a; echo evil >a/.envrc; touch -r old/.envrc a/.envrc",
        "mkdir a && echo fine >a/.envrc",
        "grep -qs evil a/.envrc && echo ESCAPED",
    ),
    Attack(
        "plants below a name with a line break",
        "mkdir $'a\\nb' && echo evil >$'a\\nb/.envrc'",
        "",
        "[[ ! -e $'a\\nb/.envrc' ]] || echo ESCAPED",
    ),
    Attack(
        "plants below names with special characters of shells",
        "for d in '@' '*' ']' 'a]' '[0]' '$(id)' '`id`' ' ' '-n' '--' \"'\" '\"' '\\'; do mkdir -p ./\"$d\" && echo evil >./\"$d\"/.envrc && echo '#!/bin/sh' >./\"$d\"/run && chmod +x ./\"$d\"/run; done; for f in '@' '*' ']' '!'; do echo x >./a-\"$f\"; chmod +x ./a-\"$f\"; done",
        "",
        "find . -name .envrc | grep -q . && echo ESCAPED",
    ),
    Attack(
        "plants beside executables with odd names",
        "for f in '@' '*' ']' '!' '@]' '[' '$x' '$(touch @HOME@/escaped)' '-'; do echo x >./\"$f\"; chmod +x ./\"$f\"; done; echo evil >.envrc",
        "",
        planted(".envrc"),
    ),
    Attack(
        "plants below a name that is not valid text",
        "mkdir $'\\xff\\xfe' && echo evil >$'\\xff\\xfe/.envrc'",
        "",
        "[[ ! -e $'\\xff\\xfe/.envrc' ]] || echo ESCAPED",
    ),
    Attack(
        "plants in a folder that cannot be listed",
        "mkdir d && echo evil >d/.envrc && chmod 0300 d",
        "",
        "[[ ! -e d/.envrc ]] || echo ESCAPED",
    ),
    Attack(
        "plants in a folder that cannot be changed",
        "mkdir d && echo evil >d/.envrc && chmod 0500 d",
        "",
        planted("d/.envrc"),
    ),
    Attack(
        "plants a folder that cannot be changed",
        "mkdir .vscode && echo evil >.vscode/tasks.json && chmod 0500 .vscode",
        "",
        planted(".vscode/tasks.json"),
    ),
    Attack("plants a file that cannot be read", "echo evil >.envrc; chmod 0 .envrc", "", planted(".envrc")),
    Attack("plants a pipe", "mkfifo .envrc", "", planted(".envrc")),
    Attack(
        "plants beside a folder of the same name",
        "mkdir .envrc; mkdir .vscode; echo evil >.vscode/a; echo evil >.vscode/.envrc",
        "",
        "[[ ! -e .vscode/a ]] || echo ESCAPED",
    ),
]

CASES = [*GITS, *WORKTREES, *OTHERS]
