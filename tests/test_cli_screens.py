"""How the results of all commands look: in a file, on a narrow screen, without colour."""

import io
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from test_cli import make_comparison_result, make_metrics, make_result
from test_cli_batch import make_batch_result
from test_cli_curve import make_curve_result
from test_cli_diff import make_difference, make_sensor
from test_cli_forecast import make_evaluation, make_forecast_result
from test_export_model import make_exported

from sensorplan.cli import (
    batch_screen,
    compare_screen,
    curve_screen,
    diff_screen,
    fit_screen,
    forecast_screen,
    inspect_screen,
    model_screen,
    screen,
)
from sensorplan.plan import ConstraintCheck, PhaseRecord
from sensorplan.reasons import Failure, RandomFailures, Resilience
from sensorplan.sensors import Finding, Source

NAME = "Kleiner_Feldberg"


def full_fit():
    """A plan of which all is told that can be."""
    failure = Failure(sensors=(NAME,), rmse_ratio=1.016, ci_low=0.999, ci_high=1.14)
    pair = Failure(sensors=(NAME, NAME), rmse_ratio=1.016, ci_low=0.999, ci_high=1.14)
    random = RandomFailures(failed=3, draws=20, mean=1.01, p95=1.03)
    point = make_result().curve[0]
    phase = PhaseRecord(**point.model_dump(exclude={"method"}), switched_off=(NAME,))
    result = make_result(
        candidates={"dynst": 0.1, "posterior-variance": 0.2},
        candidate_loss=0.09,
        interval_coverage={"0.9": 0.8972},
        constraints=(
            ConstraintCheck(constraint=f"require {NAME}", found="0 of them dropped", met=True),
        ),
        phases=(phase, phase),
        resilience=Resilience(
            judged=20, windows=9, worst=failure, worst_pair=pair, random={"0.2": random}
        ),
        metrics=make_metrics(linear=make_metrics().plan),
    )
    result.weakest = result.conditions[0].model_copy(update={"ci_low": 1.07})
    return fit_screen.fit_lines(result)


def full_inspection():
    findings = (
        Finding("ids", f"station ({NAME}, {NAME} and 36 more)", "cf_role timeseries_id"),
        Finding("step", "1 d", "the most frequent one; all others are multiples of it"),
    )
    facts = {
        "train": "2004-01-01T00:00:00 to 2007-11-25T00:00:00, 1416 windows",
        "constraints": "3 required, 2 excluded, 1200 to choose from",
    }
    inspection = SimpleNamespace(source=Source("a.nc", ""), facts=facts, findings=findings)
    return inspect_screen.inspection_lines(inspection)


def full_difference():
    sensor = make_sensor(NAME, "A", settled="excluded in B", removal_penalty=0.01, substitute="n1")
    reason = f"they are of different data ({'d' * 30}/a.nc and {'d' * 30}/b.nc, contents differ)"
    return diff_screen.diff_lines(make_difference(changed=(sensor,), not_paired=reason))


SCREENS = {
    "inspect": (full_inspection, "a.nc"),
    "fit": (full_fit, "Keep 28 of 70 sensors (60 % off): "),
    "compare": (
        lambda: compare_screen.comparison_lines(make_comparison_result()),
        "DynST against the other methods, in 2 comparisons: better in 1, ",
    ),
    "batch": (
        lambda: batch_screen.batch_lines(make_batch_result(failed=True)),
        "3 plans: 1 made, 1 there already, 1 failed. none[/x]: none[/x].nc: no such file",
    ),
    "curve": (
        lambda: curve_screen.curve_lines(make_curve_result()),
        "Up to 40 % (42 of 70 kept) the loss stays within 5 %, ",
    ),
    "diff": (full_difference, "Errors cannot be compared in pairs: "),
    "forecast": (
        lambda: forecast_screen.forecast_lines(make_forecast_result()),
        "sensors    5, from 2 of 3 kept ones",
    ),
    "evaluate": (
        lambda: forecast_screen.evaluation_lines(make_evaluation()),
        "43 forecasts of 7 of 8 sensors, ",
    ),
    "export-model": (lambda: model_screen.model_lines(make_exported()), "readings  4 steps of "),
}


