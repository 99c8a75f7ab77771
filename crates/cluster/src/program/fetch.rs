//! Fetching the distribution's server package where none is installed.
//!
//! As root with the distribution's own installer, which for this package starts no service; never where that would remove
//! another package. As another user, or beside a server that does not fit, the packages are downloaded and unpacked into
//! the cache folder; nothing of the system changes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use crate::cache::{Cache, Lock};
use crate::program::{ProgramError, ServerProgram, examine, places, print_version};

/// What can be fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Package {
    /// The server.
    Server,
    /// The tools that copy a serving node.
    Backup,
    /// The command line client.
    Client,
    /// What a server can load. Only unpacked, never installed: this package would start a server.
    Plugins,
}

impl Package {
    fn name(self) -> &'static str {
        match self {
            Self::Server => "mariadb-server-core",
            Self::Backup => "mariadb-backup",
            Self::Client => "mariadb-client-core",
            Self::Plugins => "mariadb-server",
        }
    }

    /// Where it is unpacked, below the cache.
    fn folder(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Backup => "backup",
            Self::Client => "client",
            Self::Plugins => "plugins",
        }
    }

    /// The program that tells whether all libraries are there; `None`: there is none to try.
    fn program(self) -> Option<&'static str> {
        match self {
            Self::Server => Some("usr/sbin/mariadbd"),
            Self::Backup => Some("usr/bin/mariadb-backup"),
            Self::Client => Some("usr/bin/mariadb"),
            Self::Plugins => None,
        }
    }
}

/// One step of the package tools on a slow line.
const STEP_LIMIT: Duration = Duration::from_secs(600);
/// Libraries that this program itself could not run without, and that must not be mixed with the system's.
const NEVER_FETCHED: [&str; 4] = ["libc6", "libgcc-s1", "libstdc++6", "mariadb-common"];

/// The program that an earlier fetch left in the cache.
pub(super) async fn fetched_earlier(cache: &Cache) -> Option<ServerProgram> {
    let unpacked = unpacked(cache, Package::Server);
    examine(&unpacked.join("usr/sbin/mariadbd"), &library_dirs(&unpacked)).await.ok()
}

/// Where a package is, once it has been unpacked.
pub(super) fn unpacked(cache: &Cache, package: Package) -> PathBuf {
    cache.root().join(package.folder()).join("unpacked")
}

/// Fetches a package that goes with a server which is there already.
pub(super) async fn fetch_package(
    cache: &Cache,
    package: Package,
    say: &impl Fn(&str),
) -> Result<(), ProgramError> {
    let failed = |reason: String| ProgramError::Fetch { reason };
    if !has_tool("apt-get") {
        return Err(failed("there is no apt-get here".to_owned()));
    }
    let folder = cache.folder(package.folder()).map_err(|e| failed(e.to_string()))?;
    let _alone =
        Lock::exclusive(&folder.join("lock"), STEP_LIMIT).await.map_err(|e| failed(e.to_string()))?;
    if rustix::process::geteuid().is_root() && package != Package::Plugins {
        say(&format!("installing the package {}", package.name()));
        return install(package).await.map_err(failed);
    }
    // Another process may have been quicker while we waited for the lock.
    if unpacked(cache, package).is_dir() {
        return Ok(());
    }
    say(&format!("unpacking the package {} into {}", package.name(), folder.display()));
    unpack(&folder, package).await.map_err(failed)
}

/// Fetches the package in whichever way this user may. `beside` another server that does not fit it is only unpacked:
/// installing it would remove that other one.
pub(super) async fn fetch(
    cache: &Cache,
    beside: bool,
    say: &impl Fn(&str),
) -> Result<ServerProgram, ProgramError> {
    const PACKAGE: &str = "mariadb-server-core";
    let failed = |reason: String| ProgramError::Fetch { reason };
    if !has_tool("apt-get") {
        return Err(failed("there is no apt-get here".to_owned()));
    }
    let folder = cache.folder("server").map_err(|e| failed(e.to_string()))?;
    let _alone =
        Lock::exclusive(&folder.join("lock"), STEP_LIMIT).await.map_err(|e| failed(e.to_string()))?;
    if rustix::process::geteuid().is_root() && !beside {
        say(&format!("no database server found: installing the package {PACKAGE}"));
        install(Package::Server).await.map_err(failed)?;
        for path in places().into_iter().filter(|path| path.is_file()) {
            if let Ok(program) = examine(&path, &[]).await {
                return Ok(program);
            }
        }
        return Err(failed(format!(
            "{PACKAGE} was installed and brought no server of MariaDB 10.11 or later"
        )));
    }
    // Another tpcw may have been quicker while we waited for the lock.
    if let Some(program) = fetched_earlier(cache).await {
        return Ok(program);
    }
    say(&format!(
        "no suitable database server found: unpacking the package {PACKAGE} into {}",
        folder.display()
    ));
    unpack(&folder, Package::Server).await.map_err(failed)?;
    fetched_earlier(cache).await.ok_or_else(|| failed(format!("{PACKAGE} was unpacked and cannot be run")))
}

/// As root. The lists of packages are only brought up to date when the package is not known or not to be had.
async fn install(package: Package) -> Result<(), String> {
    let install = ["install", "-y", "--no-install-recommends", "--no-remove", package.name()];
    if apt_get(&[], Path::new("/"), &install).await.is_ok() {
        return Ok(());
    }
    apt_get(&[], Path::new("/"), &["update"]).await?;
    apt_get(&[], Path::new("/"), &install).await.map(drop)
}

