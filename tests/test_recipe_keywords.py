"""Settings as keyword arguments."""

from pathlib import Path
from typing import get_type_hints

import numpy as np
import pandas as pd
import pytest

from sensorplan.errors import RecipeError
from sensorplan.recipe import IN_MEMORY, Keywords, Recipe, dump_recipe, load_recipe, with_keywords
from sensorplan.recipe.keywords import ALIASES

NAMES = Keywords.__annotations__


def changed(recipe=None, **keywords):
    return with_keywords(recipe or Recipe(), keywords, NAMES)


def test_every_setting_but_the_path_has_a_keyword():
    settings = [name for section in Recipe().model_dump().values() for name in section]
    assert len(settings) == len(set(settings))
    assert {ALIASES.get(name, name) for name in get_type_hints(Keywords)} == {*settings} - {"path"}


def test_keywords_land_in_their_sections():
    recipe = changed(sparsity=0.4, variable="t2m", patch="4x4", backbone="graph", seed=3)
    assert recipe.mask.sparsity == 0.4
    assert recipe.data.variable == ("t2m",)
    assert recipe.window.patch == "4x4"
    assert recipe.training.backbone == "graph"
    assert recipe.run.seed == 3


@pytest.mark.parametrize(
    ("keywords", "section", "expected"),
    [
        ({"budget": np.int64(12)}, "mask", 12),
        ({"sparsity": np.float32(0.5)}, "mask", 0.5),
        ({"require": pd.Series(["A", "B"])}, "constraints", ("A", "B")),
        ({"require": np.array(["A"])}, "constraints", ("A",)),
        ({"exclude": pd.Index(["A"])}, "constraints", ("A",)),
        ({"phases": [0.2, 0.4]}, "mask", (0.2, 0.4)),
        ({"stations": Path("a/b.csv")}, "data", "a/b.csv"),
        ({"exclude_area": [Path("a.gpkg")]}, "constraints", ("a.gpkg",)),
        ({"select": {"level": np.int64(500)}}, "data", {"level": "500"}),
        ({"only_listed": True}, "constraints", True),
    ],
)
def test_a_value_may_be_of_numpy_or_pandas(keywords, section, expected):
    (name,) = keywords
    assert getattr(getattr(changed(**keywords), section), name) == expected


def test_options_of_the_backbone_are_named_as_on_the_command_line():
    recipe = changed(backbone_option={"width": np.int64(8)})
    assert recipe.training.options == {"width": 8}
    assert changed(recipe, backbone_option={"depth": 2}).training.options == {
        "width": 8,
        "depth": 2,
    }


def test_a_size_takes_the_place_of_another():
    recipe = changed(changed(sparsity=0.4), budget=3)
    assert (recipe.mask.sparsity, recipe.mask.budget) == (None, 3)
    assert changed(recipe, phases=[0.2, 0.6]).mask.budget is None
    assert changed(recipe, rounds=2).mask.budget == 3


def test_none_is_not_given():
    recipe = changed(budget=3)
    assert changed(recipe, budget=None, sparsity=None, variable=None) == recipe


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"sparsity": 1.4}, "sparsity = 1.4; expected 0 <= sparsity < 1"),
        ({"budget": "x"}, "budget = 'x'; expected a whole number, budget >= 1"),
        (
            {"sparsity": 0.4, "budget": 3},
            "sparsity = 0.4, budget = 3; "
            "give only one of sparsity, budget, add, max_loss and phases",
        ),
        ({"patch": "4"}, "patch = '4'; expected ROWSxCOLUMNS, say 4x4"),
        ({"backbone_option": 3}, "backbone_option = 3; expected a table"),
        ({"method": "best"}, "method = 'best'; expected one of dynst, random, variance, qr"),
    ],
)
def test_a_value_that_is_not_allowed(keywords, message):
    with pytest.raises(RecipeError) as caught:
        changed(**keywords)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("name", ["path", "options", "mask", "steps_"])
def test_an_unknown_name(name):
    with pytest.raises(RecipeError, match=rf"^{name} = 1; unknown setting.* known: add, adjacency"):
        changed(**{name: 1})


def test_the_nearest_name_is_told():
    with pytest.raises(
        RecipeError, match=r"^sparsty = 0.4; unknown setting, did you mean sparsity"
    ):
        changed(sparsty=0.4)


def test_a_setting_that_plays_no_part_is_unknown():
    with pytest.raises(RecipeError, match=r"^budget = 3; unknown setting"):
        with_keywords(Recipe(), {"budget": 3}, ("seed",))


def test_the_path_of_data_in_memory_never_moves(tmp_path):
    recipe = Recipe.model_validate({"data": {"path": [IN_MEMORY], "stations": "s.csv"}})
    file = tmp_path / "recipe.toml"
    file.write_bytes(dump_recipe(recipe, tmp_path))
    loaded = load_recipe(file)
    assert loaded.data.path == (IN_MEMORY,)
    assert Path(loaded.data.stations).resolve() == Path("s.csv").resolve()
