import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorplan.errors import DataError
from sensorplan.plan import SCHEMA_VERSION, DataRecord, Metrics, Plan, Ranking, Score, budget_at


@pytest.fixture
def plan():
    score = Score(rmse=2.0, mae=1.0)
    return Plan(
        method="dynst",
        sparsity=0.5,
        budget=1,
        kept=("Zürich",),
        dropped=("b",),
        data=DataRecord(
            path="a.nc",
            sha256="0" * 64,
            variable=("t",),
            units=("K",),
            sensors=2,
            regions=2,
            times=9,
            step="1 h",
        ),
        split={"train": {"first": "2020-01-01", "windows": 3}},
        seed=0,
        metrics=Metrics(
            all_sensors=score,
            plan=score,
            persistence=score,
            climatology=score,
            unit="ug m-3",
            rmse_ratio=1.0,
            value_kept=None,
        ),
        warnings=("short history",),
        timings={"training": 1.5},
        versions={"sensorplan": "0.1"},
        settings={"mask": {"sparsity": 0.5}},
    )


def test_a_plan_round_trips_through_its_folder(plan, tmp_path):
    (tmp_path / "plan.json").write_bytes(plan.to_json())
    assert Plan.load(tmp_path) == plan
    assert "Zürich" in (tmp_path / "plan.json").read_text(encoding="utf-8")


def test_a_missing_plan_is_named(tmp_path):
    with pytest.raises(DataError, match=r"nowhere.plan.json: cannot be read .*sensorplan fit"):
        Plan.load(tmp_path / "nowhere")


def test_a_newer_plan_is_refused_even_with_unknown_fields(plan, tmp_path):
    content = json.loads(plan.to_json()) | {"schema_version": SCHEMA_VERSION + 1, "novelty": 1}
    (tmp_path / "plan.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match=r"schema_version = 2 is of a newer sensorplan"):
        Plan.load(tmp_path)


@pytest.mark.parametrize("content", [b"{", b"", b"\xff\xfe", b"nul"])
def test_what_is_no_json_is_damaged(content, tmp_path):
    (tmp_path / "plan.json").write_bytes(content)
    with pytest.raises(DataError, match=r"plan.json: damaged, no JSON"):
        Plan.load(tmp_path)


def test_a_wrong_field_is_named(plan, tmp_path):
    content = json.loads(plan.to_json())
    content["metrics"]["plan"]["rmse"] = "much"
    (tmp_path / "plan.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match=r"damaged, metrics\.plan\.rmse: .*number"):
        Plan.load(tmp_path)


def test_a_list_is_no_plan(tmp_path):
    (tmp_path / "plan.json").write_text("[]")
    with pytest.raises(DataError, match="damaged, the whole"):
        Plan.load(tmp_path)


@given(st.floats(0, 1, exclude_max=True), st.integers(1, 10_000))
def test_the_budget_is_the_nearest_count_and_at_least_one(sparsity, regions):
    budget = budget_at(sparsity, regions)
    assert 1 <= budget <= regions
    assert budget == 1 or abs(budget - (1 - sparsity) * regions) <= 0.5 + 1e-9


def test_budgets_nest():
    ranking = Ranking(np.array([2, 0, 3, 1]), np.array([0.5, 0.1, 1.0, 0.2]))
    assert ranking.keep(2).tolist() == [True, False, True, False]
    assert (ranking.keep(3) >= ranking.keep(2)).all()
