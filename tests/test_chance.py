"""What random thinning would have cost: judged as the curve is, and under the same rules."""

from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
from factories import make_sensor_data, make_trainer

from sensorplan.constraints import (
    UndecidedError,
    ensure_feasible,
    free_rules,
    unconstrained,
)
from sensorplan.evaluation import mask_errors
from sensorplan.exports.wording import random_words, scores_of
from sensorplan.pipeline import chance
from sensorplan.pipeline.chance import random_plans
from sensorplan.pipeline.planning import RANDOM_PLANS, Prepared, random_rankings
from sensorplan.plan import Metrics, RandomPlans, Score
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


def test_the_words_take_the_ratio_of_its_own_judge():
    score = Score(rmse=2.0, mae=1.0)
    random = RandomPlans(
        rmse=3.3, mae=2.0, rmse_ratio=1.1, best=1.05, worst=1.2, plans=10, plan_ratio=1.02
    )
    metrics = Metrics(
        all_sensors=score,
        plan=score,
        persistence=score,
        climatology=score,
        random=random,
        unit="K",
        rmse_ratio=1.0,
        value_kept=1.0,
    )
    assert random_words(metrics) == " (random thinning: +10.0 %)"
    assert random_words(metrics.model_copy(update={"random": None})) == ""
    rows = {name: (shown.rmse, ratio) for name, shown, ratio in scores_of(metrics)}
    assert rows["random plans, mean"] == (3.3, 1.1)
    assert rows["this plan"] == (2.0, 1.0)
