"""Who may not use a teacher hears of it before it runs, and the licence goes wherever its depth goes."""

import re
import shutil

import pytest
from helpers.photos import as_bytes, scene

from pseudogd.errors import InputError
from pseudogd.geometry.types import TeacherInfo
from pseudogd.stages.label import label
from pseudogd.store.dataset import Store
from pseudogd.teachers import load_teacher
from pseudogd.teachers.licences import LICENCES, Terms, check_licence, check_terms, licence_of, terms_note

LARGE = "depth-anything/Depth-Anything-V2-Large-hf"
PRO = "apple/DepthPro-hf"


@pytest.mark.parametrize(
    ("model", "accepted"),
    [
        (LARGE, True),
        (LARGE, LARGE),
        (LARGE, "Depth-Anything-V2-Large-hf"),
        (LARGE, ["mit", "cc-by-nc-4.0"]),
        (PRO, ("DepthPro-hf",)),
        (PRO, "apple-amlr"),
        ("facebook/VGGT-1B", "VGGT-1B"),
    ],
)
def test_naming_model_or_licence_accepts_it(model, accepted):
    assert check_licence(model, accepted) in LICENCES


@pytest.mark.parametrize("accepted", [False, "", [], "MIT", "card", "repository", "licence", PRO, ["Apache-2.0"]])
def test_naming_another_one_does_not(accepted):
    with pytest.raises(InputError, match="--accept-license Depth-Anything-V2-Large-hf"):
        check_licence(LARGE, accepted)


def test_a_wrong_name_is_told():
    with pytest.raises(InputError, match="MIT names neither"):
        check_licence(LARGE, "MIT")


def test_every_restricted_row_can_be_accepted_by_the_name_in_its_error():
    for row in LICENCES:
        model = row.models.replace("*", "x")
        if licence_of(model).terms in (Terms.RESTRICTED, Terms.CONFLICTING):
            with pytest.raises(InputError) as caught:
                check_licence(model)
            name = str(caught.value).split("--accept-license ")[1].split(" ")[0]
            assert check_licence(model, name) is not None


def test_copies_on_disk_are_recognised_by_their_folder(tmp_path):
    for folder in (
        tmp_path / "Depth-Anything-V2-Large-hf",
        tmp_path / "models--depth-anything--Depth-Anything-V2-Large-hf" / "snapshots" / "0123",
    ):
        folder.mkdir(parents=True)
        assert licence_of(str(folder)).terms is Terms.RESTRICTED
        with pytest.raises(InputError, match="restricted"):
            load_teacher(str(folder))
    assert licence_of(str(tmp_path)) is None


def with_card(metric_folder, folder, text):
    shutil.copytree(metric_folder, folder)
    (folder / "README.md").write_text(text, encoding="utf-8")
    return str(folder)


@pytest.mark.parametrize(
    ("text", "licence"),
    [
        ("---\nlicense: mit\n---\n# A model\n", "mit"),
        ("---\nlicense: other\nlicense_name: odd-1.0\n---\n", "odd-1.0"),
        ("---\nlicense: [mit, bsd]\n---\n", "unknown"),
        ("---\n{", "unknown"),
        ("---", "unknown"),
        ("# no head\n", "unknown"),
    ],
)
def test_the_card_in_a_folder_says_the_licence(metric_folder, tmp_path, text, licence):
    assert load_teacher(with_card(metric_folder, tmp_path / "m", text), device="cpu").info.licence == licence


def test_a_card_that_forbids_commerce_has_to_be_accepted(metric_folder, tmp_path):
    path = with_card(metric_folder, tmp_path / "mine", "---\nlicense: cc-by-nc-4.0\n---\n")
    with pytest.raises(InputError, match=r"restricted \(cc-by-nc-4.0\).*--accept-license mine"):
        load_teacher(path, device="cpu")
    for name in ("mine", "CC-BY-NC-4.0"):
        assert load_teacher(path, device="cpu", accept_licence=name).info.licence == "cc-by-nc-4.0"


def test_the_licence_is_in_every_row_and_said_once(metric_folder, tmp_path, capsys):
    path = with_card(metric_folder, tmp_path / "mine", "---\nlicense: cc-by-nc-4.0\n---\n")
    photos = tmp_path / "photos"
    photos.mkdir()
    for seed in range(2):
        (photos / f"{seed}.png").write_bytes(as_bytes(scene(seed)))
    label(photos, path, tmp_path / "data", accept_licence="mine", device="cpu")
    store = Store(tmp_path / "data")
    assert {store.geometry(image_id).teacher.licence for image_id in store.geometry_ids()} == {"cc-by-nc-4.0"}
    assert capsys.readouterr().err.count("limits its use (cc-by-nc-4.0)") == 1


def test_declared_licences_are_judged_by_their_words():
    check_terms("mine", "Apache-2.0")
    check_terms("mine", "unknown")
    with pytest.raises(InputError, match="--accept-license mine"):
        check_terms("mine", "for research only")
    check_terms("mine", "for research only", "mine")


@pytest.mark.parametrize(
    ("name", "licence", "note"),
    [
        (PRO, "card apple-amlr, repository Apple sample licence", "warning: .*disagree"),
        (LARGE, "CC-BY-NC-4.0", "limits its use"),
        ("Intel/dpt-large", "Apache-2.0 (unverified)", "nobody has verified"),
    ],
)
def test_what_needs_a_look_is_noted(name, licence, note):
    assert re.search(note, terms_note(TeacherInfo(name, "", "", licence)))


def test_the_rest_is_not_noted():
    for name, licence in (
        ("google/tipsv2-b14-dpt", "Apache-2.0"),
        ("pseudogd-embedded-teacher", "Apache-2.0"),
        ("files:depth", "unknown"),
    ):
        assert terms_note(TeacherInfo(name, "", "", licence)) is None
