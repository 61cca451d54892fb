import pytest
from helpers.tiny_llava import save_tiny_llava


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory):
    return save_tiny_llava(tmp_path_factory.mktemp("model") / "student", tower="clip", image_size=56)


@pytest.fixture(scope="session")
def world_folder(tmp_path_factory):
    """A few rooms with truth."""
    from pseudogd.world import render_folder

    return render_folder(tmp_path_factory.mktemp("world"), 12, split="held_out", seed=11, size=64)


@pytest.fixture
def bench_folder(tmp_path):
    """24 two- to four-option items about 8 pictures, in the layout on disk."""
    import numpy as np
    from PIL import Image

    from pseudogd.benchmarks.items import write_items

    rng = np.random.default_rng(0)
    images, rows = {}, []
    for n in range(8):
        images[str(n)] = tmp_path / f"photo {n}.png"
        Image.fromarray(rng.integers(0, 255, (60, 80, 3), dtype=np.uint8)).save(images[str(n)])
        for k in range(3):
            options = ["red chair", "blue table", "green ball", "lamp"][: 2 + k]
            row = {
                "id": f"{n}_{k}",
                "question": "which is nearer ?",
                "options": options,
                "answer": int((n + k) % (2 + k)),
            }
            row |= {"task_type": "Perspective_Taking", "sub_task_type": ["Egocentric", "Hypothetical"][n % 2]}
            rows.append(row)
    write_items(tmp_path / "bench", rows, images)
    return tmp_path / "bench"
