"""The content of tests/golden/: the data of build/ as rendered for fixed settings and two small profiles.

Files that are copied as they are stand only in `layout.txt`, which has the mode and path of every file.

Update it with `python tests/support/refresh_golden.py`, then review `git diff tests/golden`.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from claude_local.build.render import RenderedFile, render  # noqa: E402
from claude_local.machine.files import write_atomic  # noqa: E402  the path comes first
from claude_local.machine.settings import Settings  # noqa: E402
from claude_local.profiles.profile import Profile  # noqa: E402

GOLDEN = ROOT / "tests" / "golden"
LAYOUT = "layout.txt"

PROFILES = {
    profile.name: profile
    for profile in (
        Profile.model_validate(
            {"name": "plain", "title": "Plain", "description": "Sets nothing.", "model": {"file": "p.gguf"}}
        ),
        Profile.model_validate(
            {
                "name": "rich",
                "title": "Rich",
                "description": "Sets one of each kind.",
                "aliases": ["rich-one", "second"],
                "model": {"file": "sub folder/it's rich $x.gguf", "repo": "owner/name"},
                "server": {
                    "ctx_size": 65536,
                    "n_gpu_layers": "auto",
                    "fit": "on",
                    "cpu_moe": True,
                    "kv_unified": False,
                    "chat_template_kwargs": {"enable_thinking": False, "mark": "a#b;c"},
                    "temp": 0.7,
                    "extra_args": ["--keep", "64", "--ignore-eos"],
                },
            }
        ),
    )
}


def settings_in(root: Path) -> Settings:
    """Fixed settings for a checkout at `root`."""
    return Settings(
        root=root,
        user_id=1000,
        group_id=1000,
        home=Path("/home/me"),
        state_dir=Path("/state"),
        build_dir=root / "build",
        python=root / ".venv" / "bin" / "python",
        models_dir=Path("/data/my models"),
        profiles_dir=root / "profiles",
        client_dir=Path("/home/me/.claude-local"),
        engine="auto",
        external_url="",
        external_key_file=None,
        sandbox="jail",
        jail_read_only=(Path("/home/me/.cargo"),),
        jail_switching=True,
        client_image="claude-local/client:latest",
        llama_port=8080,
        management_port=8081,
        management_token_file=None,
        image="claude-local/llama:latest",
        compose_project="claude-local",
    )


def checkout_in(folder: Path) -> Path:
    """A checkout in `folder` that contains only our templates."""
    root = folder / "checkout"
    root.mkdir()
    (root / "templates").symlink_to(ROOT / "templates")
    return root


def rendered() -> list[RenderedFile]:
    """build/ as rendered for a checkout at /checkout."""
    with tempfile.TemporaryDirectory() as folder:
        root = checkout_in(Path(folder))
        files = render(settings_in(root), PROFILES)
    return [RenderedFile(file.path, file.text.replace(str(root), "/checkout"), file.mode) for file in files]


def is_copied(file: RenderedFile) -> bool:
    """Whether the file is a copy of the one below templates/."""
    return (ROOT / "templates" / file.path).is_file()


def layout() -> str:
    """Mode and path of every file of build/, one a line."""
    return "".join(f"{file.mode:o} {file.path}\n" for file in rendered())


def main() -> None:
    """Replaces tests/golden/ with the current rendering."""
    shutil.rmtree(GOLDEN, ignore_errors=True)
    GOLDEN.mkdir()
    (GOLDEN / LAYOUT).write_text(layout(), encoding="utf-8")
    for file in rendered():
        if is_copied(file):
            continue
        target = GOLDEN / file.path
        target.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(target, file.text.encode(), mode=file.mode)


if __name__ == "__main__":
    main()
