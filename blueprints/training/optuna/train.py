"""The best settings of a neural network for handwritten digits, searched by Optuna with as many workers as there are.

    python train.py --steps 20

A step is a trial. The study lies in a database, PostgreSQL for more than one worker: STUDY_URL says where. It is all
that is kept; when a worker is killed, another one starts its trial again. The data folder holds `mnist.npz`, as Keras
distributes it; without it, the script takes the small digits that come with scikit-learn. It needs no GPU.
"""

import os
import random
import sys
import time
from pathlib import Path

import numpy
import optuna
from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback
from optuna.trial import Trial, TrialState
from sklearn.datasets import load_digits
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sqlalchemy.exc import SQLAlchemyError

import training_run

CLASSES = 10
RETRIES = 3
ATTEMPTS_TO_CONNECT = 5


def make_data(folder: Path | None) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Images and the digits that they show."""
    if folder is None:
        images, digits = load_digits(return_X_y=True)
        return images / 16, digits
    with numpy.load(folder / "mnist.npz") as file:
        return file["x_train"].reshape(-1, 784) / 255, file["y_train"]


def connect(heartbeat: int) -> RDBStorage:
    """The database. Of workers that start at the same time, one creates its tables; that fails for others, once."""
    # No argument: it holds a password, and arguments are told to trackers.
    url = os.environ.get("STUDY_URL", "sqlite:///study.db")
    for attempt in range(1, ATTEMPTS_TO_CONNECT + 1):
        try:
            return RDBStorage(
                url,
                heartbeat_interval=heartbeat,
                grace_period=2 * heartbeat,
                heartbeat_stale_trial_callback=RetryHeartbeatStaleTrialCallback(RETRIES),
            )
        except SQLAlchemyError as error:
            training_run.note(f"attempt {attempt} to use the database: {error}")
            time.sleep(attempt)
    raise SystemExit("the database of the study cannot be used")


def main() -> None:
    """Searches."""
    parser = training_run.arguments(__doc__, steps=50, batch_size=64, learning_rate=1e-3, precisions=("fp32",))
    parser.add_argument("--study", default=os.environ.get("STUDY_NAME", "digits"), help="the study's name")
    parser.add_argument("--epochs", type=int, default=20, help="epochs of each trial (20)")
    parser.add_argument("--heartbeat", type=int, default=30, help="seconds; a trial silent for two is retried (30)")
    settings = parser.parse_args()

    images, digits = make_data(settings.data)
    training, held_out, answers, right = train_test_split(images, digits, test_size=0.2, random_state=settings.seed)
    run = training_run.TrainingRun(settings)

    def objective(trial: Trial) -> float:
        rate = settings.learning_rate
        network = MLPClassifier(
            (trial.suggest_int("width", 16, 256, log=True),),
            learning_rate_init=trial.suggest_float("learning_rate", rate / 100, rate * 100, log=True),
            alpha=trial.suggest_float("weight_decay", 1e-6, 1e-1, log=True),
            batch_size=settings.batch_size,
            random_state=settings.seed,
        )
        loss = numpy.inf
        for epoch in range(settings.epochs):
            network.partial_fit(training, answers, classes=range(CLASSES))
            loss = log_loss(right, network.predict_proba(held_out), labels=range(CLASSES))
            trial.report(loss, epoch)
            if run.interrupted():
                sys.exit(training_run.EXIT_CODE_WHEN_INTERRUPTED)  # The trial falls silent, and is retried.
            if trial.should_prune():
                raise optuna.TrialPruned
        return loss

    def finished() -> int:
        return len(study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED)))

    def after_trial(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        run.report(finished(), study.best_value)
        if finished() >= settings.steps:
            study.stop()

    study = optuna.create_study(storage=connect(settings.heartbeat), study_name=settings.study, load_if_exists=True)
    # No two workers, nor a worker and the one that it takes over from, may propose the same.
    worker = f"{settings.seed}, {os.environ.get('JOB_COMPLETION_INDEX')}, {len(study.trials)}"
    study.sampler = optuna.samplers.TPESampler(seed=random.Random(worker).getrandbits(32))  # noqa: S311
    run.resume(lambda folder: None)
    if done := finished():
        run.say(resumedFrom=done)
    if done < settings.steps:
        study.optimize(objective, callbacks=[after_trial])
    run.finish(finished=finished(), best={"loss": study.best_value, **study.best_params})


if __name__ == "__main__":
    main()
