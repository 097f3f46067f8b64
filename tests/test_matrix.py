import itertools
import math
import tomllib

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from sensorplan.errors import RecipeError
from sensorplan.recipe import load_recipe, load_variants


@pytest.fixture
def write(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write(text, name="heat.toml"):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file.relative_to(tmp_path)

    return write


VALUES = {
    "mask.sparsity": st.sampled_from([0.0, 0.25, 0.4, 0.6, 0.9]),
    "run.seed": st.integers(0, 99),
    "training.backbone": st.sampled_from(["mixer", "graph", "linear"]),
    "window.lookback": st.integers(1, 30),
    "data.select.level": st.sampled_from(["500", "850", "a/b"]),
    "training.options.width": st.integers(1, 64),
}


@st.composite
def axes(draw):
    keys = draw(st.permutations(list(VALUES)))[: draw(st.integers(0, 4))]
    return {key: draw(st.lists(VALUES[key], min_size=1, max_size=3, unique=True)) for key in keys}


@given(axes(), st.booleans())
def test_every_combination_once_in_the_order_of_the_file(tmp_path_factory, axes, nested):
    file = tmp_path_factory.mktemp("matrix") / "m.toml"
    quoted = {"data": {"path": "/a.nc"}, "matrix": axes}
    file.write_bytes(tomli_w.dumps(quoted).encode())
    if nested:  # bare keys with dots
        lines = [f"{key} = {tomli_w.dumps({'v': v})[4:].strip()}" for key, v in axes.items()]
        file.write_text("\n".join(['[data]\npath = "/a.nc"\n[matrix]', *lines]))
    variants = load_variants([file])
    assert len(variants) == math.prod(map(len, axes.values()))
    assert len({variant.name.casefold() for variant in variants}) == len(variants)
    for variant in variants:
        dump = variant.recipe.model_dump()
        for key, value in variant.settings.items():
            section, name, *entry = key.split(".")
            found = dump[section][name]
            assert (found[entry[0]] if entry else found) == value
    if not nested:
        points = [tuple(variant.settings.values()) for variant in variants]
        assert points == list(itertools.product(*axes.values()))


def test_names_and_paths(write):
    file = write(
        """
        [data]
        stations = "s.csv"
        [matrix]
        mask.sparsity = [0.4, 0.6]
        data.path = ["d/a.nc", ["b_*.nc", "/c.nc"]]
        constraints = [{}, {sites = "x/sites.csv", max_cost = 900}, {name = "far", cover = "3 km"}]
        run.seed = [0, 1]
        """,
        "sub/heat.toml",
    )
    variants = load_variants([file])
    assert [variant.name for variant in variants[:6]] == [
        "a_s0.4_no-constraints_seed0",
        "a_s0.4_no-constraints_seed1",
        "a_s0.4_sites-sites.csv_max_cost900_seed0",
        "a_s0.4_sites-sites.csv_max_cost900_seed1",
        "a_s0.4_far_seed0",
        "a_s0.4_far_seed1",
    ]
    assert variants[6].name == "b+c_s0.4_no-constraints_seed0"
    assert variants[6].recipe.data.path == ("sub/b_*.nc", "/c.nc")
    assert variants[2].recipe.constraints.sites == "sub/x/sites.csv"
    assert variants[2].recipe.data.stations == "sub/s.csv"
    assert variants[4].recipe.constraints.cover == "3 km"


def test_a_recipe_without_a_matrix_is_one_plan_of_its_name(write):
    (variant,) = load_variants([write('[data]\npath = "a.nc"\n[run]\nseed = 3')])
    assert (variant.name, variant.recipe.run.seed, variant.settings) == ("heat", 3, {})


def test_a_table_takes_the_place_of_its_section_and_brings_what_goes_with_it(write):
    file = write(
        """
        [data]
        resample = "1h"
        [window]
        lookback = 9
        [matrix]
        data = [{path = "a.nc"}, {path = "g.nc", variable = "t", window.patch = "4x4"}]
        """
    )
    first, second = load_variants([file])
    assert (first.name, second.name) == ("a", "g")
    assert (first.recipe.data.resample, first.recipe.window.patch) == (None, None)
    assert (second.recipe.window.patch, second.recipe.window.lookback) == ("4x4", 9)


def test_a_size_in_the_matrix_takes_the_place_of_another_size(write):
    text = '[data]\npath = "a.nc"\n[mask]\nbudget = 5\n[matrix]\nmask.sparsity = [0.4, 0.6]'
    for variant in load_variants([write(text)]):
        assert variant.recipe.mask.budget is None
        assert variant.recipe.mask.sparsity in (0.4, 0.6)


def test_what_is_set_takes_the_place_of_the_matrix(write):
    file = write('[data]\npath = "a.nc"\n[matrix]\nmask.sparsity = [0.4, 0.6]\nrun.seed = [0, 1]')
    found = load_variants([file], ["run.seed=7", "mask.rounds=3"])
    assert [variant.name for variant in found] == ["heat_s0.4_seed7", "heat_s0.6_seed7"]
    assert {(variant.recipe.run.seed, variant.recipe.mask.rounds) for variant in found} == {(7, 3)}
    found = load_variants([file], ["mask.budget=5"])
    assert [variant.name for variant in found] == ["heat_b5_seed0", "heat_b5_seed1"]
    assert {variant.recipe.mask.sparsity for variant in found} == {None}


def test_a_set_path_counts_from_here(write):
    (variant,) = load_variants([write("", "sub/heat.toml")], ["data.path=a.nc"])
    assert variant.recipe.data.path == ("a.nc",)


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        ("run.seed = 3", r"heat.toml \[matrix\] run.seed = 3; expected a list of values"),
        ("run.seed = []", r"heat.toml \[matrix\] run.seed = \[\]; expected a list of values"),
        (
            "mask.sparsty = [0.4]",
            r"\[matrix\] mask.sparsty = 0.4; unknown key, did you mean sparsity\?",
        ),
        ("mask.sparsity = [1.4]", r"\[matrix\] mask.sparsity = 1.4; expected 0 <= sparsity < 1"),
        ("seed = [1]", r"\[matrix\] seed = 1; expected run.seed"),
        ("runs.seed = [1]", r"runs.seed = 1; unknown section, did you mean run\?"),
        ("constraints = [1]", r"constraints = 1; expected a section \[constraints\]"),
        (
            "constraints = [{max_cst = 1}]",
            r'constraints = {"max_cst": 1}; \[constraints\] max_cst = 1; unknown key, did you mean',
        ),
        ("run.seed = [1, 1]", r"heat.toml: heat_seed1 is the same plan as heat_seed1 of heat.toml"),
        (
            "data.variable = ['a/x', 'b/x']",
            r"heat.toml: two plans would be called heat_x, the other one of heat.toml; another",
        ),
    ],
)
def test_what_is_not_allowed_in_a_matrix(write, matrix, message):
    file = write(f'[data]\npath = "a.nc"\n[matrix]\n{matrix}')
    with pytest.raises(RecipeError, match=message):
        load_variants([file])


