"""Geometry for the batches of another trainer: found by a photo's bytes, placed as our own collator places it."""

import pickle
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from helpers.tiny_data import save_tiny_data
from PIL import Image

import pseudogd
from pseudogd.errors import InputError
from pseudogd.objects.draw_marks import encoded
from pseudogd.store.dataset import Store
from pseudogd.store.photos import load_photo
from pseudogd.store.pictures import keep_picture, picture_key
from pseudogd.student.batch import GeometryBatch
from pseudogd.student.chat import chat_text, encode_chats, user_turn
from pseudogd.student.joint import Items, Joint
from pseudogd.student.load import load_student
from pseudogd.training.geometry_targets import GeometryTargets
from pseudogd.training.photos import PhotoInputs


@pytest.fixture(scope="module")
def student(student_path):
    return load_student(student_path, dtype="float32")


@pytest.fixture
def photos(data_path):
    return sorted((data_path.parent / "photos").iterdir())


def batch_of(student, photos):
    text = chat_text(student.processor, [user_turn("what ?")], ask=True)
    batch = encode_chats(student.processor, [text] * len(photos), [Image.open(p).convert("RGB") for p in photos])
    batch["labels"] = batch["input_ids"].clone()
    return batch


def same(a: GeometryBatch, b: GeometryBatch) -> bool:
    assert [g.grid for g in a.groups] == [g.grid for g in b.groups]
    pairs = [(v, getattr(q, k)) for g, q in zip(a.groups, b.groups) for k, v in vars(g).items() if k != "grid"]
    return all(torch.equal(x, y) for x, y in pairs)


@pytest.mark.parametrize("taps, subcells", [(None, 1), ("projector", 1), ("llm", 1), ([1], 2)])
def test_they_are_those_of_our_own_collator(student, data_path, photos, taps, subcells):
    targets = GeometryTargets(data_path, student.family, taps, subcells)
    store = Store(data_path)
    ours = PhotoInputs(store, student.family, targets.taps.grid_place, subcells=subcells)
    by_path = {store.photo_path(image_id).name: image_id for image_id in store.geometry_ids()}
    chosen = [photos[i] for i in (3, 0, 3)]
    want = GeometryBatch.collate([ours[by_path[p.name]].targets for p in chosen])
    assert same(targets(chosen, batch_of(student, chosen)), want)


def test_a_photo_is_found_whatever_its_name_and_folder(student, data_path, photos, tmp_path):
    moved = tmp_path / "another name.jpeg"
    moved.write_bytes(photos[2].read_bytes())
    targets = GeometryTargets(Store(data_path), student.family)
    batch = batch_of(student, [moved])
    assert same(targets([moved], batch), targets([str(photos[2])], batch))


def test_a_photo_without_geometry_is_an_error_or_has_no_targets(student, data_path, photos, tmp_path):
    unknown = tmp_path / "unknown.png"
    Image.fromarray(np.random.default_rng(9).integers(0, 255, (40, 64, 3), dtype=np.uint8)).save(unknown)
    chosen = [photos[0], unknown, photos[1]]
    batch = batch_of(student, chosen)
    with pytest.raises(InputError, match=r"unknown\.png"):
        GeometryTargets(data_path, student.family)(chosen, batch)
    found = GeometryTargets(data_path, student.family, missing="skip")(chosen, batch)
    assert found.photos == 3 and sorted(i for g in found.groups for i in g.photo.tolist()) == [0, 2]
    alone = GeometryTargets(data_path, student.family)(photos[:1], batch_of(student, photos[:1]))
    step = found.groups[0].tokens[1] - found.groups[0].tokens[0]
    assert torch.equal(found.groups[0].tokens[0], alone.groups[0].tokens[0])
    assert bool((step == 2 * alone.groups[0].tokens[0].max() + 2).all())  # two photos further: their tokens all count


def test_what_is_wrong_is_said(student, data_path, photos, tmp_path):
    targets = GeometryTargets(data_path, student.family)
    batch = batch_of(student, photos[:1])
    with pytest.raises(InputError, match="photo 2, but the processor's batch has fewer"):
        targets(photos[:2], batch)
    with pytest.raises(InputError, match=r"path"):
        targets([Image.open(photos[0])], batch)
    with pytest.raises(InputError, match=r"gone\.png"):
        targets([tmp_path / "gone.png"], batch)
    with pytest.raises(InputError, match="'skip'"):
        GeometryTargets(data_path, student.family, missing="ignore")
    with pytest.raises(InputError):
        GeometryTargets(tmp_path, student.family)


