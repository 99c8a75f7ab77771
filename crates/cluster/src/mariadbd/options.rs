//! A node's settings file: everything the server is told, and nothing from the machine's own files.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::program::ServerProgram;
use crate::replication::semi_sync::NEVER_MS;

/// What a commit has to survive on its own node.
///
/// The loss of a node is survived through semi-synchronous replication either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// The end of the server process, however sudden: logs are handed to the operating system at each commit
    /// (`innodb_flush_log_at_trx_commit=2`, `sync_binlog=0`). The default: all local nodes share one machine and one
    /// disk, and each commit would be synced four times to it. A power failure ends the run anyway.
    #[default]
    Process,
    /// A power failure: logs are synced to the disk at each commit (1 and 1).
    PowerLoss,
}

/// What one replicating node is told.
#[derive(Clone, Debug)]
pub(crate) struct NodeOptions<'a> {
    pub(crate) program: &'a ServerProgram,
    pub(crate) folder: &'a NodeFolder,
    pub(crate) address: SocketAddr,
    pub(crate) server_id: u32,
    pub(crate) durability: Durability,
    pub(crate) buffer_pool_mib: u32,
    /// Read once at the first start; makes the accounts.
    pub(crate) init_file: Option<&'a Path>,
    /// Lines of the user's own; they come last, so they win.
    pub(crate) extra: &'a [String],
}

/// Where the parts of a node are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NodeFolder(PathBuf);

impl NodeFolder {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.0.join("data")
    }

    /// For the server's temporary tables. A server that starts removes all that it finds in such a folder, those of
    /// other running servers included: it must never be shared.
    pub(crate) fn temporary(&self) -> PathBuf {
        self.0.join("tmp")
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.0.join("error.log")
    }

    pub(crate) fn settings(&self) -> PathBuf {
        self.0.join("my.cnf")
    }

    pub(crate) fn init_file(&self) -> PathBuf {
        self.0.join("init.sql")
    }
}

impl NodeOptions<'_> {
    /// The text of `my.cnf`.
    ///
    /// A node always starts closed for writers and as a follower to be: `read_only=ON`, and `init_rpl_role=SLAVE` with the
    /// follower's half of semi-sync on, by which a crashed primary rolls back, at its restart, the transactions at the
    /// end of its binary log that no follower had acknowledged. Opening it is a step of its own.
    pub(crate) fn text(&self) -> String {
        let mut text = common(self.program, self.folder, self.address, self.buffer_pool_mib);
        let (flush, sync) = match self.durability {
            Durability::Process => (2, 0),
            Durability::PowerLoss => (1, 1),
        };
        let id = self.server_id;
        let _ = write!(
            text,
            "server-id={id}\nreport-host={}\nreport-port={}\n\
             log-bin=binlog\nlog-bin-index=binlog\nrelay-log=relay\nrelay-log-index=relay\n\
             binlog-format=ROW\nlog-slave-updates=ON\ngtid-domain-id=0\ngtid-strict-mode=ON\n\
             sync-binlog={sync}\ninnodb-flush-log-at-trx-commit={flush}\n\
             skip-slave-start=ON\nread-only=ON\ninit-rpl-role=SLAVE\nslave-net-timeout=5\n\
             slave-parallel-threads=4\nslave-parallel-mode=optimistic\n\
             rpl-semi-sync-slave-enabled=ON\nrpl-semi-sync-slave-kill-conn-timeout=1\n\
             rpl-semi-sync-master-wait-point=AFTER_SYNC\nrpl-semi-sync-master-timeout={NEVER_MS}\n\
             rpl-semi-sync-master-wait-no-slave=ON\n\
             max-connections=1000\nmax-connect-errors=4294967295\nhost-cache-size=0\nthread-cache-size=64\n\
             back-log=512\ntable-open-cache=1000\nopen-files-limit=4096\n",
            self.address.ip(),
            self.address.port(),
        );
        if let Some(path) = self.init_file {
            let _ = writeln!(text, "init-file={}", path.display());
        }
        for line in self.extra {
            let _ = writeln!(text, "{line}");
        }
        text
    }
}

/// The text of `my.cnf` for a server that stands alone and fills a template: no binary log, no waiting for the disk. What
/// it wrote is synced when the template is finished.
pub(crate) fn loading(
    program: &ServerProgram,
    folder: &NodeFolder,
    address: SocketAddr,
    init_file: &Path,
) -> String {
    let mut text = common(program, folder, address, 256);
    let _ = write!(
        text,
        "skip-log-bin\ninnodb-flush-log-at-trx-commit=0\ninnodb-flush-method=nosync\ninnodb-doublewrite=OFF\n\
         max-connections=200\nopen-files-limit=4096\ninit-file={}\n",
        init_file.display(),
    );
    text
}

