"""What random thinning would have cost: judged as the curve is, and under the same rules."""

from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
from factories import make_sensor_data, make_trainer
from test_cli import make_metrics, make_plan

from sensorplan.constraints import (
    UndecidedError,
    ensure_feasible,
    free_rules,
    unconstrained,
)
from sensorplan.evaluation import mask_errors
from sensorplan.exports import wording
from sensorplan.exports.report import statements
from sensorplan.pipeline import chance
from sensorplan.pipeline.chance import chance_note, random_plans
from sensorplan.pipeline.planning import RANDOM_PLANS, Prepared, random_rankings
from sensorplan.plan import RandomPlans
from sensorplan.rankers import make_history
from sensorplan.recipe import MaskSettings, Recipe
from sensorplan.regions import nodalize

pytestmark = pytest.mark.usefixtures("no_denormals")


@contextmanager
def untold(name, parts):
    yield lambda part: None


@pytest.fixture(scope="module")
def prepared():
    data = make_sensor_data(times=240, nodes=9, calendar=None)
    trainer = make_trainer(data)
    trainer.train(6, 3e-3, trainer.random_masks)
    return Prepared(
        data, nodalize(data), unconstrained(data.sensors), free_rules(9, 4), trainer, {}
    )


def everything(prepared):
    return mask_errors(prepared.trainer, np.ones(9, bool))


def test_random_plans_are_what_a_loop_gives(prepared):
    mask, whole = np.arange(9) < 4, everything(prepared)
    found = random_plans(prepared, Recipe(), mask, whole, untold)
    history = make_history(prepared.trainer.windows, seed=0)
    masks = [ranking.keep(4) for ranking in random_rankings(history, RANDOM_PLANS)]
    assert len({tuple(one) for one in masks}) > 5
    errors = [mask_errors(prepared.trainer, one) for one in masks]
    ratios = [one.rmse / whole.rmse for one in errors]
    assert found.plans == 10
    assert found.rmse == pytest.approx(np.mean([one.rmse for one in errors]))
    assert found.mae == pytest.approx(np.mean([one.mae for one in errors]))
    assert found.rmse_ratio == pytest.approx(np.mean(ratios))
    assert (found.best, found.worst) == (min(ratios), max(ratios))
    assert found.plan_ratio == mask_errors(prepared.trainer, mask).rmse / whole.rmse


def test_random_plans_obey(prepared, monkeypatch):
    required = np.isin(np.arange(9), [2, 7])
    constraints = replace(prepared.constraints, required=required)
    bound = replace(prepared, rules=ensure_feasible(constraints, 4))
    seen = []
    monkeypatch.setattr(
        chance,
        "mask_errors",
        lambda trainer, mask: seen.append(mask) or everything(prepared),
    )
    random_plans(bound, Recipe(), required, everything(prepared), untold)
    assert len(seen) == 11
    assert all(mask[required].all() and mask.sum() == 4 for mask in seen[1:])


def test_a_random_plan_and_rules_that_cannot_be_decided_have_none(prepared, monkeypatch):
    recipe = Recipe(mask=MaskSettings(method="random"))
    whole = everything(prepared)
    assert random_plans(prepared, recipe, np.arange(9) < 4, whole, untold) is None

    def undecided(order):
        raise UndecidedError

    monkeypatch.setattr(type(prepared.rules), "cut", lambda rules, order: undecided(order))
    assert random_plans(prepared, Recipe(), np.arange(9) < 4, whole, untold) is None


RANDOM_ONES = RandomPlans(
    rmse=3.3, mae=2.0, rmse_ratio=1.1, best=1.05, worst=1.2, plans=10, plan_ratio=1.02
)


def make_plan_beside(random):
    return make_plan(metrics=make_metrics(random=random))


def test_the_plan_stands_beside_random_ones_by_the_same_judge():
    plan = make_plan_beside(RANDOM_ONES)
    words = "before fine-tuning +2.0 %, random thinning +10.0 %"
    assert f"all sensors ({words}); keeps" in wording.verdict(plan)
    assert f"of the full network ({words}); keeps" in statements.verdict(plan, ())
    said = (
        "By the forecaster of the curve, before fine-tuning: this plan 1.020 of all sensors, "
        "10 random plans 1.100 on average (1.050 to 1.200)."
    )
    assert wording.chance_words(plan) == said
    assert said in statements.remarks(plan)


def test_the_errors_of_random_plans_are_not_listed_with_those_of_another_judge():
    named = {name for name, _, _ in wording.scores_of(make_plan_beside(RANDOM_ONES).metrics)}
    assert named == {name for name, _, _ in wording.scores_of(make_metrics())}
    assert "this plan" in named


def test_without_random_plans_nothing_is_said_of_them():
    plan = make_plan_beside(None)
    assert "random" not in wording.verdict(plan)
    assert wording.chance_words(plan) is None
    assert chance_note(None) == []


@pytest.mark.parametrize(("own", "warned"), [(1.0999, False), (1.1, True), (1.16, True)])
def test_a_plan_no_better_than_chance_is_told_of(own, warned):
    notes = chance_note(RANDOM_ONES.model_copy(update={"plan_ratio": own}))
    assert bool(notes) is warned
    if own == 1.16:
        (note,) = notes
        assert note.startswith("no better than random thinning")
        assert note.endswith("at +16.0 %, 10 random plans of its size are at +10.0 % on average")
