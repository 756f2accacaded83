"""The list of known models is sound, and says what is nearest when asked for something else."""

from __future__ import annotations

import pytest

from linnet.errors import ModelNotFound
from linnet.models import adapters, catalogue, gguf, integrity, store


def test_default_is_the_bare_default_model():
    name, entry = catalogue.find("default")
    assert (name, entry) == ("smollm2-135m", catalogue.entries()["smollm2-135m"])
    assert entry.licence == "Apache-2.0" and entry.size == 98_362_432


def test_every_name_and_alias_means_one_model():
    names = [name for proper, entry in catalogue.entries().items() for name in (proper, *entry.aliases)]
    names += catalogue.adapters()
    assert len(names) == len(set(names)) and catalogue.names() == set(names)


def test_no_file_leads_out_of_its_package():
    for entry in catalogue.entries().values():
        assert not entry.file.startswith("/") and ".." not in entry.file.split("/")


def test_an_unknown_name_is_an_error_with_the_nearest():
    with pytest.raises(ModelNotFound, match="did you mean 'smollm2-135m'") as caught:
        catalogue.find("SmolLM2-135")
    assert caught.value.details == {"name": "SmolLM2-135", "near": ["smollm2-135m"]}


def test_a_name_like_no_other_is_told_all_names():
    with pytest.raises(ModelNotFound, match="known are smollm2-135m, default"):
        catalogue.find("x" * 100_000)


@pytest.mark.parametrize("name", catalogue.adapters())
def test_an_adapter_that_ships_is_what_the_list_says_fits_its_model_and_has_a_card(name: str) -> None:
    entry, path = catalogue.adapters()[name], catalogue.adapter_file(name)
    with gguf.open_model(path) as file, gguf.open_model(store.locate(entry.base).path) as base:
        assert store.digest(file.fileno()) == entry.sha256 and path.stat().st_size == entry.size < 12_000_000
        info = adapters.checked(file, integrity.checked_header(base))
    assert info.name == name and info.rank == 16
    card = path.with_suffix(".md").read_text(encoding="utf-8")
    assert entry.base in card and entry.sha256 in card
