"""Becomes MLflow with users, its runs in SQLite and its artifacts in a folder, which it gives out itself.

python mlflow_server.py PORT FOLDER
"""

import os
import sys
from pathlib import Path

port, folder = sys.argv[1], Path(sys.argv[2])
folder.mkdir(exist_ok=True)
users = folder / "users.ini"
users.write_text(
    "[mlflow]\n"
    "default_permission = READ\n"
    f"database_uri = sqlite:///{folder}/users.db\n"
    "admin_username = admin\n"
    f"admin_password = {os.environ['MLFLOW_TRACKING_PASSWORD']}\n",
    encoding="utf-8",
)
os.environ |= {
    "MLFLOW_AUTH_CONFIG_PATH": str(users),
    "MLFLOW_FLASK_SERVER_SECRET_KEY": "of this test only",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
}
command = [sys.executable, "-m", "mlflow", "server", "--app-name", "basic-auth", "--workers", "1"]
command += ["--host", "127.0.0.1", "--port", port, "--backend-store-uri", f"sqlite:///{folder}/runs.db"]
command += ["--serve-artifacts", "--artifacts-destination", str(folder / "artifacts")]
os.execv(sys.executable, command)  # noqa: S606