/// As another user: package, then the libraries it lacks, into `folder/unpacked`, made aside and renamed.
async fn unpack(folder: &Path, package: Package) -> Result<(), String> {
    let aside = folder.join(format!("aside-{}", std::process::id()));
    let result = unpack_aside(&aside, package).await;
    let result = match result {
        Ok(()) => fs::rename(aside.join("unpacked"), folder.join("unpacked")).map_err(|e| e.to_string()),
        Err(e) => Err(e),
    };
    let _ = fs::remove_dir_all(&aside);
    result
}

async fn unpack_aside(aside: &Path, package: Package) -> Result<(), String> {
    let name = package.name();
    let (packages, unpacked) = (aside.join("packages"), aside.join("unpacked"));
    for folder in [&packages, &unpacked] {
        fs::create_dir_all(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    }
    let mut lists: Vec<String> = Vec::new();
    if apt_get(&lists, &packages, &["download", name]).await.is_err() {
        lists = own_lists(aside)?;
        apt_get(&lists, &packages, &["update"]).await?;
        apt_get(&lists, &packages, &["download", name]).await?;
    }
    unpack_all(&packages, &unpacked).await?;
    let Some(program) = package.program() else { return Ok(()) };
    let program = unpacked.join(program);
    if print_version(&program, &[]).await.is_err() {
        for library in dependencies(&lists, name).await? {
            apt_get(&lists, &packages, &["download", &library]).await?;
        }
        unpack_all(&packages, &unpacked).await?;
    }
    print_version(&program, &library_dirs(&unpacked)).await.map(drop)
}

/// Options by which apt-get keeps lists of its own, for a user who may not write the system's.
fn own_lists(aside: &Path) -> Result<Vec<String>, String> {
    let state = aside.join("apt");
    for part in ["lists/partial", "cache/archives/partial"] {
        fs::create_dir_all(state.join(part)).map_err(|e| format!("{}: {e}", state.display()))?;
    }
    let set = |name: &str, path: PathBuf| format!("-o{name}={}", path.display());
    Ok(vec![set("Dir::State::lists", state.join("lists")), set("Dir::Cache", state.join("cache"))])
}

/// The packages that the server's package names as needed, one level deep, without those that every system has.
async fn dependencies(lists: &[String], package: &str) -> Result<Vec<String>, String> {
    let mut command = Command::new("apt-cache");
    command.args(lists).args(["depends", "--no-recommends", "--no-suggests", package]);
    let text = run(command, "apt-cache depends").await?;
    Ok(dependencies_in(&text))
}

fn dependencies_in(text: &str) -> Vec<String> {
    text.lines()
        .filter_map(|line| line.strip_prefix("  Depends: "))
        .map(str::trim)
        .filter(|name| !name.starts_with('<') && !NEVER_FETCHED.contains(name))
        .map(str::to_owned)
        .collect()
}

/// Unpacks every downloaded package; again is harmless.
async fn unpack_all(packages: &Path, into: &Path) -> Result<(), String> {
    let entries = fs::read_dir(packages).map_err(|e| format!("{}: {e}", packages.display()))?;
    for package in entries.flatten().map(|e| e.path()).filter(|p| p.extension().is_some_and(|e| e == "deb")) {
        let mut command = Command::new("dpkg");
        command.arg("-x").arg(&package).arg(into);
        run(command, "dpkg -x").await?;
    }
    Ok(())
}

/// The folders of libraries in an unpacked package: `usr/lib/x86_64-linux-gnu` and its like.
pub(super) fn library_dirs(unpacked: &Path) -> Vec<PathBuf> {
    let triplet = format!("{}-linux-gnu", std::env::consts::ARCH);
    ["usr/lib", "lib"].iter().map(|f| unpacked.join(f).join(&triplet)).filter(|f| f.is_dir()).collect()
}

async fn apt_get(options: &[String], folder: &Path, arguments: &[&str]) -> Result<String, String> {
    let mut command = Command::new("apt-get");
    command
        .env("DEBIAN_FRONTEND", "noninteractive")
        .arg("-q")
        .args(options)
        .args(arguments)
        .current_dir(folder);
    run(command, &format!("apt-get {}", arguments[0])).await
}

/// Runs a tool to its end without input; what it says goes into the error only.
async fn run(mut command: Command, what: &str) -> Result<String, String> {
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = match tokio::time::timeout(STEP_LIMIT, command.output()).await {
        Err(_) => return Err(format!("{what} took more than {STEP_LIMIT:?}")),
        Ok(Err(e)) => return Err(format!("{what}: {e}")),
        Ok(Ok(output)) => output,
    };
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last: Vec<&str> = said.lines().rev().filter(|line| !line.trim().is_empty()).take(2).collect();
    Err(format!("{what}: {} ({})", output.status, last.join(" / ")))
}

fn has_tool(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(name).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_libraries_that_may_be_missing_are_fetched() {
        let text = "mariadb-server-core\n  Depends: mariadb-common\n  Depends: libaio1\n  Depends: libc6\n    \
            libelogind0\n  Depends: <virtual>\n  Conflicts: <mysql>\n  Depends: liburing2\n";
        assert_eq!(dependencies_in(text), ["libaio1", "liburing2"]);
    }
}
