"""Tasks about model files: pull, list, prune, the demo model."""

from __future__ import annotations

from invoke import Context

from claude_local.cli.task import JSON, MODEL, read_profiles, read_settings, verb


@verb(
    help={
        "model": MODEL,
        "record": "write checksum and size into a profile that has none",
        "force": "download files again that exist",
    }
)
def pull(c: Context, model: str, record: bool = False, force: bool = False) -> None:
    """Download a model's files and check them; resumes an interrupted download."""
    from claude_local.machine import progress, terminal
    from claude_local.models import model_report
    from claude_local.models.pull import pull
    from claude_local.models.record_checksums import record as write_into_profile
    from claude_local.profiles.load import find_profile

    settings = read_settings()
    profile = find_profile(read_profiles(settings), model)
    try:
        pulled = pull(settings, profile, progress.transfer, force=force)
    except KeyboardInterrupt:
        terminal.say(f"the part that was downloaded is kept; continue: invoke pull {profile.name}")
        raise
    if record:
        print(write_into_profile(settings, profile, pulled), end="")
    model_report.show_pulled(settings, profile, pulled)


@verb(
    help={
        "prune": "delete files that no profile uses and partial downloads; asks first",
        "yes": "do not ask",
        "json": JSON,
    }
)
def models(c: Context, prune: bool = False, yes: bool = False, json: bool = False) -> None:
    """List model files: on disk, missing, or used by no profile."""
    from claude_local.models import disk_inventory, model_report

    settings = read_settings()
    seen = disk_inventory.inventory(settings, read_profiles(settings))
    model_report.show_inventory(seen, as_json=json)
    if prune and seen.deletable:
        model_report.prune(settings, seen, ask=not yes)


@verb()
def demo_model(c: Context) -> None:
    """Write the demo model: a few MB of random weights that answer nonsense."""
    from claude_local.models.demo_model import write_demo_model

    path = read_settings().models_dir / "demo.gguf"
    print(f"wrote {path}" if write_demo_model(path) else f"{path} already exists")
