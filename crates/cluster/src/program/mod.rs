//! Finding the server program: where the user says, in `PATH`, in the usual folders, in the cache; or fetching it.

mod backup;
mod extras;
mod fetch;
mod version;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::cache::Cache;

pub use self::find as find_server;
pub use backup::BackupTools;
pub use extras::{client, plugins};
pub use version::{Product, Version};

/// A program that only has to print its version gets this long.
const VERSION_LIMIT: Duration = Duration::from_secs(20);
/// Where distributions, ports and hand-made installations put servers.
const USUAL_FOLDERS: [&str; 10] = [
    "/usr/sbin",
    "/usr/libexec",
    "/usr/bin",
    "/usr/local/sbin",
    "/usr/local/libexec",
    "/usr/local/bin",
    "/usr/local/mysql/bin",
    "/usr/local/mariadb/bin",
    "/opt/mariadb/bin",
    "/opt/homebrew/bin",
];
/// The server's names, the one we want first.
const NAMES: [&str; 2] = ["mariadbd", "mysqld"];
/// What to type where nothing can be fetched.
pub(crate) const ADVICE: &str = "install it, for example with `apt-get install --no-install-recommends \
    mariadb-server-core`, or name one with --server-binary";

/// How to look for a server program.
#[derive(Clone, Debug)]
pub struct FindOptions<'a> {
    /// Named by the user (`--server-binary`, `TPCW_SERVER_BINARY`): this one or none.
    pub explicit: Option<PathBuf>,
    /// Never fetch anything.
    pub offline: bool,
    /// Where a fetched program is kept.
    pub cache: &'a Cache,
}

/// Why there is no server program.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProgramError {
    /// None anywhere, and fetching is forbidden.
    #[error("no database server program was found and --offline forbids fetching one; {ADVICE}")]
    Offline,
    /// None anywhere, and fetching one did not work.
    #[error("no database server program was found and fetching one failed: {reason}; {ADVICE}")]
    Fetch {
        /// What went wrong.
        reason: String,
    },
    /// The file that the user named cannot be run.
    #[error("{}: {reason}", path.display())]
    Unusable {
        /// The program.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// It runs and is too old, or of a kind that cannot be used.
    #[error("{} is {found}; local nodes need MariaDB 10.11 or later; {ADVICE}", path.display())]
    Unsupported {
        /// The program.
        path: PathBuf,
        /// What it says it is.
        found: String,
    },
}

/// A server program that local nodes can be made with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerProgram {
    /// The program.
    pub path: PathBuf,
    /// What it is.
    pub product: Product,
    /// Its version.
    pub version: Version,
    /// The version as the server prints it: `10.11.19-MariaDB-0+deb12u1`.
    pub version_text: String,
    /// The folder of its messages and of the SQL that makes system tables.
    pub share_dir: PathBuf,
    /// Shared libraries that came with a fetched program.
    pub library_dirs: Vec<PathBuf>,
}

impl ServerProgram {
    /// A command that runs it in an environment without surprises; arguments are the caller's.
    pub fn command(&self) -> Command {
        command(&self.path, &self.library_dirs)
    }

    /// The SQL files that make the system tables, in order.
    pub(crate) fn system_sql(&self) -> Option<[PathBuf; 2]> {
        system_sql(&self.share_dir)
    }
}

/// Finds a server program, fetching one if there is none and that is allowed. `say` gets whole lines for people.
///
/// # Errors
/// With [`FindOptions::explicit`] any trouble with that one program is final. Otherwise programs that do not fit are
/// passed over; the error then tells of the last of them.
pub async fn find(options: FindOptions<'_>, say: impl Fn(&str)) -> Result<ServerProgram, ProgramError> {
    if let Some(path) = &options.explicit {
        return examine(path, &[]).await;
    }
    let mut unfit = None;
    for path in places().into_iter().filter(|path| path.is_file()) {
        match examine(&path, &[]).await {
            Ok(program) => return Ok(program),
            Err(e) => unfit = Some(e),
        }
    }
    if let Some(program) = fetch::fetched_earlier(options.cache).await {
        return Ok(program);
    }
    if options.offline {
        return Err(unfit.unwrap_or(ProgramError::Offline));
    }
    fetch::fetch(options.cache, unfit.is_some(), &say).await
}

