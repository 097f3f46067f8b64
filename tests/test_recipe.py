import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorplan.errors import RecipeError
from sensorplan.recipe import Recipe, assign, dump_recipe, load_recipe, override, parse_setting


@pytest.fixture
def write(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write(text: str | bytes, name: str = "heat.toml") -> Path:
        content = text.encode() if isinstance(text, str) else text
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_bytes(content)
        return Path(name)

    return write


def test_an_empty_recipe_is_all_defaults(write):
    assert load_recipe(write("")) == Recipe()


def test_settings_are_read(write):
    recipe = load_recipe(
        write(
            """
            [data]
            path = ["/data/a.nc", "/data/b.nc"]
            variable = "pm10"
            select = {level = 500, member = "r1"}
            missing = -999
            [window]
            lookback = 14
            patch = "4x2"
            [mask]
            sparsity = 0
            [run]
            seed = 7
            """
        )
    )
    assert recipe.data.path == ("/data/a.nc", "/data/b.nc")
    assert recipe.data.variable == ("pm10",)
    assert recipe.data.select == {"level": "500", "member": "r1"}
    assert recipe.data.missing == (-999.0,)
    assert (recipe.window.lookback, recipe.window.patch) == (14, "4x2")
    assert (recipe.mask.sparsity, recipe.run.seed) == (0.0, 7)


def test_paths_count_from_the_folder_of_the_recipe(write):
    recipe = load_recipe(
        write(
            '[data]\npath = ["../d/a*.nc", "/b.nc"]\nstations = "s.csv"\nadjacency = "e.csv"',
            "recipes/x.toml",
        )
    )
    assert recipe.data.path == ("d/a*.nc", "/b.nc")
    assert recipe.data.stations == "recipes/s.csv"
    assert recipe.data.adjacency == "recipes/e.csv"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[mask]\nsparsity = 1.4", "heat.toml [mask] sparsity = 1.4; expected 0 <= sparsity < 1"),
        ("[mask]\nsparsity = 1", "heat.toml [mask] sparsity = 1; expected 0 <= sparsity < 1"),
        (
            "[mask]\nsparsity = nan",
            "heat.toml [mask] sparsity = NaN; expected a number, 0 <= sparsity < 1",
        ),
        (
            '[mask]\nsparsity = "high"',
            'heat.toml [mask] sparsity = "high"; expected a number, 0 <= sparsity < 1',
        ),
        (
            "[mask]\nsparsity = true",
            "heat.toml [mask] sparsity = true; expected a number, 0 <= sparsity < 1",
        ),
        ("[mask]\nbudget = 0", "heat.toml [mask] budget = 0; expected budget >= 1"),
        (
            "[mask]\nbudget = 2.5",
            "heat.toml [mask] budget = 2.5; expected a whole number, budget >= 1",
        ),
        ("[window]\ntest = 0.5", "heat.toml [window] test = 0.5; expected 0 < test < 0.5"),
        (
            '[window]\npatch = "4by4"',
            'heat.toml [window] patch = "4by4"; expected ROWSxCOLUMNS, say 4x4',
        ),
        (
            '[run]\ndevice = "gpu"',
            'heat.toml [run] device = "gpu"; expected one of auto, cpu, cuda, mps',
        ),
        (
            '[data]\nmissing = [1, "x"]',
            'heat.toml [data] missing = [1, "x"]; expected a list of numbers',
        ),
        ("[data]\nvariable = 3", "heat.toml [data] variable = 3; expected a list of texts"),
        ("[data]\nselect = 3", "heat.toml [data] select = 3; expected a table"),
        ("[data]\nstations = 3", "heat.toml [data] stations = 3; expected text"),
        ("mask = 3", "heat.toml mask = 3; expected a section [mask]"),
        (
            "[mask]\nsparsity = 0.4\nbudget = 4",
            "heat.toml [mask] give only one of sparsity, budget, add, max_loss and phases",
        ),
        (
            "[runs]\nseed = 1",
            "heat.toml [runs]; unknown section, did you mean run?"
            " known: data, window, mask, constraints, training, run, matrix",
        ),
        (
            "[data]\nzzz = 1",
            "heat.toml [data] zzz = 1; unknown key;"
            " known: path, variable, select, missing, resample, stations, adjacency",
        ),
        ("sparsity = 0.4", "heat.toml sparsity stands outside of a section; expected under [mask]"),
    ],
)
def test_what_is_not_allowed(write, text, message):
    with pytest.raises(RecipeError) as caught:
        load_recipe(write(text))
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("section", "name"),
    [(section, name) for section, values in Recipe().model_dump().items() for name in values],
)
def test_every_setting_says_what_it_may_be(write, section, name):
    message = rf"heat.toml \[{section}\] {name} = \[\[1\]\]; expected \w+"
    with pytest.raises(RecipeError, match=message):
        load_recipe(write(f"[{section}]\n{name} = [[1]]"))


def test_a_mistyped_key_is_told_the_right_one(write):
    with pytest.raises(RecipeError, match=r"sparsty = 0.4; unknown key, did you mean sparsity\?"):
        load_recipe(write("[mask]\nsparsty = 0.4"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[mask]\nsparsity 0.4", r"heat.toml: is no valid TOML: .*line 2"),
        (b"\xff\xfe\x00", r"heat.toml: is no UTF-8 text"),
    ],
)
def test_what_is_no_toml(write, content, message):
    with pytest.raises(RecipeError, match=message):
        load_recipe(write(content))


def test_no_such_recipe(tmp_path):
    with pytest.raises(RecipeError, match=r"none.toml: cannot be read \(No such file"):
        load_recipe(tmp_path / "none.toml")