/// Arguments of the run that makes the system tables; there is no settings file then.
/// `temporary` must be its own, see [`NodeFolder::temporary`].
pub(crate) fn bootstrap_arguments(program: &ServerProgram, data: &Path, temporary: &Path) -> Vec<String> {
    let mut arguments = vec!["--no-defaults".to_owned(), "--bootstrap".to_owned()];
    arguments.push(format!("--datadir={}", data.display()));
    arguments.push(format!("--tmpdir={}", temporary.display()));
    arguments.push(format!("--lc-messages-dir={}", program.share_dir.display()));
    arguments.push(format!("--character-sets-dir={}/charsets", program.share_dir.display()));
    let fixed = [
        "--innodb-flush-log-at-trx-commit=0",
        "--innodb-flush-method=nosync",
        "--innodb-buffer-pool-size=32M",
    ];
    arguments.extend(fixed.map(str::to_owned));
    arguments.extend(FILE_SIZES.iter().map(|line| format!("--{line}")));
    if rustix::process::geteuid().is_root() {
        arguments.push("--user=root".to_owned());
    }
    arguments
}

/// Files small enough that a node is tens of MiB and copies quickly. The first must be the same at every start of a folder.
const FILE_SIZES: [&str; 4] = [
    "innodb-data-file-path=ibdata1:12M:autoextend",
    "innodb-temp-data-file-path=ibtmp1:4M:autoextend",
    "innodb-autoextend-increment=4",
    "innodb-log-file-size=48M",
];

/// What all servers of ours have in common.
fn common(program: &ServerProgram, folder: &NodeFolder, address: SocketAddr, buffer_pool_mib: u32) -> String {
    let mut text = String::from("# Written by tpcw at each start.\n[mysqld]\n");
    // The socket's path is relative to the data folder: absolute ones may exceed the 107 bytes that the kernel allows.
    let _ = write!(
        text,
        "datadir={}\ntmpdir={}\nlog-error={}\npid-file=mysqld.pid\nsocket=s.sock\nlc-messages-dir={share}\ncharacter-sets-dir={share}/charsets\n\
         bind-address={}\nport={}\nskip-name-resolve\ndefault-time-zone=+00:00\ncharacter-set-server=utf8mb4\n\
         performance-schema=OFF\nlocal-infile=ON\nmax-allowed-packet=64M\ndefault-storage-engine=InnoDB\n\
         innodb-buffer-pool-size={buffer_pool_mib}M\ninnodb-buffer-pool-dump-at-shutdown=OFF\n\
         innodb-buffer-pool-load-at-startup=OFF\nloose-innodb-log-file-buffering=ON\n\
         aria-pagecache-buffer-size=8M\nkey-buffer-size=1M\nquery-cache-size=0\nloose-feedback=OFF\n",
        folder.data().display(),
        folder.temporary().display(),
        folder.log().display(),
        address.ip(),
        address.port(),
        share = program.share_dir.display(),
    );
    for line in FILE_SIZES {
        let _ = writeln!(text, "{line}");
    }
    if rustix::process::geteuid().is_root() {
        text.push_str("user=root\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::{Product, Version};

    fn program() -> ServerProgram {
        ServerProgram {
            path: "/usr/sbin/mariadbd".into(),
            product: Product::MariaDb,
            version: Version::OLDEST_MARIADB,
            version_text: "10.11.0-MariaDB".to_owned(),
            share_dir: "/usr/share/mysql".into(),
            library_dirs: Vec::new(),
        }
    }

    #[test]
    fn a_node_starts_closed_and_as_a_follower_and_the_users_lines_win() {
        let folder = NodeFolder::new("/tmp/n2".into());
        let (program, extra) = (program(), ["innodb-buffer-pool-size=1G".to_owned()]);
        let options = NodeOptions {
            program: &program,
            folder: &folder,
            address: "127.0.0.1:20002".parse().unwrap(),
            server_id: 2,
            durability: Durability::PowerLoss,
            buffer_pool_mib: 64,
            init_file: None,
            extra: &extra,
        };
        let text = options.text();
        for line in [
            "read-only=ON",
            "init-rpl-role=SLAVE",
            "skip-slave-start=ON",
            "rpl-semi-sync-slave-enabled=ON",
            "rpl-semi-sync-master-wait-point=AFTER_SYNC",
            "rpl-semi-sync-master-wait-no-slave=ON",
            "gtid-strict-mode=ON",
            "log-slave-updates=ON",
            "binlog-format=ROW",
            "sync-binlog=1",
            "server-id=2",
            "port=20002",
            "bind-address=127.0.0.1",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is missing:\n{text}");
        }
        assert!(!text.contains("init-file") && !text.contains("rpl-semi-sync-master-enabled"));
        assert!(text.ends_with("innodb-buffer-pool-size=1G\n"));
        let process = NodeOptions { durability: Durability::Process, ..options }.text();
        assert!(process.contains("sync-binlog=0\ninnodb-flush-log-at-trx-commit=2\n"));
    }
}
