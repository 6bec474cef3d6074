"""How long a DAG file of 1,000 tasks takes to read, beside the same tasks without dapu."""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
from pathlib import Path

from dapu.components.graph import FORMAT, write_graph

_READ = """
import statistics, sys, time
from airflow.sdk import DAG, BaseOperator, TaskGroup
from dapu.airflow import DapuDag

class Bare(BaseOperator):
    def execute(self, context): pass

def bare():
    with DAG("bare", schedule=None):
        for route in range(10):
            with TaskGroup(f"r{route}"):
                for number in range(100):
                    Bare(task_id=f"t{number}")

def seconds(make):
    taken = []
    for _ in range(15):
        started = time.process_time(); make(); taken.append(time.process_time() - started)
    return statistics.median(taken)

folder = sys.argv[1]
print(f"DapuDag, 1,000 tasks: {seconds(lambda: DapuDag(folder)):.3f} s of a processor")
print(f"Airflow's own operators, without masters and assets: {seconds(bare):.3f} s")
print(f"DapuDag by route: {seconds(lambda: DapuDag(folder, by='route')):.3f} s")
"""


def main() -> None:
    """Reads them in Airflow's environment."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, required=True)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dapu-airflow-") as name:
        tasks = [
            {
                "task": f"r{route}.s{route}.t{number}",
                "masters": [f"r{route}.s{route}.t{number - 10}"] if number >= 10 else [],
                "tags": [],
            }
            for route in range(10)
            for number in range(100)
        ]
        graph = {"format": FORMAT, "warehouse": "shop", "tasks": tasks}
        write_graph(graph, Path(name) / "graph.json")
        command = [str(given.cache / "bin" / "python"), "-W", "ignore", "-c", _READ, name]
        subprocess.run(command, check=True, env={**os.environ, "AIRFLOW_HOME": name})


if __name__ == "__main__":
    main()