@given(
    paths=st.lists(st.text("abc/ü*'\"\\", min_size=1).map("/x/{}".format), max_size=3),
    select=st.dictionaries(st.text(min_size=1), st.text(), max_size=2),
    sparsity=st.none() | st.floats(0, 0.99),
    lookback=st.none() | st.integers(1, 99),
)
def test_a_dumped_recipe_loads_as_it_was(tmp_path_factory, paths, select, sparsity, lookback):
    recipe = override(Recipe(), "data", path=tuple(paths), select=select)
    recipe = override(recipe, "mask", sparsity=sparsity)
    recipe = override(recipe, "window", lookback=lookback)
    content = dump_recipe(recipe)
    assert Recipe.model_validate(tomllib.loads(content.decode())) == recipe


def test_every_setting_but_none_is_dumped():
    content = tomllib.loads(dump_recipe(Recipe()).decode())
    for section, settings in Recipe().model_dump().items():
        assert content[section].keys() == {k for k, v in settings.items() if v is not None}


def test_a_recipe_dumped_for_a_folder_finds_the_data_from_there(write):
    data = {"path": ("d/a.nc", "/b.nc"), "stations": "s.csv", "adjacency": "/e.csv"}
    recipe = override(Recipe(), "data", **data)
    file = write(dump_recipe(recipe, Path("a.plan")), "a.plan/recipe.toml")
    assert tomllib.loads(file.read_text())["data"]["path"] == ["../d/a.nc", "/b.nc"]
    assert load_recipe(file) == recipe


def test_override_replaces_and_keeps_the_rest():
    recipe = override(Recipe(), "mask", sparsity=0.4, rounds=3)
    changed = override(recipe, "mask", sparsity=None, budget=5)
    assert (changed.mask.sparsity, changed.mask.budget, changed.mask.rounds) == (None, 5, 3)
    assert changed.window == recipe.window
    assert recipe.mask.sparsity == 0.4


@pytest.mark.parametrize(
    ("section", "values", "message"),
    [
        ("mask", {"sparsity": 1.4}, "--sparsity 1.4; expected 0 <= sparsity < 1"),
        (
            "mask",
            {"swap_fraction": -1.0},
            "--swap-fraction -1.0; expected 0 <= swap_fraction <= 1",
        ),
        ("window", {"patch": "0x4"}, "--patch 0x4; expected ROWSxCOLUMNS, say 4x4"),
        ("run", {"device": "tpu"}, "--device tpu; expected one of auto, cpu, cuda, mps"),
        ("run", {"figure_format": "gif"}, "--figure-format gif; expected one of png, svg, pdf"),
        (
            "mask",
            {"sparsity": 0.5, "budget": 4},
            "--sparsity 0.5 --budget 4; "
            "give only one of sparsity, budget, add, max_loss and phases",
        ),
    ],
)
def test_override_names_the_option(section, values, message):
    with pytest.raises(RecipeError) as caught:
        override(Recipe(), section, **values)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("mask.sparsity=0.5", "mask.sparsity", 0.5),
        (" mask.rounds = 4 ", "mask.rounds", 4),
        ("run.device=cpu", "run.device", "cpu"),
        ("data.path=a b=c.nc", "data.path", "a b=c.nc"),
        ("data.path=1.nc", "data.path", "1.nc"),
        ('data.variable=["u", "v"]', "data.variable", ["u", "v"]),
        ("constraints.only_listed=true", "constraints.only_listed", True),
        ("data.path=1\nrun.seed=2", "data.path", "1\nrun.seed=2"),
    ],
)
def test_a_setting_is_a_toml_value_or_text(text, key, value):
    assert parse_setting(text) == (key, value)


@pytest.mark.parametrize("text", ["mask.sparsity", "=3", "mask.rounds=", ""])
def test_no_setting(text):
    message = rf"^--set {text}; expected SECTION.NAME=VALUE, say mask.sparsity=0.5$"
    with pytest.raises(RecipeError, match=message):
        parse_setting(text)


def test_a_setting_of_broken_toml():
    with pytest.raises(RecipeError, match=r"^--set data.path=\[a.nc; no valid TOML: "):
        parse_setting("data.path=[a.nc")


def test_assigning_replaces_one_setting_and_keeps_the_rest():
    recipe = override(Recipe(), "mask", sparsity=0.4, rounds=3)
    recipe = override(recipe, "data", select={"level": "500"})
    changed = assign(recipe, "data.select.member", 1, "said")
    assert changed.data.select == {"level": "500", "member": "1"}
    changed = assign(changed, "mask.budget", 5, "said")
    assert (changed.mask.sparsity, changed.mask.budget, changed.mask.rounds) == (None, 5, 3)
    changed = assign(changed, "mask", {"sparsity": 0.2}, "said")
    assert (changed.mask.sparsity, changed.mask.rounds) == (0.2, Recipe().mask.rounds)


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("mask.sparsity", 1.4, "expected 0 <= sparsity < 1"),
        ("mask.sparsity", "high", "expected a number, 0 <= sparsity < 1"),
        ("mask.phases", [0.4, 0.2], "phases are shares above 0 and below 1, each larger"),
        ("mask.sparsty", 0.4, "unknown key, did you mean sparsity? known: method, sparsity"),
        ("sparsity", 0.4, "expected mask.sparsity"),
        ("masks.rounds", 4, "unknown section, did you mean mask? known: data, window"),
        ("mask", 4, "expected a section [mask]"),
        ("mask", {"rounds": 0}, "[mask] rounds = 0; expected rounds >= 1"),
        ("data.path.x", 4, "expected data.path, which has no entries"),
        ("data.select.x", [4], "expected one value"),
    ],
)
def test_what_cannot_be_assigned(key, value, problem):
    with pytest.raises(RecipeError, match=rf"^--set it; {re.escape(problem)}"):
        assign(Recipe(), key, value, "--set it")