@pytest.fixture(params=SCREENS)
def shown(request):
    return SCREENS[request.param]


def printed(monkeypatch, result, stdout=None, **environment):
    stdout = stdout or io.StringIO()
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "stdout", stdout)
    screen.show(result)
    return stdout.getvalue()


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("columns", [80, 72, 60])
def test_a_screen_fits_and_begins_with_what_matters(monkeypatch, shown, columns):
    make, begin = shown
    text = printed(monkeypatch, make(), COLUMNS=str(columns))
    assert " ".join(text.splitlines()).startswith(begin)
    least = 79 if "removal" in text else columns  # of the table of sensors
    assert max(map(len, text.splitlines())) <= max(columns, least)


def test_in_a_file_there_are_only_plain_signs(monkeypatch, shown):
    text = printed(monkeypatch, shown[0]())
    assert text.isascii()
    assert "\x1b" not in text
    assert not any(line != line.rstrip() for line in text.splitlines())
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_a_terminal_without_colour_gets_no_escapes(monkeypatch, shown, environment):
    environment = {"TERM": "xterm", "COLUMNS": "80", **environment}
    text = printed(monkeypatch, shown[0](), Terminal(), **environment)
    assert "\x1b" not in text


def test_headings_are_bold_on_a_terminal(monkeypatch):
    text = printed(monkeypatch, full_fit(), Terminal(), TERM="xterm", COLUMNS="80")
    assert "\x1b[1m" in text


@pytest.mark.parametrize("columns", [20, 30, 45])
def test_nothing_is_cut_however_narrow(monkeypatch, shown, columns):
    make, _ = shown
    wide, narrow = (
        printed(monkeypatch, make(), COLUMNS=str(width)).split() for width in (400, columns)
    )
    words = [word for word in wide if set(word) != {"-"}]
    assert sorted(words) == sorted(word for word in narrow if set(word) != {"-"})


def test_no_line_ends_between_a_number_and_its_unit(monkeypatch):
    sentence = "the error is 12.3 ug m-3, at most 50 % (20 of 39 kept), " * 5
    for columns in range(30, 60):
        text = printed(monkeypatch, screen.prose(sentence), COLUMNS=str(columns))
        assert " ".join(text.split()) == sentence.strip()
        assert not any(line[-1].isdigit() and line[-2:] != "-3" for line in text.splitlines())
        assert "ug\n" not in text


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([8.9137, 12.3, None], ["8.91", "12.30", ""]),
        ([0.0123, 0.5], ["0.0123", "0.5000"]),
        ([51234.5, 321.0], ["51,234", "321"]),
        ([0.00012, 512.3], ["0.00", "512.30"]),
        ([0.0, 0.0], ["0", "0"]),
        ([None], [""]),
        ([], []),
    ],
)
def test_the_numbers_of_a_column_have_the_same_decimals(values, said):
    assert screen.numbers(values) == said


def test_columns_are_aligned_on_their_last_sign(monkeypatch):
    lines = printed(monkeypatch, compare_screen.comparison_lines(make_comparison_result()))
    rows = [line for line in lines.splitlines() if line.startswith(("dynst ", "qr "))]
    assert [row.index("1.0") for row in rows] == [row.index(".") - 1 for row in rows]
    assert len({row.rindex(".") for row in rows}) == 1


def test_a_path_is_never_broken(monkeypatch):
    folder = Path("d" * 100) / "a b.plan"
    result = make_result()
    result.folder = folder
    lines = printed(monkeypatch, fit_screen.fit_lines(result)).splitlines()
    assert f"Plan: {folder}" in lines
    assert lines[-1] == f"Map:  sensorplan export-map '{folder}' -o map.gpkg"


def test_without_dynst_the_best_method_is_named():
    comparison = make_comparison_result().comparison
    rows = [row.model_copy(update={"verdict": None}) for row in comparison.rows]
    plain = comparison.model_copy(update={"rows": tuple(rows)})
    assert compare_screen.verdict(plain) == (
        "Best on average over all sparsities: dynst (judge ridge)."
    )
