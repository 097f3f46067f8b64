"""`sensorplan evaluate`."""

from sensorplan.cli import options
from sensorplan.cli.app import app
from sensorplan.cli.log import Log
from sensorplan.cli.progress import StageReport


@app.command()
def evaluate(
    plan: options.PlanFolder,
    data: options.NewData,
    interval: options.Interval = "90%",
    variable: options.Variable = None,
    select: options.Select = None,
    missing: options.Missing = None,
    resample: options.Resample = None,
    stations: options.Stations = None,
    quiet: options.Quiet = False,
    log: Log = None,
    as_json: options.AsJson = False,
) -> None:
    """Judge the forecasts of a plan on later data.

    The data should hold all sensors: each is judged where it was observed. What the options leave
    out is read as in the plan.
    """
    settings = options.build_recipe(
        None, select, data=options.data_section(data, variable, missing, resample, stations)
    )
    level = options.parse_share(interval, "--interval")
    from sensorplan.cli import forecast_screen, screen
    from sensorplan.pipeline import evaluate as run_evaluate

    assert level is not None
    with StageReport(quiet) as progress:
        evaluation = run_evaluate(plan, settings.data, level=level, progress=progress)
    show = forecast_screen.evaluation_json if as_json else forecast_screen.evaluation_lines
    screen.show(show(evaluation))
    screen.show_warnings(evaluation.warnings)