/// Every path worth a look, in order, each once.
fn places() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(USUAL_FOLDERS.iter().map(PathBuf::from));
    let mut places: Vec<PathBuf> = Vec::new();
    for folder in folders.filter(|folder| folder.is_absolute()) {
        for name in NAMES {
            let place = folder.join(name);
            if !places.contains(&place) {
                places.push(place);
            }
        }
    }
    // All folders' `mariadbd` come before any `mysqld`.
    places.sort_by_key(|place| !place.ends_with(NAMES[0]));
    places
}

/// Runs a program for its version and looks for what belongs to it.
async fn examine(path: &Path, library_dirs: &[PathBuf]) -> Result<ServerProgram, ProgramError> {
    let unusable = |reason: String| ProgramError::Unusable { path: path.to_owned(), reason };
    let text = print_version(path, library_dirs).await.map_err(unusable)?;
    let (product, version, version_text) = version::parse(&text)
        .ok_or_else(|| unusable(format!("no database server: it says `{}`", text.trim())))?;
    if product != Product::MariaDb || version < Version::OLDEST_MARIADB {
        let found = match product {
            Product::MariaDb => format!("MariaDB {version}"),
            Product::MySql => format!("MySQL {version}, which cannot be used for local nodes yet"),
        };
        return Err(ProgramError::Unsupported { path: path.to_owned(), found });
    }
    // What a link points at tells where the rest of the installation is.
    let real = path.canonicalize().map_err(|e| unusable(e.to_string()))?;
    let share_dir = share_dir(&real).ok_or_else(|| {
        unusable("the SQL files of its system tables are not beside it (share/mysql)".to_owned())
    })?;
    let library_dirs = library_dirs.to_vec();
    Ok(ServerProgram { path: real, product, version, version_text, share_dir, library_dirs })
}

/// What `--version` prints.
async fn print_version(path: &Path, library_dirs: &[PathBuf]) -> Result<String, String> {
    let mut command = tokio::process::Command::from(command(path, library_dirs));
    command.args(["--no-defaults", "--version"]).stdin(std::process::Stdio::null()).kill_on_drop(true);
    match tokio::time::timeout(VERSION_LIMIT, command.output()).await {
        Err(_) => Err(format!("did not print its version within {VERSION_LIMIT:?}")),
        Ok(Err(e)) => Err(format!("cannot be run: {e}")),
        Ok(Ok(output)) if output.status.success() => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        Ok(Ok(output)) => {
            let said = String::from_utf8_lossy(&output.stderr);
            Err(format!("ended with {}: {}", output.status, said.trim()))
        }
    }
}

/// A command with an empty environment: no settings, time zone or preloaded library of the user's reaches a node.
fn command(path: &Path, library_dirs: &[PathBuf]) -> Command {
    let mut command = Command::new(path);
    command.env_clear().env("TZ", "UTC").env("LC_ALL", "C");
    if let Ok(joined) = std::env::join_paths(library_dirs)
        && !joined.is_empty()
    {
        command.env("LD_LIBRARY_PATH", joined);
    }
    command
}

/// The folder with messages and system SQL of an installation, relative to its program: `PREFIX/sbin/mariadbd`.
fn share_dir(program: &Path) -> Option<PathBuf> {
    let prefix = program.parent()?.parent()?;
    ["share/mysql", "share/mariadb", "share", "scripts"]
        .iter()
        .map(|folder| prefix.join(folder))
        .find(|folder| system_sql(folder).is_some())
}

/// The two files that make the system tables: named after MySQL until 10, after MariaDB from 11 on.
fn system_sql(share_dir: &Path) -> Option<[PathBuf; 2]> {
    ["mysql", "mariadb"].iter().find_map(|name| {
        let files = ["tables", "tables_data"].map(|part| share_dir.join(format!("{name}_system_{part}.sql")));
        files.iter().all(|file| file.is_file()).then_some(files)
    })
}
