import errno
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager, suppress
from types import SimpleNamespace

import filelock
import psutil
import pytest
from test_pipeline import quick, write_stations

from sensorplan.batch import Manifest, read_summary, run_batch
from sensorplan.batch import cluster as cluster_module
from sensorplan.batch import running as running_module
from sensorplan.batch import task as task_module
from sensorplan.batch.cluster import local_cluster, worker_spec
from sensorplan.batch.ledger import Ledger
from sensorplan.batch.manifest import MANIFEST_FILE
from sensorplan.batch.running import _entry_of
from sensorplan.batch.summary import SUMMARY_FILE
from sensorplan.batch.task import Task, UnwantedError, make_plan
from sensorplan.errors import DataError, OutputError, RecipeError, TrainingError
from sensorplan.exports.folder import making_plan
from sensorplan.pipeline import fit
from sensorplan.recipe import dump_recipe, load_variants

NOWHERE = "tcp://127.0.0.1:1"  # for what needs no worker


@pytest.fixture(scope="module")
def client():
    """Two workers."""
    before = dict(os.environ)
    with local_cluster(workers=2, threads=1, gpus=0) as client:
        yield client
    assert {k: v for k, v in os.environ.items() if "NUM_THREADS" in k} == {
        k: v for k, v in before.items() if "NUM_THREADS" in k
    }


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with data."""
    folder = tmp_path_factory.mktemp("batch")
    write_stations(folder / "net.nc", nodes=6, times=160)
    return folder


def write_recipe(folder, name="many.toml", matrix="", **sections):
    mask = {"method": "variance", **sections.pop("mask", {})}
    training = {"steps": 4, "fine_tune": 2, **sections.pop("training", {})}
    recipe = quick("net.nc", mask=mask, training=training, **sections)
    file = folder / name
    file.write_bytes(dump_recipe(recipe) + f"\n{matrix and '[matrix]'}\n{matrix}\n".encode())
    return file


@pytest.fixture(scope="module")
def made(client, place):
    """A batch of which four plans are done and two fail, and what was told of it."""
    file = write_recipe(
        place, matrix="mask.sparsity = [0.4, 0.6]\nrun.seed = [0, 1]\n", name="good.toml"
    )
    bad = write_recipe(
        place, matrix='"data.path" = ["net.nc", "none.nc"]\n', name="bad.toml", mask={"budget": 99}
    )
    told = []
    result = run_batch(
        [file, bad], scheduler=client.scheduler.address, out=place / "out", watch=told.append
    )
    return SimpleNamespace(result=result, told=told, files=[file, bad], folder=place / "out")


def test_each_plan_is_the_one_made_alone(made, tmp_path):
    for variant in load_variants(made.files[:1]):
        alone = fit(variant.recipe, out=tmp_path / variant.name)
        entry = next(plan for plan in made.result.plans if plan.name == variant.name)
        assert entry.state == "done"
        assert entry.metrics == alone.plan.metrics
        assert (entry.seed, entry.settings["run.seed"]) == (alone.plan.seed, alone.plan.seed)
        for name in ("ranking.csv", "curve.csv", "resilience.csv", "deployment.geojson"):
            made_by_batch = (made.folder / variant.name / name).read_bytes()
            assert made_by_batch == (alone.folder / name).read_bytes(), name


def test_a_plan_fails_alone_and_says_why(made):
    states = {plan.name: (plan.state, plan.error) for plan in made.result.plans}
    assert [state for state, _ in states.values()] == ["done"] * 4 + ["failed"] * 2
    assert states["net"][1].startswith("--budget 99: there are 6 sensors")
    assert states["none"][1].endswith("none.nc: no such file")
    assert [plan.name for plan in made.result.failed] == ["net", "none"]


def test_the_manifest_holds_what_the_plans_are_made_of(made):
    manifest = Manifest.load(made.folder)
    assert manifest == made.result.manifest
    done = manifest.plans[0]
    data = str(made.folder.parent / "net.nc")
    assert list(done.inputs) == [data]
    assert done.versions["torch"]
    assert done.variable == ("v0",)
    plan = json.loads((made.folder / done.name / "plan.json").read_text())
    assert done.inputs[data] == plan["data"]["sha256"]
    assert done.files.keys() == {file.name for file in (made.folder / done.name).iterdir()}


def test_the_summary_spans_the_axes_of_the_matrix(made):
    table = read_summary(made.folder)
    assert list(table.index) == [plan.name for plan in made.result.plans]
    assert table["budget"].iloc[:4].tolist() == [4, 4, 2, 2]
    done = table[table["state"] == "done"].dropna(subset=["mask.sparsity"])
    grid = done.set_index(["mask.sparsity", "run.seed"]).to_xarray()
    assert dict(grid.sizes) == {"mask.sparsity": 2, "run.seed": 2}
    assert float(grid["rmse_plan"].sel({"mask.sparsity": 0.6, "run.seed": 1})) == pytest.approx(
        made.result.plans[3].metrics.plan.rmse
    )


def test_what_is_told(made):
    states = [(status.name, status.state) for status in made.told]
    assert states[:6] == [(plan.name, "queued") for plan in made.result.plans]
    for plan in made.result.plans[:4]:
        mine = [status for status in made.told if status.name == plan.name]
        assert [status.state for status in mine][-1] == "done"
        assert {status.stage for status in mine if status.state == "running"} > {"read", "write"}


def test_what_is_done_and_intact_is_skipped(made):
    wanted = made.files[:1]
    result = run_batch(wanted, scheduler=NOWHERE, out=made.folder)
    assert list(result.skipped) == [plan.name for plan in made.result.plans[:4]]
    assert result.plans == made.result.plans[:4]
    assert result.manifest == made.result.manifest  # the other recipe's plans stay in it


@pytest.fixture
def again(made, tmp_path):
    """Which of the done plans a new run would make, after a change; nothing is made."""
    copy = tmp_path / "copy"
    subprocess.run(["cp", "-r", made.folder.parent, copy], check=True)

    def wanted(change=lambda folder: None, force=False, settings=()):
        change(copy)
        ledger = Ledger(copy / "out", lambda status: None, print)
        variants = load_variants([copy / "good.toml"], settings)
        return [variant.name for variant in ledger.begin(variants, force)]

    return wanted


ALL = ["good_s0.4_seed0", "good_s0.4_seed1", "good_s0.6_seed0", "good_s0.6_seed1"]


def test_a_copy_elsewhere_is_as_good(again):
    assert again() == []


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        (lambda f: (f / "out" / ALL[1] / "ranking.csv").write_text("rank\n"), [ALL[1]]),
        (lambda f: (f / "out" / ALL[2] / "map.png").unlink(), [ALL[2]]),
        (lambda f: (f / "out" / ALL[2] / "notes.txt").write_text("mine"), []),
        (lambda f: write_stations(f / "net.nc", nodes=6, times=161), ALL),
    ],
)
def test_what_was_touched_is_made_again(again, change, wanted, capsys):
    assert again(change) == wanted
    told = capsys.readouterr().out.splitlines()
    assert [line.split(": made again, for")[0] for line in told] == wanted


def test_what_is_set_otherwise_or_forced_is_made_again(again, capsys):
    assert again(settings=["training.steps=5"]) == ALL
    told = capsys.readouterr().out
    assert told.count("settings or data are others than those of the plan there") == len(ALL)
    assert again(force=True) == ALL
    assert capsys.readouterr().out == ""


def test_how_often_checkpoints_are_written_does_not_matter(again):
    assert again(settings=["run.checkpoint_every=5"]) == []


def test_a_folder_that_the_manifest_does_not_know_is_left_alone(place, tmp_path):
    file = write_recipe(place, name="lone.toml")
    (tmp_path / "lone").mkdir()
    with pytest.raises(OutputError, match=r"lone: exists already, and .*manifest.json does not"):
        run_batch([file], scheduler=NOWHERE, out=tmp_path)
    (tmp_path / "lone" / "thesis.tex").write_text("mine")
    with pytest.raises(OutputError, match=r"lone: holds no plan.json; --overwrite replaces only"):
        run_batch([file], scheduler=NOWHERE, out=tmp_path, force=True)
    assert (tmp_path / "lone" / "thesis.tex").read_text() == "mine"


def test_the_plan_of_a_killed_worker_is_made_by_another(client, place, made, tmp_path):
    file = write_recipe(place, name="killed.toml", mask={"sparsity": 0.4})
    killed = []

    def kill(status):
        if status.state == "running" and not killed:
            workers = [worker for worker, tasks in client.processing().items() if tasks]
            killed.extend(client.run(os.getpid, workers=workers).values())
            for process in killed:
                os.kill(process, signal.SIGKILL)

    address = client.scheduler.address
    result = run_batch([file], scheduler=address, out=tmp_path, watch=kill)
    assert len(killed) == 1
    assert [plan.state for plan in result.plans] == ["done"]
    ranking = (tmp_path / "killed" / "ranking.csv").read_bytes()
    assert ranking == (made.folder / ALL[0] / "ranking.csv").read_bytes()


def test_a_plan_that_another_process_makes_is_waited_for(client, place, tmp_path):
    file = write_recipe(place, name="waited.toml")
    told = []

    def watch(status):
        told.append(status.stage)
        if status.stage == "wait for another process":
            other.close()

    with ExitStack() as other:
        other.enter_context(making_plan(tmp_path / "waited", False, told.append))
        result = run_batch([file], scheduler=client.scheduler.address, out=tmp_path, watch=watch)
    assert [plan.state for plan in result.plans] == ["done"]
    assert told.index("wait for another process") < told.index("read")


def test_what_a_worker_tells_of_a_plan_is_told_with_its_name(client, place, tmp_path):
    file = write_recipe(place, name="noted.toml", run={"checkpoint_every": 1e-9})
    own = tmp_path / "noted" / "checkpoints" / f"{0:016x}"
    own.mkdir(parents=True)
    (own / "000001.json").write_text('{"run": {}}')
    told = []
    run_batch(
        [file], scheduler=client.scheduler.address, out=tmp_path, force=True, tell=told.append
    )
    assert len(told) == 1
    assert told[0].startswith(f"noted: {own.parent}: holds checkpoints of another run (")


def test_a_second_batch_in_the_same_folder_is_refused(made):
    refused = []

    def intrude(status):
        with pytest.raises(OutputError, match="is making this batch; wait until") as caught:
            run_batch(made.files[:1], scheduler=NOWHERE, out=made.folder)
        refused.append(str(caught.value))

    before = {entry.name for entry in made.folder.iterdir()}
    run_batch(made.files[:1], scheduler=NOWHERE, out=made.folder, watch=intrude)
    assert refused[0].startswith(f"{made.folder}: process {os.getpid()} on ")
    assert {entry.name for entry in made.folder.iterdir()} == before


@pytest.mark.skipif(sys.platform == "win32", reason="locks otherwise")
def test_where_there_are_no_locks_a_batch_says_so_and_goes_on(made, monkeypatch):
    def refuse(handle):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(filelock._unix, "lock_fd_nonblocking", refuse)
    told = []
    run_batch(made.files[:1], scheduler=NOWHERE, out=made.folder, tell=told.append)
    assert told == [
        f"{made.folder}: cannot be locked (No locks available); nothing keeps a second process "
        "away while one is making this batch"
    ]


def test_manifest_and_summary_say_the_same_at_any_time(made, place, tmp_path):
    (tmp_path / f".{MANIFEST_FILE}.partial-1234").touch()  # of a kill
    (tmp_path / f".{SUMMARY_FILE}.partial-1234").touch()
    ledger = Ledger(tmp_path, lambda status: None, print)
    variants = load_variants(made.files[:1])
    ledger.begin(variants, force=False)

    def states():
        found = read_summary(tmp_path)["state"].tolist()
        assert found == [plan.state for plan in Manifest.load(tmp_path).plans]
        return found

    assert states() == ["queued"] * 4
    ledger.tell(variants[1].name, "read", 0, 1)
    assert states() == ["queued", "running", "queued", "queued"]
    ledger.finish(made.result.plans[1])
    assert states() == ["queued", "done", "queued", "queued"]
    assert {entry.name for entry in tmp_path.iterdir()} == {MANIFEST_FILE, SUMMARY_FILE}


@pytest.mark.parametrize(
    ("workers", "found"), [(None, (2, 1, 0)), (2, (2, 2, 0)), (1, (1, 5, 0)), (9, (2, 1, 0))]
)
def test_a_plan_has_the_threads_that_it_has_when_all_are_made(
    made, tmp_path, monkeypatch, workers, found
):
    """So that the rest of a batch that was killed is made as it would have been."""
    began = []

    @contextmanager
    def cluster(*arguments):
        began.append(arguments)
        yield None

    monkeypatch.setattr("sensorplan.batch.cluster.local_cluster", cluster)
    monkeypatch.setattr(running_module, "_make_all", lambda *arguments: None)
    monkeypatch.setattr(running_module, "cores", lambda: 5)
    monkeypatch.setattr(running_module, "gpu_count", lambda: 0)
    copy = tmp_path / "copy"
    subprocess.run(["cp", "-r", made.folder, copy], check=True)
    for name in ALL[2:]:
        (copy / name / "ranking.csv").unlink()
    run_batch(made.files[:1], workers=workers, out=copy)
    assert began == [found]


def test_workers_that_do_not_begin(place, tmp_path, monkeypatch):
    began = []

    def fail(**options):
        began.append(options)
        raise RuntimeError("Nanny failed to start.") from OSError("no room")

    monkeypatch.setattr("sensorplan.batch.cluster.SpecCluster", fail)
    file = write_recipe(place, name="usage.toml")
    with pytest.raises(TrainingError, match=r"^the workers do not begin \(no room\); they may"):
        run_batch([file], out=tmp_path, workers=1)
    assert len(began) == 4
    assert [plan.state for plan in Manifest.load(tmp_path).plans] == ["queued"]


def test_a_worker_that_is_ended_as_it_begins_is_begun_again(monkeypatch):
    began, works = [], cluster_module.SpecCluster

    def fail_once(**options):
        began.append(options)
        if len(began) == 1:
            raise RuntimeError("Nanny failed to start.")
        return works(**options)

    monkeypatch.setattr(cluster_module, "SpecCluster", fail_once)
    with local_cluster(workers=1, threads=1, gpus=0) as client:
        assert len(client.scheduler_info(n_workers=-1)["workers"]) == 1
    assert len(began) == 2


def test_ctrl_c_ends_the_workers_and_leaves_a_true_manifest(place, tmp_path):
    file = write_recipe(
        place, name="long.toml", training={"steps": 10**6}, matrix="run.seed = [0, 1, 2]"
    )
    command = [sys.executable, "-m", "sensorplan", "batch", file, "--workers", "2", "--out", "o"]
    process = subprocess.Popen(
        command,
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # as from a terminal
    )
    try:
        for line in process.stderr:
            if line.endswith(": running\n"):
                break
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the workers too
        _, errors = process.communicate(timeout=180)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130, errors
    goes_on = "o: the same command goes on with the plans that are not done"
    assert errors.splitlines()[-2:] == [goes_on, "Interrupted"]
    assert "Traceback" not in errors
    states = [plan.state for plan in Manifest.load(tmp_path / "o").plans]
    assert set(states) == {"interrupted", "queued"}
    assert read_summary(tmp_path / "o")["state"].tolist() == states
    patience = time.monotonic() + 20  # what multiprocessing tidies up with ends after its parent
    while left := running_in_session(process.pid):
        assert time.monotonic() < patience, left
        time.sleep(0.2)


def running_in_session(session):
    """Command lines of the processes that a process began."""
    found = []
    for other in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if other.status() != psutil.STATUS_ZOMBIE and os.getsid(other.pid) == session:
                found.append(other.cmdline())
    return found


def test_an_interrupt_takes_plans_back_from_a_cluster_that_goes_on(client, place, tmp_path):
    file = write_recipe(place, name="long.toml", training={"steps": 10**6})

    def interrupt(status):
        if status.stage == "train forecaster":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match=r"^$"):
        run_batch([file], scheduler=client.scheduler.address, out=tmp_path, watch=interrupt)
    assert [plan.state for plan in Manifest.load(tmp_path).plans] == ["interrupted"]
    patience = time.monotonic() + 60
    while busy := [n for n in client.run(executing).values() if n]:
        assert time.monotonic() < patience, busy
        time.sleep(0.2)


def executing(dask_worker):
    """How many tasks a worker is at, those that nobody waits for included."""
    return len(dask_worker.state.executing) + sum(
        task.state == "cancelled" for task in dask_worker.state.tasks.values()
    )


def test_a_bug_is_the_outcome_of_its_plan(monkeypatch, tmp_path):
    def fail(*arguments, **options):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(task_module, "get_worker", lambda: SimpleNamespace(get_current_task=str))
    monkeypatch.setattr(task_module, "fit", fail)
    outcome = make_plan(Task("x", quick("a.nc"), tmp_path, "topic", None))
    assert outcome.error == "a bug: ZeroDivisionError: a bug"
    assert "in fail" in outcome.trace


@pytest.mark.parametrize("state", ["cancelled", None])
def test_a_plan_that_nobody_waits_for_is_ended(monkeypatch, tmp_path, state):
    tasks = {"key": SimpleNamespace(state=state)} if state else {}
    worker = SimpleNamespace(
        get_current_task=lambda: "key", state=SimpleNamespace(tasks=tasks), log_event=None
    )
    monkeypatch.setattr(task_module, "get_worker", lambda: worker)
    teller = task_module.Teller(Task("x", quick("a.nc"), tmp_path, "topic", None))
    with pytest.raises(UnwantedError, match=r"^$"):
        teller("read", 0, 1)


def future_of(error=None, status="error"):
    return SimpleNamespace(status=status, exception=lambda: error)


def test_what_a_lost_task_is_told_as(made):
    from distributed import KilledWorker

    entry = made.result.plans[0]
    killed = KilledWorker("key", SimpleNamespace(address="tcp://x"), 3)
    found = _entry_of(future_of(killed), entry)
    assert (found.state, found.error.split(" while")[0]) == (
        "failed",
        "4 workers were ended from outside",
    )
    found = _entry_of(future_of(ModuleNotFoundError("No module named 'sensorplan'")), entry)
    assert found.error.endswith("ModuleNotFoundError: No module named 'sensorplan'")
    assert "scheduler" in _entry_of(future_of(status="cancelled"), entry).error


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"workers": 0}, r"^--workers 0; expected workers >= 1$"),
        ({"workers": 2, "scheduler": NOWHERE}, r"^--workers and --scheduler; expected one"),
        ({"settings": ["mask.sparsty=1"]}, r"^--set mask.sparsty=1; unknown key, did you mean"),
    ],
)
def test_wrong_usage(place, tmp_path, options, message):
    file = write_recipe(place, name="usage.toml")
    with pytest.raises(RecipeError, match=message):
        run_batch([file], out=tmp_path / "o", **options)
    assert not (tmp_path / "o").exists()


def test_a_file_is_no_folder_of_a_batch(place, tmp_path):
    file = write_recipe(place, name="usage.toml")
    with pytest.raises(OutputError, match=r"usage.toml: is a file; expected a new folder"):
        run_batch([file], out=file)


def test_no_scheduler_at_the_address(place, tmp_path, monkeypatch):
    monkeypatch.setattr("sensorplan.batch.cluster.CONNECT_WITHIN", 0.2)
    file = write_recipe(place, name="usage.toml")
    with pytest.raises(RecipeError, match=rf"^--scheduler {NOWHERE}: no Dask scheduler answers"):
        run_batch([file], scheduler=NOWHERE, out=tmp_path)


def test_a_gpu_that_no_worker_offers(client, place, tmp_path):
    file = write_recipe(place, name="gpu.toml", run={"device": "cuda"})
    with pytest.raises(RecipeError, match=r"wants a GPU, which no worker offers; .* GPU=1"):
        run_batch([file], scheduler=client.scheduler.address, out=tmp_path)


def test_without_distributed(place, tmp_path, monkeypatch):
    monkeypatch.setattr(running_module, "find_spec", lambda name: None)
    with pytest.raises(RecipeError, match=r"needs the package distributed; pip install 'sensorp"):
        run_batch([write_recipe(place, name="usage.toml")], out=tmp_path)


def test_a_worker_takes_one_plan_its_share_of_the_cores_and_one_gpu():
    first, last = (worker_spec(number, threads=3, gpus=1)["options"] for number in (0, 1))
    assert (first["nthreads"], first["env"]["OMP_NUM_THREADS"]) == (1, "3")
    assert (first["resources"], first["env"]["CUDA_VISIBLE_DEVICES"]) == ({"GPU": 1}, "0")
    assert (last["resources"], last["env"]["CUDA_VISIBLE_DEVICES"]) == ({}, "")
    assert "resources" not in worker_spec(0, threads=1, gpus=0)["options"]


def test_nobody_else_can_reach_a_local_cluster(client):
    addresses = {client.scheduler.address, *client.scheduler_info(n_workers=-1)["workers"]}
    assert all(address.startswith("tcp://127.0.0.1:") for address in addresses)
    processes = [psutil.Process(), *psutil.Process().children(recursive=True)]
    listening = {
        connection.laddr.ip
        for process in processes
        for connection in process.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {"127.0.0.1"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "manifest.json: cannot be read, or damaged"),
        ('{"schema_version": 2}', "schema_version = 2 is of another sensorplan"),
        ('{"schema_version": 1, "plans": 3}', "damaged, versions: Field required"),
    ],
)
def test_a_damaged_manifest(tmp_path, content, message):
    (tmp_path / MANIFEST_FILE).write_text(content)
    with pytest.raises(DataError, match=message):
        Manifest.load(tmp_path)


def test_no_summary(tmp_path):
    with pytest.raises(DataError, match=r"summary.csv: cannot be read; expected a folder written"):
        read_summary(tmp_path)
