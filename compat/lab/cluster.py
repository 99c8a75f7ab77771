"""A small cluster to run suites against: a primary, two replicas, and balancers in front of them.

Everything is a child process in one folder on loopback ports, and ends with this process.
"""

import os
import pathlib
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass

PASSWORD = "compat"
OPERATOR, REPLICATION, APPLICATION = "operator", "replication", "compat"
PATIENCE_S = 60
SHOP = ["--items", "1000", "--population", "1"]


@dataclass(frozen=True)
class Target:
    """An address that a suite is pointed at."""

    name: str
    port: int
    host: str = "127.0.0.1"
    user: str = APPLICATION
    password: str = PASSWORD

    def client(self, *arguments, **options):
        """Runs the `mariadb` client against it; gives back what it printed, or raises."""
        command = ["mariadb", "--no-defaults", f"-h{self.host}", f"-P{self.port}", f"-u{self.user}",
                   f"-p{self.password}", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, **options)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
        return done.stdout


def free_port():
    """A port that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def until(what, question):
    """Asks until the answer is true; gives up with `what` in the message."""
    end = time.monotonic() + PATIENCE_S
    while not question():
        if time.monotonic() > end:
            raise RuntimeError(f"waited {PATIENCE_S} s in vain: {what}")
        time.sleep(0.1)


class Cluster:
    """Three nodes and a balancer for each consistency that is asked for."""

    def __init__(self, folder, program, authority):
        """`authority`: a folder with `ca.pem` and `ca-key.pem`, which sign the certificate of nodes and balancers."""
        self.folder = pathlib.Path(folder)
        self.program = program
        self.authority = pathlib.Path(authority)
        self.children = []
        self.nodes = []
        self.targets = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for child in reversed(self.children):
            child.terminate()
        for child in reversed(self.children):
            try:
                child.wait(20)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, consistencies):
        """Starts nodes, sets up replication and accounts, then one balancer for each consistency."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self._make_certificate()
        for number in (1, 2, 3):
            self._start_node(number)
        for number, node in enumerate(self.nodes, 1):
            until(f"node {number} does not answer", lambda: self._answers(node))
            self._own_accounts(node)
        primary = self.nodes[0]
        primary.client("-e", "SET GLOBAL rpl_semi_sync_master_enabled=ON; SET GLOBAL read_only=OFF;")
        for node in self.nodes[1:]:
            node.client("-e", f"""CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT={primary.port},
                MASTER_USER='{REPLICATION}', MASTER_PASSWORD='{PASSWORD}', MASTER_USE_GTID=slave_pos,
                MASTER_CONNECT_RETRY=1; START SLAVE;""")
        self._application_accounts(primary)
        self.targets["direct"] = Target("direct", primary.port)
        for consistency in consistencies:
            self._start_balancer(consistency)

    def fresh(self, shop=False):
        """Drops every schema that is not the server's own and makes the usual ones again; with the bookstore if asked."""
        primary = self.targets["direct"]
        own = ("mysql", "sys", "information_schema", "performance_schema")
        names = [name for name in primary.client("-NBe", "SHOW DATABASES").splitlines() if name not in own]
        for name in names:
            primary.client("-e", f"DROP DATABASE `{name}`")
        for name in ("test", "test_schema", "test_schema_2", "compat", "compat2"):
            primary.client("-e", f"CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci")
        if shop:
            primary.client("-e", "CREATE DATABASE shop")
            address = f"mysql://{primary.user}:{primary.password}@{primary.host}:{primary.port}/shop"
            subprocess.run([self.program, "load", "--target", address, *SHOP], check=True, capture_output=True)
        self.settle()

    def settle(self):
        """Waits until the replicas have applied what the primary has."""
        position = self.nodes[0].client("-NBe", "SELECT @@gtid_binlog_pos").strip()
        for node in self.nodes[1:]:
            node.client("-NBe", f"SELECT MASTER_GTID_WAIT('{position}', 30)")

    def _make_certificate(self):
        (self.folder / "names").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
        for command in (
            ["req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "request.pem", "-subj", "/CN=tpcw"],
            ["x509", "-req", "-in", "request.pem", "-CA", self.authority / "ca.pem", "-CAkey", self.authority / "ca-key.pem",
             "-CAserial", "serial", "-CAcreateserial", "-days", "30", "-extfile", "names", "-out", "cert.pem"],
        ):
            subprocess.run(["openssl", *command], cwd=self.folder, check=True, capture_output=True)
        (self.folder / "key.pem").chmod(0o644)

    def _start_node(self, number):
        folder = self.folder / f"n{number}"
        folder.mkdir()
        (folder / "tmp").mkdir()
        port = free_port()
        user = [f"--user={os.environ.get('USER', 'root')}"] if os.geteuid() == 0 else []
        subprocess.run(["mariadb-install-db", "--no-defaults", f"--datadir={folder}/data", *user,
                        "--auth-root-authentication-method=normal", "--skip-test-db"],
                       check=True, capture_output=True)
        secure = [f"--ssl-cert={self.folder}/cert.pem", f"--ssl-key={self.folder}/key.pem"]
        server = shutil.which("mariadbd", path=os.environ["PATH"] + ":/usr/sbin:/usr/libexec")
        with open(folder / "error.log", "w") as log:
            self.children.append(subprocess.Popen(
                [server, "--no-defaults", f"--datadir={folder}/data", f"--tmpdir={folder}/tmp", *user,
                 f"--socket={folder}/s.sock", f"--port={port}", "--bind-address=127.0.0.1", f"--server-id={number}",
                 "--log-bin=binlog", "--binlog-format=ROW", "--log-slave-updates=ON", "--gtid-strict-mode=ON",
                 "--read-only=ON", "--relay-log=relay", "--rpl-semi-sync-slave-enabled=ON",
                 "--rpl-semi-sync-master-wait-point=AFTER_SYNC", "--rpl-semi-sync-master-timeout=60000",
                 "--innodb-flush-log-at-trx-commit=2", "--sync-binlog=0", "--innodb-buffer-pool-size=128M",
                 "--max-allowed-packet=64M", "--local-infile=ON", "--max-connections=500",
                 "--performance-schema=OFF", "--skip-name-resolve", "--log-bin-trust-function-creators=ON",
                 "--slave-parallel-threads=4", "--slave-parallel-mode=optimistic", *secure], stdout=log, stderr=log))
        self.nodes.append(Target(f"n{number}", port, user="root", password=""))

    @staticmethod
    def _answers(node):
        try:
            return node.client("-e", "SELECT 1")
        except RuntimeError:
            return False

    @staticmethod
    def _own_accounts(node):
        node.client("-e", f"""SET sql_log_bin=0; DELETE FROM mysql.global_priv WHERE user='';
            FLUSH PRIVILEGES;
            CREATE USER {OPERATOR}@'%' IDENTIFIED BY '{PASSWORD}'; GRANT ALL ON *.* TO {OPERATOR}@'%' WITH GRANT OPTION;
            CREATE USER {REPLICATION}@'%' IDENTIFIED BY '{PASSWORD}';
            GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO {REPLICATION}@'%';""")

    @staticmethod
    def _application_accounts(primary):
        primary.client("-e", f"""CREATE USER {APPLICATION}@'%' IDENTIFIED BY '{PASSWORD}';
            GRANT ALL ON *.* TO {APPLICATION}@'%' WITH GRANT OPTION;
            REVOKE READ_ONLY ADMIN ON *.* FROM {APPLICATION}@'%';""")

    def _start_balancer(self, consistency):
        port = free_port()
        file = self.folder / f"balancer-{consistency}.toml"

        def account(name, password):
            return f'{{ name = "{name}", password = "{password}" }}'

        file.write_text(f"""listen = "127.0.0.1:{port}"
consistency = "{consistency}"
operator = {account(OPERATOR, PASSWORD)}
replication = {account(REPLICATION, PASSWORD)}
accounts = [{account(APPLICATION, PASSWORD)}, {account("root", "")}]
failover = {{ automatic = false }}
elastic = {{ automatic = false }}
tls = {{ certificate = "{self.folder}/cert.pem", key = "{self.folder}/key.pem" }}
nodes_tls = {{ mode = "preferred" }}
""" + "".join(f"""
[[nodes]]
name = "{node.name}"
address = "127.0.0.1:{node.port}"
""" for node in self.nodes))
        with open(self.folder / f"balancer-{consistency}.log", "w") as log:
            self.children.append(subprocess.Popen([self.program, "balance", "--config", file], stdout=log, stderr=log))
        target = Target(consistency, port)
        self.targets[consistency] = target
        until(f"the balancer ({consistency}) does not answer", lambda: self._answers(target))
