"""What a run each minute costs on a site where nothing happens: the nine default databases, taken apart.

Each step is a process that does all of the one before it and one thing more, so that differences are what that thing costs.
Without the start of PHP: the same calls again and again within one process.
"""

import json
import statistics
import subprocess

import data
from measure import Case
from ours import Ours
from tools import PROJECT

# Names and sides of the default configuration.
DATABASES = {"rizon_bot": 3, "libera_bot": 3, "users": 2, "breakout_scores": 2, "breakout_completionists": 2,
             "breakout_settings": 2, "game_sessions": 2, "secure_sessions": 2, "sso_federated_identities": 2}
SIDES = ("central", "website", "bot")


def place(bench):
    """The nine databases, synced and at rest."""
    root = bench.scratch / "cron"
    ours = Ours(bench.tools, bench.launcher, root, SIDES, DATABASES)
    config = json.loads(ours.config.read_text())
    for name, count in DATABASES.items():
        replicas = config["databases"][name]["replicas"]
        config["databases"][name]["replicas"] = {side: replicas[side] for side in SIDES[:count]}
        ours.replicas[name] = {side: ours.replicas[name][side] for side in SIDES[:count]}
        for path in ours.replicas[name].values():
            data.make(path, 2_000, "DELETE")
    ours.config.write_text(json.dumps(config))
    (root / "logs").mkdir()
    ours.settle()
    return ours


def breakdown(bench, rounds):
    ours = place(bench)
    php, script = bench.tools.php, ours.words("bidirectional", "--quiet")
    (ours.directory / "cron.env").write_text(
        f"PHP={php_with(bench, ours)}\nWEB={PROJECT / 'php/website'}\nCONFIG={ours.config}\n")
    steps = [
        ("run: bidirectional --quiet", "nine databases, 20 files looked at", script),
        ("PHP alone, php -n", "no php.ini, so no module of its own", ["php", "-n", "-r", ""]),
        ("+ the modules of php.ini", "", ["php", "-r", ""]),
        ("+ the extension", "loaded, not used", [*php, "-r", ""]),
        ("+ our script", "--help: its classes are compiled", [*ours.command, "--help"]),
        ("+ configuration read", "config", ours.words("config")),
        ("the cron script", "sh, its locks and log, and the run", ["sh", PROJECT / "php/system/cron_sync_databases.sh", "--root", ours.directory]),
    ]
    one = Case("nothing new in nine databases, as cron runs it", "cron", [(name, note) for name, note, _ in steps])
    words = {name: command for name, _, command in steps}
    for _, row in one.turns(rounds):
        cost, _ = bench.launcher.run(words[row.name])
        row.add(cost, None, None)
    told = one.told()
    told["inside"] = within(bench, ours)
    bench.show(told)
    return told


def php_with(bench, ours):
    """One word that runs PHP with the extension, as `cron.env` takes no more than that."""
    wrapper = ours.directory / "php"
    wrapper.write_text("#!/bin/sh\n# PHP with the extension under test.\nexec " + " ".join(bench.tools.php) + ' "$@"\n')
    wrapper.chmod(0o755)
    return wrapper


CALLS = """
    $options = ['config' => $argv[1]];
    cr0_db_sync($options);
    $all = [];
    for ($i = 0; $i < 200; $i++) {
        $start = hrtime(true);
        $report = cr0_db_sync($options);
        $all[] = (hrtime(true) - $start) / 1000;
        foreach ($report['databases'] as $name => $one) {
            if ($one['state'] !== 'unchanged') { fwrite(STDERR, "$name: {$one['state']}"); exit(1); }
        }
    }
    echo json_encode($all);
"""


def within(bench, ours):
    """Microseconds of one call of cr0_db_sync where nothing is new: with all nine databases, and with one of them."""
    config = json.loads(ours.config.read_text())
    told = {}
    for name, chosen in (("nine databases", DATABASES), ("one database", ["users"])):
        path = ours.directory / f"{name.replace(' ', '-')}.json"
        path.write_text(json.dumps({**config, "databases": {one: config["databases"][one] for one in chosen}}))
        run = subprocess.run([*bench.tools.php, "-r", CALLS, str(path)], capture_output=True, text=True, check=False)
        if run.returncode != 0:
            raise RuntimeError(f"cr0_db_sync: {run.stdout}{run.stderr}")
        micros = json.loads(run.stdout)
        told[name] = {"median": statistics.median(micros), "least": min(micros), "largest": max(micros)}
    told["each database more"] = (told["nine databases"]["median"] - told["one database"]["median"]) / 8
    return told
