"""A packed folder on its way to the hub."""

from __future__ import annotations

import os
from pathlib import Path

from pseudogd.errors import InputError


def check_push(repo: str, images: str) -> None:
    """Whether a push can be tried at all: asked before anything is packed. Raises InputError with the mend."""
    from huggingface_hub import get_token
    from huggingface_hub.utils import HFValidationError, validate_repo_id

    try:
        validate_repo_id(repo)
    except HFValidationError as error:
        raise InputError(f"--push {repo!r}: is no name of a repository, such as owner/name") from error
    if images == "link":
        raise InputError(f"--push {repo}: links lead nowhere on the hub; take --images copy or recode")
    if os.environ.get("HF_HUB_OFFLINE", "0").upper() in ("1", "TRUE", "YES", "ON"):
        raise InputError(f"--push {repo}: HF_HUB_OFFLINE is set; unset it, or leave --push out")
    if not get_token():
        raise InputError(f"--push {repo}: no token of the hub; log in with `hf auth login`, or set HF_TOKEN")


def push(folder: Path, repo: str, private: bool = True) -> str:
    """Upload the folder as a data set; returns its address. Raises InputError where the hub is away or refuses."""
    from huggingface_hub import HfApi

    hub = HfApi()
    try:
        address = hub.create_repo(repo, repo_type="dataset", private=private, exist_ok=True)
        hub.upload_folder(repo_id=repo, repo_type="dataset", folder_path=folder, commit_message="Upload questions")
    except Exception as error:  # the hub's client raises those of several libraries
        reason = str(error).strip().splitlines()
        said = reason[0] if reason else type(error).__name__
        raise InputError(
            f"--push {repo}: {said}; the folder {folder} is whole, push it again with the same command and --overwrite"
        ) from error
    return str(address)