def test_a_matrix_is_a_section(write):
    with pytest.raises(RecipeError, match=r"heat.toml matrix = 3; expected a section \[matrix\]"):
        load_variants([write("matrix = 3")])


def test_recipes_without_data_or_with_one_name(write):
    with pytest.raises(RecipeError, match=r"^heat.toml: no data; expected \[data\] path$"):
        load_variants([write("")])
    files = [
        write(f'[data]\npath = "a.nc"\n[run]\nseed = {seed}', f"{seed}/Heat.toml")
        for seed in (1, 2)
    ]
    with pytest.raises(RecipeError, match=r"2/Heat.toml: two plans would be called Heat"):
        load_variants(files)


def test_long_names_are_cut_and_stay_apart(write):
    ids = ", ".join(f'["{"A" * 90}", "{end}"]' for end in "xy")
    found = load_variants(
        [write(f'[data]\npath = "a.nc"\n[matrix]\nconstraints.exclude = [{ids}]')]
    )
    assert max(len(variant.name) for variant in found) == 80
    assert found[0].name != found[1].name


def test_one_plan_alone_cannot_be_made_of_a_matrix(write):
    file = write("[matrix]\nrun.seed = [0, 1]")
    assert tomllib.loads(file.read_text())
    with pytest.raises(
        RecipeError, match=r"^heat.toml \[matrix\]: many plans; sensorplan batch heat.toml makes"
    ):
        load_recipe(file)
