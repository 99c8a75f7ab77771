//! A new node from a serving one: the server's own backup tool copies a node's data while it serves, streamed from one
//! process into another, and the copy starts where the original stood.
//!
//! Source: MariaDB knowledge base, "Full Backup and Restore with Mariabackup" and "Setting up a Replica with Mariabackup": the
//! position of the copy is in `xtrabackup_binlog_info` (file, offset, GTID position), written when the backup ends.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::admin::Admin;
use crate::error::{Error, OnFile};
use crate::mariadbd::datadir;
use crate::mariadbd::options::NodeFolder;
use crate::mariadbd::process::{Process, log_tail};
use crate::node::{NodeId, Role};
use crate::program::BackupTools;
use crate::provision::local::{LocalCluster, LocalNode};
use crate::provision::member::Member;
use crate::replication::GtidPosition;

/// The whole copy; a gigabyte takes some seconds.
const COPY_LIMIT: Duration = Duration::from_secs(900);
/// A statement on the new node.
const STATEMENT_LIMIT: Duration = Duration::from_secs(10);
/// Lines of a tool's own words in messages.
const LOG_LINES: usize = 6;
/// Where the backup tool writes where it stood; the newer name first.
const POSITION_FILES: [&str; 2] = ["mariadb_backup_binlog_info", "xtrabackup_binlog_info"];

/// What a copy took.
#[derive(Clone, Debug, PartialEq)]
pub struct CopyFigures {
    /// Bytes of the copied files.
    pub bytes: u64,
    /// Copying while the original served.
    pub copied: Duration,
    /// Making the copy consistent (what had been written meanwhile is applied).
    pub prepared: Duration,
    /// From the start of the new server to its first login.
    pub started: Duration,
}

impl CopyFigures {
    /// Megabytes (10^6) a second of the copy alone.
    pub fn mb_per_second(&self) -> f64 {
        self.bytes as f64 / 1e6 / self.copied.as_secs_f64().max(1e-9)
    }
}

/// A folder that is removed unless it is kept: a copy that breaks off leaves nothing.
#[derive(Debug)]
struct Unfinished(Option<PathBuf>);

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(path) = self.0.take() {
            // Also on a future that was dropped in mid-copy; what stays goes with the cluster's folder.
            let _ = fs::remove_dir_all(path);
        }
    }
}

impl LocalCluster {
    /// Makes a new node from `source` while that one serves, at the first place kept for one ([`crate::ClusterSpec::reserves`]) or
    /// beyond all others. It comes up closed for writers, at the position of its copy and
    /// following nobody; whoever looks after the nodes has it follow the primary.
    ///
    /// # Errors
    /// Whatever fails, and also when this is cancelled, no process, file or node of the copy is left.
    pub async fn copy_node(
        &self,
        source: &NodeId,
        tools: &BackupTools,
    ) -> Result<(LocalNode, CopyFigures), Error> {
        let original = self.living()?.member(source)?;
        let _one_at_a_time = self.copying.lock().await;
        let slot = self.kept().first().cloned();
        let free = || self.members().iter().map(|member| member.server_id).max().unwrap_or(0) + 1;
        let number = slot.as_ref().map_or_else(free, |slot| slot.number);
        let folder = NodeFolder::new(self.shared.folder.path().join(format!("n{number}")));
        fs::create_dir(folder.path()).on("create the folder", folder.path())?;
        let mut unfinished = Unfinished(Some(folder.path().to_owned()));

        let began = Instant::now();
        self.stream(&original, &folder, tools).await?;
        let copied = began.elapsed();
        let bytes = size(&folder.data()).on("measure", &folder.data())?;
        self.prepare(&folder, tools).await?;
        let prepared = began.elapsed() - copied;
        let position = position(&folder.data())?;
        let shared = Arc::clone(&self.shared);
        let member = Member::start(shared, number, slot, Role::Candidate, folder).await?;
        let started = began.elapsed() - copied - prepared;
        let mut admin =
            Admin::connect(member.server, &self.shared.accounts.operator, STATEMENT_LIMIT).await?;
        admin
            .run_text("SET GLOBAL gtid_slave_pos", &format!("SET GLOBAL gtid_slave_pos='{position}'"))
            .await?;
        admin.close().await;
        self.living()?; // Stopped meanwhile: the new node goes as well.
        let member = Arc::new(member);
        let node = member.now();
        self.members.write().unwrap_or_else(PoisonError::into_inner).push(member);
        self.kept().retain(|slot| slot.number != number);
        unfinished.0 = None;
        Ok((node, CopyFigures { bytes, copied, prepared, started }))
    }