def test_data_workers_may_have_them(student, data_path, photos):
    targets = GeometryTargets(data_path, student.family)
    batch = batch_of(student, photos[:2])
    first = targets(photos[:2], batch)
    assert same(pickle.loads(pickle.dumps(targets))(photos[:2], batch), first)


def test_a_new_head_fits_and_starts_at_the_scale_of_the_data(student, tmp_path):
    data = save_tiny_data(tmp_path, photos=3, turns=1, seed=5)
    targets = GeometryTargets(data, student.family, [1, 2], subcells=2)
    head = targets.new_head(16, blocks=0)
    photos = sorted((tmp_path / "photos").iterdir())
    joint = Joint(student.model, student.family, head, taps=targets.taps)
    batch = batch_of(student, photos)
    geometry = targets(photos, batch)
    (group,) = geometry.groups
    (prediction,) = joint.predict(batch, geometry)
    assert prediction.structure.shape == group.log_depth.shape
    mean = (group.log_depth * group.weight).sum(1) / group.weight.sum(1) - group.log_focal
    assert prediction.s[0].item() == pytest.approx(mean.mean().item(), abs=1e-5)
    assert prediction.phi[0].item() == pytest.approx(group.log_focal.mean().item(), abs=1e-5)


def test_items_count_what_a_step_holds(student, data_path, photos):
    targets = GeometryTargets(data_path, student.family)
    batches = [(batch_of(student, part), targets(part, batch_of(student, part))) for part in (photos[:2], photos[2:3])]
    whole = batch_of(student, photos[:3])
    one = Items.of([(whole, targets(photos[:3], whole))], student.family)
    two = Items.of(batches, student.family)
    assert all(torch.equal(getattr(one, name), getattr(two, name)) for name in ("labels", "views", "tokens"))
    assert one.labels == (whole["labels"][:, 1:] != -100).sum()
    assert one.tokens == 3 * 16 and one.views.max() == 3  # 4 x 4 cells each
    ranks = Items.of(batches, student.family, lambda counts: 4 * counts)
    assert torch.equal(ranks.labels, 4 * one.labels)
    nothing = Items.of([({**whole, "labels": torch.full_like(whole["labels"], -100)}, None)], student.family)
    assert nothing.labels == 1 and nothing.views.min() == 1  # to be divided by


def test_they_are_at_the_front_door():
    assert pseudogd.GeometryTargets is GeometryTargets and pseudogd.Joint is Joint
    assert pseudogd.load_student is load_student


def test_a_marked_copy_is_seen_with_the_targets_of_its_photo(student, data_path, tmp_path):
    folder = shutil.copytree(data_path, tmp_path / "data")
    store = Store(folder)
    image_id = store.geometry_ids()[0]
    marked = Image.eval(load_photo(store.photo_path(image_id)), lambda value: 255 - value)
    picture = keep_picture(folder, encoded(marked, ".png")[0], ".png")
    for path in (folder / "questions").glob("*.parquet"):
        rows = [{**row, "picture": picture} for row in pq.read_table(path).to_pylist() if row["image_id"] == image_id]
        store.write_shard_at(path, "questions", "x", rows, path)
    key, targets = picture_key(image_id, picture), GeometryTargets(folder, student.family)
    copies, photos = [folder / picture], [store.photo_path(image_id)]
    assert same(targets(copies, batch_of(student, copies)), targets(photos, batch_of(student, photos)))
    ours = PhotoInputs(store, student.family, targets.taps.grid_place)
    assert same(GeometryBatch.collate([ours[key].targets]), GeometryBatch.collate([ours[image_id].targets]))
    shown, photo = (ours[name].pixels for name in (key, image_id))
    own = student.family.encode_photo(marked)
    for name in photo:
        assert torch.equal(shown[name], own[name].to(shown[name].dtype))
    assert any(not torch.equal(shown[name], photo[name]) for name in photo)