    /// The backup tool reads the original's files and writes a stream, from which another process makes files.
    async fn stream(&self, original: &Member, folder: &NodeFolder, tools: &BackupTools) -> Result<(), Error> {
        let (login, log) = (folder.path().join("login.cnf"), folder.path().join("copy.log"));
        fs::create_dir(folder.data()).on("create the folder", &folder.data())?;
        let operator = &self.shared.accounts.operator;
        let text = format!(
            "[mariadb-backup]\nuser={}\npassword={}\nhost={}\nport={}\n",
            operator.user,
            operator.password.expose(),
            original.server.ip(),
            original.server.port(),
        );
        // The password is in no command line, and in a file that only we can read and that goes with the copy.
        let mut file =
            File::options().write(true).create_new(true).mode(0o600).open(&login).on("create", &login)?;
        file.write_all(text.as_bytes()).on("write", &login)?;
        let pipe = |source| Error::Process { what: "make a pipe".to_owned(), source };
        let (reader, writer) = std::io::pipe().map_err(pipe)?;
        let words = File::create(&log).on("create", &log)?;
        let again = words.try_clone().on("write", &log)?;

        let mut backup = tools.backup();
        backup.arg(format!("--defaults-file={}", login.display()));
        backup.args(["--backup", "--stream=mbstream"]);
        backup.arg(format!("--datadir={}", original.folder.data().display()));
        backup.arg(format!("--target-dir={}", folder.path().display()));
        let mut unpack = tools.stream();
        unpack.args(["-x", "-C"]).arg(folder.data());
        backup.stdin(Stdio::null()).stdout(writer).stderr(words);
        unpack.stdin(reader).stdout(Stdio::null()).stderr(again);
        let unpacking = Process::spawn_as_is(&self.shared.nursery, unpack).await?;
        let copying = Process::spawn_as_is(&self.shared.nursery, backup).await?;
        let (copied, unpacked) = tokio::join!(copying.wait(COPY_LIMIT), unpacking.wait(COPY_LIMIT));
        fs::remove_file(&login).on("remove", &login)?;
        if copied?.success() && unpacked?.success() {
            return Ok(());
        }
        let reason = log_tail(&log, LOG_LINES);
        Err(Error::Copy { source_node: original.id.clone(), reason })
    }

    /// Applies to the copied files what was written while they were copied.
    async fn prepare(&self, folder: &NodeFolder, tools: &BackupTools) -> Result<(), Error> {
        let log = folder.path().join("prepare.log");
        let words = File::create(&log).on("create", &log)?;
        let mut prepare: Command = tools.backup();
        prepare.args(["--no-defaults", "--prepare"]);
        prepare.arg(format!("--target-dir={}", folder.data().display()));
        prepare.stdin(Stdio::null()).stdout(Stdio::null()).stderr(words);
        let preparing = Process::spawn_as_is(&self.shared.nursery, prepare).await?;
        if preparing.wait(COPY_LIMIT).await?.success() {
            return Ok(());
        }
        let what = folder.path().display().to_string();
        let (reason, log) =
            ("the copied files could not be made consistent".to_owned(), log_tail(&log, LOG_LINES));
        Err(Error::Start { what, reason, log })
    }

    /// The size of a node's data on disk and the time of a plain copy of the same files, to hold a live copy against.
    pub async fn plain_copy(&self, id: &NodeId) -> Result<(u64, Duration), Error> {
        let member = self.living()?.member(id)?;
        let aside = self.shared.folder.path().join("plain-copy");
        let _gone_after = Unfinished(Some(aside.clone()));
        let began = Instant::now();
        datadir::copy(&member.folder.data(), &aside).await?;
        Ok((size(&aside).on("measure", &aside)?, began.elapsed()))
    }
}

/// Where the copied node stood when its copy was finished.
fn position(data: &Path) -> Result<GtidPosition, Error> {
    let read = |name: &&str| fs::read_to_string(data.join(name)).ok();
    let text = POSITION_FILES.iter().find_map(read).unwrap_or_default();
    // File, offset, position; a node that has written nothing yet has no third field.
    let gtid = text.split_whitespace().nth(2).unwrap_or_default();
    gtid.parse().map_err(|error| Error::Spec(format!("the copy does not tell where it stands: {error}")))
}

/// Bytes on disk below a folder: holes do not count.
fn size(folder: &Path) -> std::io::Result<u64> {
    use std::os::unix::fs::MetadataExt as _;
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { size(&entry.path())? } else { metadata.blocks() * 512 };
    }
    Ok(bytes)
}
